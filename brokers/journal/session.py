"""What a session is known by: the row of `sessions`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

JOURNAL, PRACTICE = Path("runs/journal.db"), Path("runs/practice.db")
"""Where sessions are journaled: those that follow the real market, and mock and replay."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session of the desk. Mode, date, account, market and seed tell it from others.

    Args:
        mode: "mock", "replay", "shadow", "paper", "live" or "rehearsal".
        session_date: the market's day.
        account: the broker's account, "simulated" for none.
        market: where quotes come from, in a word or a path.
        seed: of everything random.
        model: name of the model or policy.
        model_sha256: hash of the model's file, empty for a policy that is none.
        policy: the policy asked for on the command line, None for a model.
        run_folder: where the run's other files are.
        settings: all settings, secrets hidden.
    """

    mode: str
    session_date: date
    account: str = "simulated"
    market: str = ""
    seed: int = 0
    model: str = ""
    model_sha256: str = ""
    policy: str | None = None
    run_folder: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """What makes it the same session after a restart."""
        day = self.session_date.isoformat()
        return self.mode, day, self.account, self.market, self.seed

    def columns(self) -> dict[str, Any]:
        """As columns of `sessions`."""
        mode, day, account, market, seed = self.identity
        place = {"mode": mode, "session_date": day, "account": account, "market": market}
        return {**place, "seed": seed, "settings": self.settings, **self.of_process()}

    def of_process(self) -> dict[str, Any]:
        """What a restart may change: model, policy, run folder."""
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "policy": self.policy,
            "run_folder": self.run_folder,
        }
