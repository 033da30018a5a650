"""Nothing that happens after an instant changes what was decided, seen or filled up to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from market import (
    HALF_DAY,
    MONDAY,
    PUT,
    SESSION,
    Market,
    Scripted,
    desk,
    market,
    random_market,
)

from settings import Settings
from strategies.ppo_strategy import PPOStrategy

BUSY = [2, 1, 2, 3, 0]
Perturbation = Callable[[Market, int, np.random.Generator], Market]


class Watched(PPOStrategy):
    """Keeps every fill and every order's news as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.news: list[tuple[int, str]] = []

    def notify_order(self, order: bt.Order) -> None:
        super().notify_order(order)
        told = order.getstatusname(), order.data._name, order.info.get("fills")
        self.news.append((self.feed.snapshot().ts, repr(told)))


def seen(made: Market, until: int, before: tuple[Market, ...] = ()) -> list[Any]:
    """Everything a run left behind up to the instant `until`, as bytes and text."""
    days = [one.day() for one in (*before, made)]
    chosen = Settings(capital=300_000.0, contracts=3, rules={"profit_target": 0.3})
    ran = desk(days, Scripted(BUSY * 16, 4, False), chosen, strategy=Watched)
    record = ran.recorder
    rows = int(np.searchsorted(record.decision_ts, until, "right"))
    equity = int(np.searchsorted(record.equity_ts, until, "right"))
    columns = (record.features, record.action, record.probabilities, record.allowed, record.reason)
    told = [column[:rows].tobytes() for column in columns]
    told += [row[:equity].tobytes() for row in (record.equity_ts, record.cash)]
    told.append(record.position_value[:equity].tobytes())
    told.append([news for news in ran.news if news[0] <= until])
    told.append([repr(trip) for trip in ran.tracker.round_trips if trip.exited_ts <= until])
    return told


# --- what may come after the row `last`, which is the last one that has happened -----------------


def other_quotes(made: Market, last: int, dice: np.random.Generator) -> Market:
    """Quotes and sizes of another market, crossed and missing ones among them."""
    bid, ask = made.bid.copy(), made.ask.copy()
    later = bid[last + 1 :].shape
    bid[last + 1 :] = np.round(dice.uniform(0, 9, later), 2)
    ask[last + 1 :] = np.where(
        dice.random(later) < 0.2, np.nan, np.round(dice.uniform(0, 9, later), 2)
    )
    bid_size, ask_size = made.bid_size.copy(), made.ask_size.copy()
    bid_size[last + 1 :] = dice.integers(0, 3, later)
    ask_size[last + 1 :] = dice.integers(0, 3, later)
    return replace(made, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size)


def other_spot(made: Market, last: int, dice: np.random.Generator) -> Market:
    """A crash, or a melt-up."""
    spot = made.spot.copy()
    spot[last + 1 :] += dice.choice([-40.0, 40.0])
    return replace(made, spot=spot)


def other_close(made: Market, last: int, dice: np.random.Generator) -> Market:
    return replace(made, official_close=made.spot[0] + dice.choice([-30.0, 30.0]))


def other_flags(made: Market, last: int, dice: np.random.Generator) -> Market:
    return replace(made, flags=("thin", "gaps"))


def shorter_day(made: Market, last: int, dice: np.random.Generator) -> Market:
    """The source falls silent some rows later, at once perhaps."""
    end = last + 1 + int(dice.integers(0, 3))
    names = ("ts", "spot", "bid", "ask", "bid_size", "ask_size")
    return replace(made, **{name: getattr(made, name)[:end] for name in names})


def denser_day(made: Market, last: int, dice: np.random.Generator) -> Market:
    """More snapshots than the source had, up to the close."""
    rest = np.arange(made.ts[last] + 1_000_000_000, made.session.close_ns, 7_000_000_000)
    rows = np.clip(np.searchsorted(made.ts, rest), None, made.ts.size - 1)
    names = ("spot", "bid", "ask", "bid_size", "ask_size")
    longer = {
        name: np.concatenate([getattr(made, name)[: last + 1], getattr(made, name)[rows]])
        for name in names
    }
    return replace(made, ts=np.concatenate([made.ts[: last + 1], rest]), **longer)


