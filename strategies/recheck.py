"""Whether an entry that a person has just approved may still be sent.

Time has passed between question and answer. At the moment of the yes the rules are asked again with
the freshest quote there is, and the price is compared with the one the person saw.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.contract import TICK, Contract
from feeds.sessions import NANOSECONDS_A_MINUTE
from feeds.snapshot import ChainSnapshot
from settings import Settings
from strategies import rules
from strategies.events import Event, is_blocked
from strategies.rules import REASONS, Refusal
from vocabulary import Clock, LiveQuote, Suggestion, Verdict

ALLOWED = Verdict(True)


def _nothing() -> str:
    return ""


def _never() -> bool:
    return False


def _zero() -> float:
    return 0.0


@dataclass(frozen=True)
class Recheck:
    """Judges an order at the moment of a yes; give it to `ApprovalBroker`.

    Args:
        settings: the rules and the capital.
        quote: the freshest quote of a contract, None where nobody has one between bars; then the
            bar's own quote counts, as old as the bar.
        clock: its market time is what windows and ages go by.
        gate: why the desk is halted, empty when it is not.
        daily_loss: whether the daily loss is latched.
        realised_pnl: dollars realised so far, which the capital rule counts.
        events: those of events.csv.
    """

    settings: Settings
    quote: Callable[[Contract], LiveQuote | None]
    clock: Clock
    gate: Callable[[], str] = _nothing
    daily_loss: Callable[[], bool] = _never
    realised_pnl: Callable[[], float] = _zero
    events: Sequence[Event] = ()

    def __call__(self, order: Any, snapshot: ChainSnapshot) -> Verdict:
        """Allowed, or why not in one sentence; an exit is never held back."""
        suggestion: Suggestion | None = order.info.get("suggestion")
        if order.info.get("exit_reason") is not None or suggestion is None:
            return ALLOWED
        return self.judge(suggestion, snapshot)

    def judge(self, suggestion: Suggestion, snapshot: ChainSnapshot) -> Verdict:
        """The verdict on an entry `suggestion`, answered now; `snapshot` is the last bar."""
        if not suggestion.is_entry:
            return ALLOWED
        now = self.clock.market_now()
        quote = self.quote(suggestion.contract) or _of_bar(suggestion.contract, snapshot, now)
        halted = self.gate()
        code = Refusal(int(self._refusal(suggestion, snapshot, quote, now, bool(halted))))
        if code is Refusal.NONE:
            return ALLOWED
        reason = halted if code is Refusal.HALTED else self._reason(code, suggestion, quote)
        return Verdict(False, f"{reason}; {_prices(suggestion, quote)}")

    def _refusal(
        self,
        suggestion: Suggestion,
        snapshot: ChainSnapshot,
        quote: LiveQuote,
        now: int,
        halted: bool,
    ) -> Any:
        r, contract, session = self.settings.rules, suggestion.contract, snapshot.session
        spot = quote.spot if quote.spot == quote.spot else snapshot.spot
        mid = (quote.bid + quote.ask) / 2
        required = rules.margin(
            contract.right.sign, contract.strike, suggestion.quantity, spot, mid, r.margin
        )
        return rules.recheck_refusal(
            halted,
            self.daily_loss(),
            (now - session.open_ns) / NANOSECONDS_A_MINUTE,
            (session.close_ns - now) / NANOSECONDS_A_MINUTE,
            is_blocked(now, self.events),
            quote.bid,
            quote.ask,
            quote.age_seconds,
            _drift(suggestion, quote),
            required,
            self.settings.capital + self.realised_pnl(),
            r,
        )

    def _reason(self, code: Refusal, suggestion: Suggestion, quote: LiveQuote) -> str:
        r = self.settings.rules
        if code is Refusal.DRIFT:
            ticks = round(_drift(suggestion, quote) / TICK)
            return f"the price moved {ticks} ticks against us, {r.drift_ticks} are allowed"
        if code is Refusal.AGE:
            limit = r.quote_age_seconds
            return f"the quote is {quote.age_seconds:.1f} s old, {limit:g} s are allowed"
        return REASONS[code]


def _drift(suggestion: Suggestion, quote: LiveQuote) -> float:
    then = suggestion.bid, suggestion.ask
    return float(rules.adverse_drift(suggestion.side, quote.bid, quote.ask, *then))


def _of_bar(contract: Contract, snapshot: ChainSnapshot, now: int) -> LiveQuote:
    bid, ask, bid_size, ask_size, _ = snapshot.quote(contract)
    age = (now - snapshot.ts) / 1e9
    return LiveQuote(
        contract, snapshot.ts, bid, ask, bid_size, ask_size, snapshot.spot, age, "last bar"
    )


def _prices(suggestion: Suggestion, quote: LiveQuote) -> str:
    """Both prices: the one the person saw, and the one now."""
    then = f"${suggestion.bid:.2f} / ${suggestion.ask:.2f}"
    now = f"{_dollars(quote.bid)} / {_dollars(quote.ask)}"
    return f"bid/ask {then} at the question, {now} now"


def _dollars(price: float) -> str:
    return f"${price:.2f}" if price == price else "none"
