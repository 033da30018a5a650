"""One writer a journal: a lock that ends with its process, however that ends."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from errors import JournalError, SettingError


class WriterLock:
    """Holds `FILE.lock` beside a journal. The lock file stays; its text names the last holder."""

    def __init__(self, journal: Path) -> None:
        """Take the lock or raise.

        Raises `SettingError` with the holder's process id where another process (or another
        journal object of this one) writes, `JournalError` where no lock can be made.
        """
        self.path = journal.with_name(f"{journal.name}.lock")
        self._lock = FileLock(self.path, blocking=False, thread_local=False)
        try:
            self._lock.acquire()
            self.path.write_text(f"{os.getpid()}\n")
        except Timeout:
            raise SettingError(
                f"journal {journal} is written by process {_holder(self.path)} already: "
                "stop that desk, or name another journal"
            ) from None
        except OSError as error:
            raise JournalError(f"journal {journal} cannot be locked: {error}") from error

    def release(self) -> None:
        """Let the next one write."""
        self._lock.release()


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except OSError:
        return "unknown"
