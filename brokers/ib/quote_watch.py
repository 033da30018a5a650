"""IB's own market data as quotes: live ticks make prices, delayed ones show that they are late."""

import math
from dataclasses import dataclass, replace
from typing import Any

from feeds.contract import Contract
from vocabulary import LiveQuote

_LIVE, _FROZEN = 1, 2
_BID, _ASK, _BID_SIZE, _ASK_SIZE = 1, 2, 0, 3
_DELAYED = {66: _BID, 67: _ASK, 69: _BID_SIZE, 70: _ASK_SIZE}
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Ticks:
    ts: int
    bid: float = math.nan
    ask: float = math.nan
    bid_size: int = 0
    ask_size: int = 0
    spot: float = math.nan
    is_live: bool = True


class QuoteWatch:
    """What is watched, and the newest ticks of each; filled by the link's thread, read by any.

    Each contract's ticks are one immutable value, so a reader sees a whole quote or none.
    """

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self.wanted: dict[Contract, None] = {}
        self._contracts: dict[int, Contract] = {}
        self._requests: dict[Contract, int] = {}
        self._ticks: dict[Contract, _Ticks] = {}

    def quote(self, contract: Contract, now: int) -> LiveQuote | None:
        """The quote at market time `now`; None before the first tick and after the line went.

        Its age is the time since the contract's last tick, infinite for delayed and frozen data.
        """
        ticks = self._ticks.get(contract)
        if ticks is None:
            return None
        age = max(0.0, (now - ticks.ts) / _SECOND) if ticks.is_live else math.inf
        return LiveQuote(
            contract,
            ticks.ts,
            ticks.bid,
            ticks.ask,
            ticks.bid_size,
            ticks.ask_size,
            ticks.spot,
            age,
            source="ib",
        )

    def began(self, request: int, contract: Contract) -> None:
        """A subscription was sent under this request id."""
        self._contracts[request] = contract
        self._requests[contract] = request

    def ended(self, contract: Contract) -> int | None:
        """Forget a subscription; its request id, None where there was none."""
        request = self._requests.pop(contract, None)
        if request is not None:
            self._contracts.pop(request, None)
        self._ticks.pop(contract, None)
        return request

    def subscribed(self, contract: Contract) -> bool:
        """Whether a subscription is open."""
        return contract in self._requests

    def contract(self, request: int) -> Contract | None:
        """The contract of a subscription."""
        return self._contracts.get(request)

    def line_lost(self) -> None:
        """Every subscription and every quote went with the line."""
        self._contracts, self._requests, self._ticks = {}, {}, {}

    def price(self, request: int, kind: int, price: float, now: int) -> None:
        """A price tick: 1 bid, 2 ask, 66 and 67 the delayed ones; -1 says that there is none."""
        name = {_BID: "bid", _ASK: "ask"}.get(_DELAYED.get(kind, kind))
        if name is not None:
            self._put(request, kind, now, {name: price if price >= 0 else math.nan})

    def size(self, request: int, kind: int, size: float, now: int) -> None:
        """A size tick in contracts: 0 bid, 3 ask, 69 and 70 the delayed ones."""
        name = {_BID_SIZE: "bid_size", _ASK_SIZE: "ask_size"}.get(_DELAYED.get(kind, kind))
        if name is not None:
            self._put(request, kind, now, {name: max(0, int(size))})

    def spot(self, request: int, price: float, now: int) -> None:
        """The underlying's price as IB computes the option with it; it proves no quote."""
        contract = self._contracts.get(request)
        if contract is not None and price > 0 and contract in self._ticks:
            self._ticks[contract] = replace(self._ticks[contract], spot=price)

    def data_type(self, request: int, kind: int, now: int) -> None:
        """1 live; 2 frozen, 3 delayed and 4 delayed frozen are never good enough."""
        contract = self._contracts.get(request)
        if contract is not None:
            before = self._ticks.get(contract, _Ticks(now))
            self._ticks[contract] = replace(before, is_live=kind == _LIVE)

    def refused(self, request: int) -> None:
        """IB gives no live data for this contract: its quote is stale for good."""
        self.data_type(request, _FROZEN, 0)

    def _put(self, request: int, kind: int, now: int, values: dict[str, Any]) -> None:
        contract = self._contracts.get(request)
        if contract is None:
            return
        before = self._ticks.get(contract, _Ticks(now))
        live = before.is_live and kind not in _DELAYED
        self._ticks[contract] = replace(before, ts=now, is_live=live, **values)
