"""Conventions of the REST side over real HTTP (reference section 9d)."""

import json
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import requests
from market import market
from small_terminal import (
    CHAIN,
    DAY,
    DAY_BEFORE,
    HISTORY,
    Start,
    get,
    new_york,
    rows,
)

from feeds.sessions import session_on
from feeds.source import MemorySource
from feeds.theta_simulator.server import SimulatedTerminal

QUOTE_HEADER = (
    "timestamp,symbol,expiration,strike,right,bid_size,bid_exchange,bid,bid_condition,"
    "ask_size,ask_exchange,ask,ask_condition"
)


def test_csv_is_the_default_with_crlf_and_a_header(still: SimulatedTerminal) -> None:
    answer = get(still, "/option/snapshot/quote", **CHAIN)
    assert answer.headers["content-type"] == "text/csv"
    lines = answer.content.split(b"\r\n")
    assert lines[0].decode() == QUOTE_HEADER
    assert lines[-1] == b"" and b"\n" not in b"".join(lines)
    assert len(lines) == 1 + 36 + 1


def test_json_has_the_shape_of_the_account(start: Start) -> None:
    asked = {**CHAIN, "strike": "628", "format": "json"}
    grouped = get(start(), "/option/snapshot/quote", **asked)
    assert grouped.headers["content-type"] == "application/json"
    call, put = grouped.json()["response"]
    assert call["contract"] == {**CHAIN, "strike": 628.0, "right": "CALL"}
    assert put["data"][0].keys() == set(QUOTE_HEADER.split(",")) - {*call["contract"]}
    columnar = get(start(json_shape="columnar"), "/option/snapshot/quote", **asked).json()
    assert columnar["right"] == ["CALL", "PUT"] and columnar["strike"] == [628.0, 628.0]
    flat = get(start(json_shape="flat"), "/option/snapshot/quote", **asked).json()["response"]
    assert [row["right"] for row in flat] == ["CALL", "PUT"]
    assert flat[0]["bid"] == columnar["bid"][0] == call["data"][0]["bid"]


def test_json_writes_numbers_as_the_vendor_does(still: SimulatedTerminal) -> None:
    text = get(still, "/option/snapshot/quote", **CHAIN, format="json").text
    assert '"strike":628.000' in text and '"bid":0.0,' not in text
    listed = get(still, "/option/list/strikes", **CHAIN, format="json").json()["response"]
    assert {"symbol": "SPY", "strike": 628.0} in listed


