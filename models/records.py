"""The books of one session as a record, and the small steps that change many of them at once.

A record array keeps a session's figures together: n of them are taken, changed and put back in one
operation each, which is what makes the environment fast.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from feeds.chain import Integers
from feeds.sessions import Floats
from vocabulary import ExitReason

Booleans = npt.NDArray[np.bool_]
Records = Any
"""Array of `RECORD`: numpy has no type for named fields."""

NO_ORDER, ENTRY, EXIT = 0, 1, 2
EXIT_REASONS = tuple(ExitReason)
REASON_CODE = {reason: code for code, reason in enumerate(EXIT_REASONS)}

LEG = [("quantity", "i4"), ("value", "f8"), ("mid_value", "f8"), ("spot_value", "f8")]
RECORD = np.dtype(
    [
        *(("session", "i4"), ("row", "i4"), ("cash", "f8"), ("peak", "f8"), ("lost", "?")),
        *(("answered", "f8"), ("order", "i1"), ("wanted", "i4"), ("filled", "i4")),
        *(("order_ts", "i8"), ("reason", "i1"), ("contract", "i4"), ("open", "i4")),
        *(("risk_score", "f8"), ("multiple", "f8"), ("decided_ts", "i8"), ("entered_ts", "i8")),
        *(("exited_ts", "i8"), ("fees", "f8"), ("was_working", "?"), ("entry", LEG)),
        *(("exit", LEG), ("mark", "f8"), ("mark_ts", "i8"), ("marked_row", "i4")),
        *(("hedge", "f8"), ("hedge_row", "i4")),
    ]
)
"""A session's books: `cash` since the open (dollars), `peak` of equity, minutes of the last
`answered` suggestion, the working `order`, contracts `open`, and the trip from entry to exit."""

TRIP_FIELDS = ("open", "fees", "was_working", "entry", "exit")


def send_exit(s: Records, where: Booleans, ts: Integers, reason: ExitReason) -> None:
    """Send an exit order for the whole position; it replaces an entry order that still works."""
    if not where.any():
        return
    s["order"][where], s["reason"][where] = EXIT, REASON_CODE[reason]
    s["wanted"][where], s["filled"][where] = s["open"][where], 0
    s["order_ts"][where] = ts[where]


def add_fills(leg: Records, quantity: Integers, price: Floats, mid: Floats, spot: Floats) -> None:
    """Count fills of `quantity` contracts, none where it is 0."""
    leg["quantity"] += quantity
    leg["value"] += price * quantity
    leg["mid_value"] += np.where(quantity > 0, mid, 0.0) * quantity
    leg["spot_value"] += np.where(quantity > 0, spot, 0.0) * quantity


def average_entry(s: Records) -> Floats:
    """Average entry price in dollars a share, 0 before the first fill."""
    return np.asarray(s["entry"]["value"] / np.maximum(s["entry"]["quantity"], 1))
