"""Every literal answer of Theta's reference is read as it is meant, in every shape it may have."""

import json
from contextlib import suppress
from datetime import date, datetime, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from errors import MalformedAnswerError
from feeds.contract import Contract, Right
from feeds.sessions import NEW_YORK, to_nanoseconds
from feeds.theta.parsing import read_columns
from feeds.theta.tables import (
    CalendarDay,
    OptionGreeks,
    OptionQuotes,
    StockBars,
    StockDays,
    StockQuotes,
    contracts,
)

QUOTE_HEADER = (
    "timestamp,symbol,expiration,strike,right,"
    "bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"
)
SNAPSHOT = (
    f"{QUOTE_HEADER}\r\n"
    "2025-08-20T15:59:59.805,AAPL,2026-01-16,275.000,CALL,5,6,1.47,50,25,6,1.50,50\r\n"
)
GROUPED = (
    '{"response":[{"contract":{"symbol":"AAPL","strike":275.000,"right":"CALL",'
    '"expiration":"2026-01-16"},"data":[{"ask_size":25,"ask_condition":50,"bid_size":5,'
    '"ask_exchange":6,"bid_exchange":6,"ask":1.50,"bid":1.47,"bid_condition":50,'
    '"timestamp":"2025-08-20T15:59:59.805"}]}]}'
)
LEGACY = (
    '{"symbol":["TSLA","TSLA","TSLA"],"ask_size":[0,47,210],"ask_condition":[50,50,50],'
    '"strike":[340.000,340.000,340.000],"right":["CALL","CALL","CALL"],"bid_size":[0,2,119],'
    '"ask_exchange":[5,69,5],"bid_exchange":[5,4,65],"ask":[0.00,3.05,3.75],'
    '"expiration":["2024-11-22","2024-11-22","2024-11-22"],"bid":[0.00,2.97,3.60],'
    '"bid_condition":[50,50,50],"timestamp":["2024-11-15T09:30:00","2024-11-15T09:31:00",'
    '"2024-11-15T09:32:00"]}'
)
FIRST_ORDER = (
    "symbol,expiration,strike,right,timestamp,bid,ask,delta,theta,vega,rho,epsilon,lambda,"
    "implied_vol,iv_error,underlying_timestamp,underlying_price\r\n"
    "AAPL,2026-01-16,275.000,CALL,2025-08-20T15:59:59.805,1.47,1.50,0.1060,-0.0217,26.3226,"
    "9.1050,-9.7049,16.1782,0.2142,-0.0003,2025-08-20T16:37:06.988,225.74\r\n"
)
HISTORY_VOLATILITY = (
    "symbol,expiration,strike,right,timestamp,bid,bid_implied_vol,midpoint,implied_vol,ask,"
    "ask_implied_vol,iv_error,underlying_timestamp,underlying_price\r\n"
    "AAPL,2024-11-08,220.000,CALL,2024-11-04T09:35:00,3.75,0.3640,3.80,0.3693,3.85,0.3747,"
    "0.0000,2024-11-04T09:35:00,220.66\r\n"
)


