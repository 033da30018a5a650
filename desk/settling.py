"""Positions that outlived their session at Interactive Brokers: settled once their end is known.

SPY options are physically settled: what is a cent in the money at the official close becomes shares
at the strike, the rest is worth nothing. IB takes the option off its list overnight and reports no
execution. The desk closes it in its own books at its value at the official close, marked as its
own booking, and compares with IB's books as soon as they no longer list the contract.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from brokers.ib.reconcile import theirs
from brokers.ib.records import Books
from brokers.ib.recovery import contract_of
from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from brokers.journal.settlements import SETTLEMENT, Settlement
from desk.recordings import recording_of, session_settings
from desk.safety_expiry import TRADING_AFTER_CLOSE
from desk.settled_records import late_records, write_late_files
from errors import DataError
from feeds.chain import ChainDay
from feeds.contract import Contract
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on
from vocabulary import ExitReason, Fill, PastFill

Row = Mapping[str, Any]
UNCONFIRMED = "IB has not shown the outcome yet: the next start compares"


@dataclass(frozen=True, slots=True)
class Left:
    """A position of a session that nobody closed: `held` signed contracts."""

    facts: Row
    contract: Contract
    held: int

    @property
    def session_id(self) -> str:
        """Of the session that opened it."""
        return str(self.facts["id"])

    def __str__(self) -> str:
        side = "short" if self.held < 0 else "long"
        return f"{side} {abs(self.held)} {self.contract}"


def left_open(reader: JournalReader, account: str, day: date) -> list[Left]:
    """What sessions of an account at a real broker left open in contracts that expire by `day`."""
    found = []
    for facts in reader.rows("sessions", account=account):
        if (facts["settings"] or {}).get("broker") != "ib":
            continue
        held: dict[Contract, int] = {}
        for past in reader.fills(str(facts["id"])):
            contract = past.fill.contract
            held[contract] = held.get(contract, 0) + past.fill.side * past.fill.quantity
        found += [Left(facts, one, number) for one, number in held.items() if number]
    return [one for one in found if one.contract.expiration <= day]


# --- the end of the session itself


def settle_today(
    journal: Journal, account: str, books: Books | None, strategy: Any
) -> Iterator[str]:
    """At the end of the open session: close in its books what is still open. Sentences.

    Nothing is booked where IB holds something else (somebody closed it by hand, say), or where its
    books or the official close are not known: a later start does it then.

    Args:
        journal: with the session still open.
        account: at IB.
        books: IB's, as they were last; None while the line is down.
        strategy: of the session; its books follow.
    """
    session_id = str(journal.session_id)
    with JournalReader(journal.path) as reader:
        known = {row["execution_id"] for row in reader.rows("executions")}
    for left in _left(journal.path, account, date.max, [session_id]):
        told, shown = _shown_today(left, books, known)
        settlement = None if told else _settlement(left, account, shown)
        if settlement is None:
            yield f"{left} is not settled: {told or 'the official close is not known yet'}"
            continue
        order_ref = journal.settle(session_id, settlement)
        _follow(strategy, fill_of(settlement, order_ref).fill)
        yield words(left, settlement)


def _shown_today(left: Left, books: Books | None, known: Collection[str]) -> tuple[str, str]:
    """Why nothing can be booked at the end of the day, and what IB shows of it by then.

    An option that is gone from IB's list without an execution has expired; one that somebody traded
    is no settlement.
    """
    if books is None:
        return "IB's books are not known, the next start asks", ""
    there = theirs(books).get(left.contract, 0)
    traded = [one for one in books.executions if one.contract == left.contract]
    if any(one.execution_id not in known for one in traded) or there not in (0, left.held):
        return f"somebody traded it, IB holds {there:+d}: look at the account", ""
    return "", UNCONFIRMED if there else _evidence(left, books)


def _follow(strategy: Any, fill: Fill) -> None:
    """The strategy's books and its equity, past the last bar."""
    cash = strategy.recorder.cash[-1] if len(strategy.recorder.cash) else 0.0
    if strategy.tracker.position is not None:
        strategy.tracker.exit_filled(fill, ExitReason.SETTLEMENT, None)
        multiplier = fill.contract.multiplier
        cash -= fill.side * fill.quantity * fill.price * multiplier
        strategy.recorder.equity(fill.ts, cash, strategy.tracker.value())


# --- a later start


def settle_earlier(journal: Journal, account: str, books: Books, today: date) -> Iterator[str]:
    """Settle what earlier sessions left open, and hold what was booked against IB. Sentences.

    Args:
        journal: of the account.
        account: at IB.
        books: IB's, complete and of now.
        today: the market's date: contracts of this day are left alone.
    """
    yield from _confirmed(journal, account, books, today)
    for left in _left(journal.path, account, today):
        if left.contract.expiration == today:
            continue
        there = theirs(books).get(left.contract, 0)
        settlement = None if there else _settlement(left, account, _evidence(left, books))
        if settlement is None:
            why = f"IB still lists {there:+d} of it" if there else "no official close is stored yet"
            yield f"{left} of session {left.session_id} is not settled: {why}"
            continue
        with JournalReader(journal.path) as reader:
            records, trips = late_records(reader, left.facts, fill_of(settlement, ""))
        # The files first: a process that dies between the two does both again at the next start.
        told = write_late_files(Path(left.facts["run_folder"] or ""), trips, settlement)
        journal.settle(left.session_id, settlement, *records)
        yield f"session {left.session_id}: {words(left, settlement)}{told}"


