"""The door: how many connections may stand open, so that nobody can keep the others out.

A connection is a stranger's until a request on it came with a known cookie. When too many strangers
stand there the one that has stood longest is put out: whoever comes finds a place, half a request
sent and never ended holds none for long, and the process keeps its file descriptors for the desk.
"""

import socket
from collections import OrderedDict
from contextlib import suppress
from typing import Any

MOST_STRANGERS = 64
MOST_KNOWN = 128
AT_ONCE = 64
"""Connections taken in one turn of the server's loop: what may stand open beyond the others."""

WAITING = 512
"""Connections that may wait for their turn; they cost the process nothing."""

GONE_SECONDS = 20
"""A peer that acknowledges nothing for so long is gone (a phone out of reach); Linux only."""

Client = tuple[Any, ...]


class Door(socket.socket):
    """A listening socket that counts what it lets in; all of it in the server's thread."""

    def __init__(
        self, family: int, most_strangers: int = MOST_STRANGERS, most_known: int = MOST_KNOWN
    ) -> None:
        """Not bound yet."""
        super().__init__(family, socket.SOCK_STREAM)
        self._strangers: OrderedDict[Client, socket.socket] = OrderedDict()
        self._known: dict[Client, socket.socket] = {}
        self._most_strangers, self._most_known = most_strangers, most_known

    def listen(self, backlog: int = WAITING, /) -> None:
        """More may wait than are taken at once: who comes in a rush is not sent away."""
        super().listen(max(backlog, WAITING))

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; before TLS, so that a handshake is a stranger's too."""
        connection, address = super().accept()
        _tells_when_gone(connection)
        self._strangers[address[:2]] = connection
        self._forget_closed()
        while len(self._strangers) > self._most_strangers:
            _, oldest = self._strangers.popitem(last=False)
            with suppress(OSError):  # it has just gone by itself
                oldest.shutdown(socket.SHUT_RDWR)
        return connection, address

    def welcome(self, client: Client | None) -> None:
        """The connection of this peer (host, port) showed a known cookie: it stays."""
        if client is None or client not in self._strangers:
            return
        self._forget_closed()
        if len(self._known) < self._most_known:
            self._known[client] = self._strangers.pop(client)

    def _forget_closed(self) -> None:
        for kept in (self._strangers, self._known):
            for client in [one for one, open_ in kept.items() if open_.fileno() < 0]:
                del kept[client]


def _tells_when_gone(connection: socket.socket) -> None:
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, 1000 * GONE_SECONDS)
