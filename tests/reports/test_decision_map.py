"""The decision map shows what was wanted where it was free, and an asked grid as answered."""

from dataclasses import replace

import factory
import numpy as np
import pytest

from errors import DataError, InternalError
from reports.backtest_report import draw_report
from reports.charts.decision_map import FEWEST, bounds, caption, decision_map, wishes
from reports.decision_grid import GRID, DecisionGrid, read_grid, write_grid
from reports.run_folder import write_run_files
from vocabulary import FEATURES, Action


def grid(actions=3):
    random = np.random.default_rng(1)
    answers = random.dirichlet(np.ones(actions), (4, 6))
    return DecisionGrid(np.arange(30.0, 60, 5), np.linspace(0.1, 0.3, 4), answers)


@pytest.fixture(scope="module")
def result():
    return factory.result(20, 1, seed=8)


def test_a_field_is_the_mean_of_the_free_decisions_in_it(result):
    seen, table = decision_map(result), result.decisions
    opens = np.array([session.open_ns for session in result.sessions])
    minutes = (table.ts - opens[np.searchsorted(opens, table.ts, side="right") - 1]) / 60e9
    free = table.allowed & (table.action >= 0)
    row, column = np.argwhere(np.isfinite(seen.probabilities[:, :, Action.SELL_PUT]))[3]
    low, high = seen.iv[[row, row + 1]]
    inside = free & (table.atm_iv >= low) & (table.atm_iv < high)
    inside &= (minutes >= seen.minutes[column]) & (minutes < seen.minutes[column + 1])
    if row == 0:
        inside |= free & (table.atm_iv < low) & (minutes // 30 == column)
    assert inside.sum() >= FEWEST
    expected = table.probabilities[inside, Action.SELL_PUT].mean()
    assert seen.probabilities[row, column, Action.SELL_PUT] == pytest.approx(expected, abs=1e-6)


def test_decisions_that_the_rules_bound_are_not_wishes(result):
    bound = replace(result.decisions, allowed=np.zeros(result.decisions.ts.size, bool))
    assert decision_map(replace(result, decisions=bound)) is None


def test_sales_are_wished_with_empty_hands_only(result):
    features = result.decisions.features.copy()
    features[:, FEATURES.index("has_position")] = 1
    held = replace(result, decisions=replace(result.decisions, features=features))
    assert decision_map(held) is None


def test_too_few_decisions_leave_a_field_open(result):
    table = result.decisions
    rows = np.flatnonzero(table.allowed & (table.action >= 0))[: FEWEST - 1]
    allowed = np.zeros(table.ts.size, bool)
    allowed[rows] = True
    assert decision_map(replace(result, decisions=replace(table, allowed=allowed))) is None


def test_bounds_hold_their_centres():
    centres = np.array([1.0, 2, 4])
    edges = bounds(centres)
    assert (edges[:-1] < centres).all()
    assert (centres < edges[1:]).all()
    assert bounds(np.array([3.0])).tolist() == [2.5, 3.5]


@pytest.mark.parametrize("actions", [3, 4])
def test_a_grid_comes_back_as_it_was_asked(tmp_path, actions):
    asked = grid(actions)
    write_grid(tmp_path, asked)
    back = read_grid(tmp_path)
    for name in ("minutes", "iv", "probabilities"):
        assert np.array_equal(getattr(back, name), getattr(asked, name))


def test_a_folder_without_a_grid_was_not_asked_and_a_damaged_one_is_said(tmp_path):
    assert read_grid(tmp_path) is None
    (tmp_path / GRID).write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"decision_grid\.parquet is damaged .*; remove it"):
        read_grid(tmp_path)


def test_a_grid_of_unknown_answers_is_our_own_mistake():
    with pytest.raises(InternalError):
        DecisionGrid(np.arange(3.0), np.arange(2.0), np.full((2, 3, 3), np.nan))
    with pytest.raises(InternalError):
        DecisionGrid(np.arange(3.0), np.arange(2.0), np.zeros((3, 2, 3)))


def test_the_grid_is_drawn_below_what_was_seen(result):
    seen = decision_map(result)
    assert len([axes for axes in wishes(seen, grid()).axes if axes.get_title()]) == 4
    assert len([axes for axes in wishes(None, grid(4)).axes if axes.get_title()]) == 2


def test_an_asked_grid_is_in_the_report(tmp_path):
    write_run_files(tmp_path, factory.result(1, 0, baselines=()))
    write_grid(tmp_path, grid())
    asked = "nothing held and every sale allowed"
    assert asked in draw_report(tmp_path).read_text()
    assert asked not in caption(decision_map(factory.result(1, 0)), None)


def test_what_was_met_and_what_was_asked_have_the_same_axes(result):
    figure = wishes(decision_map(result), grid())
    limits = {(*axes.get_xlim(), *axes.get_ylim()) for axes in figure.axes[:-1]}
    assert len(limits) == 1
