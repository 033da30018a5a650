"""A second process that rings when the desk falls silent with a position or a working order.

    python -m desk.watchdog --heartbeat FILE --seconds 10 [--alarm COMMAND] [--journal FILE]

It rings the terminal's bell, shows a desktop notification where there is `notify-send`, and runs a
command of the person's choice, every ten seconds until the desk is back. It ends when the desk has
stopped in order, or has been silent for a minute with nothing at risk. It survives the desk's death
and the terminal's end. Little beside the standard library is imported.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from desk.heartbeat import STOPPED, Beat, read_beat

REPEAT_SECONDS = 10.0
"""The alarm is repeated so often."""
FAREWELL_SECONDS = 60.0
"""A desk that is silent so long with nothing at risk is over."""
FINAL = ("filled", "completed", "cancelled", "canceled", "rejected", "margin", "expired")
"""States of an order, in small letters, from which nothing can come any more."""

_RISK = """
WITH last AS (
    SELECT id FROM (SELECT id, state FROM sessions ORDER BY started_utc DESC, rowid DESC LIMIT 1)
    WHERE state = 'open'
),
newest AS (
    SELECT order_ref, lower(status) AS status, max(id) FROM orders
    WHERE order_ref IS NOT NULL GROUP BY order_ref
),
done AS (SELECT order_ref FROM newest WHERE status IN ({final})),
held AS (
    SELECT sum(e.side * e.quantity) AS quantity
    FROM executions e JOIN intents i ON i.order_ref = e.order_ref
    WHERE i.session_id IN last
    GROUP BY i.underlying, i.expiration, i.strike, i.right
)
SELECT (SELECT count(*) FROM held WHERE quantity <> 0),
       (SELECT count(*) FROM intents
        WHERE session_id IN last AND order_ref NOT IN (SELECT order_ref FROM done))
"""


def journal_risk(journal: Path) -> str:
    """What the journal's last session left open, in words.

    Empty for nothing, for no journal, and for a session that was ended in order.
    A journal that cannot be read is said to be so: unknown is not nothing.
    """
    if not journal.exists():
        return ""
    query = _RISK.format(final=", ".join(f"'{state}'" for state in FINAL))
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=1)) as books:
            positions, working = books.execute(query).fetchone()
    except sqlite3.Error as error:
        return f"the journal cannot be read ({error})"
    parts = [f"{positions} open position(s)"] if positions else []
    parts += [f"{working} order(s) without an end"] if working else []
    return " and ".join(parts)


@dataclass
class Watch:
    """When to ring, from heartbeats and times alone: no file and no clock in here.

    `risk` is asked, once a silence, what the journal knows of a desk whose last heartbeat was flat.
    """

    seconds: float
    risk: Callable[[], str] = lambda: ""
    _last: Beat | None = None
    _since: float | None = None
    _rang: float = field(default=float("-inf"))
    _asked: str | None = None

    def look(self, beat: Beat | None, now: float, wall: float) -> str:
        """The alarm's words when it has to ring now, else empty.

        Args:
            beat: the heartbeat as it is in the file.
            now: seconds of a clock that nobody sets.
            wall: seconds since 1970 UTC, for the age of the first heartbeat.
        """
        if self._since is None:
            self._since = now - (max(0.0, wall - beat.wall) if beat is not None else 0.0)
            self._last = beat
        elif beat is not None and beat != self._last:
            self._last, self._since, self._asked = beat, now, None
            self._rang = float("-inf")
        silent, risk = now - self._since, ""
        if silent > self.seconds and now - self._rang >= REPEAT_SECONDS and not self._stopped:
            risk = self._risk_of(self._last)
        if risk:
            self._rang = now
            return f"THE DESK IS SILENT for {silent:.0f} s with {risk}. Look at the account now."
        return ""

    def is_over(self, now: float) -> bool:
        """Whether there is nothing left to watch."""
        if self._stopped:
            return True
        silent = now - (self._since if self._since is not None else now)
        return silent > max(FAREWELL_SECONDS, self.seconds) and not self._risk_of(self._last)

    @property
    def _stopped(self) -> bool:
        return self._last is not None and self._last.state == STOPPED

    def _risk_of(self, beat: Beat | None) -> str:
        if beat is not None and beat.is_at_risk:
            return f"a position of {beat.position} and {beat.working} working order(s)"
        if self._asked is None:
            self._asked = self.risk()
        return self._asked


class Bell:
    """Rings by every means there is; never waits for one, and never fails for one."""

    def __init__(self, command: str | None) -> None:
        """`command` is run by the shell with the alarm's words in `ZDTE_ALARM`."""
        notifier = shutil.which("notify-send")
        self._notice = [notifier, "--urgency=critical", "zdte"] if notifier else []
        self._command = ["/bin/sh", "-c", command] if command else []
        self._running: list[subprocess.Popen[bytes]] = []

    def ring(self, words: str) -> None:
        """Terminal bell, desktop notification, the person's command; not twice at a time."""
        with suppress(OSError, ValueError):  # the terminal may be gone
            print(f"\a{words}", file=sys.stderr, flush=True)
        self._running = [one for one in self._running if one.poll() is None]
        if self._running:
            return
        if self._notice:
            self._run([*self._notice, words], words)
        if self._command:
            self._run(self._command, words)

    def _run(self, command: Sequence[str], words: str) -> None:
        quiet = subprocess.DEVNULL
        surroundings = {**os.environ, "ZDTE_ALARM": words}
        with suppress(OSError):  # one means less: the others ring
            started = subprocess.Popen(
                command, env=surroundings, stdin=quiet, stdout=quiet, stderr=quiet
            )
            self._running.append(started)


def watch(heartbeat: Path, watching: Watch, bell: Bell, pause: float) -> None:
    """Look every `pause` seconds until there is nothing left to watch."""
    while True:
        now = time.monotonic()
        words = watching.look(read_beat(heartbeat), now, time.time())
        if words:
            bell.ring(words)
        if watching.is_over(now):
            return
        time.sleep(pause)


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch a heartbeat file; 0 also where it is watched already."""
    parser = argparse.ArgumentParser(prog="python -m desk.watchdog", description=__doc__)
    parser.add_argument("--heartbeat", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--alarm", default=None)
    parser.add_argument("--journal", type=Path, default=None)
    given = parser.parse_args(arguments)
    with suppress(AttributeError):  # Windows has no hang-up
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    journal: Path | None = given.journal
    watching = Watch(given.seconds, lambda: journal_risk(journal) if journal is not None else "")
    lock = FileLock(given.heartbeat.with_name(f"{given.heartbeat.name}.watchdog"))
    try:
        with lock.acquire(timeout=0):
            watch(given.heartbeat, watching, Bell(given.alarm), min(1.0, given.seconds / 4))
    except Timeout:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
