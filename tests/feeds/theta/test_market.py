"""A live session against a simulated terminal in real time, whatever happens to the terminal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from market import SESSION, market
from scripted_terminal import scripted_terminal
from websockets.sync.client import connect

from feeds.chain import ChainDay
from feeds.contract import Contract, Right
from feeds.live.live_feed import LiveFeed
from feeds.live.quote_board import QuoteBoard
from feeds.live.row_queue import Signal
from feeds.source import MemorySource
from feeds.theta.asking import Manner, Manners
from feeds.theta.market import ThetaMarket
from feeds.theta.rest import ThetaRest
from feeds.theta.tiers import Tiers
from feeds.theta_simulator.server import SimulatedTerminal

ALL = Tiers(True, True, True, True, True)
VALUE = Tiers(True, False, False, False, True)
SECOND = 1_000_000_000
SPEED = 4.0
AGE_LIMIT = 2.0
"""Market seconds; half a wall second."""

RECOVERY_SECONDS = 5.0
HASTY = Manners(snapshot=Manner(2.0, 0.3, takes_a_slot=False))
STRIKES = tuple(range(600, 660))


def quotes_every_second() -> ChainDay:
    """Ten minutes of a falling market; everything near the money changes every second."""
    seconds = np.arange(0, 600)
    day: ChainDay = market(
        seconds / 60, 632.0 - seconds * 0.02, strikes=STRIKES, volatility=0.4
    ).day()
    return day


DAY = quotes_every_second()
SOURCE = MemorySource([DAY])


def until(condition: Callable[[], Any], seconds: float = RECOVERY_SECONDS) -> Any:
    """The first true value of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def quoted(row: ChainDay) -> int:
    """How many contracts of a row can be bought."""
    return int(np.isfinite(row.ask[0]).sum())


def signals(feed: LiveFeed) -> list[Any]:
    """All that waits in the feed, which nobody runs here."""
    found = []
    while (item := feed._rows.take(0)) is not None:
        found.append(item)
    return found


@dataclass
class Desk:
    """A terminal and a market that reads it."""

    terminal: SimulatedTerminal
    market: ThetaMarket
    feed: LiveFeed
    rows: list[ChainDay] = field(default_factory=list)

    def good(self) -> bool:
        """Whether a bar after this call has quotes."""
        seen = len(self.rows)
        return bool(until(lambda: any(quoted(row) > 20 for row in self.rows[seen:])))

    def blind(self) -> ChainDay:
        """A bar after this call that has no quotes."""
        seen = len(self.rows)
        until(lambda: not all(map(quoted, self.rows[seen:])))
        return next(row for row in self.rows[seen:] if not quoted(row))

    def has_rows(self, count: int) -> None:
        """So many bars were made."""
        until(lambda: len(self.rows) >= count)

    def disconnected(self) -> None:
        """The feed says that the market cannot be seen."""
        until(lambda: Signal.DISCONNECTED in signals(self.feed))

    def streams(self) -> None:
        """The line says that quotes arrive."""
        until(lambda: "quotes of" in self.market.line)

    def is_well(self) -> None:
        """The chain can be read."""
        until(lambda: self.market.problem == "")

    def told(self, *words: str) -> None:
        """The line must say it, and since when."""
        until(lambda: all(word in self.market.line for word in (*words, "since ")))
        assert "\n" not in self.market.line


Open = Callable[..., Desk]


@pytest.fixture
def open_desk() -> Iterator[Open]:
    """Start a terminal and a market on it, at `SPEED` times the wall's."""
    with ExitStack() as stack:

        def begin(tiers: Tiers = ALL, manners: Manners | None = None, **options: Any) -> Desk:
            simulated = {"speed": SPEED, "faults": (), "tier": "pro"}
            simulated |= {k: options.pop(k) for k in list(options) if k in simulated}
            terminal = stack.enter_context(SimulatedTerminal(SOURCE, **simulated))  # type: ignore[arg-type]
            if simulated["speed"] == 0:
                terminal.set_time(DAY.session.open_ns + 60 * SECOND)
            rest = stack.enter_context(ThetaRest(terminal.url, manners=manners))
            feed = LiveFeed()
            rows: list[ChainDay] = []
            options = {"period_seconds": 1, "age_limit_seconds": AGE_LIMIT} | options
            one = ThetaMarket(
                rest,
                terminal.ws_url,
                DAY.session,
                feed,
                tiers,
                **({"takers": [rows.append], "now": lambda: terminal.now} | options),
            )
            stack.enter_context(one)
            return Desk(terminal, one, feed, rows)

        yield begin


