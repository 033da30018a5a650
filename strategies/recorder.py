"""What a run leaves behind, row by row: decisions and equity.

Rows arrive one at a time in a strategy's `next()`, so columns grow in blocks and are joined once at
the end. Times are int64 nanoseconds since 1970 UTC, money is dollars.
"""

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from strategies.features import COUNT
from strategies.rules import Refusal

BLOCK = 4096
OFF_SLOT = -1


@dataclass
class _Block:
    """A block of decision rows; only the first `used` are filled."""

    features: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    action: npt.NDArray[np.int8]
    allowed: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.int8]
    used: int = 0


def _block(actions: int) -> _Block:
    return _Block(
        np.empty((BLOCK, COUNT), np.float32),
        np.full((BLOCK, actions), np.nan, np.float32),
        np.full(BLOCK, OFF_SLOT, np.int8),
        np.zeros(BLOCK, bool),
        np.zeros(BLOCK, np.int8),
    )


class RunRecorder:
    """Collects rows; `PPOStrategy` writes, reports read the joined columns."""

    def __init__(self, actions: int = 3) -> None:
        """An empty record for a policy with so many actions."""
        self.actions = actions
        self._blocks = [_block(actions)]
        self.decision_ts = array("q")
        self.equity_ts = array("q")
        self.cash = array("d")
        self.position_value = array("d")

    def row(self, ts: int) -> npt.NDArray[np.float32]:
        """Begin a decision row at `ts`; returns the place [8] for its features."""
        block = self._blocks[-1]
        if block.used == BLOCK:
            block = _block(self.actions)
            self._blocks.append(block)
        block.used += 1
        self.decision_ts.append(ts)
        place: npt.NDArray[np.float32] = block.features[block.used - 1]
        return place

    def decide(
        self, action: int, probabilities: npt.NDArray[np.float64], allowed: bool, reason: int
    ) -> None:
        """Complete the current row, which is a decision slot."""
        block = self._blocks[-1]
        last = block.used - 1
        block.action[last] = action
        block.probabilities[last] = probabilities
        block.allowed[last] = allowed
        block.reason[last] = reason

    def equity(self, ts: int, cash: float, position_value: float) -> None:
        """One row of the equity curve."""
        self.equity_ts.append(ts)
        self.cash.append(cash)
        self.position_value.append(position_value)

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """[N, 8], one row a recorded snapshot."""
        return np.concatenate([block.features[: block.used] for block in self._blocks])

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """[N, actions], NaN off decision slots."""
        return np.concatenate([block.probabilities[: block.used] for block in self._blocks])

    @property
    def action(self) -> npt.NDArray[np.int8]:
        """[N], `OFF_SLOT` off decision slots."""
        return np.concatenate([block.action[: block.used] for block in self._blocks])

    @property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """[N] whether the model was free to act."""
        return np.concatenate([block.allowed[: block.used] for block in self._blocks])

    @property
    def reason(self) -> npt.NDArray[np.int8]:
        """[N] `Refusal` codes."""
        return np.concatenate([block.reason[: block.used] for block in self._blocks])

    def refusals(self) -> dict[Refusal, int]:
        """How often each rule held the model back, over all decision slots."""
        codes, counts = np.unique(self.reason[self.action != OFF_SLOT], return_counts=True)
        return {Refusal(int(c)): int(n) for c, n in zip(codes, counts, strict=True)}
