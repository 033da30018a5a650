"""An evaluation says what the numbers say: no edge by luck, by one seed, or by too few sessions."""

import json
from datetime import date

import numpy as np
import pytest

from errors import DataError
from feeds.sessions import last_sessions
from reports.evaluation import CANDIDATE, LUCK, evaluation_figures, series
from reports.evaluation_report import draw_evaluation, verdicts, write_evaluation
from reports.evaluation_text import (
    LOSES,
    PROVEN,
    UNPROVEN,
    WORSE,
    best_baseline,
    folds,
    judgement,
    standings,
)
from reports.formatting import money

FACTS = {
    "data": "recorded",
    "is_simulated": False,
    "sessions": 150,
    "first": "2026-01-02",
    "last": "2026-10-30",
    "how": "2 folds",
    "notes": ["a note"],
}


def outcome(policy, role, fold, dates, net, seed=None, wide=None, trades=1, **facts):
    net = np.asarray(net, float)
    return {
        "policy": policy,
        "role": role,
        "fold": fold,
        "seed": seed,
        "dates": [day.isoformat() for day in dates],
        "net_pnl": net.tolist(),
        "less_delta": (net / 2).tolist(),
        "wide": (net - 1 if wide is None else np.asarray(wide)).tolist(),
        "trades": [trades] * len(net),
        "calls": 0,
        **facts,
    }


def contest(edge, seeds=(0, 1, 2), sessions=120, noise=20.0, wide=None):
    """Outcomes of a candidate with an `edge` a session over hold, on two folds."""
    dice = np.random.default_rng(5)
    dates = [session.date for session in last_sessions(sessions, date(2026, 10, 30))]
    half = sessions // 2
    outcomes = []
    for fold, part in ((1, dates[:half]), (2, dates[half:])):
        market = dice.normal(0, 5, len(part))
        for seed in seeds:
            net = dice.normal(edge, noise, len(part)) + market
            worse = None if wide is None else net + wide
            outcomes.append(outcome("ours", CANDIDATE, fold, part, net, seed, worse))
        outcomes.append(outcome("hold", "baseline", fold, part, np.zeros(len(part)), trades=0))
        clock = market + dice.normal(0.5, 2, len(part))
        outcomes.append(outcome("sell_put@10:00", "baseline", fold, part, clock))
        spot = dice.normal(40, 600, len(part))
        outcomes.append(outcome("buy and hold", "baseline", fold, part, spot))
    for seed in range(6):
        net = dice.normal(0, noise, sessions)
        outcomes.append(outcome("random legal", LUCK, None, dates, net, seed, beside="ours"))
    return outcomes


def figures_of(outcomes, trials=1, variance=np.nan):
    return evaluation_figures(outcomes, FACTS, trials, variance)


def test_folds_are_joined_in_time_and_seeds_stay_apart():
    outcomes = contest(1.0)
    (ours,) = series(list(reversed(outcomes)), CANDIDATE)
    assert ours.dates == sorted(ours.dates)
    assert ours.net_pnl.shape == (3, 120)
    assert ours.seeds == [2, 1, 0]
    assert ours.fold == [1] * 60 + [2] * 60
    first = next(each for each in outcomes if each["seed"] == 0 and each["fold"] == 1)
    assert ours.net_pnl[2, :60].tolist() == first["net_pnl"]


def test_an_edge_is_called_one_only_when_all_of_it_holds():
    figures = figures_of(contest(12.0))["candidates"]["ours"]
    assert judgement(figures) == PROVEN
    assert judgement(figures | {"wide": -0.5}) == UNPROVEN
    assert judgement(figures | {"deflated_sharpe": 0.9}) == UNPROVEN


def test_an_edge_among_many_trials_is_not_called_one():
    outcomes = contest(7.5, seeds=(0,))
    lone, many = figures_of(outcomes, 1), figures_of(outcomes, 300, 0.01)
    assert many["candidates"]["ours"]["deflated_sharpe"] < 0.95
    assert lone["candidates"]["ours"]["deflated_sharpe"] > 0.95
    (sentence,) = verdicts(many)
    assert "no edge is shown" in sentence


@pytest.mark.parametrize(
    ("edge", "kind", "words"),
    [
        (12.0, PROVEN, "an edge on this market"),
        (0.2, UNPROVEN, "may be luck, no edge is shown"),
        (-9.0, LOSES, "it loses money, do not trade it"),
    ],
)
def test_the_verdict_is_a_sentence_for_a_trader(edge, kind, words):
    figures = figures_of(contest(edge))
    (sentence,) = verdicts(figures)
    assert judgement(figures["candidates"]["ours"]) == kind
    assert words in sentence
    assert sentence.startswith("On 120 sessions that it had not learned from, ours made ")
    assert sentence.endswith(".")


def test_worse_than_a_rule_is_said():
    outcomes = contest(1.5, noise=4.0)
    for each in outcomes:
        if each["policy"] == "sell_put@10:00":
            each["net_pnl"] = [value + 9 for value in each["net_pnl"]]
    figures = figures_of(outcomes)
    assert judgement(figures["candidates"]["ours"]) == WORSE
    assert "worse than sell_put@10:00, which needs no model" in verdicts(figures)[0]
    assert best_baseline(figures["candidates"]["ours"]) == "sell_put@10:00"


