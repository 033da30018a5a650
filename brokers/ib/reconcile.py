"""Our books against IB's: what differs, in figures and in sentences. Pure; it decides nothing.

Ours are the orders of this session with their executions and the positions that follow; IB's are
complete `Books`. Positions are compared by contract and size alone, never by average cost.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from brokers.ib.orders import IBOrder
from brokers.ib.records import Books, ExecutionSeen, HeldPosition, OrderSeen
from feeds.contract import MULTIPLIER, Contract

_FINAL_WORDS = frozenset(("Filled", "Cancelled", "ApiCancelled", "Inactive"))


@dataclass(frozen=True, slots=True)
class Difference:
    """A contract of which we and IB hold different numbers (signed)."""

    contract: Contract
    ours: int
    theirs: int

    def __str__(self) -> str:
        return f"{self.contract}: the desk holds {self.ours:+d}, IB holds {self.theirs:+d}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a comparison found.

    Args:
        differences: positions in living contracts that differ.
        expired: positions of ours in contracts that IB has taken off the books at expiry.
        shares: positions in shares, assignments among them.
        others: positions in anything else.
        foreign_orders: working orders that are not ours.
        foreign_executions: executions in option contracts that are not ours.
        overfilled: orders of ours with more executed than was asked for.
    """

    differences: tuple[Difference, ...] = ()
    expired: tuple[Difference, ...] = ()
    shares: tuple[HeldPosition, ...] = ()
    others: tuple[HeldPosition, ...] = ()
    foreign_orders: tuple[OrderSeen, ...] = ()
    foreign_executions: tuple[ExecutionSeen, ...] = ()
    overfilled: tuple[str, ...] = ()

    @property
    def disputed(self) -> tuple[str, ...]:
        """Sentences on what stops trading until a person has decided; empty when all agrees."""
        return (
            *(str(one) for one in self.differences),
            *map(_shares, self.shares),
            *(f"IB holds {one.quantity:+g} {one.symbol} {one.security}" for one in self.others),
            *(f"an order that is not ours works: {_order(one)}" for one in self.foreign_orders),
            *map(execution_words, self.foreign_executions),
            *self.overfilled,
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything for the screen, what is disputed first."""
        return (
            *self.disputed,
            *(f"{one.contract} expired: IB settled {one.ours:+d}" for one in self.expired),
        )


def compare(
    orders: Iterable[IBOrder],
    held: Mapping[Contract, int],
    books: Books,
    today: date,
    underlying: str = "SPY",
    past_refs: Collection[str] = (),
) -> Findings:
    """Hold our orders and positions (signed contracts) against IB's complete books.

    `today` is the market's date: contracts that expired before it are no difference. `past_refs`
    are order_refs of earlier sessions of ours, whose executions are no surprise.
    """
    orders = tuple(orders)
    refs = {one.order_ref for one in orders}
    ours = refs.union(past_refs)
    known = {key for one in orders for key in one.executions}
    differing = [
        Difference(contract, ours, theirs)
        for contract, (ours, theirs) in _side_by_side(held, books).items()
        if ours != theirs
    ]
    aside = [one for one in books.positions if one.contract is None and one.quantity]
    return Findings(
        differences=tuple(one for one in differing if not _has_expired(one, today)),
        expired=tuple(one for one in differing if _has_expired(one, today)),
        shares=tuple(one for one in aside if _is_shares(one, underlying)),
        others=tuple(one for one in aside if not _is_shares(one, underlying)),
        foreign_orders=tuple(one for one in books.orders if _is_foreign(one, refs)),
        foreign_executions=tuple(
            one
            for one in books.executions
            if one.contract and one.execution_id not in known and one.order_ref not in ours
        ),
        overfilled=tuple(
            f"{one.order_ref}: {one.filled} executed of {one.ticket.quantity} asked for"
            for one in orders
            if one.filled > one.ticket.quantity and one.change is None
        ),
    )


def assigned(
    held: Mapping[Contract, int], books: Books, underlying: str = "SPY"
) -> dict[Contract, int]:
    """Contracts of ours that IB does not hold any more because they became shares (signed).

    Empty unless the account holds all the shares that they make.
    """
    other = theirs(books)
    gone = {one: ours - other.get(one, 0) for one, ours in held.items()}
    gone = {one: number for one, number in gone.items() if number * held[one] > 0}
    gone = {one: number for one, number in gone.items() if abs(number) <= abs(held[one])}
    made = sum(number * one.multiplier * one.right.sign for one, number in gone.items())
    there = sum(one.quantity for one in books.positions if _is_shares(one, underlying))
    return gone if made and there * made > 0 and abs(there) >= abs(made) else {}


def theirs(books: Books) -> dict[Contract, int]:
    """Signed option contracts of the account."""
    held: dict[Contract, int] = {}
    for one in books.positions:
        if one.contract is not None and one.quantity:
            held[one.contract] = held.get(one.contract, 0) + round(one.quantity)
    return held


def _side_by_side(held: Mapping[Contract, int], books: Books) -> dict[Contract, tuple[int, int]]:
    other = theirs(books)
    return {one: (held.get(one, 0), other.get(one, 0)) for one in sorted({*held, *other})}


def _has_expired(difference: Difference, today: date) -> bool:
    """Whether only IB has closed it, at an expiration that is over."""
    return difference.contract.expiration < today and difference.theirs == 0


def _is_shares(position: HeldPosition, underlying: str) -> bool:
    return position.security == "STK" and position.symbol == underlying


def _is_foreign(order: OrderSeen, refs: set[str]) -> bool:
    return order.order_ref not in refs and order.status not in _FINAL_WORDS


def _shares(position: HeldPosition) -> str:
    sentence = f"IB holds {position.quantity:+g} {position.symbol} shares"
    lots, rest = divmod(abs(position.quantity), MULTIPLIER)
    if rest or not lots:
        return sentence
    kind = "short puts, or exercise of long calls"
    if position.quantity < 0:
        kind = "short calls, or exercise of long puts"
    return f"{sentence}: this looks like assignment of {lots:g} {kind}"


def _order(order: OrderSeen) -> str:
    verb = "buy" if order.side > 0 else "sell"
    return f"{verb} {order.quantity} {order.contract or 'of something else'} ({order.status})"


def execution_words(execution: ExecutionSeen) -> str:
    """An execution that is not ours, as it is disputed."""
    verb = "bought" if execution.side > 0 else "sold"
    key = execution.execution_id
    sold = f"{verb} {execution.quantity} {execution.contract} at {execution.price:.2f}"
    return f"not ours: {sold} ({key})"
