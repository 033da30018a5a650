"""The routes: the page, its stream of events, answers and instructions.

Answers and instructions are JSON objects with exactly the fields told below; a refusal is one line.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from brokers.words import understand
from dashboard.access import COOKIE_SECONDS, LINK_SECONDS, Keys, Once
from dashboard.gate import BROWSER, ENTRANCE, Address, TooLong
from dashboard.hub import MOST_OF_ONE, MOST_STREAMS, Hub
from dashboard.questions import Questions
from desk.context import Context
from errors import UserError
from vocabulary import REASON_CODES, Answer, Command, Instruction

HERE = Path(__file__).parent
CHANNEL = "web page"
ANSWERS = {str(one): one for one in (Answer.YES, Answer.NO, Answer.SKIP)}
REASON_CHARACTERS = 300
SURE = (Command.KILL, Command.FLATTEN, Command.CLOSE)
"""What a page must say that the person was asked twice."""

OF_THE_QUESTION = (Command.QUANTITY, Command.LIMIT)
_KEY = re.compile(r"[0-9a-zA-Z_-]{8,64}", re.ASCII)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Refused(Exception):
    """A request that is not carried out: status and one line."""

    def __init__(self, status: int, words: str) -> None:
        """As told to the browser."""
        super().__init__(words)
        self.status, self.words = status, words


class Page:
    """Serves one desk's page."""

    def __init__(
        self,
        context: Context,
        questions: Questions,
        keys: Keys,
        hub: Hub,
        address: Address,
        entered: Callable[[str], None],
    ) -> None:
        """`entered` is told the address of a browser that came in by a link."""
        self._context, self._questions, self._keys = context, questions, keys
        self._hub, self._address, self._entered = hub, address, entered
        self._once = Once()
        self._pages = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted((HERE / "static").iterdir())
            if path.suffix in _TYPES
        }

    def application(self) -> Starlette:
        """The ASGI application, to stand behind `dashboard.gate.Gate`."""
        return Starlette(
            routes=[
                Route("/", self._front),
                Route(ENTRANCE, self._enter),
                Route("/events", _Events(self._hub), methods=["GET"]),
                Route("/static/{name}", self._static),
                Route("/answer", self._answer, methods=["POST"]),
                Route("/instruct", self._instruct, methods=["POST"]),
                Route("/invite", self._invite, methods=["POST"]),
            ],
            exception_handlers={Refused: _refused, TooLong: _too_long},
        )

    async def _front(self, request: Request) -> Response:
        context, settings = self._context, self._context.settings
        rules, status = settings.rules, context.status.latest()
        return self._html(
            "page.html",
            mode=status.mode,
            account=status.account,
            model=status.model,
            market=context.market.label,
            day=context.mask.day(context.market.session.date),
            age_limit=rules.quote_age_seconds,
            drift_limit=rules.drift_ticks,
            seconds=rules.question_seconds,
            bar_seconds=settings.live.bar_seconds,
            limits=_limits(settings),
            codes=REASON_CODES,
        )

    async def _enter(self, request: Request) -> Response:
        """A link becomes a cookie; HEAD, as of a program that looks at links, uses none up."""
        if request.method == "HEAD":
            return Response()
        cookie, why = self._keys.enter(request.query_params.get("token", ""))
        if not cookie:
            return self._html("closed.html", 403, why=why)
        answer = self._html("entered.html")
        answer.set_cookie(
            self._address.cookie,
            cookie,
            max_age=COOKIE_SECONDS,
            path="/",
            secure=self._address.is_secure,
            httponly=True,
            samesite="strict",
        )
        self._entered("" if request.client is None else request.client.host)
        return answer

    async def _static(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise Refused(404, "there is no such file")
        return Response(found[0], media_type=found[1])

    async def _answer(self, request: Request) -> Response:
        """Fields: key, terms, answer (y, n or skip), code (a reason code or ""), reason."""
        told = await _object(request, ("key", "terms", "answer", "code", "reason"))
        answer = ANSWERS.get(told["answer"])
        if answer is None or not (_KEY.fullmatch(told["key"]) and _KEY.fullmatch(told["terms"])):
            raise Refused(400, "an answer names its question, its terms, and y, n or skip")
        if told["code"] not in ("", *REASON_CODES):
            raise Refused(400, f"reason codes: {', '.join(REASON_CODES)}")
        reason = _plain(told["reason"])
        why = self._questions.reply(told["key"], told["terms"], answer, reason, told["code"])
        if why:
            raise Refused(409, why)
        self._context.wake()
        return JSONResponse({"words": f"{answer} given"})

    async def _instruct(self, request: Request) -> Response:
        """Fields: number (used once), words (as at the terminal), key (of the question, or ""),
        sure ("yes" for kill, flatten and close)."""
        told = await _object(request, ("number", "words", "key", "sure"))
        if not _KEY.fullmatch(told["number"]):
            raise Refused(400, "an instruction needs a number of its own")
        if not self._once.is_new(told["number"]):
            raise Refused(409, "this instruction was given already")
        instruction = _instruction(_plain(told["words"]))
        if instruction.command in SURE and told["sure"] != "yes":
            raise Refused(400, f"{instruction.command} must be confirmed")
        shown, _ = self._questions.view()
        if instruction.command in OF_THE_QUESTION and (shown is None or shown.key != told["key"]):
            raise Refused(409, "not done: that question is not open any more")
        self._context.inbox.put(instruction)
        return JSONResponse({"words": f"{instruction.command} handed to the desk"})

    async def _invite(self, request: Request) -> Response:
        """A link for another browser."""
        await _object(request, ())
        host = request.url.hostname or ""
        link = f"{self._address.url(host)}{ENTRANCE}?token={self._keys.link(LINK_SECONDS)}"
        return JSONResponse({"link": link, "seconds": LINK_SECONDS})

    def _html(self, name: str, status: int = 200, **facts: Any) -> HTMLResponse:
        return HTMLResponse(self._pages.get_template(name).render(**facts), status)


class _Events:
    """The stream as an ASGI application of its own."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow the hub, unless too many do; HEAD says whether one could."""
        browser = scope[BROWSER]
        if self._hub.is_full(browser):
            raise Refused(
                503, f"{MOST_OF_ONE} pages in this browser, or {MOST_STREAMS} in all: close one"
            )
        if scope["method"] == "HEAD":  # a page asks why it was refused
            await Response(media_type="text/event-stream")(scope, receive, send)
        else:
            await self._hub.serve(browser, receive, send)


def _instruction(words: str) -> Instruction:
    try:
        said = understand(words, CHANNEL)
    except UserError as error:
        raise Refused(400, str(error)) from error
    if not isinstance(said, Instruction):
        raise Refused(400, "that is no instruction; an answer is given by its button")
    return said


async def _object(request: Request, fields: tuple[str, ...]) -> dict[str, str]:
    """The body as an object of exactly these texts. Raises `Refused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "JSON, please")
    try:
        told = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Refused(400, "that is no JSON") from error
    if not isinstance(told, dict) or set(told) != set(fields):
        raise Refused(400, f"an object with: {', '.join(fields) or 'nothing'}")
    if not all(isinstance(value, str) for value in told.values()):
        raise Refused(400, "every field is a text")
    return told


def _plain(text: str) -> str:
    """A person's words on one line, no control characters. Raises `Refused` where too long."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(words) > REASON_CHARACTERS:
        raise Refused(400, f"at most {REASON_CHARACTERS} characters, please")
    return words


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"words": error.words}, error.status)


async def _too_long(request: Request, error: Exception) -> Response:
    return JSONResponse({"words": "too long"}, 413)


def _limits(settings: Any) -> list[tuple[str, str]]:
    rules = settings.rules
    loss = rules.daily_loss * settings.capital
    return [
        ("Capital", f"${settings.capital:,.0f}"),
        ("Contracts", f"{settings.contracts} at a time"),
        ("Daily loss", f"${loss:,.0f}"),
        ("Quote age", f"{rules.quote_age_seconds:g} s"),
        ("Drift", f"{rules.drift_ticks} ticks against us"),
        ("Time exit", f"{rules.time_exit_minutes:g} min before the close"),
        ("Exits", "asked for" if settings.live.exits == "ask" else "by the approved plan"),
    ]
