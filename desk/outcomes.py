"""What became of every suggestion, and what would have: made after the close.

A suggestion that nobody followed, and one that was, get the same shadow: sold at the next bid of
the recording and closed by the same rules, played through the desk's own strategy and the simulated
broker. Dollars, times in nanoseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import backtrader as bt
import numpy as np

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from errors import DataError
from feeds.chain import ChainDay
from feeds.chain_feed import ChainFeed
from feeds.contract import MULTIPLIER
from feeds.data_quality import thinness
from feeds.quotes import is_last_minute
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies.entry import Choice, EntryDecider
from strategies.position_tracker import PositionTracker
from strategies.ppo_strategy import PPOStrategy
from strategies.rules import Refusal
from vocabulary import (
    JournalRecord,
    PastFill,
    Policy,
    RoundTrip,
    Suggestion,
)

UNFILLED = "unfilled"
"""Shadow reason of an entry that found no fill until the next decision."""

NOT_RECORDED = "not recorded"
"""Shadow reason of a suggestion whose moment the recording does not have."""

_ARRAYS = (
    *("ts", "spot", "underlying_bid", "underlying_ask"),
    *("bid", "ask", "bid_size", "ask_size"),
)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Rows for the journal's table `outcomes`, one a suggestion, and what a reader should know."""

    records: Sequence[JournalRecord]
    notes: Sequence[str] = ()


def outcomes_of(
    day: ChainDay,
    suggestions: Sequence[Suggestion],
    fills: Sequence[PastFill],
    policy: Policy,
    settings: Settings,
) -> Outcomes:
    """The outcomes of a session that is over.

    `exit_*` and `pnl` are those of the real trade, None where there was none or it is still open;
    `shadow_*` those of the simulated one. `mae` and `mfe` are the worst and best unrealised dollars
    at the mid, of the real trade where there was one, else of the shadow. Fees are in `pnl` and
    `shadow_pnl`, not in `mae` and `mfe`.

    Args:
        day: the recording, with its official close.
        suggestions: of entries, as they were first asked; others are left out.
        fills: the session's executions, oldest first.
        policy: may close what it opened, where its table has that action.
        settings: of the desk.

    Raises `DataError` where the official close is not known yet.
    """
    if day.official_close is None:
        raise DataError(f"{day.session.date} has no official close yet: no outcome is known")
    entries = [one for one in suggestions if one.is_entry]
    trips = {trip.decided_ts: trip for trip in real_trips(fills, policy.name)}
    records = [
        _record(day, one, trips.get(one.ts), shadow(day, one, policy, settings)) for one in entries
    ]
    thin = thinness(day, settings.rules.time_exit_minutes) if day.recorded else "nothing"
    notes = [f"the recording is not whole ({thin}): shadows are as good as it is"] if thin else []
    return Outcomes(records, notes)


def real_trips(fills: Sequence[PastFill], model: str) -> list[RoundTrip]:
    """The round trips that executions make, oldest first; an open position is none yet."""
    tracker = PositionTracker(model)
    for one in sorted(fills, key=lambda past: past.fill.ts):
        fill = one.fill if one.fill.fee == one.fill.fee else replace(one.fill, fee=0.0)
        if one.exit_reason is not None:
            tracker.exit_filled(fill, one.exit_reason, one.exit_decided_ts)
        elif one.suggestion is not None:
            tracker.entry_filled(fill, one.suggestion)
    return list(tracker.round_trips)


def shadow(
    day: ChainDay, suggestion: Suggestion, policy: Policy, settings: Settings
) -> RoundTrip | str:
    """The trade a suggestion would have been, or `UNFILLED` or `NOT_RECORDED`.

    The whole order, at the market, by `brokers.fills` and the rules of `settings`; no person, no
    tightened stop, no other trade of the day.
    """
    first = int(np.searchsorted(day.ts[: day.recorded], suggestion.ts))
    if first == day.recorded or int(day.ts[first]) != suggestion.ts:
        return NOT_RECORDED
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.adddata(ChainFeed([_from_row(day, first)]))
    broker = ChainBroker(settings.capital, settings.fills)
    cerebro.setbroker(ApprovalBroker(broker, AutomaticApprover()))
    cerebro.addstrategy(_OneShot, policy=policy, settings=settings, shot=suggestion)
    trips: Sequence[RoundTrip] = cerebro.run()[0].tracker.round_trips
    return trips[0] if trips else UNFILLED


