"""One session, one decision after the other, in plain Python: an oracle for the arrays.

It shares nothing with `models/` but the features' formulas: quotes are read from the raw day, and
every rule, fill and exit of docs/execution.md is written out again, slowly, one row at a time.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from strategies.features import are_valid, feature_vector, risk_score
from vocabulary import Moment

NAN = math.nan


@dataclass
class Trip:
    right: int
    strike: int
    risk: float
    multiple: float
    decided: int
    sold: list = field(default_factory=list)  # (ts, quantity, price)
    bought: list = field(default_factory=list)
    fees: float = 0.0
    reason: str = ""
    exit_decided: int | None = None
    was_working: bool = False

    @property
    def entry(self):
        return sum(q * p for _, q, p in self.sold) / sum(q for _, q, _ in self.sold)

    @property
    def open(self):
        return sum(q for _, q, _ in self.sold) - sum(q for _, q, _ in self.bought)

    @property
    def net(self):
        flows = sum(q * p for _, q, p in self.sold) - sum(q * p for _, q, p in self.bought)
        return 100 * flows - self.fees


class PlainDesk:
    """Plays `policy` over a day; `trips` and `log` (ts, action, mask) tell what happened."""

    def __init__(self, day, policy, settings, carried=0.0):
        self.day, self.policy, self.s, self.r = day, policy, settings, settings.rules
        self.carried = carried
        self.cash = self.peak = 0.0
        self.lost = self.r.daily_loss == 0
        self.answered, self.trips, self.log = -math.inf, [], []
        self.trip = self.order = self.mark = None
        self.time_exit = day.session.close_ns - round(self.r.time_exit_minutes * 60e9)
        slot, previous = -1, -math.inf
        for t in range(len(day)):
            self.t, self.ts, self.spot = t, int(day.ts[t]), float(day.spot[t])
            self.since, self.until = float(day.since_open[t]), float(day.until_close[t])
            self.row()
            now = math.floor(self.since // self.r.decision_minutes)
            if self.until >= 1 and now != slot:
                slot = now
                self.decide(slot, previous)
                previous = self.since

    # --- quotes ---

    def quote(self, right, k):
        bid, ask = float(self.day.bid[self.t, right, k]), float(self.day.ask[self.t, right, k])
        mid = NAN
        if (bid > 0 and ask >= bid) or (bid == 0 and ask <= 0.02):
            mid = (bid + ask) / 2
        return bid, ask, mid

    def intrinsic(self, price):
        sign = 1 if self.trip.right == 0 else -1
        return max(0.0, sign * (price - self.day.strikes[self.trip.strike] / 1000))

    # --- a row ---

    def row(self):
        idle = self.trip and self.trip.open and not self.order
        if idle and self.ts >= self.time_exit and not self.r.hold_to_expiry:
            self.exit("time_exit", self.time_exit)
        if self.order and self.until >= 1:
            self.fill()
        if self.t == len(self.day) - 1:
            self.end()
            return
        if self.until < 1:
            return
        self.look()
        if self.trip and self.trip.open and (not self.order or self.order["kind"] == "entry"):
            self.protect()

    def fill(self):
        order, trip = self.order, self.trip
        late = self.ts > order["ts"] + round(self.s.fills.latency_seconds * 1e9)
        if order["kind"] != "time_exit" and not late:
            return
        bid, ask, _ = self.quote(trip.right, trip.strike)
        where = self.t, trip.right, trip.strike
        if order["kind"] == "entry":
            if not bid > 0:
                return
            price = max(bid - self.s.fills.slippage, 0.01)
            quantity = min(order["left"], int(self.day.bid_size[where]))
        else:
            if math.isnan(ask):
                return
            price = ask + self.s.fills.slippage
            quantity = min(order["left"], int(self.day.ask_size[where]))
        if not quantity:
            return
        fee = self.fee(order["done"] + quantity) - self.fee(order["done"])
        order["done"] += quantity
        order["left"] -= quantity
        sale = order["kind"] == "entry"
        self.cash += (100 if sale else -100) * quantity * price - fee
        trip.fees += fee
        if sale and not trip.sold:
            self.mark = (price, self.ts)
        (trip.sold if sale else trip.bought).append((self.ts, quantity, price))
        if not order["left"]:
            self.order = None
        if not sale and not trip.open:
            self.finish(order["kind"], order["ts"])

    def fee(self, n):
        f = self.s.fills
        return max(f.fee_minimum, f.fee_per_contract * n) + f.fee_exchange * n if n else 0.0

    def finish(self, reason, decided):
        self.trip.reason, self.trip.exit_decided = reason, decided
        self.trips.append(self.trip)
        self.trip = None

    def end(self):
        if self.trip and self.trip.open:
            self.trip.was_working = bool(self.order) and self.order["kind"] != "entry"
            price = self.intrinsic(self.day.official_close)
            self.cash -= 100 * self.trip.open * price
            self.trip.bought.append((self.ts, self.trip.open, price))
            self.finish("settlement", None)
        self.order = None

    def look(self):
        """The mark and the daily loss."""
        equity = self.cash
        if self.trip and self.trip.open:
            mid = self.quote(self.trip.right, self.trip.strike)[2]
            if not math.isnan(mid):
                self.mark = (mid, self.ts)
            equity -= 100 * self.trip.open * self.mark[0]
        self.peak = max(self.peak, equity)
        if self.peak - equity >= self.r.daily_loss * self.s.capital - 1e-9:
            self.lost = True
        if self.lost and self.order and self.order["kind"] == "entry":
            self.order = None

    def protect(self):
        trip = self.trip
        _, ask, mid = self.quote(trip.right, trip.strike)
        value = self.intrinsic(self.spot)
        if not math.isnan(mid):
            value = max(value, mid)
        target = self.r.profit_target
        if value >= trip.multiple * trip.entry - 1e-9:
            self.exit("stop_loss")
        elif target is not None and ask <= (1 - target) * trip.entry + 1e-9:
            self.exit("profit_target")

    def exit(self, kind, ts=None):
        self.order = {"kind": kind, "ts": ts or self.ts, "left": self.trip.open, "done": 0}

    # --- a decision ---

    def decide(self, slot, previous):
        if self.order and self.order["kind"] == "entry":
            self.order = None
        held = self.trip.open if self.trip else 0
        pnl = minutes = 0.0
        if held:
            fresh = self.ts - self.mark[1] <= self.r.quote_age_seconds * 1e9
            pnl = (self.trip.entry - self.mark[0]) * 100 * held if fresh else NAN
            minutes = (self.ts - self.trip.sold[0][0]) / 60e9
        iv = float(self.day.atm_iv[self.t])
        risk = risk_score(held / self.s.contracts, self.since, iv, self.s.risk)
        features = feature_vector(
            self.since, self.spot, iv, held > 0, pnl, minutes, risk, self.until
        )
        valid = bool(are_valid(features))
        offers = [self.offer(right, held, valid, risk) for right in (0, 1)]
        mask = [True, offers[0] is not None, offers[1] is not None]
        if self.policy.actions == 4:
            mask.append(bool(held and valid and not self.order))
        action = 0
        if any(mask[1:]):
            moment = Moment(
                features,
                np.array(mask),
                self.day.session.date.toordinal(),
                slot,
                self.since,
                previous,
            )
            action = int(self.policy.probabilities(moment).argmax())
        self.log.append((self.ts, action, mask))
        if action in (1, 2):
            self.sell(action - 1, *offers[action - 1], float(risk))
        elif action == 3:
            self.exit("model")

    def offer(self, right, held, valid, risk):
        """(strike, quantity) that may be sold now, None where a rule says no."""
        r, s = self.r, self.s
        if held or self.lost or not valid:
            return None
        if self.since < r.entry_after_open or self.until < r.entry_before_close:
            return None
        k = self.nearest(right)
        if k is None:
            return None
        bid, ask, mid = self.quote(right, k)
        if not (bid > 0 and ask - bid <= max(r.spread_cents / 100, r.spread_fraction * mid) + 1e-9):
            return None
        level = sum(risk >= bound for bound in (r.band_low, r.band_high))
        wait = r.wait_minutes[level] - 1e-9  # the last bit of a float is no minute
        if self.policy.obeys_waits and self.since - self.answered < wait:
            return None
        if s.capital < r.small_capital:
            quantity = 1 if risk < r.small_capital_risk else 0
        else:
            quantity = r.quantities[level]
        quantity = min(quantity, s.contracts)
        earned = self.carried + self.cash
        needs = self.day.strikes[k] / 1000 * 100 * quantity
        return (k, quantity) if quantity and needs <= s.capital + earned + 1e-6 else None

    def nearest(self, right):
        best = None
        for k, strike in enumerate(self.day.strikes):
            distance = round(abs(float(strike) - round(self.spot * 1000, 3)), 6)
            if not math.isnan(self.quote(right, k)[2]) and (best is None or distance < best[0]):
                best = distance, k
        return best and best[1]

    def sell(self, right, k, quantity, risk):
        level = sum(risk >= bound for bound in (self.r.band_low, self.r.band_high))
        self.trip = Trip(right, k, risk, self.r.stop_multiples[level], self.ts)
        self.order = {"kind": "entry", "ts": self.ts, "left": quantity, "done": 0}
        self.answered = self.since
