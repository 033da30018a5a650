"""Names of the journal's session events, in one place. `detail` is a JSON object.

| event | detail |
| --- | --- |
| session_opened, session_resumed | facts of the process: pid, run_folder, model, ... |
| session_ended | note |
| daily_loss | equity, opening, peak |
| daily_loss_resumed | opening, peak: from which the loss counts anew; channel |
| paused, resumed | reason, channel |
| killed, kill_resumed | reason, channel |
| stop_tightened | price, dollars a share; channel |
| books_differ, books_accepted | both sides; channel |
| instruction | command, value, text, channel, at_bar |
| halted, unhalted | reason |
| suggestion_amended | suggestion_id, payload: the suggestion as it was asked again |
| intent_amended | order_ref, and the columns as they were before |
| execution_corrected | execution_id, and the columns as they were before |
| settled | order_ref, contract, held, price, and the grounds of a position that expired |
| message | text: what the screen said |
"""

from enum import StrEnum


class Event(StrEnum):
    """What can happen in a session beside suggestions, orders and bars."""

    SESSION_OPENED = "session_opened"
    SESSION_RESUMED = "session_resumed"
    SESSION_ENDED = "session_ended"
    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_RESUMED = "daily_loss_resumed"
    PAUSED = "paused"
    RESUMED = "resumed"
    KILLED = "killed"
    KILL_RESUMED = "kill_resumed"
    STOP_TIGHTENED = "stop_tightened"
    BOOKS_DIFFER = "books_differ"
    BOOKS_ACCEPTED = "books_accepted"
    INSTRUCTION = "instruction"
    HALTED = "halted"
    UNHALTED = "unhalted"
    SUGGESTION_AMENDED = "suggestion_amended"
    INTENT_AMENDED = "intent_amended"
    EXECUTION_CORRECTED = "execution_corrected"
    SETTLED = "settled"
    MESSAGE = "message"


LATCHES = {
    Event.DAILY_LOSS: Event.DAILY_LOSS_RESUMED,
    Event.PAUSED: Event.RESUMED,
    Event.KILLED: Event.KILL_RESUMED,
}
"""A latch, and the event that lifts it."""