def assert_true_and_young(rows: list[ChainDay], limit: float = AGE_LIMIT) -> None:
    """Every quote of every row stood in the market within the limit before the row."""
    late = 8.0  # market seconds that a busy machine may make a bar late; its quotes are newer then
    for row in rows:
        ts = int(row.ts[0])
        first, last = np.searchsorted(
            DAY.ts, [ts - limit * SECOND, ts + late * SECOND], side="right"
        )
        places = np.searchsorted(DAY.strikes, row.strikes)
        for side, true in ((row.bid, DAY.bid), (row.ask, DAY.ask)):
            stood = true[max(first - 1, 0) : last][:, :, places]
            seen = side[0][None]
            fits = (np.isnan(seen) | (np.abs(stood - seen) < 0.001)).any(axis=0)
            assert fits.all(), f"{(~fits).sum()} old quotes at {(ts - DAY.session.open_ns) / 1e9} s"


def test_bars_stand_at_whole_periods_and_hold_the_quotes_of_their_time(open_desk: Open) -> None:
    desk = open_desk()
    assert desk.good()
    until(lambda: len(desk.rows) >= 8)
    stamps = [int(row.ts[0]) - DAY.session.open_ns for row in desk.rows]
    assert all(stamp % SECOND == 0 for stamp in stamps)
    assert sorted(set(stamps)) == stamps
    assert_true_and_young(desk.rows)
    assert desk.market.problem == ""
    assert "quotes of" in desk.market.line


def test_bars_come_when_nothing_trades(open_desk: Open) -> None:
    desk = open_desk()
    assert desk.good()
    desk.terminal.fault("silent", "stale")
    first = int(desk.blind().ts[0])
    until(lambda: int(desk.rows[-1].ts[0]) - first >= 4 * SECOND)
    after = [int(row.ts[0]) for row in desk.rows if row.ts[0] >= first]
    assert np.diff(after).max() <= 2 * SECOND


def test_bars_come_without_a_terminal() -> None:
    now = DAY.session.open_ns
    rows: list[ChainDay] = []
    feed = LiveFeed()
    begun = time.monotonic_ns()
    with (
        ThetaRest("http://127.0.0.1:9", manners=HASTY) as rest,
        ThetaMarket(
            rest,
            "ws://127.0.0.1:9/v1/events",
            DAY.session,
            feed,
            ALL,
            takers=[rows.append],
            period_seconds=1,
            now=lambda: now + (time.monotonic_ns() - begun) * 10,
        ) as one,
    ):
        until(lambda: len(rows) >= 5)
        until(lambda: "no Theta Terminal answers" in one.line and "since" in one.line)
    assert not any(map(quoted, rows))


def test_streamed_strikes_follow_spot(open_desk: Open) -> None:
    desk = open_desk(speed=0, strikes_each_side=4)
    streams = desk.terminal._streaming._streams

    def streamed() -> set[int]:
        return {one.strike for kind, one in streams if one.security == "OPTION"}

    until(lambda: len(streamed()) == 9)
    assert sorted(streamed()) == [one * 1000 for one in range(627, 636)]  # spot 630.80
    desk.terminal.set_time(DAY.session.open_ns + 450 * SECOND)
    for _ in range(5):
        desk.terminal.step()
        time.sleep(0.15)
    until(lambda: sorted(streamed()) == [one * 1000 for one in range(619, 628)])  # 622.9
    seen = len(desk.rows)
    desk.terminal.step()
    until(lambda: len(desk.rows) > seen)
    assert_true_and_young(desk.rows[seen:])


DOWN = [
    ("474", "lost Theta Data"),
    ("478", "not signed in"),
    ("500", "not signed in"),
    ("hung", "no connection (not even a heartbeat"),
]
STREAM_DOWN = [
    ("fpss", "lost Theta Data"),
    ("silent", "no quotes, though the terminal answers"),
    ("dropped", "no connection"),
]


def test_a_stream_that_is_lost_is_told_and_not_traded_on_and_comes_back(open_desk: Open) -> None:
    desks = [(open_desk(), fault, words) for fault, words in DOWN]  # side by side: it is quicker
    for desk, fault, _ in desks:
        assert desk.good()
        signals(desk.feed)
        desk.terminal.fault(fault)
    for desk, _, words in desks:
        desk.blind()
        desk.told(words)
        desk.disconnected()
        desk.terminal.clear()
    for desk, _, _ in desks:
        assert desk.good()
        desk.streams()
        assert_true_and_young(desk.rows)


