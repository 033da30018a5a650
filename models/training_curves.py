"""The picture of a training: how each seed went, and what the kept model wants."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.evaluation import selling_probability
from models.training import TrainingResult
from settings import Settings

_MINUTES = np.arange(30.0, 361.0, 5.0)
_VOLATILITIES = np.linspace(0.08, 0.45, 75)


def draw_training(result: TrainingResult, settings: Settings, path: Path) -> None:
    """Write a PNG: P&L in training, on validation sessions, entropy, probability of a sale."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    ((explored, judged), (entropy, wants)) = figure.subplots(2, 2)
    for trained in result.everyone:
        curve, kept = trained.curve, trained is result.chosen
        style = {"alpha": 1.0 if kept else 0.35, "linewidth": 1.8 if kept else 1.0}
        label = f"seed {trained.seed}" + (" (kept)" if kept else "")
        explored.plot(curve.steps, curve.net_pnl, label=label, **style)
        judged.plot(curve.judged_steps, curve.judged_pnl, label=label, marker=".", **style)
        entropy.plot(curve.steps[: len(curve.entropy)], curve.entropy, label=label, **style)
    _name(explored, "Training sessions, exploring", "net P&L, dollars a session")
    _name(judged, "Validation sessions, likeliest action", "less delta, dollars a session")
    _name(entropy, "Entropy of the choices", "nats")
    judged.legend(fontsize=8)
    _draw_wishes(wants, result, settings)
    figure.suptitle(f"{result.card.name}: {settings.training.steps:,} decisions a seed")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _name(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("decisions")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    axes.axhline(0, color="black", linewidth=0.6)


def _draw_wishes(axes: Axes, result: TrainingResult, settings: Settings) -> None:
    """Probability of a sale by time and volatility: where the model waits, and where it sells."""
    chance = selling_probability(
        result.chosen.policy, settings, _MINUTES.tolist(), _VOLATILITIES.tolist()
    )
    extent = (_MINUTES[0], _MINUTES[-1], _VOLATILITIES[0], _VOLATILITIES[-1])
    picture = axes.imshow(
        chance.T, origin="lower", aspect="auto", extent=extent, vmin=0, vmax=1, cmap="viridis"
    )
    axes.set_title("Probability of a sale by a flat desk")
    axes.set_xlabel("minutes since the open")
    axes.set_ylabel("at-the-money implied volatility")
    axes.figure.colorbar(picture, ax=axes)
