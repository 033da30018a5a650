"""The words in which a suggestion is put before a person."""

from feeds.sessions import to_new_york
from vocabulary import Suggestion

QUESTION = "Execute? (y/n/skip):"


def suggestion_text(suggestion: Suggestion) -> str:
    """The block that asks for y, n or skip; times are New York's, prices dollars.

    An exit that has to be asked for carries its reason in the heading.
    """
    moment = f"{to_new_york(suggestion.ts):%I:%M %p}"
    heading = "TRADE SUGGESTION"
    if suggestion.exit_reason is not None:
        heading += f" (EXIT: {suggestion.exit_reason})"
    verb = "SELL" if suggestion.side < 0 else "BUY"
    contract = suggestion.contract
    terms = f"{contract.underlying} {contract.strike:g} {contract.right.name}"
    lines = (
        f"[{moment}] {heading}",
        f"Action: {verb} {suggestion.quantity} {terms}",
        f"{contract.underlying} Price: ${suggestion.spot:.2f}",
        f"Option Bid/Ask: ${suggestion.bid:.2f} / ${suggestion.ask:.2f}",
        f"Risk Score: {suggestion.risk_score:.2f}",
        "",
        QUESTION,
    )
    return "\n".join(lines)