def test_a_second_program_takes_the_stream_for_a_moment_only(open_desk: Open) -> None:
    desk = open_desk()
    assert desk.good()
    with connect(desk.terminal.ws_url, compression=None, close_timeout=0.1):
        desk.told("another program may have taken the stream")
        desk.disconnected()
        desk.streams()
        assert desk.good()
    assert_true_and_young(desk.rows)


def test_while_the_stream_alone_is_lost_the_chain_is_polled(open_desk: Open) -> None:
    desks = [(open_desk(), *case) for case in STREAM_DOWN]
    for desk, fault, _ in desks:
        assert desk.good()
        signals(desk.feed)
        desk.terminal.fault(fault)
    for desk, _, words in desks:
        desk.told(words, "read at every bar")
        desk.disconnected()
        seen = len(desk.rows)
        desk.has_rows(seen + 6)
        assert all(quoted(row) > 20 for row in desk.rows[seen + 2 :])
        desk.terminal.clear()
    for desk, _, _ in desks:
        desk.streams()
        assert desk.good()
        assert_true_and_young(desk.rows)


def test_what_leaves_the_stream_whole_leaves_the_bars_whole(open_desk: Open) -> None:
    faults = ("no-heartbeats", "stale", "latency=0.4", "duplicated", "reordered", "malformed")
    desks = [open_desk() for _ in faults]
    for desk, fault in zip(desks, faults, strict=True):
        assert desk.good()
        desk.terminal.fault(fault)
    seen = [len(desk.rows) for desk in desks]
    for desk, before, fault in zip(desks, seen, faults, strict=True):
        desk.has_rows(before + 4)
        assert desk.good()
        # That a frame was unreadable is known a quarter of a wall second after it came.
        assert_true_and_young(desk.rows, AGE_LIMIT + SPEED / 2 * (fault == "malformed"))
        assert desk.market.book.counts.foreign == 0


def test_quotes_nobody_can_trade_on_are_none(open_desk: Open) -> None:
    desks = [open_desk(faults=(fault,)) for fault in ("crossed", "zero")]
    for desk in desks:
        assert desk.good()
        desk.has_rows(6)
        for row in desk.rows:
            assert not (row.ask < row.bid).any()
            assert not (row.ask == 0).any()
        assert_true_and_young(desk.rows)
        assert quoted(desk.rows[-1]) < 2 * DAY.strikes.size


REFUSALS = [
    ("429", "429"),
    ("403", "does not include it"),
    ("471", "does not include it"),
    ("474", "lost its connection"),
    ("476", "another host name"),
    ("478", "another terminal took"),
    ("500", "another terminal took"),
    ("570", "570"),
    ("571", "is starting"),
    ("stale", "stand still"),
    ("malformed", "Theta's answer to the chain"),
    ("hung", "not answer"),
]


@pytest.mark.parametrize("cases", [REFUSALS[:6], REFUSALS[6:]], ids=["4xx", "5xx and other"])
def test_an_account_that_polls_is_told_of_every_refusal_and_recovers(
    open_desk: Open, cases: list[tuple[str, str]]
) -> None:
    desks = [(open_desk(VALUE, HASTY, tier="value"), *case) for case in cases]
    for desk, fault, _ in desks:
        assert desk.good()
        desk.terminal.fault(fault)
    for desk, _, words in desks:
        desk.blind()
        desk.told(words)
        desk.terminal.clear()
    for desk, _, _ in desks:
        assert desk.good()
        desk.is_well()
        assert_true_and_young(desk.rows)


def test_a_terminal_that_is_not_ready_at_the_start_is_waited_for(open_desk: Open) -> None:
    desks = [open_desk(faults=(fault,)) for fault in ("571", "hung", "474")]
    for desk in desks:
        desk.blind()
        desk.told()
        desk.terminal.clear()
    for desk in desks:
        assert desk.good()


def test_without_streaming_the_chain_is_polled_and_spot_is_from_parity(open_desk: Open) -> None:
    desk = open_desk(VALUE, tier="value")
    assert desk.good()
    assert desk.terminal._streaming._client is None
    row = desk.rows[-1]
    true = DAY.spot[np.searchsorted(DAY.ts, row.ts[0])]
    assert row.spot[0] == pytest.approx(true, abs=0.1)
    assert row.spot_source.startswith("parity")
    assert "read at every bar" in desk.market.line
    assert_true_and_young(desk.rows)


