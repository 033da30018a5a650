"""The lines above a suggestion: the plan, what deserves attention now, and the gate's opinion."""

from collections.abc import Callable, Sequence

from brokers.ib.native_stop import trigger_price
from brokers.prompt import plan_text
from settings import Settings
from strategies.events import Event, warnings
from vocabulary import Suggestion

Line = Callable[[Suggestion], str]


class Explanation:
    """Explains suggestions; `gate` adds its line once there is one."""

    def __init__(self, settings: Settings, events: Sequence[Event]) -> None:
        """`events` are those of the calendar file."""
        self.gate: Line | None = None
        self._settings, self._events = settings, events

    def __call__(self, suggestion: Suggestion) -> str:
        """The lines, without the suggestion's own block."""
        settings, plan = self._settings, suggestion.plan
        at_broker = None
        if settings.broker == "ib" and settings.ib.native_stop and plan is not None:
            at_broker = trigger_price(plan.stop_price, settings.ib.native_stop_factor)
        text = plan_text(
            suggestion,
            stop_at_broker=at_broker,
            seconds=settings.rules.question_seconds,
            warnings=warnings(suggestion.ts, self._events),
        )
        opinion = "" if self.gate is None else self.gate(suggestion)
        return f"{text}\n  {opinion}" if opinion else text
