"""A terminal to test against: a real pty, and a screen that understands what is drawn on it."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TextIO

ESCAPE = re.compile(r"\x1b(?:\[([?>]?)([\d;]*)([A-Za-z@])|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])")
ROWS, COLUMNS = 60, 100


class Screen:
    """Just enough of a VT100: text, line feeds, cursor moves, erasing. Lines scroll up for ever."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.bells = 0
        self.raw = ""

    def feed(self, text: str) -> None:
        self.raw += text
        while text:
            found = ESCAPE.match(text)
            if found:
                self._move(found[2] or "", found[3] or "")
                text = text[found.end() :]
            else:
                self._put(text[0])
                text = text[1:]

    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def _line(self) -> list[str]:
        while len(self.lines) <= self.row:
            self.lines.append([])
        return self.lines[self.row]

    def _put(self, letter: str) -> None:
        if letter == "\a":
            self.bells += 1
        elif letter == "\n":
            self.row += 1
        elif letter == "\r":
            self.column = 0
        elif letter == "\b":
            self.column = max(0, self.column - 1)
        elif letter >= " ":
            line = self._line()
            line.extend(" " * (self.column + 1 - len(line)))
            line[self.column] = letter
            self.column += 1

    def _move(self, figures: str, kind: str) -> None:
        count = int(figures.split(";")[0] or 0)
        if kind == "A":
            self.row = max(0, self.row - max(count, 1))
        elif kind == "B":
            self.row += max(count, 1)
        elif kind == "C":
            self.column += max(count, 1)
        elif kind == "D":
            self.column = max(0, self.column - max(count, 1))
        elif kind == "K":
            del self._line()[self.column :]
        elif kind == "J":
            del self._line()[self.column :]
            del self.lines[self.row + 1 :]


class PseudoTerminal:
    """Both ends of a pty: files for the program, a keyboard and a screen for the test."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.slave = slave
        self.stdin: TextIO = os.fdopen(os.dup(slave), "r", closefd=True)
        self.stdout: TextIO = os.fdopen(os.dup(slave), "w", closefd=True)
        self.screen = Screen()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stdin.close()
        with suppress(OSError):
            self.stdout.close()
        self.hang_up()

    def hang_up(self) -> None:
        """The window is closed."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
            self._reader.join()  # or it would read whatever has this number next
            os.close(self.master)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def text(self) -> str:
        with self._lock:
            return self.screen.text()

    def wait_for(self, wanted: str | Callable[[str], bool], seconds: float = 10.0) -> str:
        """The screen once it shows this; fails with the screen otherwise."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text()
            if wanted in text if isinstance(wanted, str) else wanted(text):
                return text
            time.sleep(0.01)
        raise AssertionError(f"never seen: {wanted}\n--- screen:\n{self.text()}")

    def _read(self) -> None:
        while self.slave >= 0:
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                read = os.read(self.master, 65536)
            except OSError:
                return
            with self._lock:
                self.screen.feed(read.decode(errors="replace"))
