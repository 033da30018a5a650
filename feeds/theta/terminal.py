"""Starting a Theta Terminal and keeping it up, where its jar is configured.

    with terminal_ready(settings.theta) as rest:
        ...

The key reaches the terminal through its environment alone: never as an argument, which every
program on the machine could read. What the terminal prints is not kept; it writes logs of its own.
"""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from errors import FeedError, SessionLostError, SettingError, TerminalUnreachableError
from feeds.theta.rest import ThetaRest
from settings import ThetaSettings

KEY_VARIABLE = "THETADATA_API_KEY"
OLDEST_JAVA = 21
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 10.0
POLL_SECONDS = 0.5
MOST_RESTARTS = 5
"""After so many ends in a row, each within `QUICK_END_SECONDS`, the terminal is given up."""

QUICK_END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key or a file with e-mail and password; the key shows as stars in every text."""

    key: SecretStr | None = None
    file: Path | None = None


def find_credentials(
    settings: ThetaSettings, environment: Mapping[str, str] = os.environ
) -> Credentials:
    """The key of the settings, else of the environment, else the creds file; perhaps none.

    Without any, the terminal looks for its own `creds.txt`. Raises `SettingError` where a creds
    file is named that is not there.
    """
    if settings.key is not None:
        return Credentials(key=settings.key)
    if environment.get(KEY_VARIABLE):
        return Credentials(key=SecretStr(environment[KEY_VARIABLE]))
    if settings.creds_file is not None and not settings.creds_file.is_file():
        raise SettingError(f"theta.creds_file {settings.creds_file} is no file")
    return Credentials(file=settings.creds_file)


@contextmanager
def terminal_ready(settings: ThetaSettings) -> Iterator[ThetaRest]:
    """A terminal that answers, started if one is configured and none is there, and its REST side.

    A terminal started here ends with the `with`. Raises `FeedError` or `SettingError` in one line.
    """
    with ThetaRest(settings.url, settings.concurrency) as rest:
        if settings.terminal is None or _answers(rest):
            check_signed_in(rest)
            yield rest
            return
        with Terminal(settings.terminal, find_credentials(settings)) as terminal:
            terminal.wait_until_ready(rest)
            yield rest


def check_signed_in(rest: ThetaRest) -> None:
    """Raise `SessionLostError` where the terminal is up but another one has the session."""
    if rest.status() == "UNVERIFIED":
        raise SessionLostError(
            f"the terminal at {rest.place} is not signed in: check its credentials, close other "
            "terminals of this account, restart it"
        )


class Terminal:
    """A terminal's process, started again when it ends unasked.

    Args of the constructor: the jar, what it signs in with, and the java to run it by.
    """

    def __init__(self, jar: Path, credentials: Credentials, java: str = "java") -> None:
        """Starts nothing yet. Raises `SettingError` where the jar or a java 21 is missing."""
        if not jar.is_file():
            raise SettingError(f"theta.terminal {jar} is no file")
        self._check_java(java)
        self._command = [java, "-jar", str(jar.resolve())]
        if credentials.key is None and credentials.file is not None:
            self._command += ["--creds-file", str(credentials.file.resolve())]
        self._folder = jar.resolve().parent
        self._environment = dict(os.environ)
        if credentials.key is not None:
            self._environment[KEY_VARIABLE] = credentials.key.get_secret_value()
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # nothing starts once stop() was called
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep_up, name="terminal", daemon=True)
        self.fault = ""

    def __enter__(self) -> Self:
        self._start()
        self._keeper.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_until_ready(self, rest: ThetaRest, seconds: float = SECONDS_TO_START) -> None:
        """Return once the terminal is connected.

        Raises `TerminalUnreachableError` where that takes longer or the terminal was given up.
        """
        until, state = time.monotonic() + seconds, "no answer"
        while time.monotonic() < until and not self.fault:
            try:
                state = rest.status()
            except FeedError:
                state = "no answer"
            if state == "CONNECTED":
                return
            self._stopping.wait(POLL_SECONDS)
        reason = self.fault or f"not connected after {seconds:.0f} s ({state})"
        raise TerminalUnreachableError(
            f"the terminal at {rest.place} is {reason}; its logs are in {self._folder}; check the "
            "key (docs/theta.md)"
        )

    def stop(self) -> None:
        """End the process, by force where it does not go."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
        self._keeper.join()

    def _start(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def _keep_up(self) -> None:
        quick_ends = 0
        while self._process is not None:
            begun = time.monotonic()
            code = self._process.wait()
            lived = time.monotonic() - begun
            quick_ends = quick_ends + 1 if lived < QUICK_END_SECONDS else 0
            if quick_ends >= MOST_RESTARTS:
                self.fault = f"given up: it ended {quick_ends} times, with code {code}"
                return
            if self._stopping.wait(min(0.5 * 2**quick_ends, 30.0)):
                return
            self._start()

    @staticmethod
    def _check_java(java: str) -> None:
        if shutil.which(java) is None:
            raise SettingError(f"no {java} is installed: Theta Terminal needs java {OLDEST_JAVA}")
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', told.stderr + told.stdout)
        if version is None or int(version[1]) < OLDEST_JAVA:
            found = version[1] if version else "of unknown version"
            raise SettingError(f"java {found} is too old: Theta Terminal needs {OLDEST_JAVA}")


def _answers(rest: ThetaRest) -> bool:
    try:
        rest.status()
    except TerminalUnreachableError:
        return False
    except FeedError:
        return True  # it is there and will say what is wrong when it is asked
    return True
