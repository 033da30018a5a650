"""A second bookkeeper: trades and equity recomputed from raw quotes, one row at a time.

Written from docs/execution.md and the rules of DESIGN, on plain lists, with none of the product's
code: nothing of it is imported, no array library is used, and the model maths is its own. Money is
`Decimal`, so that every comparison is exact to the last cent; instants are whole nanoseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Money = Decimal
MINUTE = 60_000_000_000
CALL, PUT = 0, 1
HOLD, SELL_CALL, SELL_PUT, CLOSE = range(4)
NOTHING, CENT = Decimal(0), Decimal("0.01")


def money(figure: float) -> Money:
    """The decimal a float was written as."""
    return Decimal(repr(float(figure)))


@dataclass(frozen=True)
class RawSession:
    """A session as recorded: lists over rows of lists over call and put of lists over strikes."""

    date: str
    open_ns: int
    close_ns: int
    ts: list[int]
    spot: list[float]
    strikes: list[int]
    bid: list[list[list[float]]]
    ask: list[list[list[float]]]
    bid_size: list[list[list[int]]]
    ask_size: list[list[list[int]]]
    official_close: float


@dataclass(frozen=True)
class Figures:
    """The rules' figures, with the defaults of DESIGN section 3."""

    capital: Money = Decimal(80_000)
    contracts: int = 1
    entry_after_open: int = 30
    entry_before_close: int = 30
    decision_minutes: int = 5
    bands: tuple[float, float] = (0.3, 0.6)
    waits: tuple[int, int, int] = (120, 180, 240)
    small_capital: Money = Decimal(100_000)
    small_capital_risk: float = 0.5
    quantities: tuple[int, int, int] = (3, 2, 1)
    stops: tuple[Money, Money, Money] = (Decimal(3), Decimal(4), Decimal(5))
    widest_spread: Money = Decimal("0.05")
    spread_fraction: Money = Decimal("0.10")
    quote_age_seconds: int = 5
    daily_loss: Money = Decimal("0.02")
    profit_target: Money | None = None
    time_exit_minutes: int = 15
    hold_to_expiry: bool = False
    latency_seconds: int = 0
    slippage: Money = NOTHING
    fee_minimum: Money = Decimal("1.00")
    fee_per_contract: Money = Decimal("0.65")
    fee_exchange: Money = Decimal("0.05")

    def band(self, risk: float) -> int:
        return (risk >= self.bands[0]) + (risk >= self.bands[1])

    def fee(self, contracts: int) -> Money:
        """Fee of an order of so many contracts."""
        if not contracts:
            return NOTHING
        commission = max(self.fee_minimum, self.fee_per_contract * contracts)
        return commission + self.fee_exchange * contracts


class Clock:
    """One sale a session, at the first decision at or after a time and within 30 minutes of it."""

    obeys_waits = False

    def __init__(self, action: int, minutes: int) -> None:
        self.action, self.minutes = action, minutes

    def wish(self, slot: int, since: int, previous: int | None) -> int:
        start = self.minutes * MINUTE
        tried = previous is not None and previous >= start
        return self.action if start <= since <= start + 30 * MINUTE and not tried else HOLD


class Script:
    """Wished actions by decision slot; the last one ever after."""

    def __init__(self, wishes: Sequence[int], actions: int = 3, obeys_waits: bool = True) -> None:
        self.wishes, self.actions, self.obeys_waits = list(wishes), actions, obeys_waits

    def wish(self, slot: int, since: int, previous: int | None) -> int:
        return self.wishes[min(slot, len(self.wishes) - 1)]


@dataclass
class Quote:
    """A clean quote; None is none."""

    bid: Money | None = None
    ask: Money | None = None
    bid_size: int = 0
    ask_size: int = 0

    @property
    def mid(self) -> Money | None:
        if self.bid is None or self.ask is None:
            return None
        if self.bid > 0 or self.ask <= Decimal("0.02"):
            return (self.bid + self.ask) / 2
        return None


