"""Trades, P&L and equity of the whole path equal an independent recomputation, to the cent."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as some
from market import (
    CALL,
    HALF_DAY,
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    desk,
    market,
    markets,
    wishes,
)
from oracle import (
    SELL_CALL,
    SELL_PUT,
    Clock,
    DoubtfulError,
    Figures,
    Oracle,
    RawSession,
    Script,
    money,
)

from settings import FillSettings, RuleSettings, Settings
from strategies.baselines import baseline
from strategies.ppo_strategy import PPOStrategy
from strategies.recorder import OFF_SLOT
from strategies.rules import Refusal
from vocabulary import RoundTrip

CENT_FRACTION = Decimal("1e-7")


def raw(made: Market) -> RawSession:
    """The quotes as plain lists, before anything of the product has touched them."""
    assert made.official_close is not None
    return RawSession(
        date=made.session.date.isoformat(),
        open_ns=made.session.open_ns,
        close_ns=made.session.close_ns,
        ts=made.ts.tolist(),
        spot=made.spot.tolist(),
        strikes=made.strikes.tolist(),
        bid=made.bid.tolist(),
        ask=made.ask.tolist(),
        bid_size=made.bid_size.tolist(),
        ask_size=made.ask_size.tolist(),
        official_close=made.official_close,
    )


def columns(trade: RoundTrip) -> dict[str, Any]:
    """The columns of trades.csv, and whether an exit was working at the settlement."""
    return {
        "session": trade.contract.expiration.isoformat(),
        "right": trade.contract.right.name,
        "strike": trade.contract.strike,
        "side": trade.side,
        "quantity": trade.quantity,
        "decided_at": trade.decided_ts,
        "entered_at": trade.entered_ts,
        "entry_price": trade.entry_price,
        "entry_underlying": trade.entry_underlying,
        "exit_decided_at": trade.exit_decided_ts,
        "exited_at": trade.exited_ts,
        "exit_price": trade.exit_price,
        "exit_underlying": trade.exit_underlying,
        "exit_reason": str(trade.exit_reason),
        "fees": trade.fees,
        "gross_pnl": trade.gross_pnl,
        "net_pnl": trade.net_pnl,
        "mid_entry": trade.mid_entry,
        "mid_exit": trade.mid_exit,
        "risk_score": trade.risk_score,
        "stop_multiple": trade.stop_multiple,
        "exit_was_working": trade.exit_was_working,
    }


def agree(ours: Any, theirs: Any) -> bool:
    """Equal; decimals to a hundred-thousandth of a cent, volatilities to 1e-7."""
    if theirs is None or ours is None:
        return ours is theirs or (ours is not None and math.isnan(ours))
    if isinstance(theirs, Decimal):
        return math.isfinite(ours) and abs(Decimal(ours) - theirs) < CENT_FRACTION
    return ours == theirs or (isinstance(theirs, float) and abs(ours - theirs) < 1e-7)


def check(ran: PPOStrategy, oracle: Oracle) -> None:
    """Everything that was recorded, against everything that was recomputed."""
    ours = [columns(trade) for trade in ran.tracker.round_trips]
    differences = [
        (name, trade[name], figure)
        for trade, expected in zip(ours, oracle.trades, strict=False)
        for name, figure in expected.items()
        if not agree(trade[name], figure)
    ]
    assert not differences
    assert len(ours) == len(oracle.trades)
    check_equity(ran, oracle)
    check_decisions(ran, oracle)


def check_equity(ran: PPOStrategy, oracle: Oracle) -> None:
    record = ran.recorder
    assert list(record.equity_ts) == [ts for ts, _, _ in oracle.equity]
    for cash, value, (ts, *expected) in zip(
        record.cash, record.position_value, oracle.equity, strict=True
    ):
        assert agree(cash, expected[0]), (ts, cash, expected)
        assert agree(value, expected[1]), (ts, value, expected)


def check_decisions(ran: PPOStrategy, oracle: Oracle) -> None:
    record = ran.recorder
    slots = record.action != OFF_SLOT
    ts = np.array(record.decision_ts)[slots].tolist()
    reasons = [Refusal(code).name.lower() for code in record.reason[slots]]
    told = [
        "" if allowed else reason
        for allowed, reason in zip(record.allowed[slots], reasons, strict=True)
    ]
    assert list(zip(ts, record.action[slots].tolist(), told, strict=True)) == oracle.decisions


def figures(chosen: Settings) -> Figures:
    """The oracle's figures: only what a test changed is told, it knows the defaults by itself."""
    told: dict[str, Any] = {}
    pairs = [(chosen, Settings()), (chosen.rules, RuleSettings()), (chosen.fills, FillSettings())]
    for ours, usual in pairs:
        for name, known in Figures.__dataclass_fields__.items():
            figure = getattr(ours, name, None)
            if figure != getattr(usual, name, None):
                told[name] = known.type(figure) if known.type in (int, bool) else money(figure)
    return Figures(**told)


