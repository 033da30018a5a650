"""What a policy wants over time of day and volatility, asked on a grid: an array and its file.

Reports never ask a policy; a command asks it and leaves the answer in the run's folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from errors import DataError, InternalError
from reports.result import Floats
from vocabulary import Action

GRID = "decision_grid.parquet"


@dataclass(frozen=True, slots=True, eq=False)
class DecisionGrid:
    """Answers of a policy that holds nothing and may do everything.

    Args:
        minutes: [T] since the open, rising.
        iv: [V] at-the-money volatility, a fraction a year, rising.
        probabilities: [V, T, A] of each action.
    """

    minutes: Floats
    iv: Floats
    probabilities: Floats

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        shape = (self.iv.size, self.minutes.size)
        if self.probabilities.shape[:2] != shape or not np.isfinite(self.probabilities).all():
            raise InternalError(f"a decision grid of {shape} has other or unknown probabilities")


def write_grid(folder: Path, grid: DecisionGrid | None) -> None:
    """Write `decision_grid.parquet`: a row a cell, with `minutes`, `iv` and the probabilities.

    None leaves no file, nor that of an earlier run.
    """
    if grid is None:
        (folder / GRID).unlink(missing_ok=True)
        return
    iv, minutes = np.meshgrid(grid.iv, grid.minutes, indexing="ij")
    columns: dict[str, Any] = {"minutes": minutes.ravel(), "iv": iv.ravel()}
    for action in range(grid.probabilities.shape[2]):
        name = f"probability_{Action(action).name.lower()}"
        columns[name] = np.ascontiguousarray(grid.probabilities[:, :, action].ravel())
    parquet.write_table(pa.table(columns), folder / GRID, compression="zstd")


def read_grid(folder: Path) -> DecisionGrid | None:
    """The grid in a run's folder, None where none was asked.

    Raises `DataError` where the file is damaged.
    """
    path = folder / GRID
    if not path.is_file():
        return None
    try:
        table = parquet.read_table(path)
        iv, minutes = (np.unique(np.asarray(table[name])) for name in ("iv", "minutes"))
        names = [name for name in table.column_names if name.startswith("probability_")]
        shape = (iv.size, minutes.size)
        answers = np.stack([np.asarray(table[name]).reshape(shape) for name in names], axis=-1)
    except (KeyError, ValueError, OSError, pa.ArrowException) as error:
        detail = " ".join(str(error).split())
        raise DataError(f"{path} is damaged ({detail}); remove it") from error
    return DecisionGrid(minutes, iv, answers)
