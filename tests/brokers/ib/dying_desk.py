"""A desk process that kills itself (SIGKILL) at a named step. Reads `step port folder` a line.

It forks for each line, so that the imports are paid once; it answers with the child's exit code.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ib_desk import PUT_628, Condition, Desk, manual_market, suggestion

from brokers.journal.journal import Journal


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingJournal(Journal):
    """Dies around its own writes."""

    step = ""

    def intend(self, ts: int, **values: Any) -> str:
        purpose = values["purpose"]
        if self.step == f"before {purpose} intent":
            die()
        ref = super().intend(ts, **values)
        if self.step == f"after {purpose} intent":
            die()
        return ref

    def amend_intent(self, ts: int, order_ref: str, **columns: Any) -> None:
        super().amend_intent(ts, order_ref, **columns)
        if self.step == "after exit named":
            die()

    def executed(self, ts: int, **values: Any) -> bool:
        side = "sold" if values["side"] < 0 else "bought"
        if self.step == f"{side}, before commit":
            die()
        done = super().executed(ts, **values)
        if self.step == f"{side}, after commit":
            die()
        return done


def script(desk: Desk, step: str) -> Iterator[Condition]:
    desk.enter(suggestion(2))
    yield lambda: desk.orders("entry")
    (entry,) = desk.orders("entry")
    yield lambda: entry.order_id or entry.is_final
    if step == "after send":
        die()
    yield lambda: entry.can_act or entry.is_final
    if step == "after acknowledgement":
        die()
    yield lambda: entry.filled == 1
    if step == "after partial":
        die()
    yield lambda: desk.held() == -2 and desk.orders("stop") and desk.is_calm()
    if step == "with a stop":
        die()
    if step.startswith("bought"):
        yield lambda: False
    desk.market.set_quote(PUT_628, 2.00, 2.04)
    desk.leave(2)
    yield lambda: desk.orders("stop")[0].ticket.limit is not None and desk.is_calm()
    if step == "while exiting":
        die()
    yield lambda: False


def one_life(step: str, port: int, folder: Path) -> None:
    import ib_desk

    DyingJournal.step = step
    ib_desk.Journal = DyingJournal  # type: ignore[misc]
    ib_desk.PATIENCE = 20.0
    desk = Desk(port, folder, manual_market(), answer_seconds=5.0)
    desk.run(lambda desk: script(desk, step))


def main() -> None:
    for line in sys.stdin:
        step, port, folder = line.strip().split("|")
        child = os.fork()
        if child == 0:
            one_life(step, int(port), Path(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
