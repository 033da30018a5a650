"""A session put together by hand: nothing looks ahead, nothing is dropped without a count."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from scripted_terminal import scripted_terminal

from feeds.sessions import session_on
from feeds.theta.asking import Waiting
from feeds.theta.rest import ThetaRest
from feeds.theta.session_quotes import NO_DATA, DayPrices, SessionOutcome, SessionReader

DAY = date(2026, 10, 30)
SESSION = session_on(DAY)
STRIKES = (689, 690, 691)
REFUSED, NOTHING = (471, ""), (472, "No data found for your request")
QUOTES = (
    "symbol,expiration,strike,right,timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,"
    "ask_exchange,ask,ask_condition"
)
VOLATILITIES = (
    "symbol,expiration,strike,right,timestamp,bid,bid_implied_vol,midpoint,implied_vol,ask,"
    "ask_implied_vol,iv_error,underlying_timestamp,underlying_price"
)
BARS = "timestamp,open,high,low,close,volume,count,vwap"


def hours() -> list[datetime]:
    return [SESSION.open + timedelta(hours=hour) for hour in range(7)]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def quote_lines(spot: float = 690.2, moments: Sequence[datetime] | None = None) -> list[str]:
    """A sound chain around `spot`, one line a quote, contract by contract."""
    lines = []
    for strike in STRIKES:
        for right, sign in (("CALL", 1), ("PUT", -1)):
            mid = max(0.0, sign * (spot - strike)) + 1.0
            for moment in moments or hours():
                bid, ask = f"{mid - 0.01:.2f}", f"{mid + 0.01:.2f}"
                lines.append(
                    f"SPY,{DAY},{strike}.000,{right},{stamp(moment)},5,6,{bid},50,7,6,{ask},50"
                )
    return lines


def volatility_lines(prices: Sequence[float], late: timedelta = timedelta(0)) -> list[str]:
    return [
        f"SPY,{DAY},690.000,CALL,{stamp(moment)},1.19,0.2,1.2,0.2,1.21,0.2,0,"
        f"{stamp(moment + late)},{price}"
        for moment, price in zip(hours(), prices, strict=True)
    ]


def bar_lines(prices: Sequence[float]) -> list[str]:
    """Bars that end at each of `hours`, stamped with their start as Theta does."""
    minute = timedelta(minutes=1)
    return [
        f"{stamp(moment - minute)},{price},{price},{price},{price},9,9,690"
        for moment, price in zip(hours(), prices, strict=True)
    ]


def body(header: str, lines: Sequence[str]) -> tuple[int, str]:
    return 200, "".join(f"{line}\r\n" for line in (header, *lines))


def read(*answers: tuple[int, str], close: float | None = 690.2) -> SessionOutcome:
    """The session from the answers to quotes, volatilities and bars, in that order."""
    days = {} if close is None else {DAY: DayPrices(close, 1.25)}
    ticks = iter(range(10**6))
    waiting = Waiting(lambda: float(next(ticks)), lambda seconds: None)
    with scripted_terminal(*answers) as terminal, ThetaRest(terminal.url, waiting=waiting) as rest:
        reader = SessionReader(rest, "SPY", "1h", timedelta(hours=1), days)
        return reader.read(SESSION)


def spot(outcome: SessionOutcome) -> list[float]:
    assert outcome.found is not None, outcome.skipped
    return outcome.found.day.spot[:7].tolist()


TOLD = [690.2, 690.21, 690.22, 690.23, 690.24, 690.25, 690.26]
TRADED = [690.3, 690.31, 690.32, 690.33, 690.34, 690.35, 690.36]


def test_spot_is_the_price_of_the_volatilities() -> None:
    outcome = read(body(QUOTES, quote_lines()), body(VOLATILITIES, volatility_lines(TOLD)), REFUSED)
    assert spot(outcome) == TOLD


def test_spot_of_minute_bars_is_known_when_they_end() -> None:
    bars = body(BARS, bar_lines(TRADED)[1:])
    outcome = read(body(QUOTES, quote_lines()), REFUSED, bars)
    assert spot(outcome)[1:] == TRADED[1:]


@pytest.mark.parametrize(
    ("late", "used"),
    [
        (timedelta(seconds=0), True),
        (timedelta(minutes=-5), True),
        (timedelta(seconds=1), False),
        (timedelta(minutes=37), False),
        (timedelta(minutes=-6), False),
        (timedelta(days=-1), False),
    ],
)
def test_a_price_of_another_moment_is_not_spot(late: timedelta, used: bool) -> None:
    told = body(VOLATILITIES, volatility_lines(TOLD, late))
    outcome = read(body(QUOTES, quote_lines()), told, body(BARS, bar_lines(TRADED)))
    assert spot(outcome)[1:] == (TOLD if used else TRADED)[1:]


def test_without_any_price_parity_tells_spot() -> None:
    outcome = read(body(QUOTES, quote_lines(690.2)), REFUSED, REFUSED)
    np.testing.assert_allclose(spot(outcome), 690.2, atol=0.011)
    assert outcome.found is not None
    assert outcome.found.day.spot_source == "parity forward"
    assert outcome.found.day.source == "downloaded"


def test_the_official_close_is_thetas_and_held_against_the_last_bar() -> None:
    quotes, told = body(QUOTES, quote_lines()), body(VOLATILITIES, volatility_lines(TOLD))
    fine = read(quotes, told, REFUSED, close=690.44)
    assert fine.found is not None
    assert (fine.found.day.official_close, fine.found.day.close_source) == (690.44, "end-of-day")
    late_bar = f"{stamp(SESSION.close - timedelta(minutes=2))},690,690,690,690,9,9,690"
    far = read(quotes, told, body(BARS, [late_bar]), close=700.0)
    assert far.skipped is not None and "too far from the last minute" in far.skipped.reason
    assert far.skipped.range_pct == 1.25


def test_without_an_official_close_a_session_is_skipped() -> None:
    outcome = read(body(QUOTES, quote_lines()), REFUSED, REFUSED, close=None)
    assert outcome.skipped is not None and "no official close" in outcome.skipped.reason


def test_quotes_off_the_cent_twice_or_outside_are_dropped_and_counted() -> None:
    lines = quote_lines()
    off_cent = lines[2].replace(",50,7,", "5,50,7,")
    twice = [lines[10], lines[10]]
    outside = [line.replace(stamp(SESSION.open), f"{DAY}T09:29:00") for line in lines[:1]]
    changed = [off_cent if line == lines[2] else line for line in lines]
    outcome = read(body(QUOTES, [*outside, *twice, *changed]), REFUSED, REFUSED)
    assert outcome.dropped == {
        "a price is no whole number of cents": 1,
        "the same quote twice": 2,
        "outside the session": 1,
    }
    assert outcome.found is not None
    assert np.isnan(outcome.found.day.bid[2, 0, 0])
    assert np.isfinite(outcome.found.day.bid[3, 0, 0])


def test_a_day_without_data_is_told_from_one_with_too_little() -> None:
    nothing = read(NOTHING)
    assert nothing.skipped is not None and nothing.skipped.reason == NO_DATA
    one_strike = [line for line in quote_lines() if ",690.000," in line]
    little = read(body(QUOTES, one_strike), REFUSED, REFUSED)
    assert little.skipped is not None
    assert little.skipped.reason == "only 2 contracts at 7 instants"


def test_a_day_that_ends_early_is_not_stored() -> None:
    morning = body(QUOTES, quote_lines(moments=hours()[:3]))
    outcome = read(morning, REFUSED, REFUSED)
    assert outcome.skipped is not None
    assert outcome.skipped.reason == "it ends 270 minutes before the close"


def test_a_day_of_zero_quotes_is_not_stored() -> None:
    zeros = [f"{line.rsplit(',', 8)[0]},0,6,0.00,50,0,6,0.00,50" for line in quote_lines()]
    outcome = read(body(QUOTES, zeros), body(VOLATILITIES, volatility_lines(TOLD)), REFUSED)
    assert outcome.skipped is not None
    assert outcome.skipped.reason == "not one option has a market"


def test_quotes_cut_between_two_rows_are_noticed() -> None:
    outcome = read(body(QUOTES, quote_lines()[:-3]), REFUSED, REFUSED)
    assert outcome.skipped is not None and "cut short" in outcome.skipped.reason
