"""Contracts as IB knows them: asked for once, at a pace that leaves room for orders.

The library lets 45 messages a second out and queues the rest, cancels too. So what is not urgent
is asked for at no more than 20 a second: 25 a second stay free, and a cancel or a change never
queues behind a chain that is being qualified.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from brokers.ib.answers import RefusedRequest
from brokers.ib.api import Option
from brokers.ib.tick_ladder import TickLadder, ladder_of
from brokers.ib.translate import option_fields
from brokers.ib.wire import Wire
from errors import BrokerError
from feeds.contract import Contract

BACKGROUND_SECONDS = 1 / 20
"""Between two requests that are not urgent."""

_CENT_AT_EVERY_PRICE = {"SPY"}
"""Options of the penny programme's first tier; for others the market rule is asked."""


class ContractRefused(BrokerError):
    """IB does not know a contract, or not one alone: asking again changes nothing."""


@dataclass(frozen=True, slots=True)
class Qualified:
    """A contract with IB's number for it, and the steps of its price."""

    contract: Contract
    con_id: int
    local_symbol: str
    ladder: TickLadder

    def library(self) -> Any:
        """The library's contract for one message: it may write into it."""
        fields = option_fields(self.contract)
        return Option(conId=self.con_id, localSymbol=self.local_symbol, **fields)


class Pace:
    """Lets background requests through one at a time, `BACKGROUND_SECONDS` apart."""

    def __init__(self) -> None:
        """The first turn is free."""
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        mine = max(self._next, loop.time())
        self._next = mine + BACKGROUND_SECONDS
        await asyncio.sleep(mine - loop.time())


class Qualifier:
    """The contracts that were qualified in this process; IB's numbers outlive a line."""

    def __init__(self, pace: Pace) -> None:
        """Nothing is known yet."""
        self._pace = pace
        self._known: dict[Contract, Qualified] = {}
        self._ladders: dict[int, TickLadder] = {}
        self._one_rule_at_a_time = asyncio.Lock()
        self._asking: dict[tuple[Contract, Wire], asyncio.Task[Qualified]] = {}

    def known(self, contract: Contract) -> Qualified | None:
        """What is known of a contract by now."""
        return self._known.get(contract)

    async def qualify(self, contract: Contract, wire: Wire, urgent: bool = False) -> Qualified:
        """Qualify a contract, once however often it is asked for.

        `urgent` is for an order: it does not wait for its turn. Raises `ContractRefused` for what
        IB does not know or knows several of, `BrokerError` when the line does not answer.
        """
        if (found := self._known.get(contract)) is not None:
            return found
        key = (contract, wire)  # what an old line is still asked for is lost with it
        task = self._asking.get(key)
        if urgent or task is None:
            task = asyncio.ensure_future(self._ask(contract, wire, urgent))
            self._asking[key] = task
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and self._asking.get(key) is task:
                del self._asking[key]

    async def _ask(self, contract: Contract, wire: Wire, urgent: bool) -> Qualified:
        if not urgent:
            await self._pace.turn()
        try:
            details = await wire.details(Option(**option_fields(contract)))
        except RefusedRequest as refusal:
            raise ContractRefused(f"IB does not know {contract}: {refusal.words}") from refusal
        if len(details) != 1:
            raise ContractRefused(f"IB knows {len(details)} contracts that are {contract}")
        ladder = await self._ladder(contract, details[0], wire)
        named = details[0].contract
        found = Qualified(contract, int(named.conId), str(named.localSymbol), ladder)
        self._known[contract] = found
        return found

    async def _ladder(self, contract: Contract, details: Any, wire: Wire) -> TickLadder:
        if contract.underlying in _CENT_AT_EVERY_PRICE:
            return TickLadder()
        rules = dict(
            zip(details.validExchanges.split(","), details.marketRuleIds.split(","), strict=False)
        )
        if not rules.get("SMART", "").isdigit():
            raise ContractRefused(f"IB names no market rule for {contract}: its ticks are unknown")
        rule = int(rules["SMART"])
        async with self._one_rule_at_a_time:
            if rule not in self._ladders:
                self._ladders[rule] = ladder_of(await wire.market_rule(rule))
        return self._ladders[rule]
