"""The simulated broker under anybody's strategy: limits, parts, fees, settlement, its books."""

from collections.abc import Callable, Sequence
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from market import (
    CALL,
    EVERY_MINUTE,
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    contract,
    desk,
    market,
)

from brokers.chain_broker import ChainBroker
from feeds.chain_feed import ChainFeed
from feeds.contract import Right
from feeds.live.live_feed import LiveFeed
from settings import FillSettings, Settings
from vocabulary import DeskMemory, ExitReason, Fill, PastFill

Step = Callable[["Trader"], Any]


class Trader(bt.Strategy):
    """Does `steps[(session number, minute)]` at the first bar at or after that minute."""

    params = (("steps", None),)

    def __init__(self) -> None:
        self.todo: dict[tuple[int, float], Step] = dict(self.p.steps)
        self.orders: list[bt.Order] = []
        self.told: list[tuple[str, str]] = []
        self.trades: list[bt.Trade] = []
        self.worth: list[float] = []
        self.sessions: list[Any] = []

    def next(self) -> None:
        snapshot = self.data.snapshot()
        if snapshot.session not in self.sessions:
            self.sessions.append(snapshot.session)
        now = len(self.sessions) - 1, snapshot.minutes_since_open
        for when in [key for key in self.todo if key[0] == now[0] and key[1] <= now[1]]:
            self.orders.append(self.todo.pop(when)(self))
        self.worth.append(self.broker.getvalue())

    def option(self, right: Any = PUT, strike: float = 628) -> Any:
        return self.data.contract(contract(right, strike, self.sessions[-1]))

    def notify_order(self, order: bt.Order) -> None:
        self.told.append((order.getstatusname(), str(order.info.get("reason", ""))))

    def notify_trade(self, trade: bt.Trade) -> None:
        if trade.isclosed:
            self.trades.append(trade)


def trade(
    made: Sequence[Market] | Market,
    steps: dict[Any, Step],
    settings: FillSettings | None = None,
    analyzers: Sequence[type[bt.Analyzer]] = (),
    **run: bool,
) -> Trader:
    """Run `steps` over the sessions; a plain number is a minute of the first one."""
    days = [one.day() for one in ([made] if isinstance(made, Market) else made)]
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed(days))
    cerebro.setbroker(ChainBroker(80_000, settings))
    timed = {key if isinstance(key, tuple) else (0, key): step for key, step in steps.items()}
    cerebro.addstrategy(Trader, steps=timed)
    for analyzer in analyzers:
        cerebro.addanalyzer(analyzer)
    ran: Trader = cerebro.run(**run)[0]
    return ran


def sell(size: int = 1, right: Any = PUT, strike: float = 628, **terms: Any) -> Step:
    return lambda trader: trader.sell(data=trader.option(right, strike), size=size, **terms)


def buy(size: int = 1, right: Any = PUT, strike: float = 628, **terms: Any) -> Step:
    return lambda trader: trader.buy(data=trader.option(right, strike), size=size, **terms)


def fills_of(order: bt.Order) -> list[tuple[float, int, float, float]]:
    """(minute, quantity, price, fee) of each fill."""
    made: list[Fill] = order.info["fills"]
    return [((f.ts - SESSION.open_ns) / 60e9, f.quantity, f.price, round(f.fee, 9)) for f in made]


# --- fills ---------------------------------------------------------------------------------------


def test_a_market_order_fills_at_the_natural_side_of_the_next_snapshot() -> None:
    made = market().quote(PUT, 628, 61, 1.00, 1.04).quote(PUT, 628, 71, 0.80, 0.83)
    ran = trade(made, {60: sell(2), 70: buy(2)})
    assert fills_of(ran.orders[0]) == [(61.0, 2, 1.00, 1.40)]
    assert fills_of(ran.orders[1]) == [(71.0, 2, 0.83, 1.40)]
    assert ran.broker.getcash() == pytest.approx(80_000 + 34 - 2.80)
    assert [status for status, _ in ran.told] == ["Submitted", "Accepted", "Completed"] * 2


def test_quoted_sizes_fill_an_order_in_parts_for_one_minimum_fee() -> None:
    made = market()
    for row, size in ((61, 1), (62, 0), (63, 2), (64, 9)):
        made.quote(PUT, 628, row, 1.00, 1.02, size)
    ran = trade(made, {60: sell(4)})
    order = ran.orders[0]
    assert fills_of(order) == [(61.0, 1, 1.0, 1.05), (63.0, 2, 1.0, 1.05), (64.0, 1, 1.0, 0.70)]
    statuses = ["Submitted", "Accepted", "Partial", "Partial", "Completed"]
    assert [status for status, _ in ran.told[:5]] == statuses
    assert order.executed.size == -4
    assert order.executed.price == pytest.approx(1.0)
    assert order.executed.comm == pytest.approx(2.80)