def new_york(text: str) -> int:
    return to_nanoseconds(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


def quotes(body: str) -> OptionQuotes:
    return OptionQuotes.of(read_columns(body.encode()))


def flat(body: str) -> str:
    """Rows below `response` with the contract in each, from the grouped shape."""
    groups = json.loads(body)["response"]
    rows = [group["contract"] | row for group in groups for row in group["data"]]
    return json.dumps({"response": rows})


def lines(body: str) -> str:
    return "\n".join(json.dumps(row) for row in json.loads(flat(body))["response"]) + "\n"


@pytest.mark.parametrize(
    "body",
    [SNAPSHOT, SNAPSHOT.replace("\r\n", "\n"), GROUPED, flat(GROUPED), lines(GROUPED)],
    ids=["csv", "csv with bare line ends", "grouped", "flat", "ndjson"],
)
def test_a_chain_snapshot_reads_the_same_in_every_shape(body: str) -> None:
    read = quotes(body)
    assert read.ts.tolist() == [new_york("2025-08-20T15:59:59.805")]
    assert (read.strike.tolist(), read.right.tolist()) == ([275_000], [Right.CALL])
    assert (read.bid.tolist(), read.ask.tolist()) == ([1.47], [1.50])
    assert (read.bid_size.tolist(), read.ask_size.tolist()) == ([5], [25])
    assert read_columns(body.encode()).dates("expiration") == [date(2026, 1, 16)]


def test_the_columnar_json_of_older_accounts_is_read() -> None:
    read = quotes(LEGACY)
    assert read.ts.tolist() == [new_york(f"2024-11-15T09:3{minute}:00") for minute in range(3)]
    assert read.bid.tolist()[1:] == [2.97, 3.60]
    assert read.ask_size.tolist() == [0, 47, 210]


def test_zero_at_zero_is_no_market_and_a_zero_bid_alone_is_one() -> None:
    body = SNAPSHOT + (
        "2025-08-20T09:30:00,AAPL,2026-01-16,280.000,PUT,0,6,0.00,50,0,6,0.00,50\r\n"
        "2025-08-20T09:30:00,AAPL,2026-01-16,285.000,PUT,0,6,0.00,50,9,6,0.01,50\r\n"
    )
    read = quotes(body)
    assert np.isnan(read.bid[1]) and np.isnan(read.ask[1])
    assert (read.bid[2], read.ask[2]) == (0.0, 0.01)
    assert quotes(LEGACY).bid[0] != 0.0


@pytest.mark.parametrize("fraction", ["", ".4", ".43", ".435", ".1"])
def test_trimmed_fractions_of_a_second_are_exact(fraction: str) -> None:
    body = SNAPSHOT.replace(".805", fraction)
    mixed = body + SNAPSHOT.partition("\r\n")[2]
    assert quotes(mixed).ts.tolist() == [
        new_york(f"2025-08-20T15:59:59{fraction}"),
        new_york("2025-08-20T15:59:59.805"),
    ]


@pytest.mark.parametrize("day", ["2026-03-06", "2026-03-09", "2026-10-30", "2026-11-02"])
def test_wall_time_is_new_yorks_in_summer_and_in_winter(day: str) -> None:
    read = quotes(SNAPSHOT.replace("2025-08-20", day))
    assert read.ts.tolist() == [new_york(f"{day}T15:59:59.805")]


@pytest.mark.parametrize("right", ["PUT", "put", "Put", "P", "p", '"PUT"'])
def test_rights_are_read_in_any_case_and_quoted(right: str) -> None:
    assert quotes(SNAPSHOT.replace("CALL", right)).right.tolist() == [Right.PUT]


def test_quoted_cells_and_headers_are_read() -> None:
    header, row, _ = SNAPSHOT.split("\r\n")
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in one.split(",")) for one in (header, row))
    assert quotes(quoted).bid.tolist() == [1.47]


def test_columns_may_come_in_any_order_and_strikes_shuffled() -> None:
    header, row, _ = SNAPSHOT.split("\r\n")
    names, cells = header.split(",")[::-1], row.split(",")[::-1]
    body = "\r\n".join(
        [
            ",".join(names),
            *(
                ",".join(cells).replace("275.000", strike)
                for strike in ("280.5", "275.000", "1000.000")
            ),
        ]
    )
    assert quotes(body).strike.tolist() == [280_500, 275_000, 1_000_000]


def test_an_empty_price_is_no_quote_and_an_empty_size_is_zero() -> None:
    read = quotes(SNAPSHOT.replace(",5,6,1.47", ",,6,"))
    assert np.isnan(read.bid[0]) and read.ask[0] == 1.50
    assert read.bid_size.tolist() == [0]


def test_first_order_greeks_are_read() -> None:
    read = OptionGreeks.of(read_columns(FIRST_ORDER.encode()))
    figures = (read.delta, read.theta, read.vega, read.implied_volatility, read.underlying_price)
    assert [one[0] for one in figures] == [0.1060, -0.0217, 26.3226, 0.2142, 225.74]
    assert read.ts.tolist() == [new_york("2025-08-20T15:59:59.805")]
    assert read.underlying_ts.tolist() == [new_york("2025-08-20T16:37:06.988")]


def test_history_volatilities_are_read_without_greeks() -> None:
    read = OptionGreeks.of(read_columns(HISTORY_VOLATILITY.encode()))
    assert (read.implied_volatility[0], read.underlying_price[0]) == (0.3693, 220.66)
    assert np.isnan(read.delta[0])


def test_a_volatility_without_a_solution_is_none() -> None:
    for was, unsolved in (("-0.0003", "100"), ("0.2142", "0"), ("0.2142", "")):
        read = OptionGreeks.of(read_columns(FIRST_ORDER.replace(was, unsolved).encode()))
        assert np.isnan(read.implied_volatility[0])
    unsolved_row = FIRST_ORDER.replace("-0.0003", "100").encode()
    assert np.isnan(OptionGreeks.of(read_columns(unsolved_row)).delta[0])


def test_bars_without_a_trade_have_no_price() -> None:
    body = (
        "timestamp,open,high,low,close,volume,count,vwap\r\n"
        "2024-09-16T09:30:00,10.25,10.25,9.95,9.95,58,13,10.04\r\n"
        "2024-09-16T09:35:00,0,0,0,0,0,0,9.38\r\n"
    )
    read = StockBars.of(read_columns(body.encode()))
    assert read.ts[0] == new_york("2024-09-16T09:30:00")
    assert (read.open[0], read.low[0], read.volume[0]) == (10.25, 9.95, 58)
    assert np.isnan(read.close[1])


