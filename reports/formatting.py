"""Figures as a reader likes them: money, per cent, counts, times. NaN and None are a dash."""

from collections.abc import Sequence
from datetime import date

from feeds.sessions import to_new_york

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def _unknown(value: float | None) -> bool:
    return value is None or value != value


def money(value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """Dollars with thousands separators and a true minus sign: −$1,234.50, signed +$3.00."""
    if value is None or _unknown(value):
        return DASH
    digits = f"{abs(value):,.{decimals}f}"
    zero = not digits.strip("0.,")
    sign = "" if zero else MINUS if value < 0 else "+" if signed else ""
    return f"{sign}${digits}"


def money_interval(low: float | None, high: float | None, decimals: int = 2) -> str:
    """Two amounts, "−$3.10 to $8.20"; a dash where there is no interval."""
    if _unknown(low) or _unknown(high):
        return DASH
    return f"{money(low, decimals)} to {money(high, decimals)}"


def number(value: float | None, decimals: int = 2) -> str:
    """A plain figure with thousands separators and a true minus sign."""
    if value is None or _unknown(value):
        return DASH
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def percent(fraction: float | None, decimals: int = 0) -> str:
    """A fraction as per cent: 0.625 is 62 %."""
    return DASH if fraction is None or _unknown(fraction) else f"{100 * fraction:.{decimals}f} %"


def count(amount: int, thing: str) -> str:
    """An amount with its noun: 1 session, 2 sessions, no session."""
    return f"{amount or 'no'} {thing}" if amount < 2 else f"{amount:,} {thing}s"


def clock(ts: int | None) -> str:
    """New York wall time of `ts` nanoseconds to the minute, with seconds where there are any."""
    if ts is None:
        return DASH
    moment = to_new_york(ts)
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def listing(items: Sequence[str], most: int = 8) -> str:
    """Items in a sentence, the rest counted: a, b and 3 more."""
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{len(items) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def day(value: date) -> str:
    """A date with its weekday: Mon 3 Aug 2026."""
    return f"{value:%a} {value.day} {value:%b %Y}"
