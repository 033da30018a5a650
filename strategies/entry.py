"""From a snapshot and the state of the desk to a suggestion: refusals, mask, policy, plan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeds.contract import MULTIPLIER, TICK, Contract, Right
from feeds.snapshot import NO_QUOTE, ChainSnapshot, Quote
from settings import Settings
from strategies import rules
from strategies.events import Event, is_blocked
from strategies.features import are_valid
from strategies.rules import NEVER, Refusal
from strategies.strikes import RIGHT_SIGNS, strike_indices
from vocabulary import Action, Moment, Plan, Policy, Suggestion

SELLS = (Action.SELL_CALL, Action.SELL_PUT)


@dataclass
class Waits:
    """Minutes since the open of the last entry suggestions, by how they ended; per session."""

    answered: float = NEVER
    skipped: float = NEVER


@dataclass(frozen=True, slots=True)
class DeskState:
    """What the entry rules know of the desk at a decision."""

    has_position: bool
    has_working_order: bool
    daily_loss_reached: bool
    may_close: bool
    realised_pnl: float
    is_halted: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of a decision slot: the masked choice, and what held the model back."""

    action: Action
    probabilities: npt.NDArray[np.float64]
    mask: tuple[bool, ...]
    refusal: Refusal
    suggestion: Suggestion | None = None

    @property
    def allowed(self) -> bool:
        """Whether the model was free to do anything but hold."""
        return any(self.mask[1:])


