"""Cash, position and working order of B sessions side by side, from row to row.

`Book` is docs/execution.md as array operations: one row of many sessions, each its own. A row at
which nothing can happen is not visited: without an order, a position waits for the first row that
hits its stop or target, its time exit or the close (`_next_row`). The marks of rows passed over are
looked at afterwards (`_mark_through`), so that the daily loss is the same to the row.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brokers import fills
from feeds import quotes
from feeds.chain import Integers
from feeds.contract import MULTIPLIER
from feeds.sessions import Floats
from models.reachable import NO_ROW
from models.records import (
    ENTRY,
    EXIT,
    NO_ORDER,
    REASON_CODE,
    RECORD,
    TRIP_FIELDS,
    Booleans,
    Records,
    add_fills,
    average_entry,
    send_exit,
)
from models.session_arrays import SessionArrays
from models.valuation import pending_hedge
from settings import Settings
from strategies import rules
from strategies.strikes import RIGHT_SIGNS
from vocabulary import ExitReason


class Now(NamedTuple):
    """The row that is being ticked, for each of n sessions; dollars and contracts."""

    ts: Integers
    spot: Floats
    bid: Floats
    ask: Floats
    bid_size: npt.NDArray[np.int32]
    ask_size: npt.NDArray[np.int32]
    mid: Floats
    is_last_minute: Booleans
    is_close: Booleans


class Book:
    """The books of B sessions of `arrays`.

    Attributes:
        state: records [B] of `RECORD`.
        next_row: [B] the next row at which something can happen.
        closed: round trips that ended, as arrays of records; whoever wants them empties it.
    """

    def __init__(self, arrays: SessionArrays, settings: Settings, size: int) -> None:
        """`size` books, none of them started."""
        self.arrays = arrays
        self.settings = settings
        self.state: Records = np.zeros(size, RECORD)
        self.next_row = np.full(size, NO_ROW)
        self.closed: list[Records] = []
        self._loss_limit = settings.rules.daily_loss * settings.capital
        self._blank = np.zeros((), RECORD)
        self._blank["answered"] = rules.NEVER
        self._blank["lost"] = rules.daily_loss_reached(0.0, 0.0, 0.0, self._loss_limit)

    def start(self, which: Integers, sessions: Integers) -> None:
        """Open the books `which` at the beginning of `sessions` (indices of `arrays`)."""
        self.state[which] = self._blank
        self.state["session"][which] = sessions
        self.next_row[which] = NO_ROW

    def sell(
        self, which: Integers, row: Integers, contract: Integers, quantity: Integers, risk: Floats
    ) -> None:
        """Send an entry order from `row`, its stop multiple by the risk score now."""
        s = self.state[which]
        for name in TRIP_FIELDS:
            s[name] = self._blank[name]
        s["order"], s["wanted"], s["filled"] = ENTRY, quantity, 0
        s["contract"], s["risk_score"] = contract, risk
        s["multiple"] = rules.stop_multiple(risk, self.settings.rules)
        s["order_ts"] = s["decided_ts"] = self.arrays.ts[s["session"], row]
        s["marked_row"] = s["hedge_row"] = row
        self.state[which] = s
        self.next_row[which] = row + 1

    def close(self, which: Integers, row: Integers) -> None:
        """Send an exit order for the whole position from `row`, because the model wants it."""
        s = self.state[which]
        send_exit(s, np.ones(len(s), bool), self.arrays.ts[s["session"], row], ExitReason.MODEL)
        self.state[which] = s
        self.next_row[which] = row + 1

    def advance(self, target: Integers) -> None:
        """Go on to row `target` [B] of each session, which is its next decision or its close."""
        while True:
            due = np.flatnonzero(self.next_row <= target)
            if not due.size:
                return
            s = self.state[due]
            s["row"] = self.next_row[due]
            self._tick(s, target[due])
            self.next_row[due] = self._next_row(s)
            self.state[due] = s

    def _tick(self, s: Records, decision_row: Integers) -> None:
        """Everything that happens at row `s["row"]` but the decision, in the order of the docs."""
        now = self._now(s)
        s["hedge"] += pending_hedge(self.arrays, s, s["row"])
        s["hedge_row"] = s["row"]
        self._mark_through(s, s["row"] - 1)
        self._send_time_exits(s)
        flat_now = self._fill(s, now)
        flat_now |= self._settle(s, now)
        if flat_now.any():
            self.closed.append(s[flat_now])
        self._mark(s, now)
        s["order"][s["lost"] & (s["order"] == ENTRY)] = NO_ORDER
        self.send_exits(s, now)
        s["order"][(s["order"] == ENTRY) & (s["row"] == decision_row)] = NO_ORDER

    def _now(self, s: Records) -> Now:
        arrays, session, row, contract = self.arrays, s["session"], s["row"], s["contract"]
        bid, ask = arrays.bid[contract, row], arrays.ask[contract, row]
        return Now(
            ts=arrays.ts[session, row],
            spot=arrays.spot[session, row],
            bid=bid,
            ask=ask,
            bid_size=arrays.bid_size[contract, row],
            ask_size=arrays.ask_size[contract, row],
            mid=quotes.mid(bid, ask),
            is_last_minute=row >= arrays.last_minute_row[session],
            is_close=row >= arrays.closing_row[session],
        )

    def _send_time_exits(self, s: Records) -> None:
        """Let the time exit work from its time on, unless another order did after the last row."""
        idle = (s["order"] == NO_ORDER) & (s["open"] > 0)
        due = idle & (s["row"] >= self.arrays.time_exit_row[s["session"]])
        send_exit(s, due, self.arrays.time_exit_ts[s["session"]], ExitReason.TIME_EXIT)

    def _fill(self, s: Records, now: Now) -> Booleans:
        """Step 1; returns where a position was closed."""
        side = np.where(s["order"] == EXIT, 1, -1)
        price = fills.fill_price(side, now.bid, now.ask, self.settings.fills.slippage)
        is_clock = (s["order"] == EXIT) & (s["reason"] == REASON_CODE[ExitReason.TIME_EXIT])
        late = fills.may_fill(now.ts, s["order_ts"], self.settings.fills.latency_seconds)
        may = (s["order"] != NO_ORDER) & ~now.is_last_minute & (is_clock | late)
        size = fills.fill_quantity(side, s["wanted"], now.bid_size, now.ask_size)
        quantity = np.where(may & ~np.isnan(price), size, 0)
        price = np.where(quantity > 0, price, 0.0)
        after = s["filled"] + quantity
        fee = fills.order_fee(after, self.settings.fills)
        fee = np.where(quantity > 0, fee - fills.order_fee(s["filled"], self.settings.fills), 0.0)
        s["cash"] -= side * price * MULTIPLIER * quantity + fee
        s["fees"] += fee
        s["filled"], s["wanted"] = after, s["wanted"] - quantity
        sold, bought = np.where(side < 0, quantity, 0), np.where(side > 0, quantity, 0)
        first = (sold > 0) & (s["entry"]["quantity"] == 0)
        s["entered_ts"] = np.where(first, now.ts, s["entered_ts"])
        s["mark"] = np.where(first, price, s["mark"])
        s["mark_ts"] = np.where(first, now.ts, s["mark_ts"])
        add_fills(s["entry"], sold, price, now.mid, now.spot)
        add_fills(s["exit"], bought, price, now.mid, now.spot)
        s["open"] += sold - bought
        s["order"][s["wanted"] == 0] = NO_ORDER
        s["exited_ts"] = np.where(bought > 0, now.ts, s["exited_ts"])
        return np.asarray((bought > 0) & (s["open"] == 0))

    def _settle(self, s: Records, now: Now) -> Booleans:
        """Step 2; returns where a position was settled."""
        at_close = now.is_close & (s["open"] > 0)
        if at_close.any():
            arrays = self.arrays
            final = arrays.official_close[s["session"]]
            price = self._intrinsic(s, final)
            quantity = np.where(at_close, s["open"], 0)
            s["was_working"] = at_close & (s["order"] == EXIT)
            s["reason"] = np.where(at_close, REASON_CODE[ExitReason.SETTLEMENT], s["reason"])
            s["cash"] -= price * MULTIPLIER * quantity
            s["exited_ts"] = np.where(at_close, now.ts, s["exited_ts"])
            s["open"] -= quantity
            add_fills(s["exit"], quantity, price, price, final)
        s["order"][now.is_close] = NO_ORDER
        return np.asarray(at_close)

    def _intrinsic(self, s: Records, spot: Floats) -> Floats:
        contract = s["contract"]
        strike = self.arrays.strike_thousandths[contract] / 1000
        sign = RIGHT_SIGNS[self.arrays.right[contract]]
        return np.asarray(fills.settlement_price(sign, strike, spot))

    def _mark(self, s: Records, now: Now) -> None:
        """Step 3: the mark, the peak of equity, the daily loss."""
        marked = ~now.is_last_minute
        known = marked & (s["open"] > 0) & ~np.isnan(now.mid)
        s["mark"] = np.where(known, now.mid, s["mark"])
        s["mark_ts"] = np.where(known, now.ts, s["mark_ts"])
        equity = s["cash"] - s["open"] * s["mark"] * MULTIPLIER
        s["peak"] = np.where(marked, np.maximum(s["peak"], equity), s["peak"])
        lost = rules.daily_loss_reached(equity, 0.0, s["peak"], self._loss_limit)
        s["lost"] |= marked & lost
        s["marked_row"] = s["row"]

    def _mark_through(self, s: Records, last_row: Integers) -> None:
        """Step 3 for the rows passed over, up to `last_row`; the position did not change there."""
        last_row = np.minimum(last_row, self.arrays.last_minute_row[s["session"]] - 1)
        n = np.flatnonzero((s["open"] > 0) & (last_row > s["marked_row"]))
        if not n.size:
            return
        p, last = s[n], last_row[n]
        columns = np.arange(p["marked_row"].min() + 1, last.max() + 1)
        mid = self._mids(p, columns)
        passed = (columns > p["marked_row"][:, None]) & (columns <= last[:, None])
        known = passed & ~np.isnan(mid)
        equity = p["cash"][:, None] - p["open"][:, None] * mid * MULTIPLIER
        equity = np.where(known, equity, -np.inf)
        peak = np.maximum(np.maximum.accumulate(equity, axis=1), p["peak"][:, None])
        lost = known & rules.daily_loss_reached(equity, 0.0, peak, self._loss_limit)
        latest = np.where(known, np.arange(len(columns)), -1).max(axis=1)
        seen = latest >= 0
        p["mark"] = np.where(seen, mid[np.arange(len(p)), latest], p["mark"])
        ts = self.arrays.ts[p["session"], columns[latest]]
        p["mark_ts"] = np.where(seen, ts, p["mark_ts"])
        p["peak"], p["marked_row"] = peak[:, -1], last
        p["lost"] |= lost.any(axis=1)
        s[n] = p

    def _mids(self, s: Records, columns: Integers) -> Floats:
        """[n, columns] mids of each session's contract."""
        where = s["contract"], slice(columns[0], columns[-1] + 1)
        return quotes.mid(self.arrays.bid[where], self.arrays.ask[where])

    def send_exits(self, s: Records, now: Now) -> None:
        """Step 5 without the model's close: stop, then profit target."""
        free = (s["open"] > 0) & (s["order"] != EXIT) & ~now.is_last_minute
        if not free.any():
            return
        entry = average_entry(s)
        stop = free & rules.stop_is_hit(now.mid, self._intrinsic(s, now.spot), entry, s["multiple"])
        target = rules.profit_target_is_hit(now.ask, entry, self.settings.rules.profit_target)
        send_exit(s, free & target & ~stop, now.ts, ExitReason.PROFIT_TARGET)
        send_exit(s, stop, now.ts, ExitReason.STOP_LOSS)

    def _next_row(self, s: Records) -> Integers:
        """The next row of each session at which something can happen."""
        following = s["row"] + 1
        idle = (s["order"] == NO_ORDER) & (s["open"] > 0)
        following = np.where((s["order"] == NO_ORDER) & ~idle, NO_ROW, following)
        n = np.flatnonzero(idle)
        if n.size:
            following[n] = self._row_of_exit(s[n])
        return following

    def _row_of_exit(self, s: Records) -> Integers:
        """The first row after this one that hits stop or target, or the time exit, or the close."""
        arrays, rules_now = self.arrays, self.settings.rules
        session, following = s["session"], s["row"] + 1
        end = np.minimum(arrays.time_exit_row[session], arrays.closing_row[session])
        end = np.maximum(end, following)
        columns = np.arange(following.min(), end.max() + 1)
        span = slice(columns[0], columns[-1] + 1)
        spot = arrays.spot[session, span]
        strike = arrays.strike_thousandths[s["contract"]][:, None] / 1000
        sign = RIGHT_SIGNS[arrays.right[s["contract"]]][:, None]
        intrinsic = fills.settlement_price(sign, strike, spot)
        entry, multiple = average_entry(s)[:, None], s["multiple"][:, None]
        hit = rules.stop_is_hit(self._mids(s, columns), intrinsic, entry, multiple)
        ask = arrays.ask[s["contract"], span]
        hit |= rules.profit_target_is_hit(ask, entry, rules_now.profit_target)
        hit &= columns >= following[:, None]
        first = np.where(hit.any(axis=1), columns[hit.argmax(axis=1)], NO_ROW)
        return np.asarray(np.minimum(first, end))

    def exit_works(self) -> Booleans:
        """[B] whether an exit order works, the time exit from its time on included."""
        return np.asarray(self.state["order"] == EXIT)

    def holding(self) -> Integers:
        """Which books have a position."""
        return np.asarray(np.flatnonzero(self.state["open"]))

    def marks(self, which: Integers, row: Integers) -> tuple[Floats, Integers]:
        """Last known mark of positions at `row` (dollars a share), and when it was known."""
        s = self.state[which]
        arrays = self.arrays
        mid = quotes.mid(arrays.bid[s["contract"], row], arrays.ask[s["contract"], row])
        gone = np.isnan(mid)
        if gone.any():
            self._mark_through(s, row)
            self.state[which] = s
        ts = np.where(gone, s["mark_ts"], arrays.ts[s["session"], row])
        return np.where(gone, s["mark"], mid), ts
