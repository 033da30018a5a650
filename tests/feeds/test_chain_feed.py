"""The Backtrader feed: bars and the snapshot beside them, however Cerebro is run."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from market import (
    EVERY_MINUTE,
    HALF_DAY,
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    contract,
    desk,
    market,
    markets,
)

from errors import DataError
from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.snapshot import NO_QUOTE
from feeds.source import MemorySource

WAYS = [{}, {"runonce": False}, {"preload": False, "runonce": False}]
THREE_DAYS = [
    market(),
    market(EVERY_MINUTE[::5] + 43 / 60, session=MONDAY),
    market(np.arange(0.0, 211), session=HALF_DAY),
]


class Watcher(bt.Strategy):
    """Notes what every bar and its snapshot said."""

    def __init__(self) -> None:
        self.bars: list[tuple[datetime, float, float]] = []
        self.shots: list[Any] = []
        self.volatility: list[tuple[float, float]] = []

    def next(self) -> None:
        data = self.data
        bar = {data.open[0], data.high[0], data.low[0], data.close[0]}
        assert len(bar) == 1 or np.isnan(list(bar)).all()
        self.bars.append((data.datetime.datetime(0), data.close[0], len(data)))
        self.shots.append(data.snapshot())
        self.volatility.append((data.atm_iv[0], data.snapshot().atm_iv))


def watch(days: Any, **run: bool) -> Watcher:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ChainFeed(days))
    cerebro.addstrategy(Watcher)
    ran: Watcher = cerebro.run(**run)[0]
    return ran


def days(made: Sequence[Market]) -> list[ChainDay]:
    return [one.day() for one in made]


class Broken(MemorySource):
    """A source one of whose sessions cannot be read when its turn comes."""

    def __init__(self, made: Sequence[ChainDay], broken: int) -> None:
        super().__init__(made)
        self.broken = broken

    def load(self, index: int) -> ChainDay:
        if index == self.broken:
            raise DataError("the checksum does not match")
        return super().load(index)


@pytest.mark.parametrize("run", WAYS)
def test_the_snapshot_beside_a_bar_has_its_time_and_spot(run: dict[str, bool]) -> None:
    ran = watch(days(THREE_DAYS), **run)
    assert len(ran.bars) == 391 + 79 + 211
    for (moment, spot, _), shot in zip(ran.bars, ran.shots, strict=True):
        naive = shot.time.replace(tzinfo=None)
        assert abs((moment - naive).total_seconds()) < 2e-5
        assert spot == shot.spot
    for line, shot_iv in ran.volatility:
        np.testing.assert_array_equal(line, shot_iv)
    assert [number for _, _, number in ran.bars] == list(range(1, len(ran.bars) + 1))


def test_bars_are_naive_new_york_time_on_both_sides_of_the_clock_change() -> None:
    ran = watch(days(THREE_DAYS[:2]))
    friday, monday = ran.bars[0][0], ran.bars[391][0]
    assert (friday.time(), monday.time()) == (time(9, 30), time(9, 30, 43))
    assert SESSION.open.utcoffset() != MONDAY.open.utcoffset()
    assert ran.bars[-1][0].time() == time(16, 0)


@pytest.mark.parametrize(
    ("made", "closing"), [(THREE_DAYS[0], time(16, 0)), (THREE_DAYS[2], time(13, 0))]
)
def test_every_session_ends_with_a_bar_at_the_exchanges_close(made: Market, closing: time) -> None:
    ran = watch([made.day()])
    assert ran.bars[-1][0].time() == closing
    assert ran.shots[-1].minutes_until_close == 0
    assert ran.shots[-1].is_recorded == (made.session is HALF_DAY)


@given(made=markets())
@settings(max_examples=25)
def test_any_spacing_runs_the_same_every_way(made: list[Market]) -> None:
    results = []
    for run in WAYS:
        ran = desk(days(made), Scripted([1, 2] * 40, 3, False), run=run)
        rows = ran.recorder.features.tobytes(), ran.recorder.equity_ts, ran.recorder.cash
        results.append((list(map(repr, ran.tracker.round_trips)), rows))
    assert results[0] == results[1] == results[2]


def test_a_feed_can_be_run_again() -> None:
    for run in WAYS:
        cerebro = bt.Cerebro(stdstats=False)
        feed = ChainFeed(Broken(days(THREE_DAYS), 1))
        cerebro.adddata(feed)
        cerebro.addstrategy(Watcher)
        first, second = cerebro.run(**run)[0], cerebro.run(**run)[0]
        assert first.bars == second.bars
        assert len(second.bars) == 681
        assert len(feed.skipped) == 1


@pytest.mark.parametrize("run", WAYS)
def test_a_session_that_cannot_be_read_has_no_quotes_and_is_listed(run: dict[str, bool]) -> None:
    ran = watch(Broken(days(THREE_DAYS), 1), **run)
    (skipped,) = ran.data.skipped
    assert (skipped.date, skipped.reason) == (MONDAY.date, "the checksum does not match")
    lost = [shot for shot in ran.shots if shot.session == MONDAY]
    assert len(lost) == 79
    assert all(shot.quote(contract(session=MONDAY)) is NO_QUOTE for shot in lost)
    assert all(np.isnan(shot.atm_iv) and shot.strikes.size == 0 for shot in lost)


@pytest.mark.parametrize("run", WAYS)
def test_a_session_that_cannot_be_read_is_not_traded_and_spoils_no_other(
    run: dict[str, bool],
) -> None:
    feed_days = days([THREE_DAYS[0], market(session=MONDAY), THREE_DAYS[2]])
    whole = desk(feed_days, Scripted([2]), run=run)
    some_lost = desk(Broken(feed_days, 1), Scripted([2]), run=run)  # type: ignore[arg-type]
    kept = [trip for trip in whole.tracker.round_trips if trip.contract.expiration != MONDAY.date]
    assert list(map(repr, some_lost.tracker.round_trips)) == list(map(repr, kept))
    assert len(kept) < len(whole.tracker.round_trips)


def test_a_session_without_an_official_close_is_not_traded() -> None:
    made = replace(market(session=MONDAY), official_close=None)
    ran = desk(days([market(), made]), Scripted([2]))
    assert {trip.contract.expiration for trip in ran.tracker.round_trips} == {SESSION.date}
    (skipped,) = ran.feed.skipped
    assert skipped.reason == "2026-11-02 has no official close to settle at"


def test_every_session_that_can_be_traded_is_handed_out_once_when_it_opens() -> None:
    opened: list[ChainDay] = []
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ChainFeed(Broken(days(THREE_DAYS), 0), opened.append))
    cerebro.addstrategy(Watcher)
    cerebro.run()
    assert [day.session for day in opened] == [MONDAY, HALF_DAY]


def test_a_source_that_changes_while_it_is_read_is_an_error() -> None:
    class Changing(MemorySource):
        def load(self, index: int) -> ChainDay:
            return market(EVERY_MINUTE[:100]).day()

    with pytest.raises(DataError, match="2026-10-30: the session changed while it was read"):
        watch(Changing([market().day()]))


def test_no_sessions_are_no_bars() -> None:
    assert watch([]).bars == []


# --- the official close --------------------------------------------------------------------------


@pytest.mark.parametrize("run", WAYS)
def test_the_official_close_is_not_known_before_the_close(run: dict[str, bool]) -> None:
    known: list[float | None] = []
    refused: list[str] = []

    class Curious(bt.Strategy):
        def next(self) -> None:
            for session in (SESSION, MONDAY):
                try:
                    known.append(self.data.official_close(session))
                except DataError as error:
                    refused.append(str(error))
            assert bool(known) == (self.data.snapshot().minutes_until_close == 0)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ChainFeed([market(official_close=627.77).day()]))
    cerebro.addstrategy(Curious)
    cerebro.run(**run)
    assert known == [627.77]
    assert len(refused) == 2 * 391 - 1
    assert refused[0] == "the official close of 2026-10-30 is not known at this bar"


# --- contracts as Backtrader datas ---------------------------------------------------------------


def test_a_contract_is_one_data_while_its_session_lasts() -> None:
    class Holder(bt.Strategy):
        def __init__(self) -> None:
            self.seen: dict[Any, list[Any]] = {}

        def next(self) -> None:
            session = self.data.snapshot().session
            option = self.data.contract(contract(session=session))
            self.seen.setdefault(session, []).append(option)
            quote, mid = option.quote(), option.close[0]
            assert mid == quote.mid or (np.isnan(mid) and np.isnan(quote.mid))
            assert len(option) == len(self.data)
            assert option.datetime[0] == self.data.datetime[0]

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ChainFeed(days(THREE_DAYS[:2])))
    cerebro.addstrategy(Holder)
    (ran,) = cerebro.run()
    friday, monday = ran.seen[SESSION], ran.seen[MONDAY]
    assert len({id(option) for option in friday}) == 1
    assert len({id(option) for option in monday}) == 1
    assert friday[0]._name == "SPY 2026-10-30 628 PUT"
    assert list(ran.data._contracts) == [contract(PUT, 628, MONDAY)]


def test_a_contract_of_another_day_has_no_quote() -> None:
    ran = watch(days(THREE_DAYS[:2]))
    assert ran.shots[391].quote(contract()) is NO_QUOTE
    assert ran.shots[391].quote(contract(session=MONDAY)).bid > 0


# --- Cerebro's own pieces ------------------------------------------------------------------------


def test_indicators_observers_timers_and_analyzers_work_on_the_feed() -> None:
    class Usual(bt.Strategy):
        def __init__(self) -> None:
            self.average = bt.indicators.SMA(self.data.close, period=10)
            self.rung: list[datetime] = []
            self.add_timer(when=time(9, 45))

        def notify_timer(self, timer: Any, when: datetime, *args: Any, **kwargs: Any) -> None:
            self.rung.append(when)

    made = market(spot=620 + EVERY_MINUTE / 100)
    for run in WAYS:
        cerebro = bt.Cerebro(stdstats=True)
        cerebro.adddata(ChainFeed(days([made, market(session=MONDAY)])))
        cerebro.addstrategy(Usual)
        cerebro.addanalyzer(bt.analyzers.TimeReturn, timeframe=bt.TimeFrame.Days, _name="returns")
        (ran,) = cerebro.run(**run)
        expected = np.mean([*[628.2013] * 9, 628.2013])
        assert ran.average[0] == pytest.approx(expected)
        assert [moment.time() for moment in ran.rung] == [time(9, 45)] * 2
        assert len(ran.analyzers.returns.get_analysis()) == 2


def test_a_feed_is_not_copied_into_other_processes() -> None:
    import pickle

    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ChainFeed([market().day()]))


seconds = some.lists(some.integers(0, 23_400_000), min_size=1, max_size=60, unique=True)


@given(milliseconds=seconds)
@settings(max_examples=30)
def test_bar_times_are_exact_to_the_microsecond_scale(milliseconds: list[int]) -> None:
    minutes = np.array(sorted(milliseconds)) / 60_000
    ran = watch([market(minutes).day()])
    told = [shot.time.replace(tzinfo=None) for shot in ran.shots]
    gaps = [abs((bar[0] - at).total_seconds()) for bar, at in zip(ran.bars, told, strict=True)]
    assert max(gaps) < 2e-5
    assert [bar[0] for bar in ran.bars] == sorted(bar[0] for bar in ran.bars)
