"""The pure parts under the link: the library's door, the guard, ticks, times, and whose answer."""

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linked import a_put

from brokers.ib.account_guard import is_paper, permitted_account
from brokers.ib.answers import Answers, RefusedRequest
from brokers.ib.api import LIBRARY, Option
from brokers.ib.records import AccountRule, OrderTicket
from brokers.ib.tick_ladder import TickLadder, ladder_of
from brokers.ib.translate import (
    execution_instant,
    margin_impact,
    option_fields,
    option_of,
    order_fields,
    split_execution_id,
    ticket_problem,
)
from errors import AccountRefusedError
from feeds.contract import Contract, Right

ROOT = Path(__file__).resolve().parents[3]


def run(code: str) -> None:
    """In a fresh interpreter, warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_ib_insync_is_the_library() -> None:
    assert LIBRARY == "ib_insync"


def test_the_library_can_be_imported_in_any_thread_and_after_asyncio_run() -> None:
    run(
        "import asyncio, threading; asyncio.run(asyncio.sleep(0))\n"
        "seen = []\n"
        "def load():\n"
        "    import brokers.ib.api as api; seen.append(api.LIBRARY)\n"
        "thread = threading.Thread(target=load); thread.start(); thread.join()\n"
        "assert seen == ['ib_insync'], seen"
    )


def test_the_importing_thread_keeps_its_own_loop() -> None:
    run(
        "import asyncio\n"
        "async def main():\n"
        "    mine = asyncio.get_running_loop()\n"
        "    import brokers.ib.api\n"
        "    assert asyncio.get_running_loop() is mine\n"
        "asyncio.run(main())"
    )


def test_without_a_library_the_error_says_what_to_install() -> None:
    run(
        "import sys; sys.modules['ib_insync'] = sys.modules['ib_async'] = None\n"
        "from errors import BrokerError\n"
        "try:\n"
        "    import brokers.ib.api\n"
        "except BrokerError as error:\n"
        "    assert 'pip install ib_insync' in str(error)\n"
        "else:\n"
        "    raise SystemExit('imported')"
    )


def test_backtests_do_not_load_the_library() -> None:
    run(
        "import sys, warnings; warnings.simplefilter('ignore'); import commands.backtest\n"
        "assert not {'ib_insync', 'eventkit'} & set(sys.modules)"
    )


@pytest.mark.parametrize("account", ["DU1", "DU1234567", "DF42"])
def test_du_and_df_with_digits_are_paper(account: str) -> None:
    assert is_paper(account)


@pytest.mark.parametrize("account", ["U1234567", "F1", "DU", "DU12x", " DU1", "DU1\n", "du1", ""])
def test_nothing_else_is_paper(account: str) -> None:
    assert not is_paper(account)


def test_the_one_paper_account_needs_no_name() -> None:
    assert permitted_account(["DU7"], AccountRule()) == "DU7"


@pytest.mark.parametrize(
    ("accounts", "rule"),
    [
        (["U1"], AccountRule()),
        (["DU1", "U1"], AccountRule()),
        (["DU1", "U1"], AccountRule(account="DU1")),
        (["DU1", "DU2"], AccountRule()),
        (["DU1"], AccountRule(account="DU2")),
        ([], AccountRule()),
        (["U1"], AccountRule(account="U1")),
        (["U1"], AccountRule(allow_live="U2")),
        (["U12"], AccountRule(allow_live="U1")),
        (["DU1"], AccountRule(allow_live="U1")),
    ],
)
def test_what_is_not_clearly_allowed_is_refused_with_the_names(
    accounts: list[str], rule: AccountRule
) -> None:
    with pytest.raises(AccountRefusedError) as refused:
        permitted_account(accounts, rule)
    assert all(account in str(refused.value) for account in accounts)
    assert refused.value.exit_code == 2


def test_a_live_account_is_traded_when_exactly_it_was_named() -> None:
    assert permitted_account(["U1", "U2"], AccountRule(allow_live="U2")) == "U2"


@given(accounts=st.lists(st.from_regex(r"(DU|DF|U|F|)\d{0,3}", fullmatch=True), max_size=4))
def test_without_leave_only_paper_accounts_ever_pass(accounts: list[str]) -> None:
    try:
        assert is_paper(permitted_account(accounts, AccountRule()))
    except AccountRefusedError:
        return
    assert all(is_paper(account) for account in accounts)


@given(price=st.floats(0.01, 500), side=st.sampled_from([1, -1]))
def test_a_limit_is_on_its_tick_and_never_worse_than_said(price: float, side: int) -> None:
    limit = TickLadder().limit(price, side)
    assert abs(limit * 100 - round(limit * 100)) < 1e-9
    assert repr(limit) == repr(round(limit, 2))
    assert (price - limit) * side >= -1e-7
    assert abs(limit - price) < 0.01


@given(cents=st.integers(1, 100_000), side=st.sampled_from([1, -1]))
def test_a_price_on_its_tick_stays_whatever_the_float(cents: int, side: int) -> None:
    for price in (cents / 100, cents * 0.01, sum([0.01] * min(cents, 500))):
        assert TickLadder().limit(price, side) == round(price, 2)


def test_float_noise_is_not_sent() -> None:
    assert str(TickLadder().limit(0.1 + 0.2, 1)) == "0.3"


def test_the_ladder_of_a_market_rule_steps_where_the_rule_does() -> None:
    ladder = ladder_of([(3.0, 0.10), (0.0, 0.05)])
    assert ladder.limit(2.99, 1) == 2.95
    assert ladder.limit(2.99, -1) == 3.0
    assert ladder.limit(3.07, -1) == 3.1
    assert ladder.nearest(3.07) == 3.1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20260413 15:27:04 US/Eastern", 1776108424),
        ("20260413 15:27:04 America/New_York", 1776108424),
        ("20260413  15:27:04", 1776108424),
        ("20260413-19:27:04", 1776108424),
        ("20260413-19:27:04 UTC", 1776108424),
        ("20260413 21:27:04 Europe/Berlin", 1776108424),
        ("20261030  09:31:00", 1793367060),
        ("20261102  09:31:00", 1793629860),
    ],
)
def test_every_form_of_execution_time_is_the_same_instant(text: str, seconds: int) -> None:
    assert execution_instant(text) == seconds * 1_000_000_000


@pytest.mark.parametrize("text", ["", "20260413", "15:27:04", "20260413 15:27:04 Moon/Base", "now"])
def test_an_unknown_form_of_time_is_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="execution"):
        execution_instant(text)


def test_a_correction_is_a_revision_of_the_same_execution() -> None:
    assert split_execution_id("0000e0d5.6a1b2c3d.01.01") == ("0000e0d5.6a1b2c3d.01", 1)
    assert split_execution_id("0000e0d5.6a1b2c3d.01.02") == ("0000e0d5.6a1b2c3d.01", 2)
    assert split_execution_id("odd") == ("odd", 0)


@given(
    thousandths=st.integers(1, 2_000_000).map(lambda n: n * 500),
    right=st.sampled_from(list(Right)),
)
def test_a_contract_survives_the_way_to_ib_and_back(thousandths: int, right: Right) -> None:
    contract = Contract("SPY", a_put().expiration, thousandths, right)
    assert option_of(Option(**option_fields(contract))) == contract


def test_what_is_no_option_of_ours_is_none() -> None:
    stock = SimpleNamespace(secType="STK", lastTradeDateOrContractMonth="", right="", symbol="SPY")
    assert option_of(stock) is None


@pytest.mark.parametrize(
    "ticket",
    [
        OrderTicket("r", a_put(), -1, 1, math.nan),
        OrderTicket("r", a_put(), -1, 1, math.inf),
        OrderTicket("r", a_put(), -1, 1, 0.0),
        OrderTicket("r", a_put(), -1, 1, -2.0),
        OrderTicket("r", a_put(), -1, 1),
        OrderTicket("r", a_put(), -1, 1, 2.0, stop_price=3.0),
        OrderTicket("r", a_put(), -1, 1, stop_price=math.nan),
        OrderTicket("r", a_put(), -1, 0, 2.0),
        OrderTicket("r", a_put(), 0, 1, 2.0),
        OrderTicket("", a_put(), 1, 1, 2.0),
        OrderTicket("r", "BAG", 1, 1, 2.0),  # type: ignore[arg-type]
    ],
)
def test_an_order_that_makes_no_sense_is_never_sent(ticket: OrderTicket) -> None:
    assert ticket_problem(ticket)


def test_every_order_is_a_day_order_of_a_named_account_in_regular_hours() -> None:
    ticket = OrderTicket("r", a_put(), 1, 2, stop_price=7.123, trigger_method=8)
    assert ticket_problem(ticket) == ""
    fields = order_fields(ticket, "DU7", TickLadder())
    assert fields == {
        "action": "BUY",
        "totalQuantity": 2,
        "tif": "DAY",
        "account": "DU7",
        "orderRef": "r",
        "outsideRth": False,
        "transmit": True,
        "triggerMethod": 8,
        "orderType": "STP",
        "auxPrice": 7.12,
    }


def test_a_what_if_without_margin_is_no_answer_yet() -> None:
    unset = "1.7976931348623157E308"
    state = SimpleNamespace(
        initMarginChange=unset, maintMarginChange=unset, commission=1.0, maxCommission=1.0
    )
    assert margin_impact(state) is None


def test_an_answer_that_nobody_waits_for_holds_back_the_next_request() -> None:
    async def story() -> None:
        answers = Answers()
        answers.ask("positions").cancel()
        answers.add("positions", "late")
        assert answers.open_seconds("positions") is not None
        answers.end("positions")
        assert answers.open_seconds("positions") is None
        fresh = answers.ask("positions")
        answers.add("positions", "fresh")
        answers.end("positions")
        assert await fresh == ["fresh"]

    asyncio.run(story())


def test_a_refusal_and_the_end_of_the_line_end_what_is_open() -> None:
    async def story() -> None:
        answers = Answers()
        refused, cut = answers.ask(1), answers.ask(2)
        answers.fail(1, RefusedRequest(200, "no such contract"))
        answers.close(ConnectionError("gone"))
        with pytest.raises(RefusedRequest, match="200"):
            await refused
        with pytest.raises(ConnectionError):
            await cut
        assert answers.was_asked(1)
        assert not answers.waits(1)

    asyncio.run(story())