def test_a_limit_order_waits_for_its_price_or_better() -> None:
    made = market()
    made.quote(PUT, 628, slice(61, 70), 1.00, 1.02).quote(PUT, 628, slice(70, 391), 1.10, 1.12)
    limit = {"exectype": bt.Order.Limit, "price": 1.08}
    ran = trade(made, {60: sell(**limit), 100: buy(exectype=bt.Order.Limit, price=1.11)})
    assert fills_of(ran.orders[0]) == [(70.0, 1, 1.10, 1.05)]
    assert fills_of(ran.orders[1]) == []
    assert ("Canceled", "session_end") in ran.told


def test_latency_and_slippage_make_a_fill_later_and_worse() -> None:
    slow = FillSettings(latency_seconds=60, slippage=0.03)
    made = market().quote(PUT, 628, 62, 1.00, 1.02)
    assert fills_of(trade(made, {60: sell()}, slow).orders[0]) == [(62.0, 1, 0.97, 1.05)]


def test_without_a_quote_an_order_works_on() -> None:
    made = market().quote(PUT, 628, slice(61, 65), bid=0.0)
    assert fills_of(trade(made, {60: sell()}).orders[0])[0][0] == 65.0


def test_an_order_that_is_canceled_fills_no_more() -> None:
    made = market().quote(PUT, 628, slice(61, 70), bid=0.0)
    cancel: Step = lambda trader: trader.cancel(trader.orders[0])  # noqa: E731
    ran = trade(made, {60: sell(), 65: cancel})
    assert fills_of(ran.orders[0]) == []
    assert ran.told[-1] == ("Canceled", "canceled")


def test_an_order_can_be_canceled_by_the_copy_its_news_came_with() -> None:
    made = market().quote(PUT, 628, slice(61, 70), bid=0.0)
    cancel: Step = lambda trader: trader.cancel(trader.orders[0].clone())  # noqa: E731
    ran = trade(made, {60: sell(), 65: cancel})
    assert fills_of(ran.orders[0]) == []
    assert ran.orders[0].status == bt.Order.Canceled


def test_a_fill_cannot_be_canceled() -> None:
    cancel: Step = lambda trader: trader.cancel(trader.orders[0])  # noqa: E731
    ran = trade(market(), {60: sell(), 65: cancel})
    assert ran.orders[0].status == bt.Order.Completed


# --- what it does not take -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [bt.Order.Stop, bt.Order.StopLimit, bt.Order.StopTrail, bt.Order.Close]
)
def test_order_types_that_are_not_simulated_are_rejected_with_the_reason(kind: int) -> None:
    ran = trade(market(), {60: sell(exectype=kind, price=1.0, plimit=1.0, trailamount=0.1)})
    assert ran.told[-1][0] == "Rejected"
    assert "is not simulated; use Market or Limit" in ran.told[-1][1]
    assert ran.broker.getcash() == 80_000


def test_a_limit_order_needs_its_price() -> None:
    ran = trade(market(), {60: sell(exectype=bt.Order.Limit)})
    assert ran.told[-1] == ("Rejected", "a limit order needs a price")


def test_the_underlying_itself_is_not_traded() -> None:
    ran = trade(market(), {60: lambda trader: trader.buy(size=100)})
    assert ran.told[-1] == ("Rejected", "ChainBroker trades option contracts of a chain feed only")


def test_an_order_after_the_close_is_rejected_and_never_reaches_the_next_day() -> None:
    ran = trade([market(), market(session=MONDAY)], {390: sell()})
    assert ran.told == [("Submitted", "the session is over"), ("Rejected", "the session is over")]


# --- settlement and the books --------------------------------------------------------------------


def test_open_positions_are_settled_at_the_official_close_without_a_fee() -> None:
    made = market(official_close=629.5).quote(PUT, 628, 61, 1.00, 1.04)
    made.quote(CALL, 628, 61, 1.20, 1.24)
    ran = trade(made, {60: sell(2), 60.5: sell(right=CALL)})
    earned = 200 - 1.40 + 100 * (ran.orders[1].executed.price - 1.50) - 1.05
    assert ran.broker.getcash() == ran.broker.getvalue() == pytest.approx(80_000 + earned)
    assert [float(t.pnlcomm) for t in ran.trades] == pytest.approx([198.6, earned - 198.6])
    assert ran.broker.positions == {}