def excursions(day: ChainDay, trip: RoundTrip) -> tuple[float, float]:
    """Worst and best unrealised dollars of a trade at the mid, its end included; 0 at its start."""
    held = (day.ts[: day.recorded] >= trip.entered_ts) & (day.ts[: day.recorded] < trip.exited_ts)
    held &= ~np.asarray(is_last_minute(day.until_close[: day.recorded]), bool)
    k = day.strike_index.get(trip.contract.strike_thousandths)
    mids = np.empty(0) if k is None else day.mid[: day.recorded, int(trip.contract.right), k][held]
    size = trip.side * trip.quantity * MULTIPLIER
    seen = (mids[np.isfinite(mids)] - trip.entry_price) * size
    every = np.concatenate((seen, [0.0, trip.gross_pnl]))
    return float(every.min()), float(every.max())


def _record(
    day: ChainDay, suggestion: Suggestion, real: RoundTrip | None, made: RoundTrip | str
) -> JournalRecord:
    values: dict[str, Any] = {"suggestion_id": suggestion.id}
    if real is not None:
        values |= {"exit_ts": real.exited_ts, "exit_price": real.exit_price}
        values |= {"exit_reason": str(real.exit_reason), "pnl": real.net_pnl}
    values |= _shadow_values(made)
    trip = real if real is not None else made
    if isinstance(trip, RoundTrip):
        values["mae"], values["mfe"] = excursions(day, trip)
    return JournalRecord("outcomes", day.session.close_ns, values)


def _shadow_values(made: RoundTrip | str) -> Mapping[str, Any]:
    if isinstance(made, str):
        return {"shadow_reason": made, "shadow_pnl": 0.0 if made == UNFILLED else None}
    return {
        "shadow_entry": made.entry_price,
        "shadow_exit": made.exit_price,
        "shadow_exit_ts": made.exited_ts,
        "shadow_reason": str(made.exit_reason),
        "shadow_pnl": made.net_pnl,
    }


def _from_row(day: ChainDay, first: int) -> ChainDay:
    """The rest of a day from a row on, whose first row is a decision of its own."""
    rest = {name: getattr(day, name)[first:] for name in _ARRAYS}
    return replace(day, recorded=day.recorded - first, **rest)


class _OneShot(PPOStrategy):
    """Makes one suggestion at its own moment, whatever rules and policy say, and follows it."""

    params: Any = (("shot", None),)

    def __init__(self) -> None:
        """Replace who decides."""
        super().__init__()
        self.decider = _OneShotDecider(self.p.shot, self.decider)


class _OneShotDecider(EntryDecider):
    """An `EntryDecider` whose choice at one moment is fixed, and who opens nothing at another.

    A close that the policy wants is left to it.
    """

    def __init__(self, suggestion: Suggestion, decider: EntryDecider) -> None:
        super().__init__(decider.policy, decider.settings, decider.events)
        self._shot = suggestion

    def decide(self, snapshot: ChainSnapshot, *arguments: Any, **terms: Any) -> Choice:
        """The suggestion at its moment, else what the policy may still want: a close."""
        if snapshot.ts != self._shot.ts:
            choice = super().decide(snapshot, *arguments, **terms)
            return choice if choice.suggestion is None else replace(choice, suggestion=None)
        certain = np.arange(self.policy.actions) == self._shot.action
        return Choice(
            self._shot.action,
            certain.astype(float),
            tuple(certain.tolist()),
            Refusal.NONE,
            self._shot,
        )