def compare(
    made: Sequence[Market], policy: Any, theirs: Any, desk_settings: Settings | None = None
) -> tuple[PPOStrategy, Oracle]:
    desk_settings = desk_settings or Settings()
    try:
        oracle = Oracle(theirs, figures(desk_settings)).play([raw(one) for one in made])
    except DoubtfulError:
        reject()
    ran = desk([one.day() for one in made], policy, desk_settings)
    check(ran, oracle)
    return ran, oracle


def compare_script(
    made: Sequence[Market],
    script: Sequence[int],
    desk_settings: Settings | None = None,
    actions: int = 3,
    obeys_waits: bool = True,
) -> tuple[PPOStrategy, Oracle]:
    return compare(
        made,
        Scripted(script, actions, obeys_waits),
        Script(script, actions, obeys_waits),
        desk_settings,
    )


BASELINES = {"sell_put@10:00": Clock(SELL_PUT, 30), "sell_call@10:00": Clock(SELL_CALL, 30)}

# --- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASELINES)
def test_a_quiet_week_end_earns_the_premium_less_two_fees(name: str) -> None:
    made = [market(), market(session=MONDAY), market(np.arange(210.0), session=HALF_DAY)]
    ran, oracle = compare(made, baseline(name), BASELINES[name])
    assert [trade["exit_reason"] for trade in oracle.trades] == ["time_exit"] * 3
    assert [trade["fees"] for trade in oracle.trades] == [Decimal("2.10")] * 3
    assert ran.broker.getvalue() == pytest.approx(80_000 + float(oracle.realised), abs=1e-9)


def test_a_fall_stops_the_put_and_settles_the_one_without_an_offer() -> None:
    spot = np.where(np.arange(390.0) < 100, 628.2013, 622.0013)
    falling, dry = market(spot=spot), market(spot=spot, session=MONDAY, official_close=621.37)
    dry.quote(PUT, 628, dry.between(100, 391), ask=np.nan)
    _, oracle = compare([falling, dry], baseline("sell_put@10:00"), BASELINES["sell_put@10:00"])
    stopped, settled = oracle.trades
    assert stopped["exit_reason"] == "stop_loss"
    assert (settled["exit_reason"], settled["exit_price"]) == ("settlement", Decimal("6.63"))
    assert settled["exit_was_working"]
    assert settled["net_pnl"] == (settled["entry_price"] - Decimal("6.63")) * 100 - Decimal("1.05")


def test_partial_fills_pay_one_minimum_fee_and_weigh_the_prices() -> None:
    made = market()
    rows = made.row(31)
    made.quote(PUT, 628, slice(rows, rows + 3), size=1)
    made.quote(PUT, 628, rows + 1, 1.00, 1.02).quote(PUT, 628, made.between(375, 380), size=1)
    rich = Settings(capital=300_000.0, contracts=3)
    _, oracle = compare([made], baseline("sell_put@10:00"), BASELINES["sell_put@10:00"], rich)
    (trade,) = oracle.trades
    assert trade["quantity"] == 3
    assert trade["fees"] == 2 * (Decimal("1.95") + Decimal("0.15"))
    assert trade["entry_price"] == (Decimal("1.07") * 2 + Decimal("1.00")) / 3