def _confirmed(journal: Journal, account: str, books: Books, today: date) -> Iterator[str]:
    """Settlements that were booked before IB showed anything, held against what it shows now."""
    with JournalReader(journal.path) as reader:
        rows = reader.rows("intents", exit_reason=str(ExitReason.SETTLEMENT), account=account)
    for row in rows:
        grounds = (row["payload"] or {}).get(SETTLEMENT)
        expired = date.fromisoformat(row["expiration"])
        if not grounds or grounds["confirmed"] != UNCONFIRMED or expired >= today:
            continue
        contract = contract_of(row)
        left = Left({"id": row["session_id"]}, contract, -row["side"] * row["quantity"])
        if theirs(books).get(contract):
            continue
        found = _evidence(left, books, grounds["official_close"])
        payload = {**row["payload"], SETTLEMENT: {**grounds, "confirmed": found}}
        journal.amend_intent(row["ts"], row["order_ref"], payload=payload)
        yield f"{left}, settled in session {row['session_id']}: {found}"


def _evidence(left: Left, books: Books, close: float | None = None) -> str:
    """What IB's books say of a contract that they no longer list."""
    price = _close(left)[0] if close is None else close
    there = sum(one.quantity for one in books.positions if _is_shares(one, left.contract))
    made = 0 if price is None else shares(left.contract, left.held, price)
    told = f"IB lists the option no more and holds {there:+g} {left.contract.underlying} shares"
    if there == made:
        return f"{told}, as it should"
    return f"{told}, {made:+d} were expected: compare with the account's statement"


def _is_shares(position: Any, contract: Contract) -> bool:
    return bool(position.security == "STK" and position.symbol == contract.underlying)


# --- what a settlement is


def shares(contract: Contract, held: int, close: float) -> int:
    """Signed shares that an expired position becomes: a cent in the money is exercised."""
    if round(contract.intrinsic(close), 2) < 0.01:
        return 0
    return held * contract.multiplier * contract.right.sign


def _settlement(left: Left, account: str, confirmed: str) -> Settlement | None:
    """At the official close of the recording; None where that is not known."""
    close, source = _close(left)
    if close is None:
        return None
    made = shares(left.contract, left.held, close)
    outcome = "exercised" if left.held > 0 else "assigned"
    last = session_on(left.contract.expiration).close_ns
    return Settlement(
        contract=left.contract,
        held=left.held,
        price=round(left.contract.intrinsic(close), 4),
        close=close,
        ts=last + round(TRADING_AFTER_CLOSE * NANOSECONDS_A_MINUTE),
        account=account,
        grounds={
            "outcome": outcome if made else "expired worthless",
            "shares": made,
            "official_close": close,
            "close_source": source,
            "booked_by": "the desk: IB reported no execution",
            "confirmed": confirmed,
        },
    )


def _close(left: Left) -> tuple[float | None, str]:
    day = _recorded(left.facts)
    return (None, "") if day is None else (day.official_close, day.close_source)


def _recorded(facts: Row) -> ChainDay | None:
    try:
        return recording_of(facts, session_settings(facts))
    except (DataError, KeyError):
        return None


def fill_of(settlement: Settlement, order_ref: str) -> PastFill:
    """The settlement as a fill; its mid is unknown."""
    fill = Fill(
        contract=settlement.contract,
        side=settlement.side,
        quantity=abs(settlement.held),
        price=settlement.price,
        fee=0.0,
        ts=settlement.ts,
        underlying=settlement.close,
        mid=float("nan"),
        execution_id=f"{order_ref}.settled",
    )
    return PastFill(fill, None, ExitReason.SETTLEMENT, None, order_ref)


def words(left: Left, settlement: Settlement) -> str:
    """A settlement for a person: what, at which price, and on whose word."""
    grounds = settlement.grounds
    made = f" ({grounds['shares']:+d} shares)" if grounds["shares"] else ""
    return (
        f"{left} {grounds['outcome']}{made} at the official close {settlement.close:.2f}: closed "
        f"in the books at {settlement.price:.2f} by the desk, IB reported no execution; "
        f"{grounds['confirmed']}"
    )


def _left(path: Path, account: str, day: date, sessions: Iterable[str] | None = None) -> list[Left]:
    with JournalReader(path) as reader:
        found = left_open(reader, account, day)
    return [one for one in found if sessions is None or one.session_id in sessions]
