"""Who may see the page: one-time links, cookies, and how much anybody may ask.

A link's token is good once and becomes a cookie of this process. Nothing here is written anywhere.
"""

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

LINK_SECONDS = 300.0
"""A link for a further device is good so long; the one that was printed, until it is used."""

COOKIE_SECONDS = 16 * 3600
USED_LINKS = 1000
MOST_LINKS = 20
MOST_COOKIES = 50


class Keys:
    """Tokens of links, and the cookies they became. For any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """No link and no cookie yet."""
        self._monotonic = monotonic
        self._links: OrderedDict[str, float] = OrderedDict()
        self._used: OrderedDict[str, None] = OrderedDict()
        self._cookies: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def link(self, seconds: float = float("inf")) -> str:
        """A new token, good once, for so long."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._links[token] = self._monotonic() + seconds
            while len(self._links) > MOST_LINKS:
                self._links.popitem(last=False)
        return token

    def enter(self, token: str) -> tuple[str, str]:
        """A cookie for a token, or "" and why not."""
        with self._lock:
            if _has(self._used, token):
                return "", "this link was used already: each is good for one browser"
            known = _find(self._links, token)
            if known is None:
                return "", "this is no link of this desk: take the one it printed last"
            until = self._links.pop(known)
            if self._monotonic() > until:
                return "", "this link is too old: ask for a new one"
            self._used[known] = None
            while len(self._used) > USED_LINKS:
                self._used.popitem(last=False)
            cookie = secrets.token_urlsafe(32)
            self._cookies[cookie] = self._monotonic() + COOKIE_SECONDS
            while len(self._cookies) > MOST_COOKIES:
                self._cookies.popitem(last=False)
            return cookie, ""

    def knows(self, cookie: str) -> bool:
        """Whether a cookie lets in."""
        with self._lock:
            known = _find(self._cookies, cookie)
            return known is not None and self._monotonic() <= self._cookies[known]


def _find(kept: "OrderedDict[str, float]", one: str) -> str | None:
    """The key equal to `one`, compared in constant time."""
    found = None
    for key in kept:
        if hmac.compare_digest(key.encode(), one.encode()):
            found = key
    return found


def _has(kept: "OrderedDict[str, None]", one: str) -> bool:
    return any(hmac.compare_digest(key.encode(), one.encode()) for key in kept)


@dataclass
class _Bucket:
    level: float
    at: float


@dataclass
class Rates:
    """So many requests a second, after a burst, for each who asks; the oldest are forgotten."""

    a_second: float
    burst: float
    most: int = 1000
    monotonic: Callable[[], float] = time.monotonic
    _buckets: "OrderedDict[str, _Bucket]" = field(default_factory=OrderedDict)

    def allows(self, who: str) -> bool:
        """Count a request of `who`; whether it may be answered. For the server's thread."""
        now = self.monotonic()
        bucket = self._buckets.pop(who, None) or _Bucket(self.burst, now)
        bucket.level = min(self.burst, bucket.level + (now - bucket.at) * self.a_second)
        bucket.at = now
        self._buckets[who] = bucket
        while len(self._buckets) > self.most:
            self._buckets.popitem(last=False)
        if bucket.level < 1:
            return False
        bucket.level -= 1
        return True


class Once:
    """Refuses what was sent before: every instruction carries a number that is used once."""

    def __init__(self, most: int = 5000) -> None:
        """Remembers the last `most`."""
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def is_new(self, number: str) -> bool:
        """Whether it was never seen; from now on it was."""
        if number in self._seen:
            return False
        self._seen[number] = None
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True
