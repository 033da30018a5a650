"""The report can be drawn from the files alone and warns exactly when a warning is due."""

import re
from dataclasses import replace
from datetime import date
from html import unescape

import factory
import matplotlib
import pytest

from errors import DataError
from reports.backtest_report import draw_report
from reports.charts import account
from reports.charts.session import most_eventful
from reports.charts.style import DOTS_PER_INCH, png, styled
from reports.formatting import count, listing, money, money_interval, number, percent
from reports.metrics import compute_metrics
from reports.page import render
from reports.result import ExposureTable
from reports.run_folder import write_run_files
from reports.trades import daily_pnl
from vocabulary import ExitReason

BASELINES = ("hold", "random", "sell_put@10:00", "sell_call@10:00")
PICTURES = {
    *("equity", "baselines", "bootstrap", "fill_ladder", "calendar", "trades", "entry_time"),
    *("entry_iv", "exits", "session", "exposure", "worst_days", "decision_map"),
}


def drawn(folder, result, **more):
    write_run_files(folder, result)
    return draw_report(folder, **more).read_text(encoding="utf-8")


def page(result):
    """The report without its pictures."""
    return render(result, compute_metrics(result), [], "")


def text_of(html):
    """What a reader reads: no tags, no style, no pictures."""
    body = html[html.index("<body") :]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


@pytest.fixture(scope="module")
def quarter(tmp_path_factory):
    """A report of 66 sessions, so that days become a calendar."""
    folder = tmp_path_factory.mktemp("quarter")
    (folder / "config.toml").write_text("seed = 0  # <b>\n")
    return folder, drawn(folder, factory.result(66, 1.5, seed=2))


def test_one_file_holds_the_whole_report(quarter):
    folder, html = quarter
    assert {path.stem for path in (folder / "pictures").iterdir()} == PICTURES
    assert html.count('src="data:image/png;base64,') == len(PICTURES)
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    for name in ('id="account"', 'id="comparison"', 'id="belief"', 'id="trades"'):
        assert name in html


def test_the_settings_are_shown_as_text(quarter):
    assert "seed = 0  # &lt;b&gt;" in quarter[1]


def test_every_baseline_and_every_trade_has_its_row(quarter):
    _, html = quarter
    trades = factory.result(66, 1.5, seed=2).trades
    for name in BASELINES:
        assert f">{name}</td>" in html
    for trade in trades:
        assert f">{trade.contract.expiration.isoformat()}</td>" in html
    assert html.count(f">{money(trades[0].net_pnl, signed=True)}</td>") >= 1


def test_the_first_page_says_what_the_figures_prove(quarter):
    text = text_of(quarter[1])
    assert re.search(r"66 sessions seen, about [\d,]+ needed for t = 2 at this mean", text)
    assert re.search(r"On \d+ of \d+ days with a trade, bundled did the same as a clock", text)
    assert re.search(r"2 sessions skipped: .*no official close; SPY's range [\d.]+ %", text)
    assert "SPY's median range was" in text


def test_drawing_again_gives_the_same_bytes(quarter):
    folder, html = quarter
    pictures = {p.name: p.read_bytes() for p in (folder / "pictures").iterdir()}
    assert draw_report(folder).read_text(encoding="utf-8") == html
    assert {p.name: p.read_bytes() for p in (folder / "pictures").iterdir()} == pictures


@pytest.mark.parametrize("in_sample", [0, 1])
@pytest.mark.parametrize("source", ["simulated", "thetadata"])
def test_banners_appear_exactly_when_due(in_sample, source):
    html = page(factory.result(2, 0, in_sample=in_sample, source=source))
    assert ("IN SAMPLE" in text_of(html)) is bool(in_sample)
    assert ('class="banner in-sample"' in html) is bool(in_sample)
    assert ("SIMULATED MARKET" in text_of(html)) is (source == "simulated")


@pytest.mark.parametrize(("spacing", "due"), [(60.0, False), (300.0, True)])
def test_sparse_books_make_stops_approximate(spacing, due):
    text = text_of(page(factory.result(2, 1, spacing=spacing)))
    assert ("Stops are approximate" in text) is due


@pytest.mark.parametrize(("distance", "due"), [(1.0029, True), (0.9971, True), (1.0031, False)])
def test_settled_positions_are_called_optimistic_and_the_close_ones_named(distance, due):
    result = factory.result(3, 1)
    settled = replace(result.trades[-1], exit_reason=ExitReason.SETTLEMENT)
    last = replace(result.sessions[-1], official_close=settled.contract.strike * distance)
    run = replace(result, trades=[settled], sessions=[*result.sessions[:-1], last])
    text = text_of(page(run))
    assert "1 position settled at the official close, which is optimistic" in text
    assert ("Within 0.3 % of the strike at the close" in text) is due