def test_a_stock_quote_is_read() -> None:
    body = (
        "timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,"
        "ask_condition\r\n2024-01-16T09:30:00.1,15,1,475.28,0,8,7,475.28,0\r\n"
    )
    read = StockQuotes.of(read_columns(body.encode()))
    assert read.ts.tolist() == [new_york("2024-01-16T09:30:00.1")]
    assert (read.bid[0], read.ask[0], read.bid_size[0]) == (475.28, 475.28, 15)


def test_official_days_are_dated_by_when_they_were_made() -> None:
    body = (
        "created,last_trade,open,high,low,close,volume,count,bid_size,bid_exchange,bid,"
        "bid_condition,ask_size,ask_exchange,ask,ask_condition\r\n"
        "2024-11-04T17:15:02.118,2024-11-04T16:00:00.2,571.18,572.50,567.89,569.81,3,2,1,1,"
        "569.8,0,1,1,569.9,0\r\n"
    )
    read = StockDays.of(read_columns(body.encode()))
    assert (read.date, read.close.tolist()) == ([date(2024, 11, 4)], [569.81])


def test_lists_are_read_and_sorted() -> None:
    expirations = read_columns(b"symbol,expiration\r\nAAPL,2012-06-01\r\nAAPL,20120608\r\n")
    assert expirations.dates("expiration") == [date(2012, 6, 1), date(2012, 6, 8)]
    listed = read_columns(
        b"symbol,expiration,strike,right\r\n"
        b"SPY,2026-10-30,690.000,PUT\r\nSPY,2026-10-30,80.000,CALL\r\n"
    )
    day = date(2026, 10, 30)
    assert contracts(listed, "SPY") == [
        Contract("SPY", day, 80_000, Right.CALL),
        Contract("SPY", day, 690_000, Right.PUT),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "type,open,close\r\nfull_close,,\r\n",
        '{"response":[{"type":"full_close","open":null,"close":null}]}',
    ],
)
def test_a_holiday_has_no_hours(body: str) -> None:
    assert CalendarDay.of(read_columns(body.encode())) == CalendarDay("full_close", None, None)


def test_an_open_day_has_hours() -> None:
    read = CalendarDay.of(read_columns(b"type,open,close\r\nopen,09:30:00,16:00:00\r\n"))
    assert read == CalendarDay("open", time(9, 30), time(16, 0))


@pytest.mark.parametrize("body", ["", "\r\n", f"{QUOTE_HEADER}\r\n", "[]", "{}"])
def test_an_answer_without_rows_is_an_empty_table(body: str) -> None:
    assert len(quotes(body)) == 0
    assert contracts(read_columns(body.encode()), "SPY") == []


@pytest.mark.parametrize(
    "body",
    [
        SNAPSHOT.replace("1.47", "cheap"),
        SNAPSHOT.replace("1.47", "-1.47"),
        SNAPSHOT.replace("1.47", "inf"),
        SNAPSHOT.replace("275.000", "0"),
        SNAPSHOT.replace("275.000", ""),
        SNAPSHOT.replace("CALL", "BOTH"),
        SNAPSHOT.replace("CALL", ""),
        SNAPSHOT.replace("2025-08-20T", "soon"),
        SNAPSHOT.replace("2025-08-20T15:59:59.805", ""),
        SNAPSHOT.replace("strike", "price_of_exercise"),
        SNAPSHOT.replace("symbol", "strike"),
        SNAPSHOT[:-30],
        QUOTE_HEADER,
        QUOTE_HEADER[:-30],
        GROUPED[:-30],
        LEGACY.replace('"bid":[0.00,2.97,3.60]', '"bid":[0.00,2.97]'),
        '{"response": 7}',
        '{"header": {"error_type": "NO_DATA"}}',
        "<html>Bad gateway</html>\r\n",
        "[1, 2]",
        "\x00\xff",
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(body: str) -> None:
    with pytest.raises(MalformedAnswerError) as refusal:
        quotes(body + ("row\r\n" if body.startswith("<") else ""))
    assert "\n" not in str(refusal.value)


@given(some.binary(max_size=200) | some.text(max_size=200).map(str.encode))
def test_no_body_ever_breaks_the_reader(body: bytes) -> None:
    with suppress(MalformedAnswerError):
        OptionQuotes.of(read_columns(body))


@given(some.data())
def test_no_damage_to_an_answer_breaks_the_reader(data: some.DataObject) -> None:
    whole = data.draw(some.sampled_from([SNAPSHOT, GROUPED, LEGACY, lines(GROUPED)])).encode()
    start = data.draw(some.integers(0, len(whole)))
    end = data.draw(some.integers(start, len(whole)))
    damaged = whole[:start] + data.draw(some.binary(max_size=8)) + whole[end:]
    with suppress(MalformedAnswerError):
        OptionQuotes.of(read_columns(damaged))
