"""Before the first order of real money: the record, the backtest, and a typed sentence."""

import sys

from brokers.journal.reader import JournalReader
from desk.calls import RUNS, LiveCall, Suggester
from desk.live_gate import (
    DeskRecord,
    Model,
    contracts_allowed,
    may_trade_live,
    sentence,
    sentence_fits,
)
from desk.which_session import journal_path
from errors import AccountRefusedError
from settings import Settings


def before_real_money(
    settings: Settings, account: str, suggester: Suggester, call: LiveCall
) -> Settings:
    """The settings under which a live account may be traded: capped in its first sessions.

    Asks for the sentence at the terminal. Raises `AccountRefusedError` with every reason against.
    """
    record = _record(settings, account)
    model = Model(suggester.policy.name, suggester.sha256 or None)
    reasons = may_trade_live(settings, record, RUNS, model)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        reasons.append("real money needs a person at a terminal")
    if call.answers is not None or call.person is not None:
        reasons.append("a person answers about real money, and no file: leave --answers out")
    if reasons:
        raise AccountRefusedError(f"{account} is not traded: {'; '.join(reasons)}")
    typed = input(f"Real money. Type: {sentence(account)}\n> ")
    if not sentence_fits(typed, account):
        raise AccountRefusedError(f"{account} is not traded: the sentence was not typed")
    return settings.model_copy(update={"contracts": contracts_allowed(settings, record)})


def _record(settings: Settings, account: str) -> DeskRecord:
    path = journal_path(settings, "live")
    if not path.is_file():
        return DeskRecord(0)
    with JournalReader(path) as reader:
        return DeskRecord(reader.paper_record().without_drift, reader.live_sessions(account))
