"""A run's folder: everything the report needs, in files that people and scripts can read.

    metrics.json        every figure (reports.metrics)
    trades.csv          one row a round trip
    decisions.parquet   one row a snapshot: features, action, probabilities, verdict
    equity.csv          the account on every snapshot, the position at mid
    exposure.parquet    the held option and the position's delta and theta
    sessions.csv        one row a session, skipped ones with their reason
    baselines.csv       the baselines' round trips, where there were any

Identical results give identical bytes: no wall time, no path, no machine. `metrics.json` is
written last, so that a folder without it is known to be unfinished.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from errors import DataError, InternalError
from reports.metrics import Metrics, compute_metrics
from reports.result import (
    BacktestResult,
    BaselineResult,
    DecisionTable,
    EquityTable,
    ExposureTable,
)
from reports.rows import (
    Cells,
    read_rows,
    session_from_row,
    session_rows,
    skipped_from_row,
    trade_from_row,
    trade_rows,
    write_rows,
)
from reports.timestamps import ZONED, iso_new_york, nanoseconds, zoned
from vocabulary import FEATURES, Action, RoundTrip

METRICS, TRADES, DECISIONS, EQUITY = (
    "metrics.json",
    "trades.csv",
    "decisions.parquet",
    "equity.csv",
)
EXPOSURE, SESSIONS, BASELINES = "exposure.parquet", "sessions.csv", "baselines.csv"
_FOUND_NOTHING = "it is no finished backtest; give a folder that `run.py backtest` wrote"


def write_run_files(folder: Path, result: BacktestResult) -> Metrics:
    """Write every data file of a run and return its figures.

    The folder is made where it is missing; a former run's files in it are replaced. Raises
    `InternalError` where the equity holds a value that is not finite.
    """
    if not np.isfinite(result.equity.equity).all():
        raise InternalError("the equity curve holds values that are not finite")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).unlink(missing_ok=True)
    write_rows(folder / TRADES, trade_rows(result.trades))
    write_rows(folder / SESSIONS, session_rows(result))
    _write_baselines(folder / BASELINES, result)
    _write_decisions(folder / DECISIONS, result.decisions)
    _write_equity(folder / EQUITY, result.equity)
    _write_exposure(folder / EXPOSURE, result.exposure)
    metrics = compute_metrics(result)
    text = json.dumps(metrics, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")
    return metrics


def read_run(folder: Path) -> tuple[BacktestResult, Metrics]:
    """The result that was written to `folder`, and its figures.

    Prices and money come back to the sixth decimal, times of trades to the microsecond; of a
    baseline's trades it is not kept whether their exits went unfilled. Raises `DataError` where
    the folder holds no finished run or a file of it is damaged.
    """
    if not (folder / METRICS).is_file():
        raise DataError(f"{folder} holds no {METRICS}: {_FOUND_NOTHING}")
    try:
        metrics: Metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        result = _result(folder, metrics)
        _check_counts(result, metrics)
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise DataError(f"{folder} holds no {name}: {_FOUND_NOTHING}") from error
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        detail = " ".join(str(error).split())
        raise DataError(f"{folder} is damaged ({detail}); run the backtest again") from error
    return result, metrics


def _check_counts(result: BacktestResult, metrics: Metrics) -> None:
    """A file cut between two rows reads well; the counts tell."""
    for what, found in (
        ("trades", len(result.trades)),
        ("sessions", len(result.sessions)),
        ("sessions_skipped", len(result.skipped)),
        ("bars", result.decisions.ts.size),
    ):
        if found != metrics[what]:
            raise ValueError(f"{METRICS} counts {metrics[what]} {what}, the files hold {found}")


def _result(folder: Path, metrics: Metrics) -> BacktestResult:
    rows = read_rows(folder / SESSIONS)
    kept = [row for row in rows if row["kept"] == "true"]
    unfilled = {row["session"] for row in kept if row["unfilled_exit"] == "true"}
    underlying = metrics["underlying"]
    return BacktestResult(
        model=metrics["model"],
        data_label=metrics["data"],
        starting_cash=metrics["starting_cash"],
        sessions=[session_from_row(row) for row in kept],
        skipped=[skipped_from_row(row) for row in rows if row["kept"] != "true"],
        trades=[trade_from_row(row, underlying, unfilled) for row in read_rows(folder / TRADES)],
        decisions=_read_decisions(folder / DECISIONS),
        equity=_read_equity(folder / EQUITY),
        exposure=_read_exposure(folder / EXPOSURE),
        in_sample_dates=frozenset(
            session_from_row(row).date for row in kept if row["in_sample"] == "true"
        ),
        notes=metrics["notes"],
        baselines=_read_baselines(folder / BASELINES, metrics),
        underlying=underlying,
        model_sha256=metrics.get("model_sha256") or "",
    )


def _write_baselines(path: Path, result: BacktestResult) -> None:
    """Every baseline's trades below each other; `model` names the baseline."""
    path.unlink(missing_ok=True)
    if result.baselines:
        trades = [trade for baseline in result.baselines.values() for trade in baseline.trades]
        write_rows(path, trade_rows(trades))


