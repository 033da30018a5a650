"""A terminal in a thread of its own: it never holds up the desk, and may go away at any time."""

import asyncio
import io
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from prompt_toolkit.formatted_text import StyleAndTextTuples

from desk.terminal.fronts import Front, LiveFront, PlainFront
from errors import UserError

HUNG_UP = "the terminal hung up"

CLOSE_SECONDS = 2.0
"""A terminal that takes no more output is left behind after this."""


class TerminalScreen:
    """Shows text, a prompt and a toolbar, and hands over entered lines.

    Everything may be called from any thread and returns at once. While it runs, standard output and
    standard error go above the prompt, line by line.

    Attributes:
        gone: why the terminal cannot be used any more, empty while it can.
    """

    def __init__(
        self,
        entered: Callable[[str], None],
        prompt: Callable[[], str],
        toolbar: Callable[[], StyleAndTextTuples],
        interrupted: Callable[[], None],
        lost: Callable[[str], None],
        *,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        refresh_seconds: float = 0.25,
    ) -> None:
        """Wire a screen; nothing is touched before `start`.

        Args:
            entered: given each line, in the terminal's thread.
            prompt: what stands before the typed text, read at each drawing.
            toolbar: what stands below it, read at each drawing.
            interrupted: called at Ctrl-C and Ctrl-D, in the terminal's thread.
            lost: told once when the terminal is gone, in any thread; it must not block.
            stdin, stdout: a terminal; the standard ones where None.
            refresh_seconds: between two drawings.
        """
        self._entered, self._prompt, self._toolbar = entered, prompt, toolbar
        self._interrupted, self._lost = interrupted, lost
        self._stdin, self._stdout = stdin or sys.stdin, stdout or sys.stdout
        self._refresh_seconds = refresh_seconds
        self._actions: deque[Callable[[Front], None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._front: Front | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name="terminal", daemon=True)
        self._streams: tuple[Any, Any] | None = None
        self._old_hang_up: Any = None
        self.gone = ""

    def start(self) -> None:
        """Take the terminal. From the main thread, a hang-up no longer ends the process.

        Raises `UserError` where there is no terminal.
        """
        if not (self._stdin.isatty() and self._stdout.isatty()):
            raise UserError("standard input and output must be a terminal; or use --answers FILE")
        if threading.current_thread() is threading.main_thread():
            self._old_hang_up = signal.signal(signal.SIGHUP, self._hang_up_signal)
        self._streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = ScreenLines(self), ScreenLines(self)
        self._thread.start()

    def close(self) -> None:
        """Give the terminal back, as it was; idempotent."""
        if self._thread.is_alive():
            self.post(lambda front: front.end())
            self._thread.join(CLOSE_SECONDS)
        self._restore_streams()
        if self._old_hang_up is not None:
            signal.signal(signal.SIGHUP, self._old_hang_up)
            self._old_hang_up = None

    def say(self, text: str) -> None:
        """Print lines above the prompt."""
        if self.gone and self.gone != HUNG_UP:
            print(text, flush=True)
        else:
            self.post(lambda front: front.show(text))

    def post(self, action: Callable[[Front], None]) -> None:
        """Let the terminal's thread do something, in order; nothing once it is gone."""
        if not self.gone:
            self._actions.append(action)
            if threading.current_thread() is self._thread and self._front is not None:
                self._act()
            else:
                self._knock()

    def _knock(self) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._act)

    def _act(self) -> None:
        """Do what was posted."""
        front = self._front
        assert front is not None
        while self._actions:
            self._actions.popleft()(front)
        front.refresh()

    def _live(self) -> None:
        """The terminal's thread."""
        try:
            asyncio.run(self._main())
        except (EOFError, OSError, asyncio.CancelledError):
            self._lose(HUNG_UP)
        except Exception as error:  # the desk goes on without a screen, whatever broke it
            self._lose(f"the terminal failed: {error!r}")
        finally:
            self._loop = None
            if self.gone:
                self._restore_streams()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._failed)
        self._front = self._make_front()
        self._task = asyncio.current_task()
        self._loop = loop
        loop.call_soon(self._act)
        await self._front.run()

    def _make_front(self) -> Front:
        if os.environ.get("TERM", "dumb").lower() in ("dumb", "unknown", ""):
            return PlainFront(
                self._stdin, self._stdout, self._entered, self._prompt, self._interrupted
            )
        return LiveFront(
            self._stdin,
            self._stdout,
            self._entered,
            self._prompt,
            self._toolbar,
            self._interrupted,
            self._refresh_seconds,
        )

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something in the loop raised: on a dead terminal everything does."""
        error = context.get("exception")
        reason = f"the terminal failed: {error!r} {context.get('message', '')}"
        self._lose(HUNG_UP if isinstance(error, OSError) else reason)

    def _hang_up_signal(self, number: int, frame: object) -> None:
        self._lose(HUNG_UP)

    def _lose(self, reason: str) -> None:
        """Go on without the terminal: later output is dropped, `lost` is told why."""
        if self.gone:
            return
        self.gone = reason
        self._actions.clear()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        self._lost(reason)

    def _restore_streams(self) -> None:
        """Give standard output back; not to a terminal that hung up: every write would raise."""
        if self._streams is not None and self.gone != HUNG_UP:
            (sys.stdout, sys.stderr), self._streams = self._streams, None


class ScreenLines(io.TextIOBase):
    """Standard output while a screen runs: whole lines go above the prompt."""

    def __init__(self, screen: TerminalScreen) -> None:
        """Nothing written yet."""
        super().__init__()
        self._screen = screen
        self._lock = threading.Lock()
        self._begun = ""

    def write(self, text: str) -> int:
        """Show the lines that are complete; never blocks, never fails."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
        if lines:
            self._screen.say("\n".join(lines))
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True
