"""Tidy quotes of any vendor become the same store, and whatever is wrong is named or counted."""

import argparse
import io
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from rich.console import Console

from commands import import_
from errors import DataError
from feeds.contract import Contract, Right
from feeds.data_quality import ImportSummary
from feeds.importing import import_files
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import NEW_YORK, session_on
from feeds.snapshot import ChainSnapshot
from feeds.store import ChainStore, StoreSource

FRIDAY = date(2026, 7, 17)
MONDAY = date(2026, 7, 20)
HALF_DAY = date(2026, 11, 27)
STRIKES = np.arange(624.0, 634.0)


def tidy_quotes(day: date = FRIDAY, every: int = 1800, spot: float = 628.5) -> pd.DataFrame:
    """Fair quotes a cent wide around intrinsic plus a little, from 09:34:11 on, every half hour."""
    session = session_on(day)
    instants = pd.date_range(session.open, session.close, freq=f"{every}s", inclusive="left")
    index = pd.MultiIndex.from_product(
        [instants + pd.Timedelta("251s"), STRIKES, ["C", "P"]], names=["ts", "strike", "right"]
    )
    rows = index.to_frame(index=False)
    sign = np.where(rows["right"] == "C", 1, -1)
    value = np.maximum(0, sign * (spot - rows["strike"])) + 0.50
    rows["underlying"], rows["expiration"] = "SPY", day
    rows["bid"], rows["ask"] = (value - 0.01).round(2), (value + 0.01).round(2)
    rows["bid_size"] = np.arange(len(rows)) % 97
    rows["ask_size"] = np.arange(len(rows)) % 89
    rows["underlying_price"] = spot
    return rows


def minute_bars(day: date = FRIDAY, close: float = 628.75, spot: float = 628.5) -> pd.DataFrame:
    """Flat minute bars stamped with their end; the last one closes at `close`."""
    session = session_on(day)
    instants = pd.date_range(session.open, session.close, freq="min", inclusive="right")
    bars = pd.DataFrame({"ts": instants, "symbol": "SPY", "open": spot, "high": spot + 2.0})
    bars["low"], bars["close"] = spot - 1.0, spot
    bars.loc[bars.index[-1], "close"] = close
    return bars