def _read_baselines(path: Path, metrics: Metrics) -> dict[str, BaselineResult]:
    if not metrics["baselines"]:
        return {}
    trades: dict[str, list[RoundTrip]] = defaultdict(list)
    for row in read_rows(path):
        trades[row["model"]].append(trade_from_row(row, metrics["underlying"], frozenset()))
    return {name: BaselineResult(trades[name]) for name in metrics["baselines"]}


def _write_decisions(path: Path, decisions: DecisionTable) -> None:
    asked = decisions.action >= 0
    columns: Cells = {"ts": zoned(decisions.ts)}
    for number, name in enumerate(FEATURES):
        columns[name] = np.ascontiguousarray(decisions.features[:, number])
    columns["action"] = pa.array(decisions.action, mask=~asked)
    for number in range(decisions.probabilities.shape[1]):
        values = np.ascontiguousarray(decisions.probabilities[:, number])
        columns[_probability(number)] = pa.array(values, mask=~asked)
    columns["allowed"] = decisions.allowed
    codes: pa.Int16Array = pa.array(decisions.reason, pa.int16())
    columns["reason"] = pa.DictionaryArray.from_arrays(codes, pa.array(decisions.reasons))
    _write_parquet(path, columns)


def _probability(action: int) -> str:
    return f"probability_{Action(action).name.lower()}"


def _read_decisions(path: Path) -> DecisionTable:
    table = parquet.read_table(path)
    probabilities = [name for name in table.column_names if name.startswith("probability_")]
    reason: Any = table["reason"].combine_chunks()
    return DecisionTable(
        ts=nanoseconds(table["ts"]),
        features=np.column_stack([np.asarray(table[name]) for name in FEATURES]),
        action=np.asarray(table["action"].to_pandas().fillna(-1), np.int8),
        probabilities=np.column_stack([np.asarray(table[name]) for name in probabilities]),
        allowed=np.asarray(table["allowed"]),
        reason=np.asarray(reason.indices).astype(np.int16),
        reasons=tuple(reason.dictionary.to_pylist()),
    )


def _write_equity(path: Path, equity: EquityTable) -> None:
    columns: Cells = {
        "ts": iso_new_york(equity.ts),
        "cash": equity.cash.round(6),
        "position_value": equity.position_value.round(6),
        "equity": equity.equity.round(6),
    }
    unquoted = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write((",".join(columns) + "\n").encode())
        arrow_csv.write_csv(pa.table(columns), file, unquoted)


def _read_equity(path: Path) -> EquityTable:
    types = {"ts": ZONED, "cash": pa.float64(), "position_value": pa.float64()}
    table = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=types))
    cash, value = np.asarray(table["cash"]), np.asarray(table["position_value"])
    return EquityTable(nanoseconds(table["ts"]), cash, value)


def _write_exposure(path: Path, exposure: ExposureTable) -> None:
    columns: Cells = {"ts": zoned(exposure.ts)}
    for name in ("mid", "delta", "theta"):
        columns[name] = pa.array(getattr(exposure, name), from_pandas=True)
    _write_parquet(path, columns)


def _read_exposure(path: Path) -> ExposureTable:
    table = parquet.read_table(path)
    values = [np.asarray(table[name].cast(pa.float64())) for name in ("mid", "delta", "theta")]
    return ExposureTable(nanoseconds(table["ts"]), *values)


def _write_parquet(path: Path, columns: dict[str, Any]) -> None:
    table = pa.table(columns)
    words = [name for name in table.column_names if pa.types.is_dictionary(table[name].type)]
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": words}
    parquet.write_table(table, path, **options)
