"""The frames of the TWS text protocol: a length of four bytes, then fields that end in NUL.

The client opens with `API`, a NUL and a frame `v157..176`; the server answers a frame of its
version and its time. Everything after is frames. Nothing here touches a socket.
"""

import math
import re
import struct
from collections.abc import Iterable, Iterator

GREETING = b"API\0"
OLDEST_CLIENT = 157
UNSET_DOUBLE = "1.7976931348623157E308"
LARGEST_FRAME = 1 << 20


class WireError(Exception):
    """Bytes or fields that are not of this protocol."""


def text(value: object) -> str:
    """A field as it travels: None is empty, a bool 0 or 1, a float in its shortest exact form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def frame(values: Iterable[object]) -> bytes:
    """A framed message of `values`."""
    body = "".join(f"{text(value)}\0" for value in values).encode()
    return struct.pack(">I", len(body)) + body


class FrameReader:
    """Bytes in, messages out. The first message is the client's range of versions."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._data = b""
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[tuple[str, ...]]:
        """The messages that are complete with `data`. Raises `WireError` for another protocol."""
        self._data += data
        if not self._greeted:
            if not GREETING.startswith(self._data[: len(GREETING)]):
                raise WireError("the client does not speak the TWS protocol")
            if len(self._data) < len(GREETING):
                return
            self._data, self._greeted = self._data[len(GREETING) :], True
        while len(self._data) >= 4:
            (length,) = struct.unpack(">I", self._data[:4])
            if length > LARGEST_FRAME:
                raise WireError(f"a frame of {length} bytes")
            if len(self._data) < 4 + length:
                return
            body, self._data = self._data[4 : 4 + length], self._data[4 + length :]
            yield tuple(body.decode(errors="backslashreplace").removesuffix("\0").split("\0"))


def version_range(message: tuple[str, ...]) -> tuple[int, int]:
    """Oldest and newest version that a client speaks. Raises `WireError`."""
    match = re.match(r"v(\d+)\.\.(\d+)", message[0])
    if match is None:
        raise WireError(f"no range of versions: {message[0]!r}")
    return int(match[1]), int(match[2])


class Fields:
    """A message read from left to right."""

    def __init__(self, message: tuple[str, ...]) -> None:
        """From its first field."""
        self._rest = iter(message)

    def text(self) -> str:
        """The next field. Raises `WireError` where there is none."""
        try:
            return next(self._rest)
        except StopIteration:
            raise WireError("the message is too short") from None

    def integer(self) -> int:
        """The next field as a whole number; an empty one is 0."""
        return whole(self.text())

    def number(self) -> float | None:
        """The next field as a number; None where it is empty."""
        return number(self.text())

    def flag(self) -> bool:
        """The next field as 0 or 1; empty and `false` are no."""
        return self.text().lower() not in ("", "0", "false")

    def skip(self, count: int) -> None:
        """Pass over `count` fields."""
        for _ in range(count):
            self.text()


def number(field: str) -> float | None:
    """A field as a number, None where it is empty. Raises `WireError`."""
    try:
        return float(field) if field else None
    except ValueError:
        raise WireError(f"{field!r} is no number") from None


def whole(field: str) -> int:
    """A field as a whole number, 0 where it is empty. Raises `WireError`."""
    value = number(field) or 0.0
    if not math.isfinite(value):
        raise WireError(f"{field!r} is no whole number")
    return int(value)
