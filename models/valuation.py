"""What the books of many sessions are worth at a row: to be closed now, and without delta."""

import numpy as np

from brokers import fills
from feeds.chain import Integers
from feeds.contract import MULTIPLIER
from feeds.sessions import Floats
from models.records import Records, average_entry
from models.session_arrays import SessionArrays
from settings import FillSettings


def liquidation_value(
    arrays: SessionArrays, state: Records, row: Integers, settings: FillSettings
) -> Floats:
    """[B] dollars since the open if every position of `state` were bought back at `row` [B].

    At the ask and with the order's fee; without an ask at the last one there was, before the first
    at the entry price.
    """
    value: Floats = state["cash"].copy()
    holding = np.flatnonzero(state["open"])
    if holding.size:
        s = state[holding]
        ask = _last_ask(arrays, s, row[holding])
        value[holding] -= s["open"] * ask * MULTIPLIER + fills.order_fee(s["open"], settings)
    return value


def _last_ask(arrays: SessionArrays, s: Records, row: Integers) -> Floats:
    ask = arrays.ask[s["contract"], row]
    for i in np.flatnonzero(np.isnan(ask)):
        earlier = arrays.ask[s["contract"][i], : row[i]]
        known = earlier[~np.isnan(earlier)]
        ask[i] = known[-1] if known.size else average_entry(s)[i]
    return np.asarray(ask)


def hedge_gain(arrays: SessionArrays, state: Records, row: Integers) -> Floats:
    """[B] dollars that the deltas of each session's positions have gained up to `row` [B]."""
    gain: Floats = state["hedge"].copy()
    holding = np.flatnonzero(state["open"])
    gain[holding] += pending_hedge(arrays, state[holding], row[holding])
    return gain


def pending_hedge(arrays: SessionArrays, s: Records, row: Integers) -> Floats:
    """[n] gain of each short position's delta since it was last counted, 0 without hedge arrays."""
    hedge = arrays.hedge
    if not hedge.size:
        return np.zeros(len(s))
    gained = hedge[s["contract"], row] - hedge[s["contract"], s["hedge_row"]]
    return np.asarray(-s["open"] * gained * MULTIPLIER)
