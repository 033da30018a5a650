"""What the live desk's parts tell each other: quotes between bars, instructions, its state.

Everything here is frozen and may cross threads.
"""

from dataclasses import dataclass
from enum import StrEnum

from feeds.contract import Contract
from vocabulary.asking import Suggestion
from vocabulary.books import ExitReason, Fill, Position


@dataclass(frozen=True, slots=True)
class LiveQuote:
    """A quote between bars. NaN prices where there is none; `ts` and ages are market time.

    `age_seconds` is the live age: seconds since the last proof that the quote still stands.
    """

    contract: Contract
    ts: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int
    spot: float
    age_seconds: float
    source: str = "theta"


class Command(StrEnum):
    """What a person may tell the desk beside answers."""

    CLOSE = "close"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    QUANTITY = "quantity"
    LIMIT = "limit"
    KILL = "kill"
    FLATTEN = "flatten"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Instruction:
    """A command with its figure: the price of stop and limit, the contracts of quantity.

    `text` is what was typed after the command. RESUME lifts a pause, and with the text
    "daily loss", "kill" or "books" the latch of that name.
    """

    command: Command
    value: float | None = None
    text: str = ""
    channel: str = "terminal"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question on the screen: `quote` now, wall seconds left, and what was last said about it."""

    suggestion: Suggestion
    seconds_left: float
    quote: LiveQuote | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order as a person sees it."""

    order_ref: str
    text: str
    status: str
    filled: int
    quantity: int
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """The desk at an instant, for screens; a new one replaces it several times a second.

    Args:
        version: counts up with every change.
        market_ts: market time, nanoseconds.
        mode: "mock", "replay", "shadow", "paper", "live" or "rehearsal".
        account: the broker's account, "simulated" for none.
        model: name of the policy.
        feed_line, broker_line: what data and broker are worth, and since when.
        halted: why no entry is suggested now; empty when all is well.
        spot, atm_iv: at the last bar.
        question: what is being asked, None for nothing.
        position, position_pnl: the open position and its unrealised dollars.
        stop_price: of the open position, None for none.
        day_pnl: dollars since the day's open, unrealised included.
        loss_left: dollars until the daily loss.
        wait_left: minutes of market time until the model may ask again, 0 when nothing is awaited.
        orders: working orders.
        messages: latest last, (market time, text).
    """

    version: int = 0
    market_ts: int = 0
    mode: str = ""
    account: str = ""
    model: str = ""
    feed_line: str = ""
    broker_line: str = ""
    halted: str = ""
    spot: float = float("nan")
    atm_iv: float = float("nan")
    question: OpenQuestion | None = None
    position: Position | None = None
    position_pnl: float = 0.0
    stop_price: float | None = None
    day_pnl: float = 0.0
    loss_left: float = 0.0
    wait_left: float = 0.0
    orders: tuple[OrderLine, ...] = ()
    messages: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PastFill:
    """A fill of an earlier process: of an entry with its suggestion, or of an exit."""

    fill: Fill
    suggestion: Suggestion | None = None
    exit_reason: ExitReason | None = None
    exit_decided_ts: int | None = None
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class DeskMemory:
    """What a restarted desk must know of its session.

    Args:
        fills: of this session, oldest first.
        answered_ts, skipped_ts: when the last suggestions were made that were answered y or n, and
            skipped or timed out.
        slot: index of the last decision slot that was decided, -1 for none.
        decided_ts: the bar of that decision, None for none.
        last_ts: the last bar, None for none.
        opening, peak: equity in dollars at the open and the highest since, None where unknown.
        daily_loss: whether the daily loss is latched.
        killed, paused: whether the kill switch and a pause are latched.
        stop_price: a stop the person drew in, None for the plan's.
    """

    fills: tuple[PastFill, ...] = ()
    answered_ts: int | None = None
    skipped_ts: int | None = None
    slot: int = -1
    decided_ts: int | None = None
    last_ts: int | None = None
    opening: float | None = None
    peak: float | None = None
    daily_loss: bool = False
    killed: bool = False
    paused: bool = False
    stop_price: float | None = None
