"""Practice without a memory: the person sees neither the date nor the level of the market."""

from dataclasses import replace

from desk.markets.market import Mask
from feeds.contract import Contract
from vocabulary import Approver, Decision, DeskStatus, Plan, Position, Suggestion


def masked_contract(contract: Contract, mask: Mask) -> Contract:
    """The contract with its strike at the level shown."""
    return replace(contract, strike_thousandths=round(mask.level(contract.strike) * 1000))


def masked_suggestion(suggestion: Suggestion, mask: Mask) -> Suggestion:
    """The suggestion as it is shown: option prices are real, the level is not."""
    plan = suggestion.plan
    return replace(
        suggestion,
        contract=masked_contract(suggestion.contract, mask),
        spot=mask.level(suggestion.spot),
        plan=None if plan is None else masked_plan(plan, mask),
    )


def masked_plan(plan: Plan, mask: Mask) -> Plan:
    """The plan as it is shown: margin, and what SPY +-1 % brings, would tell the level."""
    up, down = (plan.credit + mask.level(pnl - plan.credit) for pnl in (plan.pnl_up, plan.pnl_down))
    return replace(plan, margin=mask.level(plan.margin), pnl_up=up, pnl_down=down)


def masked_status(status: DeskStatus, mask: Mask) -> DeskStatus:
    """The status as it is shown."""
    if not mask.hides:
        return status
    question, position = status.question, status.position
    if question is not None:
        question = replace(question, suggestion=masked_suggestion(question.suggestion, mask))
    return replace(
        status,
        spot=mask.level(status.spot),
        question=question,
        position=None if position is None else masked_position(position, mask),
        orders=(),
        messages=(),
    )


def masked_position(position: Position, mask: Mask) -> Position:
    """The position as it is shown."""
    return replace(position, contract=masked_contract(position.contract, mask))


class BlindApprover:
    """Shows another approver what the mask leaves of each suggestion."""

    def __init__(self, inner: Approver, mask: Mask) -> None:
        """`inner` shows, `mask` hides."""
        self.channel = inner.channel
        self._inner, self._mask = inner, mask

    def ask(self, suggestion: Suggestion) -> None:
        """Show what may be seen."""
        self._inner.ask(self._masked(suggestion))

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The answer to what was shown."""
        return self._inner.answer(self._masked(suggestion))

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take it back."""
        self._inner.withdraw(self._masked(suggestion), reason)

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Say what became of it."""
        self._inner.conclude(self._masked(suggestion), decision, outcome)

    def _masked(self, suggestion: Suggestion) -> Suggestion:
        return masked_suggestion(suggestion, self._mask)
