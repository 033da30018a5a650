"""The one door to the client library: ib_insync, or ib_async where that is what is installed.

Only its networking, encoding and decoding are used: `Client`, its EClient, and the plain objects
that it reads and writes. Its bookkeeping (`IB`, `Trade`) is not: there a refused change looks like
a cancelled order, and a corrected execution counts twice. `messages` and `wire` take the messages
themselves, so what differs between the two libraries (who raises, what is done, `[]` or None)
does not arise.

Never install both: their event packages share one name, and whichever is removed breaks the other.
"""

import asyncio
import importlib
import logging
import threading
from typing import Any

from errors import BrokerError

_LIBRARIES = ("ib_insync", "ib_async")


def _first_installed() -> tuple[str, Any]:
    """Import the first library that is there; (name, module)."""
    for name in _LIBRARIES:
        try:
            return name, importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise BrokerError("Interactive Brokers needs ib_insync: pip install ib_insync")


def _import() -> tuple[str, Any]:
    """Import in a thread of its own that has a loop.

    The library asks for the importing thread's loop, which a plain thread does not have, nor a main
    thread after asyncio.run(); making one there would change what the caller finds.
    """
    found: list[tuple[str, Any]] = []
    failures: list[Exception] = []

    def load() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            found.append(_first_installed())
        except Exception as error:
            failures.append(error)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    thread = threading.Thread(target=load, name="ib-import")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return found[0]


LIBRARY, _library = _import()
"""Which library speaks: "ib_insync" or "ib_async"."""

LIBRARY_VERSION = str(_library.__version__)

Client: Any = _library.Client
Order: Any = _library.Order
Option: Any = _library.Option
ExecutionFilter: Any = _library.ExecutionFilter

# What the library complains about reaches the person as link events; without a handler of ours
# Python would print it into the prompt.
for _name in (LIBRARY, "eventkit"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