def test_a_busy_script_closes_and_sells_again() -> None:
    script = wishes((6, 2), (9, 3), (10, 1), (20, 3), (70, 2))
    _, oracle = compare_script([market(), market(session=MONDAY)], script, None, 4, False)
    reasons = [trade["exit_reason"] for trade in oracle.trades]
    assert reasons == ["model", "model", "time_exit"] * 2


# --- at random -----------------------------------------------------------------------------------

few = settings(max_examples=25)


@given(made=markets(), name=some.sampled_from(sorted(BASELINES)))
@few
def test_the_clock_baselines_agree_on_any_sessions(made: list[Market], name: str) -> None:
    compare(made, baseline(name), BASELINES[name])


any_rules = some.fixed_dictionaries(
    {},
    optional={
        "profit_target": some.sampled_from([0.25, 0.5, 0.9]),
        "hold_to_expiry": some.just(True),
        "time_exit_minutes": some.sampled_from([1.0, 40.0, 120.0]),
        "decision_minutes": some.sampled_from([1.0, 2.0, 15.0]),
        "daily_loss": some.sampled_from([0.001, 0.005]),
        "quote_age_seconds": some.sampled_from([1.0, 3600.0]),
    },
).map(lambda chosen: RuleSettings(**chosen))
any_fills = some.fixed_dictionaries(
    {},
    optional={
        "latency_seconds": some.sampled_from([1.0, 60.0, 200.0]),
        "slippage": some.sampled_from([0.01, 0.5]),
    },
).map(lambda chosen: FillSettings(**chosen))
any_settings = some.builds(
    Settings,
    capital=some.sampled_from([62_900.0, 80_000.0, 200_000.0, 1e6]),
    contracts=some.sampled_from([1, 2, 3, 5]),
    rules=any_rules,
    fills=any_fills,
)


@given(
    made=markets(),
    script=some.lists(some.integers(0, 3), min_size=1, max_size=79),
    desk_settings=any_settings,
    actions=some.sampled_from([3, 4]),
    obeys_waits=some.booleans(),
)
@settings(max_examples=80)
def test_any_script_agrees_under_any_rules(
    made: list[Market],
    script: list[int],
    desk_settings: Settings,
    actions: int,
    obeys_waits: bool,
) -> None:
    script = [wish if wish < actions else 2 for wish in script]
    compare_script(made, script, desk_settings, actions, obeys_waits)


@given(made=markets(), desk_settings=any_settings)
@few
def test_equity_is_cash_plus_trades_whenever_the_desk_is_flat(
    made: list[Market], desk_settings: Settings
) -> None:
    ran = desk([one.day() for one in made], Scripted([1, 2, 3], 4, False), desk_settings)
    trips, record = ran.tracker.round_trips, ran.recorder
    for ts, cash, value in zip(record.equity_ts, record.cash, record.position_value, strict=True):
        if not any(trip.entered_ts <= ts < trip.exited_ts for trip in trips):
            earned = sum(trip.net_pnl for trip in trips if trip.exited_ts <= ts)
            assert value == 0
            assert cash == pytest.approx(desk_settings.capital + earned, abs=1e-6)


def test_the_oracle_shares_no_code_with_the_product() -> None:
    with open(__file__.replace("test_oracle", "oracle")) as file:
        imports = [line.split()[1] for line in file if line.startswith(("import", "from"))]
    assert imports == ["math", "collections.abc", "dataclasses", "decimal", "typing"]


def test_a_call_that_is_sold_settles_above_its_strike() -> None:
    spot = np.where(np.arange(390.0) < 380, 628.2013, 629.1013)
    made = market(spot=spot, official_close=629.25)
    made.quote(CALL, 628, made.between(375, 391), ask=np.nan)
    _, oracle = compare([made], baseline("sell_call@10:00"), BASELINES["sell_call@10:00"])
    assert oracle.trades[0]["exit_price"] == Decimal("1.25")
    assert made.session is SESSION
