"""Which instruments there are: the options of the market's day, and their underlying.

Contract ids are given out as instruments are first seen, and kept in the ledger. As at IB, an
option without an exchange exists once a venue, and without a trading class in a flexible one too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from brokers.ib_gateway.ledger import FIRST_OPTION, Ledger
from brokers.ib_gateway.market import GatewayMarket
from brokers.ib_gateway.records import Instrument
from feeds.contract import Contract, Right

VENUES = ("SMART", "AMEX", "BOX", "CBOE", "ISE", "PHLX")
SHARES = {"SPY": 756_733}


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """A contract as a client describes it; empty fields are not asked about."""

    con_id: int = 0
    symbol: str = ""
    security: str = ""
    expiration: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""

    def allows(self, one: Instrument) -> bool:
        """Whether `one` is what is described."""
        asked = (
            (self.con_id, one.con_id),
            (self.symbol, one.symbol),
            (self.security, one.security),
            (round(self.strike * 1000), one.strike_thousandths),
            (self.right[:1].upper(), one.right),
            (self.multiplier if one.right else "", str(one.multiplier)),
            (self.currency, "USD"),
            (" ".join(self.local_symbol.split()), " ".join(one.local_symbol.split())),
            (self.trading_class, one.trading_class),
        )
        exact = all(not wanted or wanted == is_ for wanted, is_ in asked)
        venue = self.exchange in ("", *VENUES)
        return exact and venue and one.expiration.startswith(self.expiration.split(" ")[0])


class Catalogue:
    """Finds instruments and gives them their ids."""

    def __init__(self, ledger: Ledger, market: GatewayMarket, underlying: str) -> None:
        """Of `market`'s day, remembered in `ledger`."""
        self._ledger = ledger
        self._market = market
        self.shares = self._register(Instrument(0, underlying, trading_class=underlying))
        self._known = {self._key(one): one for one in ledger.instruments.values()}
        self._listed: list[Instrument] = []

    def of(self, con_id: int) -> Instrument:
        """The instrument of an id. Raises `KeyError`."""
        return self._ledger.instruments[con_id]

    def find(self, query: ContractQuery) -> list[Instrument]:
        """All that `query` allows; an option's class may be the flexible one."""
        if query.con_id and query.con_id not in self._ledger.instruments:
            self._list()
        if query.con_id:
            one = self._ledger.instruments.get(query.con_id)
            return [one] if one is not None and query.allows(one) else []
        everything = (self.shares, *self._list())
        return [one for one in everything if query.allows(one)]

    def option(self, contract: Contract) -> Instrument | None:
        """The listed option, or None."""
        for one in self._list():
            if one.contract == contract and one.trading_class == one.symbol:
                return one
        return None

    def expirations(self) -> list[str]:
        """Days on which listed options expire, YYYYMMDD."""
        return [self._today().strftime("%Y%m%d")] if self._strikes() else []

    def _today(self) -> date:
        return self._market.session.date

    def _strikes(self) -> list[int]:
        return self._market.strikes(self._today())

    def _list(self) -> list[Instrument]:
        strikes = self._strikes()
        if len(self._listed) != 3 * len(strikes):
            self._listed = [self._registered(one) for one in self._chain(strikes)]
        return self._listed

    def _chain(self, strikes: list[int]) -> Iterator[Instrument]:
        symbol, day = self.shares.symbol, self._today().strftime("%Y%m%d")
        for strike in strikes:
            for right in Right:
                yield Instrument(0, symbol, day, strike, right.name[0], symbol)
            yield Instrument(0, symbol, day, strike, "C", f"2{symbol}")

    def _registered(self, one: Instrument) -> Instrument:
        known = self._known.get(self._key(one))
        if known is None:
            known = self._known[self._key(one)] = self._register(one)
        return known

    def _register(self, one: Instrument) -> Instrument:
        if one.right:
            con_id = FIRST_OPTION + len(self._ledger.instruments)
        else:
            con_id = SHARES.get(one.symbol, FIRST_OPTION - 1)
        kept = replace(one, con_id=con_id)
        return self._ledger.instruments.setdefault(con_id, kept)

    @staticmethod
    def _key(one: Instrument) -> Instrument:
        return replace(one, con_id=0)