class EntryDecider:
    """Asks a policy at decision slots and turns its wish into a suggestion."""

    def __init__(self, policy: Policy, settings: Settings, events: Sequence[Event] = ()) -> None:
        """`settings.rules` are the rules in force; `events` those of the calendar file."""
        self.policy = policy
        self.settings = settings
        self.events = events
        self._only_hold = np.zeros(policy.actions)
        self._only_hold[Action.HOLD] = 1.0

    def decide(
        self,
        snapshot: ChainSnapshot,
        features: npt.NDArray[np.float32],
        risk: float,
        state: DeskState,
        waits: Waits,
        slot: int,
        previous: float,
    ) -> Choice:
        """The choice at a decision slot.

        Args:
            snapshot: the market now.
            features: float32 [8].
            risk: `risk_score` of the features.
            state: the desk.
            waits: when the last suggestions of this session ended.
            slot: index of the decision slot.
            previous: minutes since the open of the decision before, -inf at the first.
        """
        if state.has_position and not self._could_close(state):
            return self._hold(Refusal.POSITION)
        valid = bool(are_valid(features))
        contracts, quotes, refusals = self._offers(snapshot, risk, state, waits, valid)
        mask = self._mask(refusals, valid and state.may_close)
        if not any(mask[1:]):
            return self._hold(_told(refusals))
        refusal = Refusal.NONE
        moment = Moment(
            features,
            np.array(mask),
            snapshot.session.date.toordinal(),
            slot,
            snapshot.minutes_since_open,
            previous,
        )
        probabilities = self.policy.probabilities(moment)
        action = Action(int(np.where(moment.mask, probabilities, -1.0).argmax()))
        choice = Choice(action, probabilities, mask, refusal)
        if action not in SELLS:
            return choice
        side = action - Action.SELL_CALL
        suggestion = self._suggestion(
            snapshot, features, risk, choice, contracts[side], quotes[side]
        )
        return Choice(action, probabilities, mask, refusal, suggestion)

    def _could_close(self, state: DeskState) -> bool:
        return state.may_close and self.policy.actions > Action.CLOSE

    def _hold(self, refusal: Refusal) -> Choice:
        """The only legal choice is to hold: nothing to ask a policy."""
        mask = (True, *(False,) * (self.policy.actions - 1))
        return Choice(Action.HOLD, self._only_hold, mask, refusal)

    def _offers(
        self, snapshot: ChainSnapshot, risk: float, state: DeskState, waits: Waits, valid: bool
    ) -> tuple[list[Contract | None], list[Quote], list[int]]:
        """Contract, quote and refusal of each right."""
        desk = rules.state_refusal(
            state.has_position, state.has_working_order, state.daily_loss_reached, valid
        )
        if desk == Refusal.NONE and state.is_halted:
            desk = Refusal.HALTED
        since, until = snapshot.minutes_since_open, snapshot.minutes_until_close
        if desk == Refusal.NONE and not rules.in_entry_window(since, until, self.settings.rules):
            desk = Refusal.WINDOW
        if desk != Refusal.NONE:
            return [None, None], [NO_QUOTE, NO_QUOTE], [desk, desk]
        contracts = self._contracts(snapshot)
        quotes = [NO_QUOTE if c is None else snapshot.quote(c) for c in contracts]
        return contracts, quotes, self._refusals(snapshot, contracts, quotes, risk, state, waits)

    def _contracts(self, snapshot: ChainSnapshot) -> list[Contract | None]:
        rule = self.settings.rules.strike
        if rule == "atm":
            return [snapshot.atm(right) for right in Right]
        indices = strike_indices(rule, snapshot.chain())[0]
        return [snapshot.contract(right, k) if k >= 0 else None for right, k in enumerate(indices)]

    def _refusals(
        self,
        snapshot: ChainSnapshot,
        contracts: Sequence[Contract | None],
        quotes: Sequence[Quote],
        risk: float,
        state: DeskState,
        waits: Waits,
    ) -> list[int]:
        """`Refusal` codes of both rights, by the same array functions as in training."""
        settings, r, since = self.settings, self.settings.rules, snapshot.minutes_since_open
        bid, ask, _, _, mid = np.array(quotes).T
        strike = np.array([np.nan if c is None else c.strike for c in contracts])
        blocked = is_blocked(snapshot.ts, self.events) if self.events else False
        market = rules.market_refusal(since, snapshot.minutes_until_close, blocked, bid, ask, r)
        waited = not self.policy.obeys_waits or rules.wait_is_over(
            since, waits.answered, waits.skipped, risk, r
        )
        number = rules.quantity(risk, settings.capital, settings.contracts, r)
        required = rules.margin(RIGHT_SIGNS, strike, number, snapshot.spot, mid, r.margin)
        available = settings.capital + state.realised_pnl
        account = rules.account_refusal(waited, number, required, available)
        codes: list[int] = rules.first_refusal(Refusal.NONE, market, account).tolist()
        return codes

    def _mask(self, refusals: Sequence[int], may_close: bool) -> tuple[bool, ...]:
        mask = (True, *(refusal == Refusal.NONE for refusal in refusals))
        return (*mask, may_close) if self.policy.actions > Action.CLOSE else mask

    def _suggestion(
        self,
        snapshot: ChainSnapshot,
        features: npt.NDArray[np.float32],
        risk: float,
        choice: Choice,
        contract: Contract | None,
        quote: Quote,
    ) -> Suggestion:
        assert contract is not None  # the mask saw to it
        settings, r = self.settings, self.settings.rules
        number = int(rules.quantity(risk, settings.capital, settings.contracts, r))
        multiple = float(rules.stop_multiple(risk, r))
        return Suggestion(
            id=f"{snapshot.ts}-{choice.action.name.lower()}",
            ts=snapshot.ts,
            action=choice.action,
            contract=contract,
            side=-1,
            quantity=number,
            bid=quote.bid,
            ask=quote.ask,
            spot=snapshot.spot,
            risk_score=risk,
            stop_multiple=multiple,
            features=tuple(features.tolist()),
            probabilities=tuple(choice.probabilities.tolist()),
            mask=choice.mask,
            model=self.policy.name,
            plan=entry_plan(snapshot, contract, quote, number, multiple, settings),
        )


def entry_plan(
    snapshot: ChainSnapshot,
    contract: Contract,
    quote: Quote,
    quantity: int,
    multiple: float,
    settings: Settings,
) -> Plan:
    """The plan that one yes to a short entry agrees to (see `vocabulary.Plan`)."""
    r, dollars = settings.rules, MULTIPLIER * quantity
    limit = max(TICK, round(quote.mid / TICK) * TICK)
    stop = multiple * limit
    margin = rules.margin(
        contract.right.sign, contract.strike, quantity, snapshot.spot, quote.mid, r.margin
    )
    exit_ts = None if r.hold_to_expiry else rules.time_exit_ts(snapshot.session.close_ns, r)
    return Plan(
        limit=limit,
        worst_price=max(TICK, quote.bid - r.drift_ticks * TICK),
        credit=limit * dollars,
        stop_price=stop,
        stop_loss=(stop - limit) * dollars,
        time_exit_ts=exit_ts,
        pnl_up=(limit - contract.intrinsic(snapshot.spot * 1.01)) * dollars,
        pnl_down=(limit - contract.intrinsic(snapshot.spot * 0.99)) * dollars,
        margin=float(margin),
    )


def _told(refusals: Sequence[int]) -> Refusal:
    """The refusal that is recorded for both sells: theirs if they agree, else the put's."""
    return Refusal(refusals[-1])
