"""What real money asks for before the first live order, and what it holds back afterwards.

A live account is traded after so many paper sessions without unexplained drift
(`live.paper_sessions`), with a model that was backtested on data that is not simulated, and after a
typed sentence. The first live sessions (`live.capped_sessions`) are held to one contract.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import Settings

METRICS = "metrics.json"


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """What the journal counts: paper sessions without unexplained drift, live ones before today."""

    paper_without_drift: int
    live_sessions: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """What is to be traded: its name, and the sha256 of its zip; None for a policy without one."""

    name: str
    sha256: str | None


def may_trade_live(settings: Settings, record: DeskRecord, runs: Path, model: Model) -> list[str]:
    """Every reason against trading a live account now, one line each; empty where there is none.

    Args:
        settings: `live.paper_sessions` is what is asked for.
        record: of the journal of live and paper.
        runs: the folder whose sub-folders are runs; a backtest counts where its metrics.json names
            this model (`model_sha256`, or `model` for a policy without a file), is not `simulated`,
            and holds a session the model was not trained on.
        model: what is to be traded.
    """
    reasons = []
    wanted, found = settings.live.paper_sessions, record.paper_without_drift
    if found < wanted:
        reasons.append(
            f"{found} of {wanted} paper sessions without unexplained drift: "
            "trade the paper account first (run.py live --broker ib)"
        )
    if not any(_counts(folder, model) for folder in _runs(runs)):
        mark = f"sha256 {model.sha256[:12]}" if model.sha256 else "no file of its own"
        reasons.append(
            f"no backtest in {runs} of {model.name} ({mark}) on data that is not simulated and "
            "that it was not trained on: run.py backtest --data DIR"
        )
    return reasons


def sentence(account: str) -> str:
    """What has to be typed, word for word, before a live account is traded."""
    return f"I trade {account} with real money"


def sentence_fits(typed: str, account: str) -> bool:
    """Whether it was; blanks at the ends and between words do not count, capitals do."""
    return " ".join(typed.split()) == sentence(account)


def contracts_allowed(settings: Settings, record: DeskRecord) -> int:
    """Most contracts at a time on a live account: one in the first sessions, then `contracts`."""
    if record.live_sessions < settings.live.capped_sessions:
        return 1
    return settings.contracts


def _runs(runs: Path) -> list[Path]:
    """The finished runs, newest name first."""
    if not runs.is_dir():
        return []
    return sorted((path.parent for path in runs.glob(f"*/{METRICS}")), reverse=True)


def _counts(folder: Path, model: Model) -> bool:
    metrics = _metrics(folder)
    if model.sha256 is not None:
        is_it = metrics.get("model_sha256") == model.sha256
    else:
        is_it = metrics.get("model") == model.name and metrics.get("model_sha256") is None
    unseen = _number(metrics.get("sessions")) - _number(metrics.get("sessions_in_sample"))
    return is_it and metrics.get("simulated") is False and unseen > 0


def _number(figure: Any) -> float:
    return float(figure) if isinstance(figure, int | float) else 0.0


def _metrics(folder: Path) -> dict[str, Any]:
    """The figures of a run; none where they cannot be read: then the run proves nothing."""
    try:
        figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return figures if isinstance(figures, dict) else {}
