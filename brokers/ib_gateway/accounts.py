"""What an account is worth and what it may still do, in dollars."""

from dataclasses import dataclass
from math import isnan

from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.margin import Requirement, requirement
from brokers.ib_gateway.market import GatewayMarket
from brokers.ib_gateway.records import OrderTerms
from feeds import quotes


@dataclass(frozen=True, slots=True)
class Worth:
    """An account: cash, equity, and what its positions need."""

    cash: float
    equity: float
    needed: Requirement


class Accounts:
    """Values the accounts of a ledger at the market."""

    def __init__(self, ledger: Ledger, market: GatewayMarket, catalogue: Catalogue) -> None:
        """At `market`'s quotes as they are when asked."""
        self._ledger, self._market, self._catalogue = ledger, market, catalogue

    def mark(self, con_id: int) -> float:
        """The mid, without one the value of exercise; the underlying's own price."""
        contract, spot = self._catalogue.of(con_id).contract, self._market.spot()
        if contract is None:
            return spot
        bid, ask, *_ = self._market.quote(contract)
        mid = float(quotes.mid(*quotes.clean(bid, ask)))  # type: ignore[arg-type]
        return contract.intrinsic(spot) if isnan(mid) else mid

    def worth(self, account: str) -> Worth:
        """As it is now."""
        held = self._held(account)
        return self._worth(held, self._ledger.cash[account])

    def after(self, account: str, con_id: int, terms: OrderTerms, commission: float) -> Worth:
        """As it would be, had an order of these terms been filled at its limit or the mark."""
        held, multiplier = self._held(account), self._catalogue.of(con_id).multiplier
        price = terms.limit if terms.limit is not None else self.mark(con_id)
        traded = terms.side * terms.quantity
        held[con_id] = held.get(con_id, 0) + traded
        cash = self._ledger.cash[account] - traded * price * multiplier - commission
        return self._worth(held, cash)

    def values(self, account: str) -> list[tuple[str, str]]:
        """The tags of an account and their dollars as they travel."""
        now = self.worth(account)
        dollars = {
            "NetLiquidation": now.equity,
            "TotalCashValue": now.cash,
            "SettledCash": now.cash,
            "EquityWithLoanValue": now.equity,
            "InitMarginReq": now.needed.initial,
            "MaintMarginReq": now.needed.kept,
            "AvailableFunds": now.equity - now.needed.initial,
            "ExcessLiquidity": now.equity - now.needed.kept,
            "BuyingPower": max(0.0, now.equity - now.needed.initial),
            "GrossPositionValue": now.equity - now.cash,
        }
        return [(tag, f"{value:.2f}") for tag, value in dollars.items()]

    def _held(self, account: str) -> dict[int, int]:
        mine = self._ledger.holdings.get(account, {})
        return {con_id: one.quantity for con_id, one in mine.items()}

    def _worth(self, held: dict[int, int], cash: float) -> Worth:
        spot, equity, needed = self._market.spot(), cash, Requirement()
        for con_id, quantity in held.items():
            instrument, mark = self._catalogue.of(con_id), self.mark(con_id)
            equity += quantity * mark * instrument.multiplier
            needed += requirement(instrument, quantity, mark, spot)
        return Worth(cash, equity, needed)