def clean_quote(session: RawSession, row: int, right: int, k: int) -> Quote:
    """What may be believed of a recorded quote; nothing on a row that was not recorded."""
    if row >= len(session.ts):
        return Quote()
    bid, ask = session.bid[row][right][k], session.ask[row][right][k]
    sizes = session.bid_size[row][right][k], session.ask_size[row][right][k]
    if ask < bid or bid < 0 or ask < 0 or math.isinf(bid) or math.isinf(ask):
        return Quote(None, None, *sizes)
    no_ask = math.isnan(ask) or ask == 0
    return Quote(None if math.isnan(bid) else money(bid), None if no_ask else money(ask), *sizes)


# --- the volatility at the money -----------------------------------------------------------------


def forward(session: RawSession, row: int) -> float:
    """By put-call parity over the quoted strike nearest to spot and five quoted on each side."""
    spot, strikes = session.spot[row], session.strikes
    pairs = {
        k: [clean_quote(session, row, right, k) for right in (CALL, PUT)]
        for k in range(len(strikes))
    }
    listed = [k for k, pair in pairs.items() if any(q.bid is not None or q.ask for q in pair)]
    nearest = min(listed, key=lambda k: (abs(strikes[k] / 1000 - spot), k), default=0)
    place = listed.index(nearest) if listed else 0
    total = weighted = 0.0
    for k in listed[max(0, place - 5) : place + 6]:
        call, put = pairs[k]
        if call.mid is None or put.mid is None:
            continue
        assert call.bid is not None and call.ask is not None
        assert put.bid is not None and put.ask is not None
        spread = float(max(call.ask - call.bid + put.ask - put.bid, CENT))
        total += spread**-2
        weighted += spread**-2 * (strikes[k] / 1000 + float(call.mid - put.mid))
    return weighted / total if total else spot


def at_the_money(session: RawSession, row: int, right: int) -> int | None:
    """The strike nearest to spot that has a mid, the lower one on a tie."""
    spot = money(session.spot[row]) * 1000
    known = [
        k
        for k in range(len(session.strikes))
        if clean_quote(session, row, right, k).mid is not None
    ]
    return min(known, key=lambda k: (abs(session.strikes[k] - spot), k), default=None)


class DoubtfulError(Exception):
    """A price at its intrinsic value: the last bit of a float decides whether it has an IV."""


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def black(level: float, strike: float, total: float, right: int) -> float:
    """Black-76 price at a volatility over the whole time left, undiscounted."""
    d1 = math.log(level / strike) / total + total / 2
    call = level * normal(d1) - strike * normal(d1 - total)
    return call if right == CALL else level * -normal(-d1) + strike * normal(total - d1)


def implied(price: float, level: float, strike: float, years: float, right: int) -> float | None:
    """The volatility at which Black-76 gives `price`, by bisection."""
    intrinsic = max(0.0, level - strike if right == CALL else strike - level)
    if intrinsic and abs(price - intrinsic) < 1e-9:
        raise DoubtfulError
    if not intrinsic < price < (level if right == CALL else strike):
        return None
    low, high = 1e-9, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        if black(level, strike, middle, right) < price:
            low = middle
        else:
            high = middle
    return low / math.sqrt(years)


def atm_volatility(session: RawSession, row: int) -> float | None:
    """Mean of the volatilities at the call's and the put's strike at the money."""
    level = forward(session, row)
    years = max(1.0, (session.close_ns - session.ts[row]) / MINUTE) / (365 * 24 * 60)
    found = []
    for right in (CALL, PUT):
        k = at_the_money(session, row, right)
        if k is None:
            continue
        strike = session.strikes[k] / 1000
        outside = CALL if strike >= level else PUT
        for side in (outside, 1 - outside):
            mid = clean_quote(session, row, side, k).mid
            solved = None if mid is None else implied(float(mid), level, strike, years, side)
            if solved is not None:
                found.append(solved)
                break
    return sum(found) / len(found) if found else None


# --- the desk ------------------------------------------------------------------------------------


