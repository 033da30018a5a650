"""When live bars close: at whole periods by the wall clock, or on the data's own watermark."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from market import HALF_DAY, SESSION, at, contract

from errors import SettingError
from feeds.chain import ChainDay
from feeds.live.bars import BarClock, BarMaker
from feeds.live.book import ChainBook
from feeds.sessions import Session

SECOND = 1_000_000_000


def minutes(session: Session, bars: list[int]) -> list[float]:
    return [(ts - session.open_ns) / 60e9 for ts in bars]


def looks(clock: BarClock, *at_minutes: float) -> list[float]:
    """The bars, in minutes after the open, of looks at the clock."""
    due = [clock.due(at(clock.session, minute)) for minute in at_minutes]
    return minutes(clock.session, [ts for bars in due for ts in bars])


# --- by the wall clock ---------------------------------------------------------------------------


def test_a_bar_closes_every_period_though_nothing_traded() -> None:
    clock = BarClock(SESSION, 60)
    assert looks(clock, -5, -0.001) == []
    assert looks(clock, 0, 0.5, 0.999) == [0]
    assert looks(clock, 1.0001, 1.5, 2) == [1, 2]
    assert clock.next_bar() == at(SESSION, 3)


@pytest.mark.parametrize(("session", "length"), [(SESSION, 390), (HALF_DAY, 210)])
@pytest.mark.parametrize("period", [1, 7, 60])
def test_bars_run_from_the_open_to_the_close_and_no_further(
    session: Session, length: int, period: int
) -> None:
    clock = BarClock(session, period)
    bars = []
    for second in range(-100, length * 60 + 100):
        bars += clock.due(session.open_ns + second * SECOND)
    assert bars[0] == session.open_ns
    assert bars[-1] == session.close_ns
    assert len(bars) == -(-length * 60 // period) + 1
    assert {(ts - session.open_ns) % (period * SECOND) for ts in bars[:-1]} == {0}
    assert (clock.skipped, clock.is_over, clock.next_bar()) == (0, True, None)


def test_a_laptop_asleep_has_the_newest_bar_only_and_counts_the_others() -> None:
    clock = BarClock(SESSION, 60)
    assert looks(clock, 0, 1, 2, 93.4) == [0, 1, 2, 93]
    assert clock.skipped == 90
    assert looks(clock, 93.9, 94) == [94]


def test_a_laptop_asleep_over_the_close_has_the_closing_bar() -> None:
    clock = BarClock(SESSION, 60)
    assert looks(clock, 300, 500) == [300, 390]
    assert looks(clock, 501) == []


def test_a_start_in_the_middle_makes_up_no_bar() -> None:
    clock = BarClock(SESSION, 60)
    assert looks(clock, 47.4, 47.9, 48.01) == [48]
    assert clock.skipped == 0
    on_time = BarClock(SESSION, 60)
    assert looks(on_time, 47) == [47]
    assert on_time.skipped == 0
    too_late = BarClock(SESSION, 60)
    assert looks(too_late, 400, 401) == []
    assert too_late.is_over


def test_a_clock_that_is_set_back_repeats_no_bar() -> None:
    clock = BarClock(SESSION, 60)
    assert looks(clock, 5, 3, 5, 5.5, 6) == [5, 6]


@given(
    steps=some.lists(some.floats(0.001, 45), min_size=1, max_size=40),
    period=some.integers(1, 60),
    start=some.floats(-30, 420),
)
def test_however_it_is_looked_at_bars_rise_and_all_are_accounted_for(
    steps: list[float], period: int, start: float
) -> None:
    clock, now, bars = BarClock(SESSION, period), start, []
    clock.due(at(SESSION, now))
    first = clock.next_bar()
    for step in steps:
        now += step
        due = clock.due(at(SESSION, now))
        assert len(due) <= 1
        assert all(at(SESSION, now) - ts < period * SECOND or ts == SESSION.close_ns for ts in due)
        bars += due
    assert bars == sorted(set(bars))
    if bars:
        number = -(-(bars[-1] - first) // (period * SECOND))
        assert len(bars) + clock.skipped == number + 1


# --- by the data's watermark ---------------------------------------------------------------------


def watermark(session: Session = SESSION, period: int = 60) -> BarClock:
    return BarClock(session, period, by_watermark=True)


def test_a_bar_closes_when_later_data_arrives_and_not_before() -> None:
    clock = watermark()
    assert looks(clock, 0, 0.2, 0.9, 1.0) == [0]
    assert looks(clock, 1.0, 1.0) == []
    assert looks(clock, 1.01) == [1]
    assert looks(clock, 2.5) == [2]


def test_a_period_in_which_the_market_told_nothing_has_no_bar() -> None:
    clock = watermark()
    assert looks(clock, 10, 17, 18.5, 40) == [10, 17, 19]
    assert clock.skipped == 7


def test_data_before_the_open_makes_no_bar() -> None:
    assert looks(watermark(), -2, -0.1, 0, 0.5, 1.5) == [0, 1]


def test_the_close_is_always_a_bar_once_data_is_later() -> None:
    thin = watermark()
    assert looks(thin, 374, 391) == [374, 390]
    assert looks(thin, 392) == []
    full = watermark()
    assert looks(full, 389, 390, 390.1, 395) == [389, 390]
    assert full.is_over
    half = watermark(HALF_DAY)
    assert looks(half, 209.5, 210, 215) == [210]


def test_the_last_bar_of_data_that_ends_early_is_made_on_request() -> None:
    clock = watermark()
    assert looks(clock, 100, 101) == [100]
    assert minutes(SESSION, clock.finish()) == [101]
    assert watermark().finish() == []
    assert BarClock(SESSION, 60).finish() == []


@given(
    stamps=some.lists(some.integers(0, 23_400), min_size=1, max_size=60, unique=True),
    period=some.integers(1, 60),
)
def test_a_fast_run_and_a_slow_one_make_the_same_bars(stamps: list[int], period: int) -> None:
    """Each bar is the first boundary at or after some data, whatever the pace: no clock is read."""
    clock = watermark(period=period)
    bars = []
    for second in sorted(stamps):
        bars += clock.due(SESSION.open_ns + second * SECOND)
    bars += clock.due(SESSION.close_ns + 1)
    ends = {min(-(-second // period) * period, 23_400) for second in stamps} | {23_400}
    assert [(ts - SESSION.open_ns) // SECOND for ts in bars] == sorted(ends)


# --- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [0, -1, 61, 1.5])
def test_a_period_that_is_none_is_refused(period: float) -> None:
    with pytest.raises(SettingError, match="choose whole seconds from 1 to 60"):
        BarClock(SESSION, period)  # type: ignore[arg-type]


def test_a_bar_has_the_quotes_up_to_its_instant_and_goes_to_all_takers_in_order() -> None:
    rows: list[tuple[str, ChainDay]] = []
    takers = [lambda row: rows.append(("feed", row)), lambda row: rows.append(("recorder", row))]
    book = ChainBook(SESSION, age_limit_seconds=60)
    maker = BarMaker(book, watermark(), takers)
    for second, bid in ((60, 1.0), (90, 1.1), (120, 1.2), (121, 1.3)):
        ts = SESSION.open_ns + second * SECOND
        maker.advance(ts)
        book.apply_quote(contract(), ts, bid, bid + 0.1)
    assert [name for name, _ in rows] == ["feed", "recorder"] * 2
    assert [float(row.bid[0, 1, 0]) for _, row in rows[::2]] == [1.0, 1.2]
    assert maker.finish() == 1
    assert float(rows[-1][1].bid[0, 1, 0]) == 1.3
