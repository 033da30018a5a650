"""One request to a terminal, asked again for a while where what is wrong passes by itself."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from errors import (
    MalformedAnswerError,
    SettingError,
    TemporaryFeedError,
    TerminalUnreachableError,
)
from feeds.theta.answers import check_answer

DEFAULT_URL = "http://127.0.0.1:25503"
CONNECT_SECONDS = 3.0
READING_TRIES = 3
"""An answer that cannot be read so many times will not be read by patience."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds; pauses double from the one to the other."""

Answer = TypeVar("Answer")
Parameters = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a kind of request is asked.

    Attributes:
        timeout: seconds without a byte after which the terminal is taken to hang.
        patience: seconds after the first try in which the last one may begin.
        takes_a_slot: whether it counts against the account's limit and waits for its turn.
    """

    timeout: float
    patience: float
    takes_a_slot: bool = True


@dataclass(frozen=True, slots=True)
class Manners:
    """The three kinds: history and lists, snapshots, and the state of the terminal itself."""

    history: Manner = Manner(60.0, 120.0)
    snapshot: Manner = Manner(2.0, 1.0, takes_a_slot=False)
    state: Manner = Manner(5.0, 0.0, takes_a_slot=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Time and chance of the pauses: seconds that pass, a wait, and numbers from 0 to 1."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    chance: Callable[[], float] = random.random


class Asker:
    """GET requests to one terminal, from any number of threads."""

    def __init__(self, url: str, concurrency: int, waiting: Waiting) -> None:
        """Asks nothing yet. Arguments and errors as in `feeds.theta.rest.ThetaRest`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError(f"theta.url is no address: write {DEFAULT_URL}")
        self.place = parts.netloc.rpartition("@")[2]
        """Host and port for people; a password before them is left out."""
        self._url = url.rstrip("/")
        self._slots = threading.BoundedSemaphore(concurrency)
        self._closed = threading.Event()
        self._waiting = waiting
        self._sleep = waiting.sleep or self._closed.wait
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment would change our host
        self._session.mount("http", HTTPAdapter(pool_maxsize=2 * concurrency + 4))

    def close(self) -> None:
        """Ask nothing more; who waits for another try gives up."""
        self._closed.set()
        self._session.close()

    def ask(
        self,
        path: str,
        parameters: Parameters,
        manner: Manner,
        read: Callable[[bytes], Answer],
        what: str,
    ) -> Answer:
        """What `read` makes of the body, which is empty where there are no data.

        Raises the `FeedError` of the last try.
        """
        begun, step, unread = self._waiting.monotonic(), FIRST_PAUSE, 0
        while True:
            try:
                return _read(read, self._body(path, parameters, manner, what), what)
            except (TemporaryFeedError, TerminalUnreachableError) as error:
                unread += isinstance(error, MalformedAnswerError)
                if unread == READING_TRIES:
                    raise
                pause = step * (0.5 + 0.5 * self._waiting.chance())
                waited = self._waiting.monotonic() - begun
                if self._closed.is_set() or waited + pause > manner.patience:
                    raise
            self._sleep(pause)
            step = min(2 * step, LONGEST_PAUSE)

    def _body(self, path: str, parameters: Parameters, manner: Manner, what: str) -> bytes:
        if self._closed.is_set():
            raise TerminalUnreachableError(f"{what}: the connection to Theta was closed")
        slot = self._slots if manner.takes_a_slot else nullcontext()
        with slot, self._failures_told(what, manner.timeout):
            answer = self._session.get(
                f"{self._url}/v3{path}",
                params=dict(parameters),
                timeout=(CONNECT_SECONDS, manner.timeout),
                allow_redirects=False,
            )
            body = answer.content
        there = check_answer(answer.status_code, body[:500].decode("utf-8", "replace"), what)
        return body if there else b""

    @contextmanager
    def _failures_told(self, what: str, timeout: float) -> Iterator[None]:
        """Failures of the connection as errors that say what to do."""
        try:
            yield
        except requests.ReadTimeout as error:
            raise TemporaryFeedError(
                f"Theta did not answer in {timeout:g} s when asked for {what}: restart the "
                "terminal if that goes on"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TerminalUnreachableError(
                f"no Theta Terminal answers at {self.place}: start it (docs/theta.md), or give "
                "its address by --theta-url"
            ) from error
        except requests.RequestException as error:
            kind = type(error).__name__
            raise TemporaryFeedError(f"Theta's answer broke off ({kind}): {what}") from error


def _read(read: Callable[[bytes], Answer], body: bytes, what: str) -> Answer:
    try:
        return read(body)
    except MalformedAnswerError as error:
        raise MalformedAnswerError(f"Theta's answer to {what}: {error}") from error
