"""Writes to the journal that must not be lost: what fails is kept in order, and tried again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from errors import JournalError


@dataclass(slots=True)
class JournalQueue:
    """Writes in their order.

    Attributes:
        fault: why the journal cannot be written; empty when it can. New entries wait for that.
    """

    fault: str = ""
    _unwritten: list[Callable[[], object]] = field(default_factory=list)

    def write(self, act: Callable[[], object]) -> None:
        """Write behind everything that waits."""
        self._unwritten.append(act)
        self._write()

    def try_again(self) -> None:
        """Write what waits."""
        if self._unwritten:
            self._write()

    def _write(self) -> None:
        try:
            while self._unwritten:
                self._unwritten[0]()
                self._unwritten.pop(0)
        except JournalError as fault:
            self.fault = str(fault)
        else:
            self.fault = ""
