"""The gate: what it keeps back, what it shows to learn, when it is off, and its file."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from feedback_rows import MODEL, Wants, answers, feedback, suggested
from hypothesis import given
from hypothesis import strategies as some
from market import market

from errors import DataError, ModelError
from feeds.source import MemorySource
from models.feedback.acceptance import fit_acceptance
from models.feedback.dataset import combined
from models.feedback.evidence import learning_curve
from models.feedback.gate import Gate, GatedPolicy, gate_verdict, veto_window
from models.feedback.gate_card import GATE_NAME, read_gate, write_gate
from models.feedback.learning import GateTerms, learn_gate
from models.feedback.rolling import CANDIDATES
from models.feedback.status import next_steps, status_lines
from models.playback import play
from models.session_arrays import read_sessions
from settings import Settings

NOW = datetime(2026, 11, 2, 20, 0, tzinfo=UTC)
GATE = Gate("gate-1", fit_acceptance(answers(60)), "veto", 0.5, seed=4)
PROBABILITIES = some.lists(some.floats(0, 1) | some.just(float("nan")), min_size=1, max_size=20)


def between(days):
    return float(np.min(days)), float(np.max(days))


def learned(table, mode="auto", **terms):
    return learn_gate(table, "bundled", MODEL, GateTerms(mode=mode, **terms), between, NOW)


@given(PROBABILITIES, some.floats(0, 1), some.booleans(), some.booleans(), some.floats(0, 1))
def test_a_verdict_shows_vetoes_or_probes_and_nothing_else(p, tau, chosen, vetoes, rate):
    found = gate_verdict(np.array(p), tau, np.full(len(p), chosen), rate, vetoes=vetoes)
    low = np.array(p) < tau
    assert (found.vetoed | found.probe).tolist() == (low & vetoes).tolist()
    assert not (found.vetoed & found.probe).any()
    assert found.probe.any() <= chosen
    expected = np.where(low & vetoes, rate, 1.0)
    np.testing.assert_array_equal(found.show_probability, expected)


def test_what_is_not_known_is_never_kept_back():
    features, action = suggested(1)
    features[0, 2] = np.nan
    assert not GATE.judge(features, action, 739_000).vetoed.any()


def test_a_probe_is_drawn_once_an_hour_and_again_the_same():
    features, action = suggested(4000, seed=3)
    session = np.arange(4000) % 40 + 739_000
    found, again = (GATE.judge(features, action, session) for _ in range(2))
    np.testing.assert_array_equal(found.probe, again.probe)
    refused = found.vetoed | found.probe
    window = veto_window(features[:, 0])
    kinds = {}
    for n in np.flatnonzero(refused):
        kinds.setdefault((session[n], action[n], window[n]), set()).add(bool(found.probe[n]))
    assert len(kinds) > 300 and all(len(kind) == 1 for kind in kinds.values())
    assert 0.05 < np.mean([kind == {True} for kind in kinds.values()]) < 0.15
    assert not GATE.without_probes().judge(features, action, session).probe.any()


def test_windows_are_hours_from_the_open_whatever_float32_makes_of_them():
    minutes = np.array([0, 55, 60, 65, 119, 120, 390])
    assert veto_window((minutes / 390).astype(np.float32)).tolist() == [0, 0, 1, 1, 1, 2, 6]


@pytest.mark.parametrize("mode", ["off", "advise"])
def test_a_gate_that_only_looks_on_shows_everything(mode):
    features, action = suggested(200)
    found = replace(GATE, mode=mode).judge(features, action, 739_000)
    assert not found.vetoed.any() and (found.show_probability == 1).all()
    assert (found.probability < 0.5).any()


def test_a_gated_policy_never_sells_what_its_gate_keeps_back():
    session = market(spot=628.2)
    policy = Wants((7, 2), (30, 1))
    arrays = read_sessions(MemorySource([session.day()]), Settings())
    free = play(policy, arrays, Settings())
    shut = replace(GATE, tau=1.0, probe_rate=0.0)
    gated = play(GatedPolicy(policy, shut), arrays, Settings())
    opened = play(GatedPolicy(policy, replace(shut, tau=0.0)), arrays, Settings())
    assert len(free.trips[0]) >= 1 and not gated.trips[0]
    assert opened.net_pnl.tolist() == free.net_pnl.tolist()


# Learning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (feedback(0), "no answer of y or n yet"),
        (feedback(12, said=np.ones(12, bool)), "all 12 answers are y"),
        (feedback(8), "8 answers of y or n, and it takes 10"),
        (feedback(30, said=np.arange(30) < 2), "it takes 3 of each"),
        (feedback(60, said=np.arange(60) % 2 == 0), "does not foretell the answers"),
    ],
)
def test_a_gate_is_off_and_says_why(table, why):
    report = learned(table)
    assert why in report.why
    assert report.card is None or report.card.mode == "off"
    assert why in status_lines(report)[0]


def test_a_gate_that_would_keep_almost_everything_back_is_off():
    features, _ = suggested(60)
    table = feedback(60, said=features[:, 2] < 0.14)
    report = learned(table, "veto", tau=0.5)
    assert report.veto_share > 0.7 and report.card.mode == "off"
    assert "nothing would be left to learn from" in report.why


def test_the_threshold_rises_once_the_model_has_shown_itself():
    assert learned(feedback(40)).card.tau == 0.3
    assert learned(feedback(60)).card.tau == 0.5


def test_it_advises_until_the_shadows_of_what_it_would_keep_back_have_lost():
    won, lost = (feedback(60, shadow_pnl=dollars) for dollars in (5.0, -5.0))
    assert learned(won).card.mode == "advise"
    assert "+5.00 dollars" in learned(won).why and "would have cost money" in learned(won).why
    both = feedback(60).assign(shadow_pnl=np.tile([5.0, -6.0], 30))
    assert "no loss for sure" in learned(both).why
    assert "evidence for a veto takes 10" in learned(feedback(60)).why
    assert learned(lost).card.mode == "veto" and learned(lost).evidence.high == -5.0
    assert learned(won, "veto").card.mode == "veto"
    assert learned(lost, "advise").card.mode == "advise"
    assert learned(lost, "off").card.mode == "off"


def test_what_may_be_luck_never_vetoes():
    coin = np.random.default_rng(77).random(60) < 0.5
    report = learned(feedback(60, said=coin), "veto", auc=0.0)
    assert report.card.mode == "advise" and "may be luck" in report.why


def test_answers_of_other_models_are_left_out_and_never_alone():
    own, theirs = feedback(20), feedback(15, seed=1).assign(model_sha256="b" * 64)
    both = combined([own, theirs.assign(session_id="theirs")])
    report = learned(both)
    assert report.answers == 20 and "15 answers were given to another model" in report.notes[0]
    with pytest.raises(DataError, match="all 15 answers were given to another model"):
        learned(theirs)
    parents = learn_gate(theirs, "bundled", MODEL, GateTerms(), between, NOW, lineage=["b" * 64])
    assert parents.answers == 15


def reviewed(**more):
    """Forty answers at the desk, and forty of an evening by somebody who says the opposite."""
    desk = feedback(40, **more)
    seen = feedback(40, seed=1)
    turned = seen["response"].map({"y": "n", "n": "y"})
    seen = seen.assign(source="review", session_id="evening", weight=0.5, response=turned)
    return combined([desk, seen])


def with_consistency(share):
    table = reviewed()
    return learn_gate(table, "bundled", MODEL, GateTerms(), between, NOW, consistency=share)


def test_a_reviewer_who_answers_repeats_like_a_coin_teaches_the_gate_nothing():
    alone, coin, sure = learned(feedback(40)), with_consistency(0.5), with_consistency(1.0)
    assert coin.answers == alone.answers == 40 and sure.answers == 80
    assert coin.card.acceptance == alone.card.acceptance
    assert "count 0% of what they would: 50% of the repeated questions" in coin.notes[0]
    assert with_consistency(None).card.acceptance == sure.card.acceptance and not sure.notes


def test_the_less_consistent_a_reviewer_the_less_a_review_moves_the_gate():
    """At a high volatility the desk's person says n, and the one of the review y."""
    high, _ = suggested(1)
    high[:, 2] = 0.33

    def chance(share):
        fit = with_consistency(share).card.acceptance
        return float(fit.probability(high, np.array([1]))[0])

    assert chance(0.5) < chance(0.6) < chance(1.0)


