"""Trades, which no source of ours has: made up from the quotes, the same in every run.

An option trades now and then at its bid or ask, more often near the money. The underlying trades
at spot when a row comes and just before it, so that a bar of the underlying ends at the spot of the
row that ends it; the session's last trade is the official close.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from feeds.sessions import Floats, Nanoseconds
from feeds.theta_simulator.tape import MILLISECOND, Tape

Integers = npt.NDArray[np.int64]

AUTO_EXECUTION = 18
_TRADES = 3
_NEAR = 0.004
"""Fraction of spot within which an option trades about every second minute."""


class Trades(NamedTuple):
    """Trades in order of time: when (nanoseconds), dollars, size, signed 32-bit sequence."""

    ts: Nanoseconds
    price: Floats
    size: Integers
    sequence: Integers


class OptionTrades(NamedTuple):
    """Trades of options in order of time, and the contract of each."""

    trades: Trades
    row: Integers
    right: Integers
    k: Integers


@lru_cache(maxsize=8)
def option_trades(tape: Tape) -> OptionTrades:
    """All trades of a session's options; each while the quotes of its row stand."""
    dice = np.random.default_rng([tape.session.date.toordinal(), _TRADES])
    distance = np.abs(tape.strikes / 1000 / tape.spot[:, None] - 1) / _NEAR
    chance = 0.5 * np.exp(-distance)[:, None, :]
    quoted = (tape.bid > 0) & (tape.ask >= tape.bid)
    traded = (dice.random(tape.bid.shape, dtype=np.float32) < chance) & quoted
    traded &= (tape.ts < tape.session.close_ns)[:, None, None]
    row, right, k = np.nonzero(traded)
    room = np.diff(tape.ts, append=tape.session.close_ns)[row] // MILLISECOND
    ts = tape.ts[row] + np.floor(dice.random(row.size) * room).astype(np.int64) * MILLISECOND
    order = np.argsort(ts, kind="stable")
    ts, row, right, k = ts[order], row[order], right[order], k[order]
    bought = dice.random(row.size) < 0.5
    price = np.where(bought, tape.ask[row, right, k], tape.bid[row, right, k])
    return OptionTrades(_numbered(ts, price, dice.integers(1, 30, row.size), dice), row, right, k)


@lru_cache(maxsize=8)
def stock_trades(tape: Tape) -> Trades:
    """All trades of a session's underlying, the closing print included."""
    dice = np.random.default_rng([tape.session.date.toordinal(), _TRADES + 1])
    ts = np.stack([tape.ts[1:] - MILLISECOND, tape.ts[1:]], axis=1).reshape(-1)
    price = np.repeat(tape.spot[1:], 2)
    within = (ts >= tape.session.open_ns) & (ts < tape.session.close_ns)
    ts = np.append(ts[within], tape.session.close_ns)
    price = np.append(price[within], tape.close)
    return _numbered(ts, price, dice.integers(1, 400, ts.size), dice)


def _numbered(ts: Nanoseconds, price: Floats, size: Integers, dice: np.random.Generator) -> Trades:
    """With sequence numbers that rise and wrap at 32 bits, as the vendor's do."""
    first = int(dice.integers(-(2**31), 2**31))
    steps = np.cumsum(dice.integers(1, 2000, ts.size))
    return Trades(ts, price, size, (first + steps + 2**31) % 2**32 - 2**31)
