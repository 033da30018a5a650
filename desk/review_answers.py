"""Answers of a review, in a journal of their own: sessions of mode "review".

Each window is a session of the journal under its own date, so that the feedback table reads it like
any other; `recorded` is what happened afterwards. Which of two was better, and how a repeated
question was answered, are events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.records import decision_record, suggestion_record
from brokers.journal.session import SessionFacts
from desk.outcomes import outcomes_of
from desk.review_windows import Scene
from errors import DataError
from settings import Settings
from vocabulary import Answer, Decision, JournalRecord, Policy, Suggestion

REVIEWS = Path("runs/review.db")
"""Where the answers of reviews are kept."""

MODE = "review"
PREFERRED, REPEATED = "preferred", "repeated"
"""Events: `better` and `worse` (suggestion ids); `suggestion_id`, `first` and `again`."""

WOULD_HAVE = "would have traded here"
"""Comment of a y to something the model did not suggest."""

MODEL_SCHEMA = "1"


@dataclass(frozen=True, slots=True)
class Answered:
    """A suggestion and what was said to it; None says nothing of it alone."""

    scene: Scene
    suggestion: Suggestion
    decision: Decision | None


class ReviewJournal:
    """Writes the answers of one evening; what was written stays if it is broken off."""

    def __init__(
        self, journal: Journal, policy: Policy, settings: Settings, sha256: str, seed: int
    ) -> None:
        """`seed` is the evening's, `sha256` that of the model's zip."""
        self._journal, self._policy, self._settings = journal, policy, settings
        self._sha256, self._seed = sha256, seed

    def keep(
        self, market: str, answered: Sequence[Answered], events: Sequence[tuple[str, Any]] = ()
    ) -> None:
        """Write a window: suggestions, decisions, outcomes, then events in the last one's session.

        Args:
            market: label of the source.
            answered: may be of several dates.
            events: name and detail.
        """
        for place, one in enumerate(answered):
            last = place == len(answered) - 1
            self._session(market, one, events if last else ())

    def _session(self, market: str, one: Answered, events: Sequence[tuple[str, Any]]) -> None:
        facts = self._facts(market, one.scene)
        suggestion, ts = one.suggestion, one.suggestion.ts
        self._journal.open_session(facts, ts)
        records = [
            suggestion_record(suggestion, one.scene.snapshot, facts, MODEL_SCHEMA, None, None)
        ]
        if one.decision is not None:
            records.append(decision_record(one.decision, None, ts))
        made = outcomes_of(one.scene.day, [suggestion], (), self._policy, self._settings)
        records += made.records
        records += [
            JournalRecord("session_events", ts, {"event": name, "detail": detail})
            for name, detail in events
        ]
        self._journal.write(*records)
        self._journal.end_session(ts=ts)

    def note(self, market: str, scene: Scene, name: str, detail: Mapping[str, Any]) -> None:
        """Write an event of a scene without asking for anything again."""
        ts = scene.snapshot.ts
        self._journal.open_session(self._facts(market, scene), ts)
        self._journal.write(JournalRecord("session_events", ts, {"event": name, "detail": detail}))
        self._journal.end_session(ts=ts)

    def _facts(self, market: str, scene: Scene) -> SessionFacts:
        return SessionFacts(
            MODE,
            scene.day.session.date,
            market=market,
            seed=self._seed,
            model=self._policy.name,
            model_sha256=self._sha256,
            settings=self._settings.model_dump(mode="json"),
        )


def preferences(reader: JournalReader) -> list[Mapping[str, str]]:
    """The comparisons of a journal: `better` and `worse`, each a suggestion_id.

    Raises `DataError` for an event that does not hold them.
    """
    return _details(reader, PREFERRED, ("better", "worse"))


def consistency(reader: JournalReader) -> tuple[int, int]:
    """Repeated questions with y or n both times, and how many of them were answered alike.

    Raises `DataError` for an event that does not hold them.
    """
    said = (Answer.YES.value, Answer.NO.value)
    repeats = _details(reader, REPEATED, ("first", "again"))
    both = [(detail["first"], detail["again"]) for detail in repeats]
    both = [pair for pair in both if set(pair) <= set(said)]
    return len(both), sum(first == again for first, again in both)


def _details(reader: JournalReader, event: str, names: tuple[str, ...]) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    for row in reader.rows("session_events", event=event):
        detail = row["detail"]
        if not isinstance(detail, Mapping) or not all(
            isinstance(detail.get(n), str) for n in names
        ):
            where = f"journal {reader.path}: event {event!r} of session {row['session_id']}"
            raise DataError(f"{where} has no {' and '.join(names)}")
        found.append(detail)
    return found


def evenings(path: Path) -> int:
    """How many reviews a journal has seen; the next one's seed."""
    if not path.is_file():
        return 0
    with JournalReader(path) as reader:
        return 1 + max((int(row["seed"]) for row in reader.rows("sessions", mode=MODE)), default=-1)