def test_ndjson_is_a_flat_object_a_line(still: SimulatedTerminal) -> None:
    answer = get(still, "/option/snapshot/quote", **CHAIN, format="ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) == 36 and list(lines[0]) == QUOTE_HEADER.split(",")


def test_html_is_a_table(still: SimulatedTerminal) -> None:
    answer = get(still, "/calendar/today", format="html")
    assert answer.headers["content-type"] == "text/html" and "<td>09:30:00</td>" in answer.text


def test_fractions_of_timestamps_are_trimmed(still: SimulatedTerminal) -> None:
    stamps = [row["timestamp"] for row in rows(get(still, "/option/history/trade", **HISTORY))]
    fractions = [stamp.partition(".")[2] for stamp in stamps]
    assert {1, 2, 3} <= {len(part) for part in fractions} <= {0, 1, 2, 3}
    assert not any(part.endswith("0") for part in fractions)
    assert all(datetime.fromisoformat(stamp).tzinfo is None for stamp in stamps)


def test_a_day_at_one_minute_has_391_rows_a_contract(still: SimulatedTerminal) -> None:
    found = rows(get(still, "/option/history/quote", **HISTORY, strike="628.000", right="call"))
    assert len(found) == 391
    assert found[0]["timestamp"] == "2026-10-30T09:30:00"
    assert found[-1]["timestamp"] == "2026-10-30T16:00:00"
    five = {**HISTORY, "interval": "5m"}
    assert len(rows(get(still, "/option/history/quote", **five, strike="628", right="put"))) == 79


def test_the_first_row_has_no_quote_unless_that_is_switched_off(
    still: SimulatedTerminal, start: Start
) -> None:
    one = {**HISTORY, "strike": "628", "right": "call"}
    first, second = rows(get(still, "/option/history/quote", **one))[:2]
    assert (first["bid"], first["ask"], first["bid_size"]) == ("0.00", "0.00", "0")
    assert float(second["bid"]) > 0
    quoted = rows(get(start(zero_at_open=False), "/option/history/quote", **one))[0]
    assert float(quoted["bid"]) > 0


def test_history_is_the_source(still: SimulatedTerminal, source: MemorySource) -> None:
    day = source.load(1)
    found = rows(get(still, "/option/history/quote", **HISTORY, strike="630", right="put"))
    k = day.strike_index[630_000]
    np.testing.assert_array_equal([float(row["bid"]) for row in found[1:]], day.bid[1:, 1, k])
    np.testing.assert_array_equal([float(row["ask"]) for row in found[1:]], day.ask[1:, 1, k])
    assert [int(row["ask_size"]) for row in found[1:]] == day.ask_size[1:, 1, k].tolist()


def test_bars_without_a_trade_are_zero_but_vwap_runs_on(still: SimulatedTerminal) -> None:
    found = rows(get(still, "/option/history/ohlc", **HISTORY, strike="628", right="call"))
    assert len(found) == 391
    traded = [row["count"] != "0" for row in found]
    assert any(traded) and not all(traded)
    first = traded.index(True)
    for before, row in pairwise(found[first:]):
        if row["count"] == "0":
            assert {row[name] for name in ("open", "high", "low", "close")} == {"0.00"}
            assert row["volume"] == "0" and row["vwap"] == before["vwap"] != "0.00"
    assert found[-1]["count"] == "0"


def test_vwap_is_cumulative_over_the_session(still: SimulatedTerminal) -> None:
    one = {**HISTORY, "strike": "628", "right": "call"}
    trades = rows(get(still, "/option/history/trade", **one))
    sizes = np.array([int(row["size"]) for row in trades])
    money = sizes * np.array([float(row["price"]) for row in trades])
    last = rows(get(still, "/option/history/ohlc", **one))[-1]
    assert float(last["vwap"]) == pytest.approx(money.sum() / sizes.sum(), abs=0.006)


def test_strikes_come_in_no_order_and_in_dollars(still: SimulatedTerminal) -> None:
    strikes = [row["strike"] for row in rows(get(still, "/option/list/strikes", **CHAIN))]
    assert strikes != sorted(strikes)
    assert sorted(strikes) == [f"{dollars}.000" for dollars in range(620, 638)]


@pytest.mark.parametrize("asked", ["call", "CALL", "put", "Put", "both"])
def test_rights_in_any_case_come_back_in_capitals(still: SimulatedTerminal, asked: str) -> None:
    found = rows(get(still, "/option/snapshot/quote", **CHAIN, strike="628", right=asked))
    expected = ["CALL", "PUT"] if asked == "both" else [asked.upper()]
    assert [row["right"] for row in found] == expected


def test_dates_in_both_forms(still: SimulatedTerminal) -> None:
    one = {"symbol": "SPY", "strike": "628", "right": "call", "interval": "1h"}
    compact = get(still, "/option/history/quote", **one, expiration="20261030", date="20261030")
    iso = get(still, "/option/history/quote", **one, expiration=str(DAY), date=str(DAY))
    span = {"start_date": "20261030", "end_date": "2026-10-30"}
    both = get(still, "/option/history/quote", **one, expiration=str(DAY), **span)
    assert compact.text == iso.text == both.text and len(rows(iso)) == 7


def test_wildcards(still: SimulatedTerminal) -> None:
    every = {"symbol": "SPY", "expiration": "*", "strike": "*"}
    history = get(still, "/option/history/quote", **every, date="20261029", interval="1h")
    assert {row["expiration"] for row in rows(history)} == {str(DAY_BEFORE)}
    span = {"start_date": "20261029", "end_date": "20261030", "interval": "1h"}
    assert get(still, "/option/history/quote", **every, **span).status_code == 473
    assert get(still, "/option/history/ohlc", **every, date="20261029").status_code == 473
    one_day = {"date": "20261030", "interval": "1h"}
    greeks = get(still, "/option/history/greeks/first_order", **every, **one_day)
    assert greeks.status_code == 473


def test_strike_range_is_so_many_strikes_on_each_side_of_spot(still: SimulatedTerminal) -> None:
    found = rows(get(still, "/option/snapshot/greeks/all", **CHAIN, strike_range=2))
    strikes = sorted({float(row["strike"]) for row in found})
    assert len(strikes) == 5 and len(found) == 10
    assert abs(strikes[2] - float(found[0]["underlying_price"])) <= 0.5


def test_max_dte_leaves_out_what_expired(start: Start) -> None:
    terminal = start()
    every = {"symbol": "SPY", "expiration": "*"}
    all_days = rows(get(terminal, "/option/snapshot/quote", **every))
    today = rows(get(terminal, "/option/snapshot/quote", **every, max_dte=0))
    assert {row["expiration"] for row in all_days} == {str(DAY), str(DAY_BEFORE)}
    assert {row["expiration"] for row in today} == {str(DAY)}


def test_min_time_drops_older_rows(start: Start) -> None:
    terminal = start(spread_quotes=True)
    every = rows(get(terminal, "/option/snapshot/quote", **CHAIN))
    late = rows(get(terminal, "/option/snapshot/quote", **CHAIN, min_time="09:59:30"))
    limit = "2026-10-30T09:59:30"
    assert late == [row for row in every if row["timestamp"] >= limit] != every
    assert get(terminal, "/option/snapshot/quote", **CHAIN, min_time="23:00:00").status_code == 472


def test_interval_and_window_have_defaults(still: SimulatedTerminal) -> None:
    asked = {**CHAIN, "date": "20261030", "strike": "628", "right": "call"}
    second = rows(get(still, "/option/history/quote", **asked))
    assert len(second) == 23_401 and second[-1]["timestamp"] == "2026-10-30T16:00:00"
    late = {**asked, "interval": "1m", "start_time": "15:58:00", "end_time": "16:15:00"}
    assert len(rows(get(still, "/option/history/quote", **late))) == 18


def test_nothing_is_known_of_the_future(start: Start) -> None:
    terminal = start()
    found = rows(get(terminal, "/option/history/quote", **HISTORY, strike="628", right="call"))
    assert found[-1]["timestamp"] == "2026-10-30T10:00:00"
    assert rows(get(terminal, "/stock/history/trade", symbol="SPY", date=str(DAY)))[-1][
        "timestamp"
    ].startswith("2026-10-30T10:00:00")
    tomorrow = {"symbol": "SPY", "expiration": "20261102"}
    assert get(terminal, "/option/snapshot/quote", **tomorrow).status_code == 472
    day = {"start_date": "20261030", "end_date": "20261030"}
    assert get(terminal, "/stock/history/eod", symbol="SPY", **day).status_code == 472


def test_names_of_version_two_are_gone(still: SimulatedTerminal) -> None:
    answer = get(still, "/option/snapshot/quote", root="SPY", exp="20261030")
    assert answer.status_code == 410
    assert "root -> symbol" in answer.text and "exp -> expiration" in answer.text
    assert requests.get(f"{still.url}/v2/hist/option/quote", timeout=5).status_code == 410


def test_an_unknown_path_is_404(still: SimulatedTerminal) -> None:
    assert get(still, "/option/nothing").status_code == 404


def test_no_data_is_472_with_a_text(still: SimulatedTerminal) -> None:
    for wrong in ({"expiration": "20261101"}, {"strike": "6280"}, {"symbol": "QQQ"}):
        answer = get(still, "/option/snapshot/quote", **(CHAIN | wrong))
        assert (answer.status_code, answer.text) == (472, "No data found for your request")
        assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval": "2m"},
        {"date": "2026-13-01"},
        {"date": "yesterday"},
        {"strike": "cheap"},
        {"right": "left"},
        {"start_time": "9:30"},
        {"format": "xml"},
        {"strike_range": "-1"},
        {"expiration": ""},
    ],
)
def test_a_wrong_parameter_is_473(still: SimulatedTerminal, wrong: dict[str, Any]) -> None:
    assert get(still, "/option/history/quote", **(HISTORY | wrong)).status_code == 473


