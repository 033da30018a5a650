"""Many sessions as stacked arrays: everything a decision can ever reach, and nothing else.

Training and evaluation play hundreds of sessions side by side. Axes: session D, snapshot T,
decision M, right 2, contract N. Shorter sessions are padded at the end: `closing_row` and
`decisions` say where each one stops.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import DataError
from feeds.chain import Integers, Sizes
from feeds.sessions import Floats, Nanoseconds, Session
from feeds.source import ChainSource, SkippedSession
from models.reachable import AFTER_THE_END, NO_CONTRACT, Reachable, reachable
from settings import Settings
from strategies.events import read_events
from strategies.rules import Refusal

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionArrays:
    """D sessions side by side. Nobody writes to it: several environments may share one.

    Attributes:
        underlying, label: of the source.
        settings: whose rules, strike and events it was built for.
        sessions: the D sessions, oldest first.
        skipped: sessions that could not be used, and why.
        ordinal: [D] their dates as proleptic ordinals.
        ts: int64 [D, T] nanoseconds since 1970 UTC.
        spot: [D, T] dollars.
        closing_row: [D] row of the session's close, its last one.
        last_minute_row: [D] first row in the last minute.
        time_exit_row, time_exit_ts: [D] first row at or after the time exit, and its time.
        official_close: [D] dollars.
        decisions: [D] how many decision rows there are.
        decision_row: [D, M + 1] the decision rows, then the closing row.
        slot: [D, M] index of the decision slot.
        clock: [D, M, 4] minutes since the open, minutes until the close, spot, atm_iv.
        market_refusal: int8 [D, M, 2] what the market alone says to a sale (`rules.Refusal`).
        contract: int32 [D, M, 2] the contract to sell, -1 where the market refuses.
        margin: [D, M, 2] dollars that one contract sold there binds.
        strike_thousandths, right: [N] of each contract.
        bid, ask: [N, T] dollars, clean.
        bid_size, ask_size: int32 [N, T] contracts.
        hedge: float32 [N, T] dollars a share that holding the contract's delta gained since the
            open; [N, 0] where it was not asked for.
    """

    underlying: str
    label: str
    settings: Settings
    sessions: tuple[Session, ...]
    skipped: tuple[SkippedSession, ...]
    ordinal: Integers
    ts: Nanoseconds
    spot: Floats
    closing_row: Integers
    last_minute_row: Integers
    time_exit_row: Integers
    time_exit_ts: Nanoseconds
    official_close: Floats
    decisions: Integers
    decision_row: Integers
    slot: Integers
    clock: Floats
    market_refusal: npt.NDArray[np.int8]
    contract: npt.NDArray[np.int32]
    margin: Floats
    strike_thousandths: Integers
    right: Integers
    bid: Floats
    ask: Floats
    bid_size: Sizes
    ask_size: Sizes
    hedge: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def nbytes(self) -> int:
        """Bytes that all arrays take."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))


def read_sessions(
    source: ChainSource,
    settings: Settings,
    indices: Sequence[int] | None = None,
    *,
    hedge: bool = False,
    progress: Progress | None = None,
) -> SessionArrays:
    """Stack sessions of a source; one whole chain at a time is in memory.

    Args:
        source: where they come from.
        settings: its rules, strike and events decide what can be reached.
        indices: which of `source.sessions`, rising; all of them when None.
        hedge: whether to work out `hedge`, which only training needs.
        progress: called after each session.

    A session that cannot be read, or has no official close, goes to `skipped`. Raises `DataError`
    where none is left.
    """
    wanted = range(len(source.sessions)) if indices is None else indices
    events = read_events(settings.rules.events) if settings.rules.events else []
    pieces: list[Reachable] = []
    skipped = list(source.skipped) if indices is None else []
    for done, index in enumerate(wanted, 1):
        try:
            pieces.append(reachable(source.load(index), settings, events, hedge))
        except DataError as error:
            skipped.append(SkippedSession(source.sessions[index].date, str(error)))
        if progress is not None:
            progress(done, len(wanted))
    if not pieces:
        reasons = "; ".join(f"{each.date}: {each.reason}" for each in skipped[:3])
        raise DataError(f"{source.label} holds no session that can be used ({reasons or 'empty'})")
    return _stacked(source, settings, pieces, tuple(skipped))


_PADDING = {
    "ts": AFTER_THE_END,
    "spot": np.nan,
    "slot": -1,
    "clock": np.nan,
    "margin": 0.0,
    "market_refusal": Refusal.WINDOW,
    "contract": NO_CONTRACT,
}
_SCALARS = (
    *("closing_row", "last_minute_row", "time_exit_row", "time_exit_ts"),
    *("official_close", "decisions"),
)
_OF_CONTRACTS = {"bid": np.nan, "ask": np.nan, "bid_size": 0, "ask_size": 0, "hedge": 0.0}


def _stacked(
    source: ChainSource,
    settings: Settings,
    pieces: list[Reachable],
    skipped: tuple[SkippedSession, ...],
) -> SessionArrays:
    pieces = _numbered(pieces)
    closing_row = np.array([piece.closing_row for piece in pieces])
    decision_row = _padded([piece.decision_row for piece in pieces], NO_CONTRACT, extra=1)
    decision_row = np.where(decision_row < 0, closing_row[:, None], decision_row)
    stacks: dict[str, Any] = {
        **{name: _padded(_each(pieces, name), fill) for name, fill in _PADDING.items()},
        **{name: np.array(_each(pieces, name)) for name in _SCALARS},
        **{name: _on_top(_each(pieces, name), fill) for name, fill in _OF_CONTRACTS.items()},
    }
    return SessionArrays(
        underlying=source.underlying,
        label=source.label,
        settings=settings,
        sessions=tuple(piece.session for piece in pieces),
        skipped=skipped,
        ordinal=np.array([piece.session.date.toordinal() for piece in pieces]),
        decision_row=decision_row,
        strike_thousandths=np.concatenate(_each(pieces, "strike_thousandths")),
        right=np.concatenate(_each(pieces, "right")),
        **stacks,
    )


def _each(pieces: list[Reachable], name: str) -> list[Any]:
    return [getattr(piece, name) for piece in pieces]


def _numbered(pieces: list[Reachable]) -> list[Reachable]:
    """The pieces with contracts counted through all sessions."""
    first = np.cumsum([0] + [len(piece.right) for piece in pieces])
    numbers = (
        np.where(p.contract >= 0, p.contract + n, NO_CONTRACT)
        for p, n in zip(pieces, first, strict=False)
    )
    return [p._replace(contract=n.astype(np.int32)) for p, n in zip(pieces, numbers, strict=True)]


def _padded(arrays: list[npt.NDArray[Any]], fill: float, extra: int = 0) -> npt.NDArray[Any]:
    """[D, longest + extra, ...]: arrays [length, ...] beside each other, short ones filled up."""
    longest = max(len(array) for array in arrays) + extra
    stack = np.full((len(arrays), longest, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(stack, arrays, strict=True):
        row[: len(array)] = array
    return stack


def _on_top(arrays: list[npt.NDArray[Any]], fill: float) -> npt.NDArray[Any]:
    """[N, longest]: arrays [n, length] on top of each other, short ones filled up."""
    longest = max(array.shape[1] for array in arrays)
    stack = np.full((sum(len(a) for a in arrays), longest), fill, arrays[0].dtype)
    start = 0
    for array in arrays:
        stack[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return stack
