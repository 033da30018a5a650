"""Runs are compared session by session on the days they share, and the page says what differs."""

import re
from dataclasses import replace
from html import unescape

import factory
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import DataError
from reports import statistics
from reports.comparison_page import draw_comparison
from reports.run_comparison import Comparison, compare, differing_settings, luck, paired, warnings
from reports.run_folder import write_run_files
from reports.trades import daily_pnl


def written(folder, result, configuration=""):
    write_run_files(folder, result)
    (folder / "config.toml").write_text(configuration)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on the same market of which the second misses the first two sessions."""
    place = tmp_path_factory.mktemp("runs")
    first = factory.result(30, 1, seed=1)
    lost = {session.date for session in first.sessions[:2]}
    second = factory.result(30, 1, seed=1, baselines=())
    trades = [
        replace(trade, gross_pnl=trade.gross_pnl + 7)
        for trade in second.trades
        if trade.contract.expiration not in lost
    ]
    second = replace(second, sessions=second.sessions[2:], trades=trades, model="other")
    return [
        written(place / "a", first, "seed = 0\n[rules]\nprofit_target = 0.5\n"),
        written(place / "b", second, "seed = 0\n[rules]\nprofit_target = 0.6\n"),
    ]


def text_of(html):
    body = html[html.index("<body") :]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def test_only_sessions_of_all_runs_are_paired(runs):
    comparison = compare(runs)
    assert len(comparison.common) == 28
    assert comparison.daily.shape == (2, 28)
    for run, daily in zip(comparison.runs, comparison.daily, strict=True):
        by_date = dict(
            zip(
                [session.date for session in run.result.sessions],
                daily_pnl(run.result.trades, run.result.sessions),
                strict=True,
            )
        )
        assert daily.tolist() == [by_date[day] for day in comparison.common]
    assert "Only 28 sessions are common to all" in " ".join(warnings(comparison))


def test_the_difference_is_that_of_the_same_days(runs):
    comparison = compare(runs)
    pair = paired(comparison, 1)
    traded = sum(1 for trade in comparison.runs[1].result.trades)
    assert pair.difference.sum() == pytest.approx(7 * traded)
    assert (pair.better, pair.worse) == (28, 0)
    assert pair.interval.low <= pair.mean <= pair.interval.high
    assert pair.correlation == pytest.approx(1, abs=0.02)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(-300, 300)), min_size=1, max_size=40))
def test_better_worse_and_alike_are_all_days(days):
    daily = np.array(days, float).T
    pair = paired(Comparison([], [], daily), 1)
    assert pair.better == sum(own > first for first, own in days)
    assert pair.worse == sum(own < first for first, own in days)
    assert pair.mean == pytest.approx(np.mean([own - first for first, own in days]))
    assert (pair.interval.low == pair.interval.low) is (len(days) >= 10)


def test_settings_that_differ_are_named_and_others_are_not(runs):
    assert differing_settings(compare(runs)) == {"rules.profit_target": ["0.5", "0.6"]}


def test_the_page_is_complete_in_itself_and_says_which_is_held_against_which(runs, tmp_path):
    page = draw_comparison(runs, tmp_path / "new" / "page.html")
    html = page.read_text()
    assert html.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    text = text_of(html)
    assert "2 runs side by side" in text
    assert "differences are to the first run, a" in text
    assert "rules.profit_target 0.5 0.6" in text
    assert "nan" not in text.lower().replace("finance", "")
    assert list(page.parent.iterdir()) == [page]


def test_runs_without_a_common_session_are_not_paired(tmp_path):
    one = factory.result(2, 1, seed=1)
    other = factory.result(2, 1, seed=1, end=one.sessions[0].date.replace(year=2025))
    folders = [written(tmp_path / "a", one), written(tmp_path / "b", other)]
    text = text_of(draw_comparison(folders, tmp_path / "page.html").read_text())
    assert "no session in common" in text
    assert "nan" not in text.lower()


def test_other_markets_and_training_days_are_said(tmp_path):
    one = factory.result(2, 1, in_sample=1)
    folders = [
        written(tmp_path / "a", one),
        written(tmp_path / "b", replace(one, data_label="thetadata", starting_cash=5_000.0)),
    ]
    told = " ".join(warnings(compare(folders)))
    assert "different data" in told
    assert "different starting cash (80,000 and 5,000)" in told
    assert "IN SAMPLE: a and b" in told


def test_a_run_named_twice_is_refused(runs):
    with pytest.raises(DataError, match="is named twice"):
        compare([runs[0], runs[0] / ".." / "a"])


def test_folders_of_one_name_are_told_apart_by_their_parents(tmp_path):
    result = factory.result(1, 1)
    folders = [written(tmp_path / parent / "run", result) for parent in ("x", "y")]
    assert [run.name for run in compare(folders).runs] == ["x/run", "y/run"]


def test_the_best_of_several_is_called_lucky(runs):
    comparison = compare(runs)
    told = luck(comparison)
    sharpes = [statistics.sharpe_a_session(daily) for daily in comparison.daily]
    assert f"that is {comparison.runs[int(np.argmax(sharpes))].name};" in told
    assert re.search(r"is \d+ %", told)
    assert luck(replace(comparison, common=comparison.common[:9])) == ""


def test_damaged_settings_are_said_in_one_line(tmp_path):
    folders = [
        written(tmp_path / name, factory.result(1, 1), text)
        for name, text in (("a", ""), ("b", "="))
    ]
    with pytest.raises(DataError, match=r"config\.toml is damaged"):
        compare(folders)
