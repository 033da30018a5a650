"""Other futures of a session: everything after an instant is changed, nothing before it.

Each function takes a day, the row `last` that is the last one which has happened, and dice, and
builds the day anew as a source would have given it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from feeds.chain import ChainDay, chain_day

Change = Callable[[ChainDay, int, np.random.Generator], ChainDay]


def _rebuilt(day: ChainDay, rows: int, **other: Any) -> ChainDay:
    """The first `rows` recorded rows with `other` arrays in their place, as a source gives them."""
    names = ("ts", "spot", "bid", "ask", "bid_size", "ask_size", "underlying_bid", "underlying_ask")
    parts = {name: getattr(day, name)[:rows] for name in names} | other
    return chain_day(
        session=day.session,
        underlying=day.underlying,
        strikes=parts.pop("strikes", day.strikes),
        source=day.source,
        official_close=parts.pop("official_close", day.official_close),
        year_convention=day.year_convention,
        flags=parts.pop("flags", day.flags),
        **parts,
    )


def silence(day: ChainDay, last: int, dice: np.random.Generator) -> ChainDay:
    """No later snapshot at all, and another close."""
    assert day.official_close is not None
    return _rebuilt(day, last + 1, official_close=day.official_close + 30.0, flags=("thin",))


def other_prices(day: ChainDay, last: int, dice: np.random.Generator) -> ChainDay:
    """Later quotes, sizes, spot and close of another market, missing quotes among them."""
    rows = day.recorded
    bid, ask, spot = (getattr(day, name)[:rows].copy() for name in ("bid", "ask", "spot"))
    later = bid[last + 1 :].shape
    bid[last + 1 :] = np.round(dice.uniform(0, 9, later), 2)
    ask[last + 1 :] = np.where(
        dice.random(later) < 0.2, np.nan, np.round(bid[last + 1 :] + dice.uniform(0, 1, later), 2)
    )
    spot[last + 1 :] += dice.choice([-40.0, 40.0])
    sizes = {name: getattr(day, name)[:rows].copy() for name in ("bid_size", "ask_size")}
    for size in sizes.values():
        size[last + 1 :] = dice.integers(0, 5, later)
    close = float(spot[-1])
    return _rebuilt(day, rows, bid=bid, ask=ask, spot=spot, official_close=close, **sizes)


def other_strikes(day: ChainDay, last: int, dice: np.random.Generator) -> ChainDay:
    """Strikes that had no quote yet were never listed; later ones between the others are."""
    rows = day.recorded
    quoted = np.isfinite(day.bid[: last + 1]) | np.isfinite(day.ask[: last + 1])
    kept = quoted.any(axis=(0, 1))
    new = day.strikes[:-1] + np.diff(day.strikes) // 2
    strikes = np.concatenate([day.strikes[kept], new])
    order = np.argsort(strikes, kind="stable")
    parts: dict[str, Any] = {"strikes": strikes[order]}
    for name in ("bid", "ask", "bid_size", "ask_size"):
        known = getattr(day, name)[:rows][:, :, kept]
        late = np.full((rows, 2, new.size), 0 if "size" in name else np.nan, known.dtype)
        late[last + 1 :] = dice.integers(1, 9, late[last + 1 :].shape)
        parts[name] = np.concatenate([known, late], axis=2)[:, :, order]
    return _rebuilt(day, rows, **parts)


CHANGES: tuple[Change, ...] = (silence, other_prices, other_strikes)