def more_strikes(made: Market, last: int, dice: np.random.Generator) -> Market:
    """Strikes listed during the day: half dollars around the money, and far ones."""
    halves = made.strikes[:-1] + 500
    new = np.concatenate([halves, [made.strikes[0] - 7000, made.strikes[-1] + 7000]])
    order = np.argsort(np.concatenate([made.strikes, new]))
    names = ("bid", "ask", "bid_size", "ask_size")
    wider: dict[str, Any] = {"strikes": np.concatenate([made.strikes, new])[order]}
    for name in names:
        known = getattr(made, name)
        late = np.full((*known.shape[:2], new.size), 0 if "size" in name else np.nan, known.dtype)
        late[last + 1 :] = dice.integers(1, 9, late[last + 1 :].shape)
        wider[name] = np.concatenate([known, late], axis=2)[:, :, order]
    return replace(made, **wider)


def fewer_strikes(made: Market, last: int, dice: np.random.Generator) -> Market:
    """Without the strikes that had no quote yet."""
    quoted = np.isfinite(made.bid[: last + 1]) | np.isfinite(made.ask[: last + 1])
    kept = quoted.any(axis=(0, 1))
    names = ("bid", "ask", "bid_size", "ask_size")
    changes = {name: getattr(made, name)[:, :, kept] for name in names}
    return replace(made, strikes=made.strikes[kept], **changes)


def everything(made: Market, last: int, dice: np.random.Generator) -> Market:
    for change in (other_quotes, other_spot, other_close, other_flags, more_strikes, denser_day):
        made = change(made, last, dice)
    return made


PERTURBATIONS: tuple[Perturbation, ...] = (
    other_quotes,
    other_spot,
    other_close,
    other_flags,
    shorter_day,
    denser_day,
    more_strikes,
    fewer_strikes,
    everything,
)


def wandering(session: Any = SESSION) -> Market:
    """A day on which the busy script sells, stops, takes profit and runs into the time exit."""
    minutes = np.arange(session.minutes)
    crash = np.where(minutes >= 136, -6.0, 0.0)
    made = market(minutes, 628.2013 + 2.5 * np.sin(minutes / 25) + crash, session=session)
    late = made.strikes >= 634_000  # listed in the course of the day
    made.bid[: made.ts.size // 2, :, late] = made.ask[: made.ts.size // 2, :, late] = np.nan
    return made


@pytest.mark.parametrize("change", PERTURBATIONS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("minute", [0, 30, 31, 77, 195, 374, 375, 389])
def test_nothing_after_an_instant_changes_what_was_up_to_it(
    minute: int, change: Perturbation
) -> None:
    made = wandering()
    last = made.row(minute)
    until, dice = int(made.ts[last]), np.random.default_rng(minute)
    assert seen(change(made, last, dice), until) == seen(made, until)


@pytest.mark.parametrize("change", PERTURBATIONS, ids=lambda change: change.__name__)
def test_a_later_session_changes_nothing_in_an_earlier_one(change: Perturbation) -> None:
    today, later = wandering(), wandering(MONDAY)
    dice = np.random.default_rng(1)
    until = SESSION.close_ns
    after = seen(change(later, 0, dice), until, (today,))
    assert after == seen(later, until, (today,)) == seen(today, until)


@given(
    made=random_market(HALF_DAY),
    share=some.floats(0, 1),
    change=some.sampled_from(PERTURBATIONS),
    seed=some.integers(0, 99),
)
@settings(max_examples=60)
def test_nothing_later_changes_the_past_of_any_session(
    made: Market, share: float, change: Perturbation, seed: int
) -> None:
    last = int(share * (made.ts.size - 1))
    until = int(made.ts[last])
    changed = change(made, last, np.random.default_rng(seed))
    assert seen(changed, until) == seen(made, until)


def test_the_perturbations_would_be_noticed_had_they_come_earlier() -> None:
    made = wandering()
    last, dice = made.row(100), np.random.default_rng(0)
    for change in PERTURBATIONS:
        if change not in (other_flags, other_close, fewer_strikes):
            changed = seen(change(made, last, dice), SESSION.close_ns)
            assert changed != seen(made, SESSION.close_ns), change.__name__


def test_the_day_that_is_perturbed_is_a_busy_one() -> None:
    made = wandering()
    chosen = Settings(capital=300_000.0, contracts=3, rules={"profit_target": 0.3})
    ran = desk([made.day()], Scripted(BUSY * 16, 4, False), chosen)
    reasons = {str(trip.exit_reason) for trip in ran.tracker.round_trips}
    assert reasons >= {"model", "profit_target", "stop_loss"}
    assert {trip.contract.right for trip in ran.tracker.round_trips} >= {PUT}
