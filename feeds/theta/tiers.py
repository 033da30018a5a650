"""What the account behind a terminal may see, found out by asking for a little of each.

Nothing at Theta tells the subscription over REST, so there is one small request a kind of data.
"""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from datetime import date
from datetime import time as time_of_day

from errors import NoSubscriptionError
from feeds.theta.rest import ThetaRest

ADVICE = {
    "chain_quotes": "options Value (Standard is recommended)",
    "implied_volatility": "options Standard",
    "greeks": "options Standard",
    "stock_quotes": "stocks Standard",
    "history": "options Value",
}
"""The least that includes it, by field of `Tiers`."""

_NAMES = {
    "chain_quotes": "option quotes, whole chain",
    "implied_volatility": "implied volatility",
    "greeks": "delta, theta, vega",
    "stock_quotes": "stock quotes",
    "history": "option quotes of the past",
}
_WITHOUT = {
    "chain_quotes": "no live data",
    "implied_volatility": "made here from quotes",
    "greeks": "made here from quotes",
    "stock_quotes": "spot comes with volatilities, or from put-call parity",
    "history": "no download",
}
_PROBE_WINDOW = time_of_day(10, 0), time_of_day(10, 1)


@dataclass(frozen=True, slots=True)
class Tiers:
    """What the account may see. Greeks are first-order; streaming is not asked about here."""

    chain_quotes: bool
    implied_volatility: bool
    greeks: bool
    stock_quotes: bool
    history: bool

    def rows(self) -> list[tuple[str, str, str]]:
        """A table: kind of data, `yes` or `no`, and what is done without it or what to buy."""
        return [
            (
                _NAMES[name],
                "yes" if getattr(self, name) else "no",
                "" if getattr(self, name) else f"{_WITHOUT[name]} (in {ADVICE[name]})",
            )
            for name in _NAMES
        ]

    def advice(self) -> str:
        """One line on what to buy, empty where live trading and downloads both work well."""
        if not self.chain_quotes:
            return "this account has no live option quotes: options Standard is what the desk needs"
        if not self.implied_volatility:
            return "options Standard would add streaming, spot and implied volatility"
        return "" if self.history else "options Value or more is needed for downloads"


def probe_tiers(rest: ThetaRest, symbol: str, expiration: date, past: date) -> Tiers:
    """Ask a little of each kind of data.

    Args:
        rest: the terminal.
        symbol: the underlying.
        expiration: of the chain to ask for, today where the exchange is open.
        past: a finished session on which options expired.

    Raises `FeedError` where it is not the subscription that is missing.
    """
    return Tiers(
        chain_quotes=_allowed(lambda: rest.chain_quotes(symbol, expiration)),
        implied_volatility=_allowed(lambda: rest.chain_volatilities(symbol, expiration)),
        greeks=_allowed(lambda: rest.chain_greeks(symbol, expiration)),
        stock_quotes=_allowed(lambda: rest.stock_quote(symbol)),
        history=_allowed(
            lambda: rest.history_quotes(symbol, past, "1m", *_PROBE_WINDOW, strike_range=1)
        ),
    )


def _allowed(ask: Callable[[], Sized]) -> bool:
    """Whether the account may ask this; an answer without data is one."""
    try:
        ask()
    except NoSubscriptionError:
        return False
    return True
