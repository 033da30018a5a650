"""The web page as a channel of the desk: an approver whose person sits at a browser.

Threads: `ask`, `answer`, `withdraw` and `conclude` in Cerebro's; the server's; the watcher's. They
share `Questions` (a lock) and the desk's own queues; nothing of the page's is waited for.
"""

import asyncio
import socket
import ssl
import threading

import uvicorn

from dashboard.access import Keys, Rates
from dashboard.application import CHANNEL, Page
from dashboard.door import AT_ONCE, Door
from dashboard.gate import ENTRANCE, Address, Gate, is_loopback
from dashboard.hub import Hub
from dashboard.questions import Questions
from dashboard.watching import Watcher
from desk.context import Context
from errors import SettingError
from settings import LiveSettings
from vocabulary import Decision, Suggestion

STRANGERS = (20.0, 60.0)
FRIENDS = (50.0, 200.0)
"""Requests a second and burst: of an address without a cookie, and of each cookie."""

CLOSE_SECONDS = 5.0


class WebChannel:
    """A `desk.context.Channel`: the page is there from `start` to `close`.

    Attributes:
        address: where it is served, once started.
    """

    channel = CHANNEL

    def __init__(self, context: Context) -> None:
        """Nothing is bound yet."""
        self._context = context
        self._questions = Questions(
            CHANNEL, context.settings.rules.question_seconds, context.clock.monotonic
        )
        self._keys, self._hub = Keys(), Hub()
        self._watcher = Watcher(context, self._questions, self._hub, context.say)
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name="web page", daemon=True)
        self._ready = threading.Event()
        self._closing = False
        self._printed = ""

    @property
    def needs_time(self) -> bool:
        """Whether a page is open."""
        return self._hub.followers > 0

    def start(self) -> None:
        """Bind, serve, and print the link.

        Raises `SettingError` where the port is taken, TLS files are wrong, or other machines could
        reach the page without TLS.
        """
        live = self._context.settings.live
        context = _tls(live)
        self._door = _bound(live)
        port = int(self._door.getsockname()[1])
        self.address = Address(live.web_host, port, context is not None, live.web_names)
        self._server = self._made(live)
        self._thread.start()
        self._ready.wait(CLOSE_SECONDS)
        self._watcher.start()
        self._print_link()

    def close(self) -> None:
        """Tell the browsers that the desk ends, and stop; idempotent."""
        if self._closing or self._server is None:
            return
        self._closing = True
        self._watcher.stop()
        self._hub.end("the desk has stopped")
        self._server.should_exit = True
        self._thread.join(CLOSE_SECONDS)

    # The approver: Cerebro's thread --------------------------------------------------------------

    def ask(self, suggestion: Suggestion) -> None:
        """Show the question in every browser."""
        self._questions.ask(suggestion)

    def answer(self, suggestion: Suggestion) -> Decision | None:
        """The first browser's answer to these terms."""
        return self._questions.answer(suggestion)

    def withdraw(self, suggestion: Suggestion, reason: str) -> None:
        """Take the question from the browsers and say why."""
        self._questions.end(suggestion, reason)

    def conclude(self, suggestion: Suggestion, decision: Decision, outcome: str) -> None:
        """Say what became of an answer."""
        words = f"answered {decision.answer} at the {decision.channel}: {outcome}"
        self._questions.end(suggestion, words)

    # The server's thread -------------------------------------------------------------------------

    def _made(self, live: LiveSettings) -> uvicorn.Server:
        """Quiet: no access log, so that no token is ever in one."""
        page = Page(
            self._context, self._questions, self._keys, self._hub, self.address, self._entered
        )
        gate = Gate(
            page.application(),
            self.address,
            self._keys,
            Rates(*STRANGERS),
            Rates(*FRIENDS),
            self._door.welcome,
        )
        return uvicorn.Server(
            uvicorn.Config(
                gate,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=AT_ONCE,
                timeout_graceful_shutdown=1,
                ssl_certfile=live.web_certificate if self.address.is_secure else None,
                ssl_keyfile=live.web_key if self.address.is_secure else None,
            )
        )

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the desk goes on without its page
            self._context.say(f"the web page failed: {error!r}; the desk goes on without it")
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        assert self._server is not None
        self._hub.open()
        self._ready.set()
        await self._server.serve([self._door])
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # a TLS peer that never says goodbye
        await asyncio.sleep(0)

    def _print_link(self) -> None:
        self._printed = self._keys.link()
        link = f"{self.address.url()}{ENTRANCE}?token={self._printed}"
        self._context.say(f"web page, good for one browser: {link}")

    def _entered(self, client: str) -> None:
        """A browser came in: who comes next needs another link."""
        self._context.say(f"a browser at {client} opened the web page; the next one needs:")
        self._print_link()


def _tls(live: LiveSettings) -> ssl.SSLContext | None:
    """The TLS files, tried; None where the page is served without.

    Raises `SettingError`.
    """
    certificate, key = live.web_certificate, live.web_key
    if certificate is None and key is None:
        if not is_loopback(live.web_host):
            raise SettingError(
                f"live.web_host {live.web_host}: other machines reach the page by TLS alone; give "
                "live.web_certificate and live.web_key, or use 127.0.0.1"
            )
        return None
    if certificate is None or key is None:
        raise SettingError("live.web_certificate and live.web_key belong together: give both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(
            f"TLS files {certificate} and {key} cannot be used: {error.strerror or error}"
        ) from error
    return context


def _bound(live: LiveSettings) -> Door:
    listening = Door(socket.AF_INET6 if ":" in live.web_host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((live.web_host, live.web_port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise SettingError(
            f"the web page cannot be served at {live.web_host}:{live.web_port} "
            f"({error.strerror}): choose another live.web_port, or 0 for any"
        ) from error
    return listening