def test_a_stream_that_is_refused_is_replaced_by_polling(open_desk: Open) -> None:
    desk = open_desk(ALL, tier="value")
    desk.told("subscribe to options Standard")
    assert desk.good()
    assert_true_and_young(desk.rows)


def test_an_account_without_quotes_is_told_what_to_buy(open_desk: Open) -> None:
    desk = open_desk(Tiers(False, False, False, False, False), tier="free")
    until(lambda: Signal.END in signals(desk.feed))
    assert "options Standard is what the desk needs" in desk.market.line
    assert desk.rows == []


def test_strikes_added_at_midday_are_streamed() -> None:
    minutes = 149 + np.arange(0, 240) / 60
    noon = market(minutes, 630.0 + np.arange(240) * 0.002, strikes=STRIKES, volatility=0.4).day()
    rows: list[ChainDay] = []
    with (
        SimulatedTerminal(MemorySource([noon]), speed=0, faults=["late-strikes"]) as terminal,
        ThetaRest(terminal.url) as rest,
    ):
        terminal.set_time(int(noon.ts[5]))
        with ThetaMarket(
            rest,
            terminal.ws_url,
            noon.session,
            LiveFeed(),
            ALL,
            takers=[rows.append],
            period_seconds=1,
            now=lambda: terminal.now,
        ) as one:
            streams = terminal._streaming._streams
            until(lambda: len(streams) > 20)
            before = {stream.strike for _, stream in streams}
            terminal.set_time(int(noon.ts[125]))
            terminal.step()
            until(lambda: len({stream.strike for _, stream in streams} - before) >= 4)
            until(lambda: one.book.strikes.size == noon.strikes.size)


def test_quotes_of_another_day_never_enter_a_row() -> None:
    head = "symbol,expiration,strike,right,timestamp,bid_size,bid_exchange,bid,bid_condition,"
    head += "ask_size,ask_exchange,ask,ask_condition\r\n"
    line = "SPY,{0},{1}.000,CALL,{2},10,5,1.00,50,10,5,1.10,50\r\n"
    day, before = SESSION.date, "2026-10-29"
    old = line.format(day, 630, f"{before}T09:31:00.000")
    new = line.format(day, 631, f"{day}T09:31:00.000")
    ts = SESSION.open_ns + 59 * SECOND
    begun = time.monotonic_ns()
    rows: list[ChainDay] = []
    with (
        scripted_terminal((200, head + old + new)) as terminal,
        ThetaRest(terminal.url) as rest,
        ThetaMarket(
            rest,
            "ws://127.0.0.1:9/v1/events",
            SESSION,
            LiveFeed(),
            VALUE,
            takers=[rows.append],
            period_seconds=1,
            now=lambda: ts + time.monotonic_ns() - begun,
        ) as one,
    ):
        until(lambda: any(map(quoted, rows)))
        assert one.book.counts.foreign > 0
    for row in rows:
        assert not np.isfinite(row.ask[0, Right.CALL, row.strikes == 630_000]).any()


def test_closing_takes_a_few_seconds_at_most(open_desk: Open) -> None:
    states = [(ALL, ""), (ALL, "hung"), (ALL, "dropped"), (VALUE, "hung"), (VALUE, "latency=3")]
    desks = [open_desk(tiers, faults=(fault,) if fault else ()) for tiers, fault in states]
    for desk in desks:
        desk.has_rows(1)
        begun = time.monotonic()
        desk.market.close()
        assert time.monotonic() - begun < 4.0
        assert not desk.market._thread.is_alive()
        assert Signal.END in signals(desk.feed)


def test_the_feed_ends_with_the_session(open_desk: Open) -> None:
    desk = open_desk(speed=0)
    assert desk.market.line
    desk.terminal.set_time(DAY.session.close_ns)
    until(lambda: Signal.END in signals(desk.feed))
    assert int(desk.rows[-1].ts[0]) == DAY.session.close_ns


# --- between bars --------------------------------------------------------------------------------

AT_THE_MONEY = Contract("SPY", DAY.session.date, 630_000, Right.PUT)
FAR = Contract("SPY", DAY.session.date, 655_000, Right.CALL)


def age(desk: Desk, board: QuoteBoard, one: Contract = AT_THE_MONEY) -> float:
    """Market seconds since the board's quote was known to stand; infinite without one."""
    quote = board.latest(one)
    return math.inf if quote is None else (desk.terminal.now - quote.proved_ts) / SECOND