def test_a_settlement_says_what_it_is() -> None:
    seen: list[bt.Order] = []

    class Listener(Trader):
        def notify_order(self, order: bt.Order) -> None:
            seen.append(order)

    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([market(official_close=620.0).day()]))
    cerebro.setbroker(ChainBroker())
    cerebro.addstrategy(Listener, steps={(0, 60): sell()})
    cerebro.run()
    last = seen[-1]
    assert last.isbuy() and last.status == bt.Order.Completed
    assert last.info["exit_reason"] is ExitReason.SETTLEMENT
    (fill,) = last.info["fills"]
    assert (fill.price, fill.fee, fill.ts) == (8.0, 0.0, SESSION.close_ns)
    assert fill.underlying == 620.0


def test_closed_contracts_are_forgotten() -> None:
    steps: dict[Any, Step] = {}
    for number in range(2):
        for minute in range(30, 330, 10):
            steps[number, float(minute)] = sell(strike=628 + minute % 9)
            steps[number, minute + 5.0] = buy(strike=628 + minute % 9)
    ran = trade([market(), market(session=MONDAY)], steps)
    broker = ran.broker
    assert len(ran.trades) == 60
    assert broker.positions == broker._marks == broker._owners == {}
    assert broker._working == []
    assert broker.getvalue() == broker.getcash()


def test_a_long_position_is_worth_its_mark_and_two_positions_add_up() -> None:
    made = market()
    ran = trade(made, {60: buy(3), 60.5: sell(2, CALL, 630)})
    mids = (made.bid + made.ask)[200] / 2
    expected = 300 * mids[PUT, 8] - 200 * mids[CALL, 10]
    assert ran.worth[200] == pytest.approx(
        ran.worth[59] + expected - 300 * ran.orders[0].executed.price
        + 200 * ran.orders[1].executed.price - 2.10 - 1.40
    )  # fmt: skip


def test_a_position_can_be_turned_around_by_one_order() -> None:
    made = market().quote(PUT, 628, slice(61, 63), 1.00, 1.00).quote(PUT, 628, 71, 0.50, 0.50)
    ran = trade(made, {60: sell(1), 70: buy(3)})
    order = ran.orders[1]
    assert order.executed.size == 3
    assert [bit.closed for bit in order.executed.exbits] == [1]
    assert [bit.opened for bit in order.executed.exbits] == [2]
    assert ran.trades[0].pnl == pytest.approx(50.0)
    assert ran.trades[0].pnlcomm == pytest.approx(50.0 - 1.05 - 2.10 / 3)


def test_without_a_mid_the_last_mark_counts() -> None:
    made = market().price(PUT, 628, slice(65, 70), 1.50)
    made.quote(PUT, 628, slice(70, 80), bid=np.nan)
    ran = trade(made, {60: sell()})
    assert ran.worth[69] == ran.worth[70] == ran.worth[79]
    assert ran.worth[80] != ran.worth[79]


def test_cash_is_the_start_plus_all_closed_trades() -> None:
    dice = np.random.default_rng(8)
    made = [market(spot=628 + np.cumsum(dice.normal(0, 0.2, 390))), market(session=MONDAY)]
    for one in made:
        one.bid_size[:] = dice.integers(0, 4, one.bid.shape)
        one.ask_size[:] = dice.integers(0, 4, one.bid.shape)
    steps: dict[Any, Step] = {}
    for number in range(2):
        for minute in dice.choice(380, 40, replace=False):
            how = sell if dice.random() < 0.5 else buy
            strike, right = float(dice.integers(625, 632)), Right(int(dice.integers(0, 2)))
            steps[number, float(minute)] = how(int(dice.integers(1, 5)), right, strike)
    ran = trade(made, steps)
    earned = sum(float(closed.pnlcomm) for closed in ran.trades)
    assert len(ran.trades) > 20
    assert ran.broker.getcash() == pytest.approx(80_000 + earned, abs=1e-6)
    fees = sum(float(fill.fee) for order in ran.orders for fill in order.info["fills"])
    assert fees == pytest.approx(sum(float(closed.commission) for closed in ran.trades))


# --- Backtrader's own bookkeeping ----------------------------------------------------------------


