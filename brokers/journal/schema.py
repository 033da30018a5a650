"""Tables of the journal, its versions, and how a file of an older version is brought up.

`PRAGMA user_version` holds the version, `PRAGMA application_id` says that the file is ours. A
migration is one function; all that are missing run in one transaction. Version 1 is frozen here
word for word: change the tables by a further migration, never by editing it.
"""

import sqlite3
from collections.abc import Callable, Sequence

from errors import JournalError

APPLICATION_ID = 0x7A647465
"""The letters "zdte"."""

Migration = Callable[[sqlite3.Connection], None]

TIME, UTC, JSON, BOOLEAN = "TIME INTEGER", "UTC TEXT", "JSON TEXT", "BOOLEAN INTEGER"
"""Declared types beyond SQLite's own: nanoseconds since 1970 UTC, ISO 8601, JSON, 0 or 1."""

_FEATURES = """
    feature_minutes_since_open REAL, feature_spy_price REAL, feature_atm_iv REAL,
    feature_has_position REAL, feature_position_pnl REAL, feature_time_in_position REAL,
    feature_risk_score REAL, feature_minutes_until_close REAL"""

_VERSION_1 = {
    "suggestions": f"""
        suggestion_id TEXT NOT NULL, ts_utc UTC TEXT, ts_new_york TEXT, session_date TEXT,
        mode TEXT, model TEXT, model_sha256 TEXT, model_schema TEXT, {_FEATURES},
        feature_version INTEGER, action INTEGER, action_name TEXT, exit_reason TEXT,
        probabilities JSON TEXT, mask JSON TEXT, value REAL, deterministic BOOLEAN INTEGER,
        policy_probability REAL, gate_version TEXT, gate_probability REAL, gate_tau REAL,
        gate_vetoed BOOLEAN INTEGER, gate_probe BOOLEAN INTEGER, shown BOOLEAN INTEGER,
        show_probability REAL, refused_reason TEXT, wait_left_minutes REAL, trades_today INTEGER,
        right TEXT, strike REAL, expiration TEXT, side INTEGER, bid REAL, ask REAL, mid REAL,
        iv REAL, delta REAL, spot REAL, spot_bid REAL, spot_ask REAL, quote_age_ms REAL,
        quantity INTEGER, stop_multiple REAL, stop_price REAL, risk_score REAL,
        snapshot_reference TEXT, payload JSON TEXT""",
    "decisions": """
        suggestion_id TEXT NOT NULL, response TEXT NOT NULL, response_ms REAL, channel TEXT,
        reason_code TEXT, comment TEXT, effect_ts TIME INTEGER, at_bar BOOLEAN INTEGER,
        outcome TEXT, bid_at_response REAL, ask_at_response REAL, spot_at_response REAL""",
    "intents": """
        order_ref TEXT NOT NULL, suggestion_id TEXT, purpose TEXT NOT NULL, exit_reason TEXT,
        exit_decided_ts TIME INTEGER, underlying TEXT, expiration TEXT, strike REAL, right TEXT,
        side INTEGER, quantity INTEGER, "limit" REAL, worst REAL, account TEXT,
        payload JSON TEXT""",
    "orders": """
        order_ref TEXT, broker_order_id INTEGER, permanent_id INTEGER, status TEXT, "limit" REAL,
        filled INTEGER, message TEXT""",
    "executions": """
        execution_id TEXT NOT NULL, revision INTEGER NOT NULL, order_ref TEXT, side INTEGER,
        quantity INTEGER, price REAL, commission REAL, underlying REAL, mid REAL, slippage REAL,
        broker_time TIME INTEGER""",
    "positions": """
        contract TEXT, side INTEGER, quantity INTEGER, average_price REAL, opened_by TEXT,
        closed_reason TEXT""",
    "bars": f"""
        spot REAL, atm_iv REAL, {_FEATURES}, cash REAL, position_value REAL, action INTEGER,
        probabilities JSON TEXT, allowed BOOLEAN INTEGER, reason TEXT""",
    "session_events": "event TEXT NOT NULL, detail JSON TEXT",
    "days": """
        session_date TEXT, mode TEXT, opening_equity REAL, closing_equity REAL, realised_pnl REAL,
        fees REAL, suggestions INTEGER, trades INTEGER, drift INTEGER, drift_dollars REAL""",
    "outcomes": """
        suggestion_id TEXT NOT NULL, exit_ts TIME INTEGER, exit_price REAL, exit_reason TEXT,
        pnl REAL, mae REAL, mfe REAL, shadow_entry REAL, shadow_exit REAL,
        shadow_exit_ts TIME INTEGER, shadow_reason TEXT, shadow_pnl REAL,
        label_used_in JSON TEXT""",
}

_VERSION_1_SESSIONS = """
    id TEXT PRIMARY KEY NOT NULL, mode TEXT NOT NULL, session_date TEXT NOT NULL,
    account TEXT NOT NULL, model TEXT, model_sha256 TEXT, policy TEXT, market TEXT NOT NULL,
    seed INTEGER NOT NULL, run_folder TEXT, settings JSON TEXT, started_utc UTC TEXT NOT NULL,
    ended_utc UTC TEXT, state TEXT NOT NULL CHECK (state IN ('open', 'closed')), note TEXT"""

_VERSION_1_UNIQUE = {
    "suggestions": "session_id, suggestion_id",
    "intents": "order_ref",
    "executions": "execution_id",
    "bars": "session_id, ts",
    "days": "session_id",
    "outcomes": "session_id, suggestion_id",
}

_VERSION_1_LOOKED_UP = (
    *((table, "session_id") for table in ("decisions", "orders", "positions", "session_events")),
    ("intents", "session_id"),
    ("executions", "order_ref"),
)


def _version_1(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE facts (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)")
    connection.execute("INSERT INTO facts VALUES ('tag', lower(hex(randomblob(2))))")
    connection.execute(f"CREATE TABLE sessions ({_VERSION_1_SESSIONS})")
    for table, columns in _VERSION_1.items():
        own = (
            "id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL REFERENCES sessions, "
            "ts TIME INTEGER, wall_utc UTC TEXT NOT NULL"
        )
        connection.execute(f"CREATE TABLE {table} ({own}, {columns})")
    for table, key in _VERSION_1_UNIQUE.items():
        connection.execute(f"CREATE UNIQUE INDEX {table}_once ON {table} ({key})")
    for table, key in _VERSION_1_LOOKED_UP:
        connection.execute(f"CREATE INDEX {table}_by_{key} ON {table} ({key})")


MIGRATIONS: tuple[Migration, ...] = (_version_1,)
"""`MIGRATIONS[n]` takes a file of version n to version n + 1."""


def version_of(connection: sqlite3.Connection, name: str) -> int:
    """The version of an open file, 0 for an empty one.

    Raises `JournalError` where the file `name` is no journal.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (version or tables):
        raise JournalError(f"{name} is an SQLite file of another program: name another journal")
    return version


def refuse_newer(version: int, name: str, known: int) -> None:
    """Raises `JournalError` where a file of `version` was written by a newer desk."""
    if version > known:
        raise JournalError(
            f"journal {name} is of version {version}, this desk knows versions up to {known}: "
            "use the newer desk, or name another journal"
        )


def migrate(
    connection: sqlite3.Connection, name: str, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Bring the file `name` to the last version, all or nothing.

    `connection` must be in autocommit mode. Raises `JournalError` where the file is newer.
    """
    version = version_of(connection, name)
    refuse_newer(version, name, len(migrations))
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in migrations[version:]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def column_types(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The declared type of each column of a table, in order."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {row[1]: row[2] for row in rows}