@dataclass
class Order:
    """A working order: +1 buys, -1 sells."""

    side: int
    left: int
    due: int
    decided: int
    reason: str = ""
    filled: int = 0


@dataclass
class Leg:
    """Fills of one direction."""

    quantity: int = 0
    value: Money = NOTHING
    mids: Money | None = NOTHING
    underlying: Money = NOTHING
    fees: Money = NOTHING

    def add(self, n: int, price: Money, mid: Money | None, spot: Money, fee: Money) -> None:
        self.quantity += n
        self.value += price * n
        self.mids = None if mid is None or self.mids is None else self.mids + mid * n
        self.underlying += spot * n
        self.fees += fee

    def average(self, total: Money | None) -> Money | None:
        return None if total is None else total / self.quantity


@dataclass
class Trip:
    """A position from its first fill to its last."""

    right: int
    strike: int
    decided: int
    risk: float
    multiple: Money
    entry: Leg = field(default_factory=Leg)
    exit: Leg = field(default_factory=Leg)
    entered: int = 0
    mark: Money = NOTHING
    marked_at: int = 0

    @property
    def open(self) -> int:
        return self.entry.quantity - self.exit.quantity

    def intrinsic(self, spot: float) -> Money:
        ahead = money(spot) - Decimal(self.strike) / 1000
        return max(NOTHING, ahead if self.right == CALL else -ahead)


