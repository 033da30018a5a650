"""After the close: outcomes of every suggestion, the day's record, and the drift report.

The recording is complete by then. Whatever cannot be done now (no official close yet, say) is said,
and `run.py report --drift` does it later.
"""

from dataclasses import dataclass

from brokers.journal.journal import Journal
from brokers.journal.reader import JournalReader
from desk.drift import DriftReport, drift_of
from desk.journaled import JournaledSession
from desk.journaled_session import read_session
from desk.legs import closing_equity
from desk.outcomes import outcomes_of, real_trips
from desk.recordings import recording_of
from errors import DataError, JournalError
from feeds.chain import ChainDay
from settings import Settings
from vocabulary import JournalRecord, Policy


@dataclass(frozen=True)
class Ended:
    """What is known of a session once it is over.

    Args:
        day: its recording, None where there is none.
        drift: the comparison with its replay, None where it could not be made.
        notes: what could not be done, in sentences.
    """

    day: ChainDay | None
    drift: DriftReport | None
    notes: tuple[str, ...] = ()


def end_session(journal: Journal, policy: Policy, settings: Settings) -> Ended:
    """Write down what a session came to, and close it in the journal.

    Call it when the market is closed. Raises `JournalError` where it cannot be written: the session
    stays open then.
    """
    session_id = str(journal.session_id)
    with JournalReader(journal.path) as reader:
        (row,) = reader.rows("sessions", id=session_id)
        session = read_session(reader, session_id)
    try:
        day = recording_of(row, settings)
    except DataError as error:
        journal.write(_day_record(row, session, None))
        journal.end_session(str(error))
        return Ended(None, None, (str(error),))
    notes = _write_outcomes(journal, day, session, policy, settings)
    drift = drift_of(day, session, policy, settings)
    journal.write(_day_record(row, session, drift))
    journal.end_session("; ".join(notes))
    return Ended(day, drift, tuple(notes))


def _write_outcomes(
    journal: Journal,
    day: ChainDay,
    session: JournaledSession,
    policy: Policy,
    settings: Settings,
) -> list[str]:
    try:
        outcomes = outcomes_of(day, session.suggestions, session.fills, policy, settings)
    except DataError as error:
        return [str(error)]
    journal.write(*outcomes.records)
    return list(outcomes.notes)


def _day_record(
    row: dict[str, object], session: JournaledSession, drift: DriftReport | None
) -> JournalRecord:
    """The row of `days`."""
    bars, trips = session.bars, real_trips(session.fills, str(row["model"]))
    if bars.empty:
        raise JournalError("the session has no bar: there is nothing to write down")
    last = bars.iloc[-1]
    values = {
        "session_date": row["session_date"],
        "mode": row["mode"],
        "opening_equity": session.opening_cash,
        "closing_equity": closing_equity(
            int(last["ts"]), float(last["cash"]), float(last["position_value"]), session.fills
        ),
        "realised_pnl": sum(trip.net_pnl for trip in trips),
        "fees": sum(trip.fees for trip in trips),
        "suggestions": len(session.suggestions),
        "trades": len(trips),
        **(drift.values if drift is not None else {}),
    }
    return JournalRecord("days", int(bars["ts"].iloc[-1]), values)
