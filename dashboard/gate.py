"""The gate in front of every request: rate, Host, Origin, body size, cookie, and strict headers.

Host is checked against DNS rebinding, Origin and Sec-Fetch-Site against requests of other pages.
Refusals say why in one line, and tell nothing of the desk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import Keys, Rates

BODY_BYTES = 4096
"""The longest body anybody has a reason to send."""

BROWSER = "zdte.browser"
"""Where the scope has the cookie of a browser that is known."""

ENTRANCE = "/enter"
OPEN_PATHS = (ENTRANCE, "/static/page.css")
"""What is answered without a cookie: the way in, and how the refusal looks."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Address:
    """Where the page is served.

    Args:
        host, port: as bound.
        is_secure: whether by TLS.
        names: further names it may be asked by.
    """

    host: str
    port: int
    is_secure: bool = False
    names: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """Of its URL."""
        return "https" if self.is_secure else "http"

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies know no ports, so the name does."""
        return f"{'__Host-' if self.is_secure else ''}zdte-{self.port}"

    def url(self, host: str = "") -> str:
        """The page's address."""
        own = self.host
        if own in ("0.0.0.0", "::"):
            own = self.names[0] if self.names else "127.0.0.1"
        shown = host or own
        return f"{self.scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}"

    def allows(self, host: str, local: str) -> bool:
        """Whether a Host header names this server; `local` is the address it was reached at."""
        name, _, port = host.rpartition(":")
        if not name:
            name, port = host, "443" if self.is_secure else "80"
        name = name.removeprefix("[").removesuffix("]").lower()
        known = {"localhost", "127.0.0.1", "::1", self.host, *self.names}
        return port == str(self.port) and (name in known or (_is_ip(name) and name == local))


class Gate:
    """ASGI middleware; everything that passes it may be answered."""

    def __init__(
        self,
        application: ASGIApp,
        address: Address,
        keys: Keys,
        strangers: Rates,
        friends: Rates,
        welcome: Callable[[Any], None],
    ) -> None:
        """`strangers` limits addresses without a cookie, `friends` each cookie; `welcome` is told
        the peer of a request with a known cookie."""
        self._application, self._address, self._keys = application, address, keys
        self._strangers, self._friends, self._welcome = strangers, friends, welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        cookie = _cookie(headers, self._address.cookie)
        is_known = bool(cookie) and self._keys.knows(cookie)
        if is_known:
            self._welcome(scope.get("client"))
        status, why = self._refusal(scope, headers, cookie if is_known else "")
        if status:
            strict = _strict(send)
            await PlainTextResponse(f"{why}\n", status)(scope, receive, strict)
            return
        known = {**scope, BROWSER: cookie if is_known else ""}
        await self._application(known, _limited(receive), _strict(send))

    def _refusal(self, scope: Scope, headers: Headers, cookie: str) -> tuple[int, str]:
        """Status and reason; 0 for none. The cheapest questions come first."""
        caller = scope.get("client") or ("", 0)
        limits, who = (self._friends, cookie) if cookie else (self._strangers, caller[0])
        if not limits.allows(who):
            return 429, "too many requests: wait a moment"
        local = (scope.get("server") or ("", 0))[0] or ""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._address.allows(hosts[0], local):
            return 421, "this desk does not answer by that name"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "not allowed"
        foreign = self._foreign(scope, headers, hosts[0])
        if foreign:
            return 403, foreign
        if not cookie and scope["path"] not in OPEN_PATHS:
            return 401, "open the link that the desk printed: this browser is not known to it"
        return _size_refusal(headers)

    def _foreign(self, scope: Scope, headers: Headers, host: str) -> str:
        """Why a request comes from another page; empty when it is ours."""
        own, origins = f"{self._address.scheme}://{host}", headers.getlist("origin")
        if any(origin != own for origin in origins):
            return "requests of other pages are refused"
        if scope["method"] == "POST" and len(origins) != 1:
            return "an answer must come from the page itself"
        site = headers.get("sec-fetch-site", "none")
        navigates = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not navigates:
            return "requests of other pages are refused"
        return ""


def _size_refusal(headers: Headers) -> tuple[int, str]:
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > BODY_BYTES:
        return 413, "too long"
    return 0, ""


class TooLong(Exception):
    """A body without a length went on and on."""


def _limited(receive: Receive) -> Receive:
    """`receive`, which ends a body that is longer than it may be."""
    total = 0

    async def limited() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > BODY_BYTES:
            raise TooLong
        return message

    return limited


def _strict(send: Send) -> Send:
    async def strict(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return strict


def _cookie(headers: Headers, name: str) -> str:
    values: list[str] = []
    for line in headers.getlist("cookie"):
        try:
            cookies = SimpleCookie(line)
        except CookieError:
            continue
        values += [morsel.value for key, morsel in cookies.items() if key == name]
    return values[0] if len(values) == 1 else ""


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reached from this machine alone."""
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)
