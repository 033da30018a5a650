"""An evening's review: date and level hidden, every answer kept at once, repeats measured."""

import re

import numpy as np
import pytest
from market import SESSION, market

from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from desk.review import Review, scene_text
from desk.review_answers import MODE, ReviewJournal, consistency, evenings, preferences
from desk.review_windows import Kind, plan, windows
from errors import DataError
from feeds.sessions import last_sessions
from feeds.simulation.market import SimulatedMarket
from feeds.source import MemorySource
from settings import Settings
from strategies.baselines import baseline
from vocabulary import Action, Answer

SETTINGS = Settings()
SESSIONS = last_sessions(6, SESSION.date)


class Seller:
    """Sells the put in the first half of the day and holds in the second."""

    name, actions, obeys_waits = "seller", 3, True

    def probabilities(self, moment):
        early = moment.minutes < 195
        return np.where(early, [0.2, 0.1, 0.7], [0.8, 0.1, 0.1]) * moment.mask


@pytest.fixture(scope="module")
def source():
    return SimulatedMarket(SESSIONS, seed=5)


def asked(source, count=8, seed=0):
    return list(windows(source, Seller(), SETTINGS, count, seed))


def evening(path, source, lines, count=8, seed=0):
    """A review with the given lines; what was shown, and the evening."""
    told, left = [], iter(lines)

    def ask(prompt):
        told.append(prompt)
        return next(left, None)

    with Journal(path, durable=False) as journal:
        keeper = ReviewJournal(journal, Seller(), SETTINGS, "a" * 64, seed)
        review = Review(keeper, source.label, ask, told.append)
        done = review.run(windows(source, Seller(), SETTINGS, count, seed), count)
    return done, "\n".join(told)


def rights(window):
    """A line that fits the window."""
    return {Kind.TRADE: "y", Kind.PAIR: "a", Kind.HELD: "n"}[window.kind]


def test_an_evening_has_trades_pairs_held_moments_and_repeats(source):
    assert plan(20) == (11, 3, 3, 3)
    found = asked(source, 20)
    assert len(found) == 20
    kinds = [window.kind for window in found]
    assert [kinds.count(kind) for kind in Kind] == [14, 3, 3]
    repeats = [window for window in found if window.repeats]
    firsts = {window.suggestions[0].id for window in found[:17] if window.kind is Kind.TRADE}
    assert len(repeats) == 3
    assert {window.suggestions[0].id for window in repeats} <= firsts