def test_without_settlement_nothing_is_said_of_it():
    assert "optimistic" not in text_of(page(factory.result(3, 0)))


def test_capital_refusals_and_unfilled_exits_are_said():
    result = factory.result(2, 1)
    reasons = ("", "the capital does not cover it", "b", "c")
    refused = replace(result, decisions=replace(result.decisions, reasons=reasons))
    assert "The capital rule refused" in text_of(page(refused))
    assert "The capital rule refused" not in text_of(page(result))
    unfilled = replace(result.trades[0], exit_was_working=True)
    text = text_of(page(replace(result, trades=[unfilled, *result.trades[1:]])))
    assert "1 exit found no quote" in text
    assert "found no quote" not in text_of(page(result))


@pytest.mark.parametrize(
    "result",
    [
        factory.result(3, 0, baselines=()),
        factory.result(1, 1, baselines=()),
        replace(factory.result(2, 0), sessions=[], baselines={}),
    ],
    ids=["no trades", "one session", "no sessions"],
)
def test_a_thin_run_still_has_a_report(tmp_path, result):
    text = text_of(drawn(tmp_path, result))
    assert "nan" not in text.lower().replace("finan", "")
    assert "No baselines were run" in text


def test_pictures_of_a_former_report_do_not_stay(tmp_path):
    drawn(tmp_path, factory.result(1, 1, baselines=()))
    assert (tmp_path / "pictures" / "trades.png").exists()
    drawn(tmp_path, factory.result(1, 0, baselines=()))
    names = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert names == {"equity", "sessions", "session", "calendar", "decision_map"}


def test_the_chart_of_one_session_shows_the_largest_result_unless_asked():
    result = factory.result(5, 1)
    daily = abs(daily_pnl(result.trades, result.sessions))
    assert most_eventful(result) == result.sessions[int(daily.argmax())].date


def test_the_chart_of_one_session_shows_the_one_asked_for(tmp_path):
    result = factory.result(2, 0, baselines=())
    first, second = (drawn(tmp_path, result, chosen=each.date) for each in result.sessions)
    assert first != second
    with pytest.raises(DataError, match="2001-01-01 is not among the sessions"):
        draw_report(tmp_path, date(2001, 1, 1))


def test_drawing_leaves_matplotlib_as_it_found_it(tmp_path):
    with matplotlib.rc_context({"font.size": 23.0, "axes.grid": False}):
        before = dict(matplotlib.rcParams)
        drawn(tmp_path, factory.result(1, 0, baselines=()))
        assert dict(matplotlib.rcParams) == before


def test_figures_read_well():
    assert money(-1234.5) == "\N{MINUS SIGN}$1,234.50"
    assert money(0.001, signed=True) == "$0.00"
    assert money(3, signed=True) == "+$3.00"
    assert money(None) == money(float("nan")) == "\N{EN DASH}"
    assert money_interval(-1, 2) == "\N{MINUS SIGN}$1.00 to $2.00"
    assert number(-0.5) == "\N{MINUS SIGN}0.50"
    assert percent(0.625) == "62 %"
    assert [count(n, "day") for n in (0, 1, 2, 1500)] == ["no day", "1 day", "2 days", "1,500 days"]
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing(["a", "b", "c", "d"], most=2) == "a, b and 2 more"


def test_a_position_held_at_a_single_snapshot_is_drawn(tmp_path):
    one = factory.result(1, 1)
    table = one.exposure
    held = ExposureTable(table.ts[:1], table.mid[:1], table.delta[:1], table.theta[:1])
    drawn(tmp_path, replace(one, exposure=held))  # a warning of numpy's would be an error
    assert (tmp_path / "pictures" / "exposure.png").is_file()


def test_a_picture_is_laid_out_as_matplotlib_does_but_for_a_few_pixels():
    result = factory.result(3, 1)
    with styled():
        ours, theirs = (account.equity(result) for _ in range(2))
        png(ours)
        theirs.set_dpi(DOTS_PER_INCH)
        theirs.draw_without_rendering()
    for one, other in zip(ours.axes, theirs.axes, strict=True):
        assert one.get_window_extent().extents == pytest.approx(
            other.get_window_extent().extents, abs=8
        )