def test_backtraders_analyzers_agree_with_the_desks_books() -> None:
    spot = 628.2013 + np.cumsum(np.random.default_rng(3).normal(0, 0.15, EVERY_MINUTE.size))
    days = [market(spot=spot).day(), market(session=MONDAY).day()]

    def add(cerebro: bt.Cerebro) -> None:
        cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        cerebro.addanalyzer(bt.analyzers.DrawDown, _name="drawdown")
        cerebro.addanalyzer(bt.analyzers.TimeReturn, timeframe=bt.TimeFrame.Days, _name="returns")

    rich = Settings(capital=300_000.0, contracts=3)
    ran = desk(days, Scripted([2, 1, 3] * 27, 4, False), rich, set_up=add)
    trips, told = ran.tracker.round_trips, ran.analyzers.trades.get_analysis()
    assert told.total.closed == len(trips) > 3
    assert told.pnl.net.total == pytest.approx(sum(trip.net_pnl for trip in trips))
    assert told.pnl.gross.total == pytest.approx(sum(trip.gross_pnl for trip in trips))
    assert told.won.total == sum(trip.net_pnl >= 0 for trip in trips)
    assert told.streak.won.longest >= 0
    equity = np.array(ran.recorder.cash) + np.array(ran.recorder.position_value)
    peak = np.maximum.accumulate(np.append(300_000.0, equity))[1:]
    depth = ran.analyzers.drawdown.get_analysis().max.moneydown
    assert depth == pytest.approx((peak - equity).max())
    ends = equity[[390, 781]]
    returns = list(ran.analyzers.returns.get_analysis().values())
    np.testing.assert_allclose(returns, ends / np.array([300_000.0, ends[0]]) - 1)
    assert ran.broker.getvalue() == pytest.approx(equity[-1])


@pytest.mark.parametrize("run", [{"runonce": False}, {"preload": False, "runonce": False}])
def test_every_way_to_run_gives_the_same_fills(run: dict[str, bool]) -> None:
    steps: dict[Any, Step] = {60.0: sell(2), 70.0: buy(), 80.0: sell(right=CALL)}
    usual, other = trade(market(), steps), trade(market(), steps, **run)
    assert [fills_of(order) for order in usual.orders] == [fills_of(o) for o in other.orders]
    assert usual.worth == other.worth


# --- restored ------------------------------------------------------------------------------------


def past(side: int, quantity: int, price: float, minute: float, **exit_: Any) -> PastFill:
    ts = SESSION.open_ns + round(minute * 60e9)
    fill = Fill(contract(), side, quantity, price, 1.4, ts, 628.2, price)
    return PastFill(fill, **exit_)


def restored(feed: Any, memory: DeskMemory, *leaving: Any) -> Trader:
    broker = ChainBroker(80_000)
    broker.restore(memory, *leaving)
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(feed)
    cerebro.setbroker(broker)
    cerebro.addstrategy(Trader, steps={})
    ran: Trader = cerebro.run()[0]
    return ran


def test_cash_and_position_of_the_process_before_are_there_at_once() -> None:
    broker = ChainBroker(80_000)
    broker.restore(DeskMemory(fills=(past(-1, 2, 1.25, 31), past(+1, 1, 0.5, 40))))
    assert broker.getcash() == 80_000 + 250 - 1.4 - 50 - 1.4
    assert broker.getvalue() == broker.getcash() - 125


def test_a_restored_position_is_settled_where_the_first_bar_is_the_last() -> None:
    made = market(np.array([389.0]), 627.0)
    memory = DeskMemory(fills=(past(-1, 2, 1.25, 31),))
    ran = restored(ChainFeed([made.day()]), memory, ExitReason.TIME_EXIT, SESSION.close_ns - 1)
    assert [status for status, _ in ran.told] == ["Accepted", "Completed", "Canceled"]
    assert ran.broker.getcash() == pytest.approx(80_000 + 250 - 1.4 - 200)
    assert ran.broker.positions == {}


def test_a_restored_position_waits_for_the_first_bar_of_a_live_feed() -> None:
    feed, made = LiveFeed(newest_only=False), market()
    feed.wake()  # loops without a bar come first
    feed.put(made.day().row(60))
    feed.set_official_close(SESSION, 628.2013, "end-of-day")
    feed.put(made.day().row(390))
    feed.end()
    ran = restored(feed, DeskMemory(fills=(past(-1, 1, 1.25, 31),)), ExitReason.MANUAL, 0)
    assert [status for status, _ in ran.told] == ["Accepted", "Completed"]
    mid = made.ask[60, PUT, 8]
    assert ran.broker.getcash() == pytest.approx(80_000 + 125 - 1.4 - 100 * mid - 1.05)


def test_a_restored_desk_that_was_flat_has_its_cash_and_nothing_else() -> None:
    leave = {"exit_reason": ExitReason.STOP_LOSS, "exit_decided_ts": 5}
    memory = DeskMemory(fills=(past(-1, 1, 1.0, 31), past(+1, 1, 3.0, 40, **leave)))
    ran = restored(ChainFeed([market().day()]), memory)
    assert ran.told == [] and ran.broker.getcash() == pytest.approx(80_000 - 200 - 2.8)
