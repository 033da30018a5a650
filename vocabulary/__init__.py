"""The words that strategies, brokers, models, the desk and reports share: frozen types, protocols.

Strategies and brokers never import each other; what passes between them is defined here. Times
named `ts` or `*_ts` are int64 nanoseconds since 1970 UTC, prices are dollars a share, money is
dollars.
"""

from vocabulary.asking import (
    REASON_CODES,
    Answer,
    Approver,
    Clock,
    Decision,
    Plan,
    Suggestion,
    Verdict,
)
from vocabulary.books import NEVER_ASKED, ExitReason, Fill, Position, RoundTrip
from vocabulary.deciding import FEATURE_VERSION, FEATURES, Action, Moment, Policy
from vocabulary.journal import FEATURE_COLUMNS, JOURNAL_COLUMNS, JOURNAL_VERSION, JournalRecord
from vocabulary.live import (
    Command,
    DeskMemory,
    DeskStatus,
    Instruction,
    LiveQuote,
    OpenQuestion,
    OrderLine,
    PastFill,
)

__all__ = [
    "FEATURES",
    "FEATURE_COLUMNS",
    "FEATURE_VERSION",
    "JOURNAL_COLUMNS",
    "JOURNAL_VERSION",
    "NEVER_ASKED",
    "REASON_CODES",
    "Action",
    "Answer",
    "Approver",
    "Clock",
    "Command",
    "Decision",
    "DeskMemory",
    "DeskStatus",
    "ExitReason",
    "Fill",
    "Instruction",
    "JournalRecord",
    "LiveQuote",
    "Moment",
    "OpenQuestion",
    "OrderLine",
    "PastFill",
    "Plan",
    "Policy",
    "Position",
    "RoundTrip",
    "Suggestion",
    "Verdict",
]
