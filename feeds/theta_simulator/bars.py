"""Bars of trades: open, high, low, close, volume and count, with the session's running vwap."""

from dataclasses import dataclass

import numpy as np

from feeds.sessions import Floats, Nanoseconds
from feeds.theta_simulator.tape import Booleans, Integers
from feeds.theta_simulator.trades import Trades


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars [G] stamped with their start; all 0 where nothing traded, but for the running vwap."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    count: Integers
    vwap: Floats


def bars(trades: Trades, which: Booleans, starts: Nanoseconds, step: int) -> Bars:
    """The bars [starts, starts + step) in nanoseconds of the trades of `which`.

    vwap is of all trades of the session up to the bar's end, those before the first bar included.
    """
    ts, price, size = trades.ts[which], trades.price[which], trades.size[which]
    first = np.searchsorted(ts, starts)
    end = np.searchsorted(ts, starts + step)
    count = end - first
    some = count > 0
    made = {name: np.zeros(starts.size) for name in ("open", "high", "low", "close")}
    made["open"][some] = price[first[some]]
    made["close"][some] = price[end[some] - 1]
    for bar in np.flatnonzero(some).tolist():
        inside = price[first[bar] : end[bar]]
        made["high"][bar], made["low"][bar] = inside.max(), inside.min()
    money = np.concatenate(([0.0], np.cumsum(price * size)))
    sold = np.concatenate(([0], np.cumsum(size)))
    vwap = np.zeros(starts.size)
    np.divide(money[end], sold[end], out=vwap, where=sold[end] > 0)
    return Bars(**made, volume=sold[end] - sold[first], count=count, vwap=vwap.round(2))
