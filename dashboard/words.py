"""Numbers and times as the page gets them: what is not known is None, never a guess."""

import math
from datetime import UTC, datetime
from typing import Any

from desk.markets.market import Mask
from feeds.contract import Contract
from feeds.sessions import to_new_york
from vocabulary import LiveQuote


def finite(value: float | None, digits: int = 4) -> float | None:
    """The number rounded, None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits)


def moment(ts: int | None, mask: Mask) -> dict[str, str] | None:
    """A market time: New York's clock, and the instant in UTC unless the date is hidden."""
    if not ts:
        return None
    told = {"ny": f"{to_new_york(ts):%H:%M:%S}"}
    if not mask.hides_date:
        told["utc"] = datetime.fromtimestamp(ts / 1e9, UTC).isoformat(timespec="seconds")
    return told


def contract_words(contract: Contract) -> str:
    """As a person says it: SPY 628 PUT."""
    return f"{contract.underlying} {contract.strike:g} {contract.right.name}"


def quote_figures(quote: LiveQuote | None) -> dict[str, Any] | None:
    """Bid, ask, mid, sizes and age of a quote."""
    if quote is None:
        return None
    return {
        "bid": finite(quote.bid),
        "ask": finite(quote.ask),
        "mid": finite((quote.bid + quote.ask) / 2),
        "bid_size": int(quote.bid_size),
        "ask_size": int(quote.ask_size),
        "age": finite(quote.age_seconds, 1),
        "source": quote.source,
    }