def test_the_status_says_what_so_many_answers_more_would_allow():
    few = "\n".join(status_lines(learned(feedback(8))))
    assert "a gate that advises takes 10 answers with 3 y and 3 n" in few
    assert "42 answers more, 50 in all: the threshold of 50%" in few
    assert next_steps(learned(feedback(210)), GateTerms()) == []


def test_the_status_tells_agreement_and_what_more_answers_would_buy():
    text = "\n".join(status_lines(learned(feedback(80))))
    assert "agreement, volatility below" in text and "calibration: foretold" in text
    assert "going from 25 to 50 answers" in text
    (first, *_) = learning_curve(answers(80), CANDIDATES[0])
    assert (first.answers, first.later) == (10, 70)


# Its file -----------------------------------------------------------------------------------------


def test_a_gate_is_read_as_it_was_written_and_the_former_is_kept(tmp_path):
    first = learned(feedback(40)).card
    write_gate(tmp_path, first)
    assert read_gate(tmp_path, MODEL) == first
    second = learn_gate(
        feedback(60), "bundled", MODEL, GateTerms(), between, NOW, former=first
    ).card
    assert second.parent == first.version
    write_gate(tmp_path, second)
    assert read_gate(tmp_path, MODEL).gate() == second.gate()
    kept = (tmp_path / "gates" / f"{first.version}.json").read_bytes()
    assert type(first).from_json(kept) == first
    with pytest.raises(ModelError, match="learn again"):
        write_gate(tmp_path, first)


def test_a_gate_over_another_policy_is_refused(tmp_path):
    write_gate(tmp_path, learned(feedback(40)).card)
    with pytest.raises(ModelError, match="learned over another policy"):
        read_gate(tmp_path, "b" * 64)
    assert read_gate(tmp_path / "elsewhere", MODEL) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1", b'{"schema_name": "gate/2"}'])
def test_a_damaged_gate_is_told_in_one_line(tmp_path, damage):
    (tmp_path / GATE_NAME).write_bytes(damage)
    with pytest.raises(ModelError, match=r"gate\.json is no gate: wrong at") as error:
        read_gate(tmp_path, MODEL)
    assert "\n" not in str(error.value)


def test_equal_answers_give_an_equal_version():
    first, again = (learned(feedback(40)).card for _ in range(2))
    later = again.model_copy(update={"created": datetime(2027, 1, 1, tzinfo=UTC)})
    assert first.version == later.version
    assert first.version != learned(feedback(41)).card.version