def test_too_large_a_request_is_570(still: SimulatedTerminal) -> None:
    seconds = {**CHAIN, "date": "20261030", "interval": "100ms"}
    assert get(still, "/option/history/quote", **seconds, strike_range=3).status_code == 570


def test_snapshots_remember_a_week_or_until_midnight(start: Start) -> None:
    before = {"symbol": "SPY", "expiration": str(DAY_BEFORE)}
    week, midnight = start(), start(snapshot_memory="midnight")
    found = rows(get(week, "/option/snapshot/quote", **before))
    assert {row["timestamp"][:10] for row in found} == {str(DAY_BEFORE)}
    only = {**before, "current_day_only": "true"}
    assert get(week, "/option/snapshot/quote", **only).status_code == 472
    assert get(midnight, "/option/snapshot/quote", **before).status_code == 472
    week.set_time(new_york(12, day=DAY.replace(month=11, day=7)))
    assert get(week, "/option/snapshot/quote", **CHAIN).status_code == 472


def test_the_stocks_bars_end_at_spot_and_the_day_at_the_official_close(
    still: SimulatedTerminal, source: MemorySource
) -> None:
    day = source.load(1)
    asked = {"symbol": "SPY", "date": str(DAY), "interval": "1m"}
    bars = rows(get(still, "/stock/history/ohlc", **asked))
    np.testing.assert_allclose([float(bar["close"]) for bar in bars[:-1]], day.spot[1:])
    span = {"start_date": str(DAY_BEFORE), "end_date": str(DAY)}
    days = rows(get(still, "/stock/history/eod", symbol="SPY", **span))
    assert [row["created"][-8:] for row in days] == ["17:15:00"] * 2
    assert float(days[1]["close"]) == day.official_close
    quotes = rows(get(still, "/stock/history/quote", **asked))
    assert "symbol" not in quotes[0] and len(quotes) == 391


