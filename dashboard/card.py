"""The question's card: the words of the terminal, what a yes does to the book, who may answer."""

import math
from typing import Any

from brokers.prompt import suggestion_text
from dashboard.figures import FLAT, MOVES, BookGreeks, ChainFigures, at_expiry
from dashboard.questions import Ended, Shown
from dashboard.words import contract_words, finite, moment
from desk.context import Context
from desk.markets.market import Mask
from vocabulary import FEATURES, Action, DeskStatus, Suggestion

PLAN_COLUMN = 18
"""Where the values of a plan's lines begin."""

WARNING = "  ! "


def open_card(
    shown: Shown, raw: DeskStatus, figures: ChainFigures | None, context: Context
) -> dict[str, Any]:
    """The card of an open question.

    Args:
        shown: as it was put, with what the mask leaves.
        raw: the desk's state, unmasked: Greeks are those of the real contract.
        figures: of the last bar; None before there is one.
        context: of the desk.
    """
    suggestion = shown.suggestion
    real = _real(shown.suggestion, raw, context.mask)
    return {
        "open": True,
        "key": shown.key,
        "terms": shown.terms,
        "entry": suggestion.is_entry,
        "title": _title(suggestion),
        "text": suggestion_text(suggestion),
        "plan": _plan(context.explain(suggestion)),
        "quantity": suggestion.quantity,
        "worst": None if suggestion.plan is None else finite(suggestion.plan.worst_price, 2),
        "given": None if shown.given is None else str(shown.given.answer),
        "wants": _probabilities(suggestion),
        "moves": _moves(suggestion, real, raw, figures, context.mask),
        "greeks": _greeks(suggestion, real, raw, figures),
        "bar": None if figures is None else moment(figures.snapshot.ts, context.mask),
    }


def closed_card(ended: Ended | None, now: float) -> dict[str, Any]:
    """No question: how the last one ended, and how many seconds ago."""
    if ended is None:
        return {"open": False, "ended": None}
    told = {"key": ended.key, "words": ended.words, "ago": round(now - ended.at, 1)}
    return {"open": False, "ended": told}


def _real(suggestion: Suggestion, raw: DeskStatus, mask: Mask) -> Suggestion | None:
    """The suggestion without a mask; None where the desk's state does not have it yet."""
    if not mask.hides:
        return suggestion
    question = raw.question
    same = question is not None and question.suggestion.id == suggestion.id
    return question.suggestion if question is not None and same else None


def _title(suggestion: Suggestion) -> str:
    verb = "SELL" if suggestion.side < 0 else "BUY"
    return f"{verb} {suggestion.quantity} {contract_words(suggestion.contract)}"


def _plan(text: str) -> dict[str, Any]:
    """The plan's lines (`brokers.prompt.plan_text`) as a heading, rows and warnings."""
    heading, *lines = text.splitlines()
    rows, warnings = [], []
    for line in lines:
        if line.startswith(WARNING):
            warnings.append(line.removeprefix(WARNING))
        else:
            rows.append([line[:PLAN_COLUMN].strip(), line[PLAN_COLUMN:].strip()])
    return {"heading": heading, "rows": rows, "warnings": warnings}


def _probabilities(suggestion: Suggestion) -> list[dict[str, Any]]:
    """What the policy wants, action by action; empty for an exit by rule."""
    assert len(suggestion.features) in (0, len(FEATURES))
    return [
        {"action": Action(number).name.lower().replace("_", " "), "share": finite(share, 3)}
        for number, share in enumerate(suggestion.probabilities)
    ]


def _moves(
    suggestion: Suggestion,
    real: Suggestion | None,
    raw: DeskStatus,
    figures: ChainFigures | None,
    mask: Mask,
) -> list[dict[str, Any]]:
    """Dollars of the position a yes opens, or of the one an exit would close if it were kept.

    "now" is by Black-76 at today's volatility, left out where the level is hidden: it would tell.
    """
    held = raw.position
    if suggestion.is_entry:
        signed, price = suggestion.side * suggestion.quantity, _price(suggestion)
    elif held is not None:
        signed, price = held.side * held.quantity, held.average_price
    else:
        return []
    rows = []
    for move in MOVES:
        close = at_expiry(suggestion.contract, signed, price, suggestion.spot, move)
        row = {"move": move, "close": finite(close, 2), "now": None}
        if figures is not None and real is not None and not mask.hides:
            row["now"] = finite(figures.at_once(real.contract, signed, price, move), 2)
        rows.append(row)
    return rows


def _greeks(
    suggestion: Suggestion, real: Suggestion | None, raw: DeskStatus, figures: ChainFigures | None
) -> dict[str, Any] | None:
    """The book before and after a yes."""
    if figures is None or real is None:
        return None
    before, held = FLAT, raw.position
    if held is not None:
        before = figures.of(held.contract, held.side * held.quantity)
    order = figures.of(real.contract, suggestion.side * suggestion.quantity)
    after = before + order
    if held is not None and held.contract == real.contract:
        left = held.side * held.quantity + suggestion.side * suggestion.quantity
        after = figures.of(held.contract, left)
    return {"before": _book(before), "after": _book(after)}


def _book(greeks: BookGreeks) -> dict[str, float | None]:
    names = ("delta", "gamma", "theta", "vega")
    return {name: finite(getattr(greeks, name), 2) for name in names}


def _price(suggestion: Suggestion) -> float:
    """What the order is worked at first; without a plan the natural side."""
    if suggestion.plan is not None:
        return suggestion.plan.limit
    price = suggestion.bid if suggestion.side < 0 else suggestion.ask
    return price if math.isfinite(price) else math.nan