def test_buy_and_hold_is_no_rule_that_a_candidate_is_worse_than():
    outcomes = contest(1.5, noise=4.0)
    for each in outcomes:
        if each["policy"] == "buy and hold":
            each["net_pnl"] = [900.0] * 60
        if each["policy"] == "random legal":
            each["net_pnl"] = [value + 9 for value in each["net_pnl"]]
    assert "worse than random legal, which needs no model" in verdicts(figures_of(outcomes))[0]


def test_a_few_sessions_show_no_edge_however_good_they_were():
    """A seller of options wins on most days: eight of them without a loss say nothing."""
    for sessions, kind in ((8, UNPROVEN), (58, UNPROVEN), (60, PROVEN)):
        outcomes = contest(30.0, sessions=sessions, noise=3.0)
        figures = figures_of(outcomes)
        assert judgement(figures["candidates"]["ours"]) == kind, sessions
        assert ("takes 60 sessions at least" in verdicts(figures)[0]) == (kind == UNPROVEN)


def test_seeds_have_their_own_numbers_and_each_fold_its_median_and_worst():
    outcomes = contest(0.0, seeds=(7, 8, 9))
    for each in outcomes:
        if each["role"] == CANDIDATE:
            each["net_pnl"] = [{7: 5.0, 8: 1.0, 9: 3.0}[each["seed"]]] * 60
    table = folds(figures_of(outcomes))
    assert table.columns[5:10] == ("Median seed", "Worst seed", "Seed 7", "Seed 8", "Seed 9")
    assert [row[5:10] for row in table.rows] == [
        ("+$3.00", "+$1.00", "+$5.00", "+$1.00", "+$3.00")
    ] * 2
    lone = folds(figures_of(contest(1.0, seeds=(None,))))
    assert lone.columns[5:] == ("Mean a session", "Less delta")


def test_random_sales_stand_beside_the_other_baselines():
    figures = figures_of(contest(1.0))
    names = [row[0] for row in standings(figures).rows]
    assert names == ["ours", "hold", "sell_put@10:00", "buy and hold", "random legal"]
    draws = figures["candidates"]["ours"]["luck"]["draws"]
    shown = standings(figures).rows[-1][2]
    assert shown == money(float(np.mean(draws)), signed=True)


def test_how_many_sessions_is_said_of_each_where_they_differ():
    outcomes = contest(1.0)
    assert "Sessions" not in standings(figures_of(outcomes)).columns
    fewer = [e for e in outcomes if not (e["role"] == CANDIDATE and e["fold"] == 1)]
    fewer = [e for e in fewer if e["role"] != LUCK]
    table = standings(figures_of(fewer))
    assert table.columns[-1] == "Sessions"
    assert [row[-1] for row in table.rows] == ["60", "120", "120", "120"]


def test_a_candidate_that_never_trades_is_not_judged():
    outcomes = contest(0.0, noise=0.0)
    for each in outcomes:
        if each["role"] == CANDIDATE:
            each.update(trades=[0] * 60, net_pnl=[0.0] * 60, wide=[0.0] * 60)
    (sentence,) = verdicts(figures_of(outcomes))
    assert sentence == "ours never traded on 120 sessions: nothing to judge."


def test_median_and_worst_seed_are_shown_and_not_the_best():
    outcomes = contest(0.0, seeds=(0, 1, 2, 3))
    for each in outcomes:
        if each["role"] == CANDIDATE:
            each["net_pnl"] = [10.0 * each["seed"]] * 60
    figures = figures_of(outcomes)["candidates"]["ours"]
    assert figures["seed_means"] == [0, 10, 20, 30]
    assert (figures["median_seed"], figures["worst_seed"]) == (10, 0)
    assert figures["mean"] == 15


def test_a_rival_is_compared_on_the_candidates_sessions_alone():
    outcomes = [
        each for each in contest(1.0) if not (each["role"] == CANDIDATE and each["fold"] == 1)
    ]
    for each in outcomes:
        if each["policy"] == "hold" and each["fold"] == 1:
            each["net_pnl"] = [1e6] * 60
    figures = figures_of(outcomes)["candidates"]["ours"]
    assert figures["sessions"] == 60
    against = figures["against"]["hold"]["net_pnl"]
    assert against["mean"] == pytest.approx(figures["mean"])


def test_the_folder_holds_everything_and_the_page_stands_alone(tmp_path):
    outcomes = contest(1.0)
    write_evaluation(tmp_path, outcomes, figures_of(outcomes))
    report = draw_evaluation(tmp_path)
    page = report.read_text()
    pictures = sorted(path.stem for path in (tmp_path / "pictures").iterdir())
    assert pictures == ["against_1", "luck_1", "paths_1", "seeds_1"]
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page.replace("http-equiv", "")
    for word in ("Deflated Sharpe", "At twice the spread", "buy and hold", "Seed 2", "a note"):
        assert word in page
    plain = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert plain["candidates"]["ours"]["folds"][1]["sessions"] == 60
    before = page
    assert draw_evaluation(tmp_path).read_text() == before


def test_what_is_not_known_does_not_stop_the_report(tmp_path):
    dates = [session.date for session in last_sessions(2, date(2026, 10, 30))]
    outcomes = [
        outcome("ours", CANDIDATE, 1, dates[1:], [3.0]),
        outcome("hold", "baseline", 1, dates, [0.0, 0.0], trades=0),
    ]
    write_evaluation(tmp_path, outcomes, figures_of(outcomes))
    draw_evaluation(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["candidates"]["ours"]["deflated_sharpe"] is None
    assert "no edge is shown" in verdicts(metrics)[0]


def test_a_folder_without_an_evaluation_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no finished evaluation"):
        draw_evaluation(tmp_path)
