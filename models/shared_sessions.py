"""Sessions that many processes read without copying: arrays as files, mapped into memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from feeds.contract import TICK
from feeds.quotes import mid
from models.reachable import NO_CONTRACT
from models.session_arrays import SessionArrays

_OF_CONTRACTS = ("strike_thousandths", "right", "bid", "ask", "bid_size", "ask_size", "hedge")


@dataclass(frozen=True)
class SharedSessions:
    """Where the arrays lie, and everything about the sessions that is no array."""

    folder: Path
    facts: Mapping[str, Any]

    def open(self) -> SessionArrays:
        """The sessions, read-only; processes that open them share the memory."""
        names = [each.name for each in fields(SessionArrays) if each.name not in self.facts]
        arrays = {name: _mapped(self.folder / f"{name}.npy") for name in names}
        return SessionArrays(**self.facts, **arrays)


def share(arrays: SessionArrays, folder: Path) -> SharedSessions:
    """Write the arrays into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for each in fields(arrays):
        value = getattr(arrays, each.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{each.name}.npy", value)
        else:
            facts[each.name] = value
    return SharedSessions(folder, facts)


def _mapped(path: Path) -> Any:
    if np.lib.format.open_memmap(path, mode="r").size == 0:  # nothing to map
        return np.load(path)
    return np.asarray(np.load(path, mmap_mode="r"))  # a plain array: its rows are taken faster


def chosen(arrays: SessionArrays, sessions: Sequence[int]) -> SessionArrays:
    """Some sessions (rising indices, at least one), as if they alone had been read."""
    which = np.asarray(sessions)
    count = len(arrays)
    contract = arrays.contract[which]
    known = contract[contract != NO_CONTRACT]
    first, end = (int(known.min()), int(known.max()) + 1) if known.size else (0, 0)
    parts: dict[str, Any] = {}
    for each in fields(arrays):
        value = getattr(arrays, each.name)
        if each.name in _OF_CONTRACTS:
            parts[each.name] = value[first:end]
        elif isinstance(value, np.ndarray) and len(value) == count:
            parts[each.name] = value[_as_slice(which)]
    numbers = np.where(contract == NO_CONTRACT, NO_CONTRACT, contract - first)
    parts["contract"] = numbers.astype(np.int32)
    return replace(arrays, sessions=tuple(arrays.sessions[i] for i in sessions), **parts)


def _as_slice(which: Any) -> Any:
    """Neighbours as a slice, which copies nothing."""
    neighbours = which.size == which[-1] - which[0] + 1
    return slice(int(which[0]), int(which[-1]) + 1) if neighbours else which


def at_spread(arrays: SessionArrays, times: float) -> SessionArrays:
    """The same sessions with every spread so many times as wide around its mid.

    What may be sold stays as it was, so that the same decisions meet worse fills. A bid never
    falls below a cent, and a quote without a bid stays as it is.
    """
    half = (arrays.ask - arrays.bid) / 2
    middle = mid(arrays.bid, arrays.ask)
    wider = (arrays.bid > 0) & np.isfinite(middle)
    bid = np.where(wider, np.maximum(middle - times * half, TICK), arrays.bid)
    ask = np.where(wider, middle + times * half, arrays.ask)
    return replace(arrays, bid=bid, ask=ask)
