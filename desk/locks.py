"""One process an account: a lock that the system lets go when its holder dies, however it dies.

The lock is a file in `$XDG_STATE_HOME/zdte` (`~/.local/state/zdte` where that is not set), so that
two desks started in two folders meet. A second file says who holds it. The journal has a lock of
its own (`brokers.journal.lock`).
"""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from errors import SettingError
from feeds.sessions import NEW_YORK


def state_folder() -> Path:
    """Where the locks are; made where it is missing."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    folder = Path(home) / "zdte"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            f"cannot make the folder {folder} for locks: {error.strerror}; set XDG_STATE_HOME"
        ) from error
    return folder


class ProcessLock:
    """Holds `name` for this process until `release`, the end of the process, or its death."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """Nothing is locked yet; `folder` is `state_folder()` where None."""
        self.name = name
        folder = folder if folder is not None else state_folder()
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        self._lock = FileLock(folder / f"{stem}.lock", thread_local=False)
        self._holder = folder / f"{stem}.holder"

    def acquire(self) -> "ProcessLock":
        """Take it.

        Raises `SettingError`, naming the process that holds it and since when, if one does.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SettingError(
                f"{self.name} is traded by another process already ({self._held_by()}): "
                "end that one first"
            ) from None
        except OSError as error:
            raise SettingError(f"cannot lock {self._lock.lock_file}: {error.strerror}") from error
        self._sign()
        return self

    def release(self) -> None:
        """Let it go; twice does no harm."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> "ProcessLock":
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _sign(self) -> None:
        started = datetime.now(NEW_YORK).isoformat(timespec="seconds")
        written = self._holder.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps({"pid": os.getpid(), "started": started}))
        written.replace(self._holder)

    def _held_by(self) -> str:
        try:
            holder = json.loads(self._holder.read_text())
            return f"pid {holder['pid']}, started {holder['started']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "it has not said which"


def lock_account(account: str) -> ProcessLock:
    """The lock of an account, taken. Raises `SettingError` while another process has it."""
    return ProcessLock(f"account-{account}").acquire()