def assert_stood(board: QuoteBoard, one: Contract) -> None:
    """The quote of the board was in the market at the time it was proved."""
    quote = board.latest(one)
    assert quote is not None
    k = int(np.searchsorted(DAY.strikes, one.strike_thousandths))
    t = int(np.searchsorted(DAY.ts, quote.ts, side="right")) - 1
    stood = DAY.bid[t, one.right, k], DAY.ask[t, one.right, k]
    assert (quote.bid, quote.ask) == pytest.approx(stood, abs=1e-9)
    assert quote.spot == pytest.approx(DAY.spot[t], abs=0.2)


@pytest.mark.parametrize("tier", ["pro", "value"])
def test_watched_contracts_are_young_between_bars_and_old_after_a_loss(
    open_desk: Open, tier: str
) -> None:
    board = QuoteBoard()
    desk = open_desk(
        ALL if tier == "pro" else VALUE, HASTY, tier=tier, board=board, period_seconds=60
    )
    board.watch(AT_THE_MONEY)
    limit = 3.0 if tier == "pro" else 2.0 * SPEED  # a chain a wall second
    until(lambda: age(desk, board) < limit)
    ages = []
    for _ in range(40):
        time.sleep(0.05)
        ages.append(age(desk, board))
        assert_stood(board, AT_THE_MONEY)
    assert max(ages) < 2 * limit
    desk.terminal.fault("474")
    until(lambda: age(desk, board) > 1.5 * limit)
    desk.terminal.clear()
    until(lambda: age(desk, board) < limit)


def test_a_watched_contract_far_from_spot_is_streamed(open_desk: Open) -> None:
    board = QuoteBoard()
    desk = open_desk(strikes_each_side=4, board=board)
    assert desk.good()
    streams = desk.terminal._streaming._streams
    assert all(one.strike != 655_000 for _, one in streams)
    board.watch(FAR)
    until(lambda: any(one.strike == 655_000 for _, one in streams))
    until(lambda: age(desk, board, FAR) < AGE_LIMIT)
    board.unwatch(FAR)
    until(lambda: all(one.strike != 655_000 for _, one in streams))


def test_the_feed_outlives_the_close_and_the_board_goes_on(open_desk: Open) -> None:
    board = QuoteBoard()
    desk = open_desk(speed=0, outlives_session=True, board=board)
    board.watch(AT_THE_MONEY)
    until(lambda: age(desk, board) < math.inf)
    desk.terminal.set_time(DAY.session.close_ns)
    until(lambda: any(row.ts[0] == DAY.session.close_ns for row in desk.rows))
    desk.terminal.set_time(DAY.session.close_ns + 600 * SECOND)
    board.watch(FAR)
    until(lambda: age(desk, board, FAR) < math.inf)
    assert Signal.END not in signals(desk.feed)
    assert len([row for row in desk.rows if row.ts[0] >= DAY.session.close_ns]) == 1
    desk.market.close()
    assert Signal.END in signals(desk.feed)


def test_after_a_sleep_there_is_one_bar_and_nothing_old_in_it(open_desk: Open) -> None:
    desk = open_desk()
    assert desk.good()
    seen = len(desk.rows)
    slept = desk.terminal.now
    desk.terminal.set_time(slept + 300 * SECOND)
    desk.has_rows(seen + 4)
    late = [row for row in desk.rows[seen:] if row.ts[0] > slept + 10 * SECOND]
    assert int(late[0].ts[0]) >= slept + 299 * SECOND
    assert np.diff([int(row.ts[0]) for row in late]).max() <= 4 * SECOND
    assert desk.market._clock.skipped >= 280
    assert desk.good()
    assert_true_and_young(late)


def test_a_stream_whose_thread_failed_is_told_and_the_chain_is_polled(open_desk: Open) -> None:
    desk = open_desk()
    assert desk.good()
    signals(desk.feed)
    assert desk.market._chain.stream is not None
    desk.market._chain.stream._stream._failure = ValueError("broken")
    desk.told("the Theta stream stopped", "broken")
    desk.disconnected()
    assert desk.good()
    assert_true_and_young(desk.rows)


def test_a_mistake_of_ours_is_told_and_ends_no_feed_that_outlives(open_desk: Open) -> None:
    def mistake(row: ChainDay) -> None:
        raise ZeroDivisionError("ours")

    desk = open_desk(outlives_session=True, takers=[mistake])
    desk.told("the market stopped, please report it", "ours")
    until(lambda: not desk.market._thread.is_alive())
    found = signals(desk.feed)
    assert Signal.DISCONNECTED in found and Signal.END not in found
