"""The drift report: a session is played again from its recording, and must come out the same.

What the desk did and what a replay of its recorded day does with the same answers are compared bar
by bar, to the last bit of the features. Green means that a backtest of this day tells the truth
about the desk. docs/drift.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from desk.difference import Cause, Difference, Kind
from desk.differences import differences
from desk.executed import slippage
from desk.journaled import JournaledSession
from desk.replayed import replay
from feeds.chain import ChainDay
from feeds.sessions import Session
from reports.formatting import clock, count, day, money
from settings import Settings
from strategies.events import Event, read_events
from vocabulary import Policy

SHOWN = 20
"""Differences that are written out; the rest is counted."""

MEANING = {
    Cause.DRIFT: "nobody explains",
    Cause.CONSEQUENCE: "follow from those before",
    Cause.EXECUTION: "what the broker filled against the recorded quote",
    Cause.RECORDING: "spot is recorded to 1/10,000 dollar",
    Cause.CLOSE: "settled before the official close was known",
    Cause.RESTART: "the desk died before it had asked",
}


@dataclass(frozen=True, eq=False)
class DriftReport:
    """How far a session and its replay are apart.

    Attributes:
        session: the trading day.
        differences: oldest first.
        bars, decisions, suggestions, fills: how many were compared.
        notes: what could not be compared, or was taken as given.
    """

    session: Session
    differences: Sequence[Difference]
    bars: int
    decisions: int
    suggestions: int
    fills: int
    notes: Sequence[str] = ()

    @property
    def drift(self) -> list[Difference]:
        """Those that nothing explains."""
        return self._of(Cause.DRIFT)

    @property
    def is_green(self) -> bool:
        """Whether everything is the same or explained, and anything was compared at all."""
        return not self.drift and self.bars > 0

    @property
    def dollars(self) -> float:
        """What the fills brought more than the replay's by drift and what followed from it."""
        if not self.drift:
            return 0.0
        return _dollars([*self.drift, *self._of(Cause.CONSEQUENCE)])

    @property
    def execution_dollars(self) -> float:
        """What a real broker's fills brought more than bid and ask (negative: slippage)."""
        return _dollars(self._of(Cause.EXECUTION))

    @property
    def values(self) -> dict[str, float]:
        """Columns of the journal's table `days`."""
        return {"drift": len(self.drift), "drift_dollars": self.dollars}

    def text(self) -> str:
        """The report for a terminal."""
        return "\n".join(self._lines())

    def _of(self, cause: Cause) -> list[Difference]:
        return [one for one in self.differences if one.cause is cause]

    def _lines(self) -> Iterator[str]:
        yield f"drift of {day(self.session.date)}: {self.verdict}"
        for cause in Cause:
            found = self._of(cause)
            if found:
                yield f"{count(len(found), 'difference')} ({MEANING[cause]})"
                yield from map(_line, found[:SHOWN])
                if len(found) > SHOWN:
                    yield f"  and {len(found) - SHOWN} more"
        if self._of(Cause.EXECUTION):
            amount = money(self.execution_dollars, signed=True)
            yield f"execution: {amount} against the recorded bid and ask"
        yield from (f"note: {note}" for note in self.notes)

    @property
    def verdict(self) -> str:
        """Green or red, and what was compared: neither dates nor prices."""
        if not self.bars:
            return "RED, nothing could be compared"
        seen = ", ".join(
            count(number, thing)
            for number, thing in (
                (self.bars, "bar"),
                (self.decisions, "decision"),
                (self.suggestions, "suggestion"),
                (self.fills, "fill"),
            )
        )
        if self.is_green:
            return f"GREEN, {seen} came out the same"
        found = count(len(self.drift), "difference")
        return f"RED, {found} in {seen}, {money(self.dollars, signed=True)}"


def drift_of(
    recorded: ChainDay,
    session: JournaledSession,
    policy: Policy,
    settings: Settings,
    events: Sequence[Event] | None = None,
) -> DriftReport:
    """Replay a session that is over and compare.

    Args:
        recorded: the day as the desk recorded it.
        session: the journal's account of it (`desk.journaled_session.journaled_session`).
        policy: the desk's.
        settings: the desk's.
        events: the desk's calendar of events; read from `settings.rules.events` where None.
    """
    if events is None:
        path = settings.rules.events
        events = [] if path is None else read_events(path)
    again = replay(recorded, session, policy, settings, events)
    found = differences(session, again)
    if session.real_broker:
        found += slippage(recorded, session.fills)
    return DriftReport(
        session=recorded.session,
        differences=sorted(found, key=lambda one: one.ts),
        bars=len(again.bars),
        decisions=int(again.bars["action"].notna().sum()),
        suggestions=len(session.suggestions),
        fills=len(session.fills),
        notes=_notes(again.unseen, session),
    )


def _notes(unseen: int, session: JournaledSession) -> list[str]:
    notes = []
    if unseen:
        notes.append(f"{count(unseen, 'recorded row')} never reached the desk: left out of both")
    if session.restarts:
        times = ", ".join(clock(ts) for ts in session.restarts)
        notes.append(f"the desk was started again after {times}")
    return notes


def _dollars(found: Sequence[Difference]) -> float:
    """Of the fills alone: what bars say about cash says the same once more."""
    return sum(one.dollars or 0.0 for one in found if one.kind is Kind.FILL)


def _line(one: Difference) -> str:
    amount = "" if one.dollars is None else f" ({money(one.dollars, signed=True)})"
    return f"  {clock(one.ts)} {one.kind}, {one.what}: {one.journaled} | {one.replayed}{amount}"