def test_the_same_evening_is_asked_again_and_another_is_another(source):
    first, again, other = (
        [one.id for window in asked(source, seed=seed) for one in window.suggestions]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_held_moments_are_those_at_which_the_model_held(source):
    for window in asked(source, 20):
        wanted = {scene.wanted for scene in window.scenes}
        if window.kind is Kind.HELD:
            assert wanted == {Action.HOLD}
        assert all(
            one.probabilities in ((0.2, 0.1, 0.7), (0.8, 0.1, 0.1)) or one
            for one in window.suggestions
        )


def test_neither_date_nor_level_nor_outcome_is_shown(tmp_path, source):
    lines = [rights(window) for window in asked(source, 20)]
    _, text = evening(tmp_path / "r.db", source, lines, 20)
    assert "2026" not in text
    assert not any(f"{session.date:%b}" in text for session in SESSIONS)
    levels = [float(word) for word in re.findall(r"SPY Price: \$([\d.]+)", text)]
    assert len(levels) >= 14
    assert all(470 < level < 530 for level in levels)
    spots = {f"{one.spot:.2f}" for window in asked(source, 20) for one in window.suggestions}
    assert not any(f"${spot}" in text for spot in spots)
    assert "pnl" not in text.lower()


def test_nothing_later_than_the_moment_is_shown(source):
    for window in asked(source):
        scene = window.scenes[0]
        row = int(np.searchsorted(scene.day.ts, scene.snapshot.ts))
        before = scene_text(scene)
        saved = scene.day.spot[row + 1 :].copy()
        scene.day.spot.setflags(write=True)
        scene.day.spot[row + 1 :] = 1.0
        assert scene_text(scene) == before
        scene.day.spot[row + 1 :] = saved


def test_answers_are_journaled_as_mode_review_with_their_outcomes(tmp_path, source):
    found = asked(source)
    path = tmp_path / "r.db"
    done, _ = evening(path, source, [rights(window) for window in found])
    with JournalReader(path) as reader:
        sessions, table = reader.sessions(), reader.suggestions()
        outcomes, preferred = reader.rows("outcomes"), preferences(reader)
        assert consistency(reader) == (2, 2)
    assert set(sessions["mode"]) == {MODE}
    assert set(sessions["state"]) == {"closed"}
    said = table["response"].value_counts()
    assert said[Answer.YES.value] == done.yes > 0
    assert said[Answer.NO.value] == done.no > 0
    assert len(preferred) == done.pairs == 2
    ids = set(table["suggestion_id"])
    assert all({one["better"], one["worse"]} <= ids for one in preferred)
    assert len(outcomes) == len(table)
    dates = {f"{one.snapshot.session.date}" for window in found for one in window.scenes}
    assert set(sessions["session_date"]) == dates
    assert (done.repeats, done.alike) == (2, 2)


def test_a_repeat_is_no_second_label_and_shows_a_change_of_mind(tmp_path, source):
    found = asked(source)
    lines = [rights(window) for window in found]
    lines = ["n timing too late" if w.repeats else t for w, t in zip(found, lines, strict=True)]
    done, _ = evening(tmp_path / "r.db", source, lines)
    with JournalReader(tmp_path / "r.db") as reader:
        assert consistency(reader) == (2, 0)
        trades = [w for w in found if w.kind is Kind.TRADE and not w.repeats]
        assert len(reader.rows("decisions", response="y")) == len(trades) == done.yes


def test_what_the_person_would_have_traded_is_a_yes_to_that_trade(tmp_path, source):
    found = asked(source)
    place = next(n for n, window in enumerate(found) if window.kind is Kind.HELD)
    lines = ["skip" if window.kind is not Kind.HELD else "put" for window in found]
    done, _ = evening(tmp_path / "r.db", source, lines)
    with JournalReader(tmp_path / "r.db") as reader:
        table = reader.suggestions(answer="y")
    puts = [one.id for one in found[place].suggestions if one.action is Action.SELL_PUT]
    assert set(puts) <= set(table["suggestion_id"])
    assert set(table["comment"]) == {"would have traded here"}
    assert done.no == 0


def test_lines_that_are_no_answer_are_told_and_asked_again(tmp_path, source):
    found = asked(source)
    lines = [line for window in found for line in ("maybe", "", "help", rights(window))]
    done, text = evening(tmp_path / "r.db", source, lines)
    assert done.answers >= 6
    assert "which of two trades was the better one" in text
    assert "answer y, n or skip" in text
    assert "flatten" not in text


def test_what_was_answered_before_the_lines_ended_is_kept(tmp_path, source):
    found = asked(source)
    done, text = evening(tmp_path / "r.db", source, [rights(found[0]), "quit"])
    assert "stopped here" in text
    with JournalReader(tmp_path / "r.db") as reader:
        assert set(reader.sessions()["state"]) == {"closed"}
        assert len(reader.rows("suggestions")) >= 1
    assert done.answers == 1


def test_every_evening_has_a_seed_of_its_own(tmp_path, source):
    path = tmp_path / "r.db"
    assert evenings(path) == 0
    evening(path, source, ["y", "a", "n"] * 2, seed=0)
    assert evenings(path) == 1
    evening(path, source, ["y", "a", "n"] * 2, seed=1)
    assert evenings(path) == 2


def test_sessions_without_a_legal_entry_are_refused_in_one_line():
    barren = market(strikes=range(700, 705)).day()
    with pytest.raises(DataError, match="nothing to review"):
        next(windows(MemorySource([barren]), baseline("hold", 0), SETTINGS, 3, 0))