def saved(folder: Path, frame: pd.DataFrame, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


def imported(
    folder: Path,
    quotes: pd.DataFrame,
    bars: pd.DataFrame | None = None,
    suffix: str = "parquet",
    **options: bool,
) -> tuple[ImportSummary, ChainStore]:
    store = ChainStore(folder / "store")
    files = [saved(folder, quotes, f"quotes.{suffix}")]
    bar_files = [] if bars is None else [saved(folder, bars, f"bars.{suffix}")]
    return import_files(files, bar_files, store, **options), store


def only_session(store: ChainStore) -> tuple[StoreSource, ChainSnapshot]:
    source = store.select()
    return source, ChainSnapshot(source.load(0), 0)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_every_quote_is_found_again(tmp_path: Path, suffix: str) -> None:
    quotes = tidy_quotes().sample(frac=0.9, random_state=1)  # holes, and no order
    summary, store = imported(tmp_path, quotes, minute_bars(), suffix)
    day = store.select().load(0)
    rows = {int(ts): row for row, ts in enumerate(day.ts)}
    assert summary.rows == summary.total("rows") == len(quotes)
    assert np.isfinite(day.bid).sum() == len(quotes)
    for quote in quotes.itertuples():
        right = Right.CALL if quote.right == "C" else Right.PUT
        contract = Contract("SPY", FRIDAY, round(quote.strike * 1000), right)
        found = ChainSnapshot(day, rows[quote.ts.value]).quote(contract)
        assert found[:4] == (quote.bid, quote.ask, quote.bid_size, quote.ask_size)


@given(some.randoms(use_true_random=False), some.integers(1, 4))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_order_of_rows_and_files_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, dice: Callable[..., None], parts: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    quotes = pd.concat([tidy_quotes(), tidy_quotes(MONDAY, spot=630.0)], ignore_index=True)
    bars = pd.concat([minute_bars(), minute_bars(MONDAY, 630.1, 630.0)], ignore_index=True)
    order = list(range(len(quotes)))
    dice.shuffle(order)
    files = [
        saved(folder, quotes.iloc[order[part::parts]], f"{'cab d'[part]}.parquet")
        for part in range(parts)
    ]
    one = ChainStore(folder / "one")
    import_files(files, [saved(folder, bars.iloc[::-1], "bars.csv")], one)
    _, other = imported(folder, quotes, bars)
    assert one.entries == other.entries


def test_an_import_again_changes_nothing(tmp_path: Path) -> None:
    _, store = imported(tmp_path, tidy_quotes(), minute_bars())
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    imported(tmp_path, tidy_quotes(), minute_bars())
    assert before == {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ts", ["us", "text", "UTC"])
@pytest.mark.parametrize("rights", [("C", "P"), ("call", "put"), ("CALL", "PUT")])
def test_vendors_write_instants_and_rights_differently(
    tmp_path: Path, ts: str, rights: tuple[str, str]
) -> None:
    quotes = tidy_quotes()
    expected = imported(tmp_path / "plain", quotes, minute_bars())[1].entries
    quotes["right"] = quotes["right"].map(dict(zip("CP", rights, strict=True))).astype("category")
    quotes["expiration"] = quotes["expiration"].astype(str)
    if ts == "us":
        quotes["ts"] = quotes["ts"].dt.as_unit("us")
    elif ts == "UTC":
        quotes["ts"] = quotes["ts"].dt.tz_convert("UTC")
    else:
        quotes["ts"] = quotes["ts"].map(lambda moment: moment.isoformat())
    assert imported(tmp_path / "other", quotes, minute_bars())[1].entries == expected


def change(column: str, value: object, row: int = 7) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(quotes: pd.DataFrame) -> pd.DataFrame:
        quotes[column] = quotes[column].astype(object)
        quotes.loc[row, column] = value
        return quotes

    return changed


FATAL = {
    "lacks the columns ask": lambda quotes: quotes.drop(columns="ask"),
    "line 2: ts needs a UTC offset": lambda quotes: quotes.assign(
        ts=quotes["ts"].dt.tz_localize(None)
    ),
    "line 9: ts needs a UTC offset": change("ts", "2026-07-17T09:34:11"),
    "line 9: ts is missing": change("ts", None),
    "line 9: ts is not in 2010 to 2027": change("ts", "1999-07-17T09:34:11-04:00"),
    "line 9: underlying QQQ in a file of SPY": change("underlying", "QQQ"),
    "line 9: right must be C, P, CALL or PUT": change("right", "X"),
    "line 9: expiration must be a date": change("expiration", "17/07/2026"),
    "line 9: strike must be a price in dollars": change("strike", 0),
    "strikes look like thousandths": lambda quotes: quotes.assign(strike=quotes["strike"] * 1000),
    "line 9: bid is negative": change("bid", -0.01),
    "line 9: ask is above 200,000 dollars": change("ask", np.inf),
    "line 9: bid_size is negative": change("bid_size", -1),
    "Row #9: CSV conversion error to double: invalid value 'dear'": change("ask", "dear"),
    "line 9: underlying_price is negative": change("underlying_price", -628.5),
    "has no rows": lambda quotes: quotes.iloc[:0],
    "again (same ts, strike and right)": lambda quotes: pd.concat([quotes, quotes.iloc[[5]]]),
}


@pytest.mark.parametrize("words", FATAL)
def test_an_untidy_file_is_refused_before_anything_is_stored(tmp_path: Path, words: str) -> None:
    with pytest.raises(DataError) as refused:
        imported(tmp_path, FATAL[words](tidy_quotes()), minute_bars(), "csv")
    assert words in str(refused.value)
    assert "quotes.csv" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    assert not list((tmp_path / "store").iterdir())


def test_naive_parquet_and_rows_of_parquet_are_named(tmp_path: Path) -> None:
    quotes = tidy_quotes()
    with pytest.raises(DataError, match=r"quotes\.parquet row 8: bid is negative"):
        imported(tmp_path, quotes.assign(bid=quotes["bid"].where(quotes.index != 7, -1.0)))
    with pytest.raises(DataError, match=r"quotes\.parquet row 1: ts is naive"):
        imported(tmp_path, quotes.assign(ts=quotes["ts"].dt.tz_localize(None)))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    store = ChainStore(tmp_path / "store")
    for name, content in (("empty.csv", b""), ("empty.parquet", b""), ("noise.parquet", b"PAR1x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            import_files([tmp_path / name], [], store)
    with pytest.raises(DataError, match="no file matches"):
        import_files([tmp_path / "*.csv.zip"], [], store)


def test_two_underlyings_need_two_imports(tmp_path: Path) -> None:
    quotes = tidy_quotes()
    files = [
        saved(tmp_path, quotes, "a.csv"),
        saved(tmp_path, quotes.assign(underlying="QQQ"), "b.csv"),
    ]
    with pytest.raises(DataError, match=r"b\.csv is of QQQ, .*a\.csv of SPY"):
        import_files(files, [], ChainStore(tmp_path / "store"))


def test_duplicates_across_files_name_both_places(tmp_path: Path) -> None:
    quotes = tidy_quotes()
    files = [saved(tmp_path, quotes, "a.csv"), saved(tmp_path, quotes.iloc[40:], "b.parquet")]
    with pytest.raises(DataError, match=r"b\.parquet row 1: the quote of .*a\.csv line 42 again"):
        import_files(files, [], ChainStore(tmp_path / "store"))


def test_rows_that_do_not_belong_are_dropped_and_counted(tmp_path: Path) -> None:
    quotes, count = tidy_quotes(), len(STRIKES) * 2
    late = quotes.iloc[:count].assign(ts=pd.Timestamp("2026-07-17 16:00:01", tz=NEW_YORK))
    early = quotes.iloc[:count].assign(ts=pd.Timestamp("2026-07-17 09:29:59", tz=NEW_YORK))
    holiday = quotes.iloc[:count].assign(ts=pd.Timestamp("2026-07-03 12:00", tz=NEW_YORK))
    next_week = quotes.assign(expiration=date(2026, 7, 24))
    off = quotes.iloc[:3].assign(strike=700.0 + np.arange(3), bid=1.234)
    everything = pd.concat([quotes, late, early, holiday, next_week, off], ignore_index=True)
    summary, store = imported(tmp_path, everything, minute_bars())
    assert dict(summary.dropped) == {
        "outside the session": 2 * count,
        "they do not expire on their session's day": len(next_week),
        "a price is no whole number of cents": 3,
    }
    assert dict(summary.closed_days) == {date(2026, 7, 3): count}
    assert summary.rows == len(everything)
    assert summary.total("rows") == len(quotes)
    text = "\n".join(summary.to_text())
    assert f"dropped {count} rows: 2026-07-03 (Friday) is no trading day" in text
    assert store.select().load(0).recorded == quotes["ts"].nunique()


def test_single_precision_prices_are_whole_cents(tmp_path: Path) -> None:
    quotes = tidy_quotes()
    narrow = quotes.assign(bid=quotes["bid"].astype("float32"), ask=quotes["ask"].astype("float32"))
    summary, store = imported(tmp_path / "narrow", narrow, minute_bars())
    assert not summary.dropped
    assert store.entries == imported(tmp_path / "wide", quotes, minute_bars())[1].entries


def test_the_boundaries_of_the_session_belong_to_it(tmp_path: Path) -> None:
    quotes = tidy_quotes(HALF_DAY)
    session = session_on(HALF_DAY)
    at_open = quotes.iloc[:20].assign(ts=pd.Timestamp(session.open))
    at_close = quotes.iloc[:20].assign(ts=pd.Timestamp(session.close))
    summary, store = imported(
        tmp_path, pd.concat([at_open, quotes, at_close]), minute_bars(HALF_DAY)
    )
    day = store.select().load(0)
    assert (day.ts[0], day.ts[-1]) == (session.open_ns, session.close_ns)
    assert session.close.hour == 13
    assert day.recorded == len(day)
    assert day.flags == ("half day",)
    assert not summary.dropped


def test_sizes_that_are_absent_are_unlimited_and_unsaid_ones_are_none(tmp_path: Path) -> None:
    quotes = tidy_quotes().drop(columns="ask_size").astype({"bid_size": float})
    quotes.loc[0, "bid_size"] = np.nan
    _, store = imported(tmp_path, quotes, minute_bars())
    day = store.select().load(0)
    assert (day.ask_size[: day.recorded] == UNLIMITED_SIZE).all()
    assert day.bid_size[0, 0, 0] == 0
    assert day.bid_size[0, 1, 0] == 1


class TestSpot:
    """The price with the quotes, else the last bar that ended, else the parity forward."""

    def test_the_price_with_the_quotes_comes_first(self, tmp_path: Path) -> None:
        quotes = tidy_quotes().assign(underlying_price=628.1234)
        day = imported(tmp_path, quotes, minute_bars())[1].select().load(0)
        assert (day.spot == 628.1234).all()
        assert day.spot_source == "quotes"

    def test_prices_that_differ_within_a_snapshot_count_by_their_median(
        self, tmp_path: Path
    ) -> None:
        quotes = tidy_quotes()
        quotes["underlying_price"] = np.where(quotes.index % 20 < 9, 600.0, 628.2)
        quotes.loc[quotes.index % 20 == 19, "underlying_price"] = np.nan
        day = imported(tmp_path, quotes, minute_bars())[1].select().load(0)
        assert (day.spot == 628.2).all()

    def test_then_the_last_bar_that_ended_at_or_before(self, tmp_path: Path) -> None:
        bars = minute_bars()
        bars["close"] = bars["close"] + np.arange(len(bars)) / 1000
        bars["high"] += 1
        quotes = tidy_quotes()
        quotes["underlying_price"] = 0.0
        quotes["ts"] = quotes["ts"] - pd.Timedelta("11s")  # on the minute: 09:34:00
        day = imported(tmp_path, quotes, bars)[1].select().load(0)
        assert day.spot[0] == pytest.approx(628.5 + 3 / 1000)
        assert day.spot_source == "minute bars"

    def test_then_the_forward_by_parity(self, tmp_path: Path) -> None:
        bars = minute_bars()
        bars = bars[bars["ts"] > bars["ts"].iloc[200]]
        quotes = tidy_quotes(spot=628.37).drop(columns="underlying_price")
        day = imported(tmp_path, quotes, bars)[1].select().load(0)
        assert day.spot[0] == pytest.approx(628.37, abs=0.005)
        assert day.spot_source == "minute bars + parity forward"

    def test_without_any_the_snapshot_goes(self, tmp_path: Path) -> None:
        quotes = tidy_quotes()
        first = quotes["ts"] == quotes["ts"].iloc[0]
        quotes.loc[first, ["bid", "ask", "underlying_price"]] = np.nan
        late = minute_bars().iloc[100:]
        summary, store = imported(tmp_path, quotes, late)
        assert summary.dropped == {"nothing tells the price of the underlying": first.sum()}
        assert store.select().load(0).recorded == quotes["ts"].nunique() - 1

    def test_thousandths_are_seen_without_any_price(self, tmp_path: Path) -> None:
        quotes = tidy_quotes().drop(columns="underlying_price")
        with pytest.raises(DataError, match="strikes look like thousandths"):
            imported(tmp_path, quotes.assign(strike=quotes["strike"] * 1000))


class TestOfficialClose:
    """The bar stamped at the close, unless it cannot be true."""

    def skipped_because(self, tmp_path: Path, bars: pd.DataFrame | None) -> str:
        summary, store = imported(tmp_path, tidy_quotes(), bars)
        assert not summary.kept
        assert [one.date for one in store.skipped] == [FRIDAY]
        return store.skipped[0].reason

    def test_it_is_the_bar_stamped_at_the_close(self, tmp_path: Path) -> None:
        _, store = imported(tmp_path, tidy_quotes(), minute_bars(close=628.91))
        day = store.select().load(0)
        assert (day.official_close, day.close_source) == (628.91, "minute bar")

    def test_bars_stamped_with_their_start_give_none(self, tmp_path: Path) -> None:
        bars = minute_bars()
        bars["ts"] -= pd.Timedelta("1min")
        reason = self.skipped_because(tmp_path, bars)
        assert "stamped 15:59, not 16:00 (bars must be stamped with their end)" in reason

    @pytest.mark.parametrize(("away", "kept"), [(0.0029, True), (0.0031, False)])
    def test_it_is_near_the_last_minute(self, tmp_path: Path, away: float, kept: bool) -> None:
        bars = minute_bars(close=round(628.5 * (1 + away), 4))
        summary, _ = imported(tmp_path, tidy_quotes(), bars)
        assert bool(summary.kept) is kept

    def test_adjusted_bars_are_refused(self, tmp_path: Path) -> None:
        reason = self.skipped_because(tmp_path, minute_bars(spot=620.0, close=620.0))
        assert "the underlying's bars are 1.35% from the quotes' spot" in reason

    def test_a_skipped_session_tells_how_wild_the_day_was(self, tmp_path: Path) -> None:
        self.skipped_because(tmp_path, minute_bars().iloc[:-1])
        [skipped] = ChainStore(tmp_path / "store").skipped
        assert skipped.range_pct == pytest.approx(3 / 628.5 * 100)

    def test_the_last_quote_serves_where_it_is_allowed(self, tmp_path: Path) -> None:
        assert "do not cover" in self.skipped_because(tmp_path, None)
        _, store = imported(tmp_path, tidy_quotes(), None, close_from_last_quote=True)
        day = store.select().load(0)
        assert (day.official_close, day.close_source) == (628.5, "last quote")
        assert "close from last quote" in day.flags

    @pytest.mark.parametrize(
        ("column", "value", "words"),
        [("symbol", "QQQ", "symbol is not SPY"), ("close", 0.0, "not above zero")],
    )
    def test_bars_must_be_tidy_too(
        self, tmp_path: Path, column: str, value: object, words: str
    ) -> None:
        bars = minute_bars()
        bars.loc[4, column] = value
        with pytest.raises(DataError, match=rf"bars\.parquet row 5: .*{words}"):
            imported(tmp_path, tidy_quotes(), bars)

    def test_two_bars_with_one_stamp_are_refused(self, tmp_path: Path) -> None:
        bars = pd.concat([minute_bars(), minute_bars().iloc[:1]])
        with pytest.raises(DataError, match="two bars are stamped 2026-07-17T13:31"):
            imported(tmp_path, tidy_quotes(), bars)


class TestQuality:
    """The figures of the summary, each seen on a session made to show it."""

    def test_bad_quotes_are_counted(self, tmp_path: Path) -> None:
        quotes = tidy_quotes()
        quotes.loc[0, "bid"] = quotes.loc[0, "ask"] + 0.01
        quotes.loc[[1, 3], "bid"] = 0.0
        quotes.loc[5, "bid"] = np.nan
        quotes.loc[8, ["bid", "ask"]] += 0.40  # a call at the money, out of parity
        [quality] = imported(tmp_path, quotes, minute_bars())[0].kept
        assert (quality.crossed, quality.zero_bids, quality.one_sided) == (1, 2, 1)
        assert quality.parity_breaks == 1

    def test_gaps_and_thin_sessions_are_named(self, tmp_path: Path) -> None:
        quotes = tidy_quotes(every=300)
        minute = (quotes["ts"] - quotes["ts"].iloc[0]).dt.total_seconds() / 60
        late_book = minute == 30  # two spacings are no gap yet
        gap = quotes[((minute <= 60) & ~late_book) | ((minute >= 90) & (minute < 120))]
        summary, store = imported(tmp_path, gap, minute_bars())
        [quality] = summary.kept
        assert (quality.gaps, quality.worst_gap, quality.spacing) == (1, 1800.0, 300.0)
        assert quality.thin == "it ends 271 minutes before the close"
        assert store.select().load(0).flags == ("thin",)
        assert store.entries[0].facts.period_seconds == 300

    def test_few_snapshots_are_thin(self, tmp_path: Path) -> None:
        quotes = tidy_quotes(every=303)
        minute = (quotes["ts"] - quotes["ts"].iloc[0]).dt.total_seconds() / 60
        ends = quotes[(minute < 15) | (minute > 375)]
        summary, store = imported(tmp_path, ends, minute_bars())
        assert summary.kept[0].thin == "5 of about 78 snapshots"
        assert store.entries[0].path.endswith("_5m.parquet")

    def test_a_single_snapshot_is_kept_as_thin(self, tmp_path: Path) -> None:
        quotes = tidy_quotes()
        one = quotes[quotes["ts"] == quotes["ts"].iloc[0]]
        summary, store = imported(tmp_path, one, minute_bars())
        assert summary.kept[0].thin == "a single snapshot"
        assert store.entries[0].path.endswith("_single.parquet")

    def test_a_full_session_has_no_complaint(self, tmp_path: Path) -> None:
        [quality] = imported(tmp_path, tidy_quotes(every=600), minute_bars())[0].kept
        assert (quality.gaps, quality.parity_breaks, quality.thin) == (0, 0, "")

    def test_sessions_without_quotes_are_listed_with_the_days_move(self, tmp_path: Path) -> None:
        quotes = pd.concat([tidy_quotes(FRIDAY), tidy_quotes(date(2026, 7, 21), spot=634.785)])
        bars = pd.concat(
            [minute_bars(close=628.5), minute_bars(date(2026, 7, 21), 634.785, 634.785)]
        )
        summary, store = imported(tmp_path, quotes, bars)
        [skipped] = summary.skipped
        assert skipped.date == MONDAY
        assert "hold no quotes of it (SPY moved +1.00 % across it)" in skipped.reason
        assert [one.date for one in store.select().skipped] == [MONDAY]
        assert store.select(FRIDAY, FRIDAY).skipped == []


class TestCommand:
    """`run.py import`: a summary on the screen, and a refusal where nothing could be kept."""

    def test_it_says_what_was_kept_and_skipped(self, tmp_path: Path) -> None:
        console = Console(record=True, width=80, file=io.StringIO())
        quotes = saved(tmp_path, pd.concat([tidy_quotes(), tidy_quotes(MONDAY)]), "q.csv")
        bars = saved(tmp_path, minute_bars(), "b.csv")
        import_.run([str(quotes)], [str(bars)], tmp_path / "store", console=console)
        text = console.export_text()
        assert "520 rows in 1 files, 260 kept in 1 sessions, 1 sessions skipped" in text
        assert re.search(r"2026-07-17 +13 +20 .* 628\.75", text)
        assert "skipped 2026-07-20: no official close" in text

    def test_nothing_kept_is_the_users_mistake(self, tmp_path: Path) -> None:
        quotes, console = saved(tmp_path, tidy_quotes(), "q.csv"), Console(file=io.StringIO())
        with pytest.raises(DataError, match="no session could be stored"):
            import_.run([str(quotes)], [], tmp_path / "store", console=console)

    def test_its_arguments_take_several_files(self) -> None:
        parser = argparse.ArgumentParser()
        import_.add_arguments(parser)
        given = parser.parse_args(["a", "b", "--underlying", "c", "d", "--data", "x"])
        assert (given.files, given.underlying, given.data) == (["a", "b"], ["c", "d"], "x")
