"""The index of runs lists every run, the newest first, whatever state it is in."""

import re

import factory
import pytest

from reports.formatting import money
from reports.run_folder import write_run_files
from reports.runs_index import run_row, write_index


@pytest.fixture
def runs(tmp_path):
    """A drawn run, an older one without a page, one that crashed, a damaged one, and no run."""
    drawn = tmp_path / "2026-11-02_093000_backtest_bundled"
    write_run_files(drawn, factory.result(2, 1, in_sample=1, baselines=()))
    (drawn / "report.html").write_text("")
    write_run_files(tmp_path / "2026-11-01_150501_live_a-b", factory.result(1, 0, baselines=()))
    crashed = tmp_path / "2026-11-03_120000_train_new"
    crashed.mkdir()
    (crashed / "log.jsonl").write_text("{}\n")
    damaged = tmp_path / "2026-10-01_000000_backtest_x"
    damaged.mkdir()
    (damaged / "metrics.json").write_text('{"model": ')
    (tmp_path / "recorded").mkdir()
    (tmp_path / "journal.db").write_text("")
    return tmp_path


def test_every_run_has_its_line_the_newest_first(runs):
    html = write_index(runs).read_text()
    shown = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", html)
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 4
    assert "recorded" not in html
    assert html.count("<tr>") == 5


def test_a_run_with_a_page_is_linked_and_its_figures_are_those_of_its_file(runs):
    html = write_index(runs).read_text()
    assert re.findall(r'href="([^"]+)"', html) == ["2026-11-02_093000_backtest_bundled/report.html"]
    row = run_row(runs / "2026-11-02_093000_backtest_bundled")
    net = sum(trade.net_pnl for trade in factory.result(2, 1).trades)
    assert row.figures[3] == money(net, signed=True)
    assert row.figures[0] == "2"
    assert "in sample: 1" in row.remarks
    assert "proves nothing" in row.remarks


def test_unfinished_and_damaged_runs_say_so(runs):
    assert "unfinished" in run_row(runs / "2026-11-03_120000_train_new").remarks
    damaged = run_row(runs / "2026-10-01_000000_backtest_x")
    assert "cannot be read" in damaged.remarks
    assert damaged.figures == ()
    (runs / "2026-10-01_000000_backtest_x" / "metrics.json").write_text("[]")
    assert "cannot be read" in run_row(runs / "2026-10-01_000000_backtest_x").remarks


def test_names_of_runs_are_no_markup_and_links_survive_odd_ones(tmp_path):
    folder = tmp_path / "my <b>run #1"
    write_run_files(folder, factory.result(1, 1, baselines=()))
    (folder / "report.html").write_text("")
    html = write_index(tmp_path).read_text()
    assert "<b>" not in html
    assert 'href="my%20%3Cb%3Erun%20%231/report.html"' in html


def test_an_empty_folder_has_an_index_too(tmp_path):
    assert "There is no run yet" in write_index(tmp_path).read_text()


def test_other_pages_are_listed_and_the_index_is_not(runs):
    (runs / "comparison.html").write_text("")
    write_index(runs)
    html = write_index(runs).read_text()
    assert ">comparison.html</a>" in html
    assert "index.html" not in html


def test_writing_again_gives_the_same_bytes_and_leaves_no_draft(runs):
    before = write_index(runs).read_bytes()
    assert write_index(runs).read_bytes() == before
    assert not list(runs.glob(".*"))


def test_cautions_stand_before_the_figures(runs):
    html = write_index(runs).read_text()
    assert html.index(">Remarks<") < html.index(">Net P&amp;L<")
