"""Bars of the desk as rows of the journal, and back into the recorder of a restarted desk."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from feeds.chain_data import ChainData
from strategies.recorder import OFF_SLOT, RunRecorder
from strategies.rules import REASONS, Refusal
from vocabulary import FEATURE_COLUMNS, JournalRecord

_CODES = {words: code for code, words in REASONS.items()}


class BarWriter:
    """Writes each bar once the strategy is through with it.

    Attributes:
        last_ts: the newest bar, the process before's included, nanoseconds; None before the first.
    """

    def __init__(self, write: Callable[..., None], recorder: RunRecorder, feed: ChainData) -> None:
        """`write` takes records; bars in `recorder` are the process before's, not written again."""
        known = recorder.equity_ts
        self.last_ts: int | None = int(known[-1]) if len(known) else None
        self._write, self._recorder, self._feed = write, recorder, feed
        self._seen: list[tuple[int, float, float]] = []
        self._decisions = len(recorder.decision_ts)
        self._equities = len(recorder.equity_ts)

    def see(self) -> None:
        """Note the bar that has just come, before the strategy gets it."""
        snapshot = self._feed.snapshot()
        self.last_ts = snapshot.ts
        self._seen.append((snapshot.ts, snapshot.spot, snapshot.atm_iv))

    def flush(self) -> None:
        """Write the bars that the strategy has seen since."""
        done = len(self._recorder.equity_ts) - self._equities
        if not done:
            return
        bars, self._seen = self._seen[:done], self._seen[done:]
        self._write(*self._records(bars))
        self._equities += done
        self._decisions = len(self._recorder.decision_ts)

    def _records(self, bars: list[tuple[int, float, float]]) -> list[JournalRecord]:
        recorder, first = self._recorder, self._decisions
        decided = {
            int(ts): first + i for i, ts in enumerate(np.array(recorder.decision_ts[first:]))
        }
        features, action = recorder.features, recorder.action
        records = []
        for i, (ts, spot, iv) in enumerate(bars, start=self._equities):
            values: dict[str, Any] = {"spot": _plain(spot), "atm_iv": _plain(iv)}
            values["cash"] = recorder.cash[i]
            values["position_value"] = recorder.position_value[i]
            row = decided.get(ts)
            if row is not None:
                values |= {
                    name: _plain(float(value))
                    for name, value in zip(FEATURE_COLUMNS, features[row], strict=True)
                }
                if action[row] != OFF_SLOT:
                    values |= self._decision(row)
            records.append(JournalRecord("bars", ts, values))
        return records

    def _decision(self, row: int) -> dict[str, Any]:
        recorder = self._recorder
        return {
            "action": int(recorder.action[row]),
            "probabilities": [float(one) for one in recorder.probabilities[row]],
            "allowed": int(recorder.allowed[row]),
            "reason": REASONS[Refusal(int(recorder.reason[row]))],
        }


def refilled(actions: int, bars: pd.DataFrame) -> RunRecorder:
    """A recorder that holds the journaled bars of the process before, oldest first.

    `bars` is the journal's table, `ts` tz-aware or nanoseconds, probabilities decoded.
    """
    recorder = RunRecorder(actions)
    for bar in bars.to_dict("records"):
        ts = pd.Timestamp(bar["ts"]).value if not isinstance(bar["ts"], int) else bar["ts"]
        recorder.equity(ts, float(bar["cash"]), float(bar["position_value"]))
        if pd.isna(bar["feature_minutes_since_open"]):
            continue
        values = [bar[name] for name in FEATURE_COLUMNS]
        recorder.row(ts)[:] = [math.nan if pd.isna(value) else value for value in values]
        if not pd.isna(bar["action"]):
            probabilities = np.array(bar["probabilities"], np.float64)
            code = _CODES.get(bar["reason"] or "", Refusal.NONE)
            recorder.decide(int(bar["action"]), probabilities, bool(bar["allowed"]), code)
    return recorder


def _plain(value: float) -> float | None:
    """SQLite has no NaN: it is an empty cell."""
    return None if math.isnan(value) else float(value)
