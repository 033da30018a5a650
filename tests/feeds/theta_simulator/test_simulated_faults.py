"""Tiers, limits and faults of the REST side over real HTTP."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests
from small_terminal import CHAIN, DAY, HISTORY, PATIENCE, Start, get, new_york, rows

from errors import SettingError
from feeds.source import MemorySource
from feeds.theta_simulator.faults import FAULTS, Faults
from feeds.theta_simulator.server import SimulatedTerminal
from feeds.theta_simulator.tiers import Tier, subscription

QUOTE = "/option/snapshot/quote"
SPY = {"symbol": "SPY"}
NEEDS = {
    QUOTE: Tier.VALUE,
    "/option/snapshot/greeks/first_order": Tier.STANDARD,
    "/option/snapshot/greeks/implied_volatility": Tier.STANDARD,
    "/option/snapshot/greeks/second_order": Tier.PRO,
    "/option/snapshot/trade": Tier.STANDARD,
    "/option/history/quote": Tier.VALUE,
    "/option/history/greeks/all": Tier.PRO,
    "/option/list/contracts/quote": Tier.VALUE,
    "/option/list/strikes": Tier.FREE,
    "/stock/snapshot/quote": Tier.VALUE,
    "/stock/snapshot/trade": Tier.STANDARD,
    "/calendar/today": Tier.FREE,
    "/calendar/on_date": Tier.VALUE,
}


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("code", [403, 471])
def test_a_tier_gets_what_the_table_says(start: Start, tier: Tier, code: int) -> None:
    terminal = start(tier=tier.name.lower(), permission_code=code)
    asked = {**HISTORY, "strike_range": "1"}
    for path, needed in NEEDS.items():
        expected = 200 if tier >= needed else code
        assert get(terminal, path, **asked).status_code == expected, path


def test_options_and_stocks_are_subscribed_apart(start: Start) -> None:
    terminal = start(tier="standard/free")
    assert get(terminal, "/option/snapshot/greeks/first_order", **CHAIN).status_code == 200
    assert get(terminal, "/stock/snapshot/quote", **SPY).status_code == 471
    span = {"start_date": "20261029", "end_date": "20261029"}
    assert get(terminal, "/stock/history/eod", **SPY, **span).status_code == 200


def test_a_value_subscription_has_minutes_and_late_stocks(start: Start) -> None:
    terminal = start(tier="value")
    seconds = HISTORY | {"interval": "1s", "strike": "628"}
    assert get(terminal, "/option/history/quote", **seconds).status_code == 471
    (stock,) = rows(get(terminal, "/stock/snapshot/quote", **SPY))
    assert stock["timestamp"] == "2026-10-30T09:45:00"


def test_a_value_subscription_can_be_refused_whole_chains(start: Start) -> None:
    terminal = start(tier="value", chain_snapshots=False)
    assert get(terminal, QUOTE, **CHAIN).status_code == 471
    assert get(terminal, QUOTE, **CHAIN, strike="628").status_code == 200
    standard = start(tier="standard", chain_snapshots=False)
    assert get(standard, QUOTE, **CHAIN).status_code == 200


def test_an_unknown_tier_is_named() -> None:
    with pytest.raises(SettingError, match="tier 'gold' is unknown: choose free, value"):
        subscription("gold")


def test_more_than_slots_and_queue_is_429_and_snapshots_take_no_slot(start: Start) -> None:
    terminal = start(tier="value", queue_length=1, faults=["latency=0.6"])
    asked = {**HISTORY, "strike": "628"}
    with ThreadPoolExecutor(6) as pool:
        history = [pool.submit(get, terminal, "/option/history/quote", **asked) for _ in range(5)]
        snapshot = pool.submit(get, terminal, QUOTE, **CHAIN)
    codes = sorted(one.result().status_code for one in history)
    assert codes == [200, 200, 200, 429, 429]
    assert snapshot.result().status_code == 200


def test_the_free_tier_has_so_many_requests_a_minute(start: Start) -> None:
    terminal = start(tier="free")
    codes = [get(terminal, "/option/list/symbols").status_code for _ in range(31)]
    assert codes == [200] * 30 + [429]


ANSWERS = {
    "403": (403, ""),
    "429": (429, ""),
    "471": (471, ""),
    "474": (474, "Connection lost to Theta Data MDDS."),
    "476": (476, ""),
    "478": (478, ""),
    "500": (500, "BadSession"),
    "570": (570, ""),
    "571": (571, "SERVER_STARTING"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_numbered_fault_is_answered_until_it_is_cleared(start: Start, name: str) -> None:
    terminal = start()
    code, text = ANSWERS[name]
    terminal.fault(name)
    for _ in range(2):
        answer = get(terminal, QUOTE, **CHAIN)
        assert answer.status_code == code and text in answer.text
    terminal.clear(name)
    assert get(terminal, QUOTE, **CHAIN).status_code == 200


def test_a_counted_fault_clears_itself(start: Start) -> None:
    terminal = start(faults=["429=2"])
    assert [get(terminal, QUOTE, **CHAIN).status_code for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize(
    ("name", "data", "stream"),
    [
        ("474", "DISCONNECTED", "DISCONNECTED"),
        ("478", "UNVERIFIED", "UNVERIFIED"),
        ("500", "UNVERIFIED", "UNVERIFIED"),
        ("fpss", "CONNECTED", "DISCONNECTED"),
    ],
)
def test_the_status_words_tell_of_a_lost_connection(
    start: Start, name: str, data: str, stream: str
) -> None:
    terminal = start()
    path = "/terminal/mdds/status"
    answer = get(terminal, path, format="json")
    assert (answer.text, answer.headers["content-type"]) == ("CONNECTED", "text/plain")
    assert get(terminal, "/terminal/fpss/status").text == "DISCONNECTED"  # nothing asked for yet
    terminal.fault(name)
    assert get(terminal, path).text == data
    assert get(terminal, "/terminal/fpss/status").text == stream
    terminal.clear()
    assert get(terminal, path).text == "CONNECTED"


def test_another_form_of_the_host_is_476(start: Start) -> None:
    terminal = start()
    assert get(terminal, "/calendar/today").status_code == 200
    other = terminal.url.replace("127.0.0.1", "localhost")
    assert requests.get(f"{other}/v3/calendar/today", timeout=PATIENCE).status_code == 476
    assert get(terminal, "/calendar/today").status_code == 200


def test_only_this_machine_is_served(start: Start) -> None:
    elsewhere = start().url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{elsewhere}/v3/calendar/today", timeout=PATIENCE)


def test_a_hung_terminal_does_not_answer_until_it_is_cleared(start: Start) -> None:
    terminal = start(faults=["hung"])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, terminal, "/calendar/today")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{terminal.url}/v3/calendar/today", timeout=0.2)
        assert not waiting.done()
        terminal.clear("hung")
        assert waiting.result(PATIENCE).status_code == 200


def test_latency_is_added(start: Start) -> None:
    terminal = start(faults=["latency=0.3"])
    assert get(terminal, QUOTE, **CHAIN).elapsed.total_seconds() >= 0.3


def test_stale_snapshots_stand_still(start: Start) -> None:
    terminal = start()
    terminal.fault("stale")
    before = get(terminal, QUOTE, **CHAIN).text
    terminal.set_time(new_york(11))
    assert get(terminal, QUOTE, **CHAIN).text == before
    history = rows(get(terminal, "/option/history/quote", **HISTORY, strike="628"))
    assert history[-1]["timestamp"] == "2026-10-30T11:00:00"
    terminal.clear("stale")
    assert get(terminal, QUOTE, **CHAIN).text != before


def test_quotes_can_be_crossed_and_zero(start: Start) -> None:
    terminal = start()

    def sides() -> list[tuple[float, float]]:
        found = rows(get(terminal, QUOTE, **CHAIN))
        return [(float(row["bid"]), float(row["ask"])) for row in found]

    assert all(bid <= ask for bid, ask in sides())
    terminal.fault("crossed")
    assert sum(bid > ask for bid, ask in sides()) == 12
    terminal.fault("zero")
    assert sum(bid == ask == 0 for bid, ask in sides()) == 12
    terminal.clear("crossed", "zero")
    assert all(bid <= ask for bid, ask in sides())


def test_bodies_can_be_cut_short(start: Start) -> None:
    terminal = start(faults=["malformed"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(get(terminal, QUOTE, **CHAIN, format="json").text)
    assert not get(terminal, QUOTE, **CHAIN).text.endswith("\r\n")


def test_strikes_can_be_added_at_midday(start: Start) -> None:
    terminal = start(faults=["late-strikes"])

    def strikes(path: str, **asked: Any) -> int:
        return len({row["strike"] for row in rows(get(terminal, path, **asked))})

    today = {**SPY, "date": str(DAY)}
    assert strikes(QUOTE, **CHAIN) == strikes("/option/list/contracts/quote", **today) == 14
    terminal.set_time(new_york(12, 1))
    assert strikes(QUOTE, **CHAIN) == strikes("/option/list/contracts/quote", **today) == 18
    assert strikes("/option/list/strikes", **CHAIN) == 14  # refreshed overnight only
    late = rows(get(terminal, "/option/history/quote", **HISTORY, strike="622", right="put"))
    quoted = [row["timestamp"] for row in late if row["ask"] != "0.00"]
    assert quoted[0] == "2026-10-30T12:00:00"


def test_faults_combine(start: Start) -> None:
    terminal = start(faults=["429=1", "latency=0.2", "zero"])
    assert get(terminal, QUOTE, **CHAIN).status_code == 429
    answer = get(terminal, QUOTE, **CHAIN)
    assert answer.elapsed.total_seconds() >= 0.2
    assert any(row["ask"] == "0.00" for row in rows(answer))


def test_faults_and_time_are_changed_over_http(start: Start) -> None:
    terminal = start()

    def post(what: str, **wish: Any) -> requests.Response:
        return requests.post(f"{terminal.url}/simulator/{what}", json=wish, timeout=PATIENCE)

    assert post("faults", on=["429", "latency=0.1"]).json()["faults"] == ["429", "latency"]
    assert get(terminal, QUOTE, **CHAIN).status_code == 429
    assert post("faults", off=["429"]).json()["faults"] == ["latency"]
    assert post("faults", off="all").json()["faults"] == []
    told = post("clock", time="2026-10-30T12:00:00").json()["time"]
    assert datetime.fromisoformat(told) == new_york(12)
    assert post("clock", step=2).json()["time"] == "2026-10-30T12:02:00-04:00"
    assert post("clock", speed="nonsense").status_code == 400
    wrong = post("faults", on=["gremlins"])
    assert wrong.status_code == 400 and "gremlins" in wrong.text
    shown = requests.get(f"{terminal.url}/simulator", timeout=PATIENCE).json()
    assert shown["all_faults"] == dict(FAULTS)
    assert shown["subscription"] == "options Pro, stocks Pro"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gremlins", "'gremlins' is unknown"),
        ("latency", "needs seconds"),
        ("hung=3", "takes no figure"),
        ("429=many", "must be a number"),
        ("latency=-1", "must be a number"),
    ],
)
def test_a_fault_that_is_none_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Faults([text])


def test_a_taken_port_is_named(source: MemorySource, start: Start) -> None:
    port = int(start().url.rpartition(":")[2])
    with (
        pytest.raises(SettingError, match=f"port {port} cannot be opened"),
        SimulatedTerminal(source, http_port=port),
    ):
        pass


def test_shutdown_ends_both_ports(start: Start) -> None:
    terminal = start()
    assert get(terminal, "/terminal/shutdown").text == "OK"
    assert terminal.wait(PATIENCE)
    for address in (terminal.url, terminal.ws_url.replace("ws://", "http://")):
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=PATIENCE)