def test_the_calendar_knows_half_days_and_holidays(still: SimulatedTerminal) -> None:
    def on(day: str) -> str:
        return get(still, "/calendar/on_date", date=day).text.split("\r\n")[1]

    assert get(still, "/calendar/today").text == "type,open,close\r\nopen,09:30:00,16:00:00\r\n"
    assert on("20261126") == "full_close,,"
    assert on("2026-11-27") == "early_close,09:30:00,13:00:00"
    assert on("20261031") == "weekend,,"
    year = rows(get(still, "/calendar/year_holidays", year=2026))
    assert {"date": "2026-12-25", "type": "full_close", "open": "", "close": ""} in year
    closed = get(still, "/calendar/on_date", date="20261126", format="json")
    assert closed.text == '{"response":[{"type":"full_close","open":null,"close":null}]}'


def test_a_half_day_ends_at_one(source: MemorySource) -> None:
    half = market(session=session_on(DAY.replace(month=11, day=27))).day()
    with SimulatedTerminal(MemorySource([half]), speed=0) as terminal:
        terminal.set_time(half.session.close.replace(hour=18))
        asked = {"symbol": "SPY", "expiration": "20261127", "date": "20261127", "interval": "1m"}
        found = rows(get(terminal, "/option/history/quote", **asked, strike="628", right="call"))
        assert found[-1]["timestamp"] <= "2026-11-27T13:15:00"


EVERY_PATH = [
    "/option/list/symbols",
    "/option/list/expirations",
    "/option/list/strikes",
    "/option/list/dates/quote",
    "/option/list/contracts/quote",
    *(f"/option/snapshot/{name}" for name in ("quote", "trade", "ohlc", "open_interest")),
    "/option/snapshot/market_value",
    *(f"/option/snapshot/greeks/{name}" for name in ("first_order", "second_order", "all")),
    "/option/snapshot/greeks/implied_volatility",
    *(f"/option/history/{name}" for name in ("quote", "ohlc", "trade", "trade_quote", "eod")),
    "/option/history/open_interest",
    *(f"/option/history/greeks/{name}" for name in ("first_order", "second_order", "all", "eod")),
    "/option/history/greeks/implied_volatility",
    "/option/at_time/quote",
    "/option/at_time/trade",
    "/stock/list/symbols",
    "/stock/list/dates/trade",
    *(f"/stock/snapshot/{name}" for name in ("quote", "trade", "ohlc", "market_value")),
    *(f"/stock/history/{name}" for name in ("quote", "trade", "trade_quote", "ohlc", "eod")),
    "/stock/at_time/quote",
    "/stock/at_time/trade",
    "/interest_rate/history/eod",
]


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_path_of_the_catalogue_answers(still: SimulatedTerminal, path: str) -> None:
    asked = {
        **HISTORY,
        "strike_range": "2",
        "time_of_day": "10:00:00",
        "start_date": "20261029",
        "end_date": "20261030",
    }
    answer = get(still, path, **asked)
    assert answer.status_code == 200, answer.text
    assert rows(answer)


def test_at_time_is_the_last_quote_before(still: SimulatedTerminal, source: MemorySource) -> None:
    day = source.load(1)
    span = {"start_date": "20261030", "end_date": "20261030", "time_of_day": "10:00:30"}
    asked = {**CHAIN, "strike": "628", "right": "call", **span}
    (row,) = rows(get(still, "/option/at_time/quote", **asked))
    assert float(row["bid"]) == day.bid[30, 0, day.strike_index[628_000]]


def test_ticks_are_every_change_of_the_quote(
    still: SimulatedTerminal, source: MemorySource
) -> None:
    asked = {**HISTORY, "interval": "tick", "strike": "628", "right": "call"}
    found = rows(get(still, "/option/history/quote", **asked))
    quotes = [(row["bid"], row["ask"], row["bid_size"], row["ask_size"]) for row in found]
    assert all(one != following for one, following in pairwise(quotes)) and len(found) > 380


def test_spread_quotes_are_the_same_at_the_minute(start: Start) -> None:
    one, other = start(), start(spread_quotes=True)
    for terminal in (one, other):
        terminal.set_time(new_york(17))
    asked = {**HISTORY, "strike_range": "4"}
    assert (
        get(one, "/option/history/quote", **asked).text
        == get(other, "/option/history/quote", **asked).text
    )
