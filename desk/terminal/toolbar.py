"""What stands below the prompt: the desk's state in a few short lines."""

from math import isfinite

from prompt_toolkit.formatted_text import StyleAndTextTuples

from brokers.prompt import gain
from feeds.contract import Contract
from feeds.sessions import to_new_york
from vocabulary import DeskStatus, LiveQuote, OpenQuestion, Position

SEPARATOR = " | "


def toolbar(status: DeskStatus) -> StyleAndTextTuples:
    """The lines of a state; what halts entries stands first, in its own style."""
    lines: list[tuple[str, str]] = []
    if status.halted:
        lines.append(("class:halted", f"HALTED: {status.halted}"))
    if status.question is not None:
        lines.append(("class:question", _question(status.question)))
    lines.append(("", _books(status)))
    if status.orders:
        lines.append(("", "orders: " + SEPARATOR.join(line.text for line in status.orders)))
    lines.append(("", _lines(status)))
    fragments: StyleAndTextTuples = []
    for number, (style, text) in enumerate(lines):
        fragments.append((style, ("\n" if number else "") + text))
    return fragments


def contract_text(contract: Contract) -> str:
    """A contract as a person says it: SPY 628 PUT."""
    return f"{contract.underlying} {contract.strike:g} {contract.right.name}"


def quote_text(quote: LiveQuote | None) -> str:
    """Bid, ask and age of a quote."""
    if quote is None or not (isfinite(quote.bid) or isfinite(quote.ask)):
        return "no quote"
    prices = f"bid {_price(quote.bid)} ask {_price(quote.ask)}"
    return f"{prices} ({quote.source}, {quote.age_seconds:.1f} s old)"


def _price(price: float) -> str:
    return f"{price:.2f}" if isfinite(price) else "-"


def _question(question: OpenQuestion) -> str:
    suggestion = question.suggestion
    verb = "SELL" if suggestion.side < 0 else "BUY"
    parts = [
        f"{verb} {suggestion.quantity} {contract_text(suggestion.contract)}",
        quote_text(question.quote),
    ]
    if isfinite(question.seconds_left):
        parts.append(f"{question.seconds_left:.0f} s left")
    if question.note:
        parts.append(question.note)
    return SEPARATOR.join(parts)


def _books(status: DeskStatus) -> str:
    """Time, spot, position, and what the day has brought."""
    parts = []
    if status.market_ts:
        parts.append(f"{to_new_york(status.market_ts):%H:%M:%S}")
    if isfinite(status.spot):
        parts.append(f"SPY {status.spot:.2f}")
    parts.append(_position(status.position, status) if status.position else "flat")
    parts += [f"day {gain(status.day_pnl)}", f"loss left ${status.loss_left:,.2f}"]
    return SEPARATOR.join(parts)


def _position(position: Position, status: DeskStatus) -> str:
    side = "short" if position.side < 0 else "long"
    text = f"{side} {position.quantity} {contract_text(position.contract)}"
    text += f" @ {position.average_price:.2f} {gain(status.position_pnl)}"
    return text if status.stop_price is None else f"{text} stop {status.stop_price:.2f}"


def _lines(status: DeskStatus) -> str:
    """Who trades, and what data and broker are worth."""
    parts = (f"{status.mode} {status.account}".strip(), status.feed_line, status.broker_line)
    return SEPARATOR.join(part for part in parts if part)