@dataclass
class Oracle:
    """Plays sessions one after the other; `trades`, `equity` and `decisions` tell what happened.

    A trade is a dictionary by the columns of trades.csv; an equity row is (ts, cash, position
    value); a decision is (ts, action, reason), the reason "" where anything but hold was legal.
    """

    policy: Any
    figures: Figures = field(default_factory=Figures)
    trades: list[dict[str, Any]] = field(default_factory=list)
    equity: list[tuple[int, Money, Money]] = field(default_factory=list)
    decisions: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cash = self.figures.capital
        self.realised = NOTHING

    def play(self, sessions: Sequence[RawSession]) -> "Oracle":
        for session in sessions:
            self._open(session)
            last = len(session.ts)
            if not last or session.ts[-1] < session.close_ns:
                last += 1
            for row in range(last):
                self._row(row)
        return self

    def _open(self, session: RawSession) -> None:
        self.session = session
        self.trip: Trip | None = None
        self.entry: Order | None = None
        self.exit: Order | None = None
        self.time_exit: Order | None = None
        self.answered: int | None = None
        self.slot, self.previous = -1, None
        self.peak, self.lost = self.cash, False

    def _row(self, row: int) -> None:
        session = self.session
        recorded = row < len(session.ts)
        self.row, self.ts = row, session.ts[row] if recorded else session.close_ns
        self.spot = session.spot[row] if recorded else float("nan")
        self.last_minute = session.close_ns - self.ts < MINUTE
        if not self.last_minute:
            for order in (self.entry, self.exit, self.time_exit):
                if order is not None and self.ts >= order.due:
                    self._fill(order)
        if self.ts >= session.close_ns:
            self._end_session()
        self._mark()
        if self.last_minute:
            return
        if self.trip is not None and not self._is_exiting():
            self._protect(self.trip)
        slot = (self.ts - session.open_ns) // (self.figures.decision_minutes * MINUTE)
        if slot != self.slot:
            self.slot = slot
            self._decide()
        idle = self.trip is not None and self.entry is None and self.exit is None
        if idle and self.time_exit is None and not self.figures.hold_to_expiry:
            assert self.trip is not None
            time = session.close_ns - self.figures.time_exit_minutes * MINUTE
            due = max(time, self.ts + 1)
            self.time_exit = Order(+1, self.trip.open, due, time, "time_exit")

    def _quote(self) -> Quote:
        """The quote of the position's (or the entry's) contract."""
        assert self.trip is not None or self.wanted is not None
        trip = self.trip or self.wanted
        return clean_quote(
            self.session, self.row, trip.right, self.session.strikes.index(trip.strike)
        )

    # 1. fill working orders

    def _fill(self, order: Order) -> None:
        quote, worse = self._quote(), self.figures.slippage
        if order.side > 0:
            price, size = None if quote.ask is None else quote.ask + worse, quote.ask_size
        else:
            nobody = quote.bid is None or quote.bid == 0
            price, size = None if nobody else max(quote.bid - worse, CENT), quote.bid_size
        n = min(order.left, size)
        if price is None or n <= 0:
            return
        fee = self.figures.fee(order.filled + n) - self.figures.fee(order.filled)
        order.filled, order.left = order.filled + n, order.left - n
        self.cash -= order.side * price * n * 100 + fee
        if order is self.entry:
            self._enter(n, price, quote.mid, fee)
        else:
            assert self.trip is not None
            self.trip.exit.add(n, price, quote.mid, money(self.spot), fee)
            if not self.trip.open:
                self._close_trip(order.reason, order.decided, False)
        if not order.left and order is self.entry:
            self.entry = None

    def _enter(self, n: int, price: Money, mid: Money | None, fee: Money) -> None:
        if self.trip is None:
            self.trip = self.wanted
            self.trip.entered, self.trip.mark, self.trip.marked_at = self.ts, price, self.ts
        self.trip.entry.add(n, price, mid, money(self.spot), fee)

    # 2. the end of the session

    def _end_session(self) -> None:
        working = self.exit is not None or self.time_exit is not None
        self.entry = None
        if self.trip is not None:
            final = self.session.official_close
            n, price = self.trip.open, self.trip.intrinsic(final)
            self.cash -= price * n * 100
            self.trip.exit.add(n, price, None, money(final), NOTHING)
            self._close_trip("settlement", None, working)

    def _close_trip(self, reason: str, decided: int | None, was_working: bool) -> None:
        trip = self.trip
        assert trip is not None
        entry, closing = trip.entry, trip.exit
        gross = (entry.value - closing.value) * 100
        fees = entry.fees + closing.fees
        self.trades.append(
            {
                "session": self.session.date,
                "right": ("CALL", "PUT")[trip.right],
                "strike": Decimal(trip.strike) / 1000,
                "side": -1,
                "quantity": entry.quantity,
                "decided_at": trip.decided,
                "entered_at": trip.entered,
                "entry_price": entry.average(entry.value),
                "entry_underlying": entry.average(entry.underlying),
                "exit_decided_at": decided,
                "exited_at": self.ts,
                "exit_price": closing.average(closing.value),
                "exit_underlying": closing.average(closing.underlying),
                "exit_reason": reason,
                "fees": fees,
                "gross_pnl": gross,
                "net_pnl": gross - fees,
                "mid_entry": entry.average(entry.mids),
                "mid_exit": closing.average(closing.mids),
                "risk_score": trip.risk,
                "stop_multiple": trip.multiple,
                "exit_was_working": was_working,
            }
        )
        self.realised += gross - fees
        self.trip = self.exit = self.time_exit = None

    # 3. mark, equity and the daily loss

    def _mark(self) -> None:
        if self.trip is not None and not self.last_minute:
            mid = self._quote().mid
            if mid is not None:
                self.trip.mark, self.trip.marked_at = mid, self.ts
        value = NOTHING if self.trip is None else -self.trip.mark * self.trip.open * 100
        self.equity.append((self.ts, self.cash, value))
        equity = self.cash + value
        self.peak = max(self.peak, equity)
        if self.peak - equity >= self.figures.daily_loss * self.figures.capital:
            self.lost = True
            self.entry = None

    # 5. exits

    def _is_exiting(self) -> bool:
        time = self.time_exit
        return self.exit is not None or (time is not None and self.ts >= time.decided)

    def _protect(self, trip: Trip) -> None:
        quote, entry = self._quote(), trip.entry
        worth = max(trip.intrinsic(self.spot), NOTHING if quote.mid is None else quote.mid)
        target = self.figures.profit_target
        if worth * entry.quantity >= trip.multiple * entry.value:
            self._exit("stop_loss")
        elif target is not None and quote.ask is not None:
            cheap = quote.ask * entry.quantity <= (1 - target) * entry.value
            if cheap:
                self._exit("profit_target")

    def _exit(self, reason: str) -> None:
        assert self.trip is not None
        self.entry = self.time_exit = None
        due = self.ts + self.figures.latency_seconds * 1_000_000_000 + 1
        self.exit = Order(+1, self.trip.open, due, self.ts, reason)

    # 6. decisions

    def _decide(self) -> None:
        self.entry = None
        previous, self.previous = self.previous, self.ts - self.session.open_ns
        volatility = atm_volatility(self.session, self.row)
        held = self.trip.open if self.trip is not None else 0
        risk = self._risk(held, volatility)
        valid = volatility is not None and 0 < volatility <= 5 and self._mark_is_fresh()
        refused = [self._refusal(right, held, risk, valid) for right in (CALL, PUT)]
        may_close = held > 0 and not self._is_exiting() and valid
        legal = [True, not refused[CALL], not refused[PUT], may_close]
        legal = legal[: getattr(self.policy, "actions", 3)]
        reason = "" if any(legal[1:]) else refused[PUT]
        action = self.policy.wish(self.slot, self.previous, previous) if not reason else HOLD
        action = action if legal[action] else HOLD
        self.decisions.append((self.ts, action, reason))
        if action == CLOSE:
            self._exit("model")
        elif action != HOLD:
            self._sell(action - SELL_CALL, risk)

    def _risk(self, held: int, volatility: float | None) -> float:
        elapsed = (self.ts - self.session.open_ns) / MINUTE / 390
        fear = math.nan if volatility is None else min(volatility / 0.5, 1.0)
        return 0.32 * held / self.figures.contracts + 0.18 * elapsed + 0.50 * fear

    def _mark_is_fresh(self) -> bool:
        age = self.figures.quote_age_seconds * 1_000_000_000
        return self.trip is None or self.ts - self.trip.marked_at <= age

    def _refusal(self, right: int, held: int, risk: float, valid: bool) -> str:
        f, since = self.figures, self.ts - self.session.open_ns
        if held:
            return "position"
        if self.lost:
            return "daily_loss"
        if not valid:
            return "features"
        until = self.session.close_ns - self.ts
        if since < f.entry_after_open * MINUTE or until < f.entry_before_close * MINUTE:
            return "window"
        k = at_the_money(self.session, self.row, right)
        quote = Quote() if k is None else clean_quote(self.session, self.row, right, k)
        if not quote.bid or quote.ask is None:
            return "quote"
        fair = max(f.widest_spread, f.spread_fraction * (quote.bid + quote.ask) / 2)
        if quote.ask - quote.bid > fair:
            return "spread"
        wait = f.waits[f.band(risk)] * MINUTE
        waiting = self.answered is not None and self.ts - self.answered < wait
        if self.policy.obeys_waits and waiting:
            return "wait"
        quantity = self._quantity(risk)
        if not quantity:
            return "quantity"
        assert k is not None
        if Decimal(self.session.strikes[k]) / 10 * quantity > f.capital + self.realised:
            return "capital"
        return ""

    def _quantity(self, risk: float) -> int:
        f = self.figures
        if f.capital < f.small_capital:
            return min(f.contracts, 1 if risk < f.small_capital_risk else 0)
        return min(f.contracts, f.quantities[f.band(risk)])

    def _sell(self, right: int, risk: float) -> None:
        f, k = self.figures, at_the_money(self.session, self.row, right)
        assert k is not None
        multiple = f.stops[f.band(risk)]
        self.wanted = Trip(right, self.session.strikes[k], self.ts, risk, multiple)
        due = self.ts + f.latency_seconds * 1_000_000_000 + 1
        self.entry = Order(-1, self._quantity(risk), due, self.ts)
        self.answered = self.ts
