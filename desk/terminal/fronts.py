"""The two faces of a terminal: one with a live line below the prompt, and a plain one.

A front lives in one asyncio loop. It shows text above the prompt, hands over every line that is
entered, and ends with `EOFError` when the terminal is gone.
"""

import asyncio
import os
import select
from collections.abc import Callable
from typing import Protocol, TextIO

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.emacs import load_emacs_bindings
from prompt_toolkit.key_binding.key_bindings import merge_key_bindings
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

STYLE = Style.from_dict(
    {
        "toolbar": "reverse",
        "prompt": "bold",
        "halted": "noreverse bg:ansired ansiwhite bold",
        "question": "bold",
    }
)


class Front(Protocol):
    """What a screen shows itself by. All but the constructor belongs to one asyncio loop."""

    async def run(self) -> None:
        """Until `end`; raises `EOFError` when the terminal is gone."""

    def show(self, text: str) -> None:
        """Print lines above the prompt. Raises `OSError` on a terminal that is gone."""

    def clear(self) -> str:
        """Take away what was typed and not entered; returns it."""

    def ring(self) -> None:
        """Ring the bell."""

    def refresh(self) -> None:
        """Draw again."""

    def end(self) -> None:
        """Leave `run`."""


def is_hung_up(descriptor: int) -> bool:
    """Whether nobody is at the other end of a terminal any more."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(events & (select.POLLHUP | select.POLLNVAL) for _, events in poll.poll(0))


class HangUpInput(Vt100Input):
    """A terminal's keys. Where it hangs up it is closed, instead of readable for ever."""

    def read_keys(self) -> list[object]:  # type: ignore[override]
        """The keys that came."""
        if is_hung_up(self.fileno()):
            self.stdin_reader.closed = True
        return list(super().read_keys())


class LiveFront:
    """A line to type on and a toolbar below, redrawn several times a second."""

    def __init__(
        self,
        stdin: TextIO,
        stdout: TextIO,
        entered: Callable[[str], None],
        prompt: Callable[[], str],
        toolbar: Callable[[], StyleAndTextTuples],
        interrupted: Callable[[], None],
        refresh_seconds: float,
    ) -> None:
        """`entered` is given each line, `interrupted` called at Ctrl-C and Ctrl-D."""
        self._entered, self._prompt, self._interrupted = entered, prompt, interrupted
        self._output = Vt100_Output.from_pty(stdout)
        self._output.enable_cpr = False  # its answer may never come, and we never need it
        self._buffer = Buffer(multiline=False, accept_handler=self._accept)
        self._app: Application[None] = Application(
            layout=self._layout(toolbar),
            key_bindings=merge_key_bindings([load_emacs_bindings(), self._keys()]),
            style=STYLE,
            input=HangUpInput(stdin),
            output=self._output,
            color_depth=ColorDepth.from_env(),  # one bit with NO_COLOR
            refresh_interval=refresh_seconds,
            erase_when_done=True,
        )

    async def run(self) -> None:
        """Until `end`."""
        await self._app.run_async(handle_sigint=False, set_exception_handler=False)

    def show(self, text: str) -> None:
        """Print above the prompt: erase it, print, and let it be drawn again."""
        if self._app.is_running:
            self._app.renderer.erase()
        self._output.write(text + "\n")
        self._output.flush()
        self._app.invalidate()

    def clear(self) -> str:
        """Empty the line."""
        typed = self._buffer.text
        self._buffer.reset()
        return typed

    def ring(self) -> None:
        """The terminal's bell."""
        self._output.bell()
        self._output.flush()

    def refresh(self) -> None:
        """Draw soon."""
        self._app.invalidate()

    def end(self) -> None:
        """Leave the application; a second call does nothing."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _accept(self, buffer: Buffer) -> bool:
        self.show(f"{self._prompt()}{buffer.text}")
        self._entered(buffer.text)
        return False  # empty the line

    def _layout(self, toolbar: Callable[[], StyleAndTextTuples]) -> Layout:
        line = BufferControl(
            self._buffer, input_processors=[BeforeInput(self._prompt, "class:prompt")]
        )
        below = FormattedTextControl(toolbar)
        typed = Window(line, dont_extend_height=True, wrap_lines=True)
        state = Window(below, style="class:toolbar", dont_extend_height=True, wrap_lines=True)
        return Layout(HSplit([typed, state]), focused_element=typed)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        def _(event: KeyPressEvent) -> None:
            self._interrupted()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            self._buffer.validate_and_handle()

        return keys


class PlainFront:
    """Lines in, lines out, for a terminal that cannot move its cursor; it edits and echoes."""

    def __init__(
        self,
        stdin: TextIO,
        stdout: TextIO,
        entered: Callable[[str], None],
        prompt: Callable[[], str],
        interrupted: Callable[[], None],
    ) -> None:
        """`entered` is given each line; `interrupted` called at Ctrl-D."""
        self._descriptor, self._stdout = stdin.fileno(), stdout
        self._entered, self._prompt, self._interrupted = entered, prompt, interrupted
        self._typed = b""
        self._asked = ""
        self._over: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Until `end`."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        loop.add_reader(self._descriptor, self._read)
        try:
            self.refresh()
            await self._over
        finally:
            loop.remove_reader(self._descriptor)

    def show(self, text: str) -> None:
        """Print lines, on a line of their own."""
        begun, self._asked = "\n" if self._asked else "", ""
        self._write(f"{begun}{text}\n")

    def clear(self) -> str:
        """Nothing: the terminal holds what is typed until it is entered."""
        return ""

    def ring(self) -> None:
        """The terminal's bell."""
        self._write("\a")

    def refresh(self) -> None:
        """Print the prompt if it is not the last thing printed."""
        if self._prompt() != self._asked:
            self._asked = self._prompt()
            self._write(self._asked)

    def end(self) -> None:
        """Leave; a second call does nothing."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _write(self, text: str) -> None:
        self._stdout.write(text)
        self._stdout.flush()

    def _read(self) -> None:
        if is_hung_up(self._descriptor):
            self._fail()
            return
        if not select.select([self._descriptor], [], [], 0)[0]:
            return  # Ctrl-C emptied the line before it could be read
        read = os.read(self._descriptor, 4096)
        if not read:  # Ctrl-D
            self._interrupted()
        *lines, self._typed = (self._typed + read).split(b"\n")
        for line in lines:
            self._asked = ""
            self._entered(line.decode(errors="replace"))
            self.refresh()

    def _fail(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(EOFError())
