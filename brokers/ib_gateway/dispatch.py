"""Which request goes where, and who is connected under which id."""

import time
from collections.abc import Callable

from brokers.ib_gateway import messages
from brokers.ib_gateway.answers import Answers
from brokers.ib_gateway.core import Core
from brokers.ib_gateway.line import Line
from brokers.ib_gateway.trading import Trading
from brokers.ib_gateway.wire import Fields, WireError

PLACE_ORDER, START = 3, 71

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)

ID_IN_USE = "Unable to connect as the client id is already in use. Retry with a unique client id."

Answer = Callable[[Line, tuple[str, ...]], None]


class Dispatch:
    """The office behind the lines."""

    def __init__(
        self, core: Core, market_time: bool, failed: Callable[[BaseException], None]
    ) -> None:
        """`failed` hears of an error of ours while a request was answered."""
        self.answers = Answers(core, market_time)
        self.sockets: list[Line] = []
        self._core, self._failed = core, failed
        self._held: dict[int, float] = {}
        self._requests = self._table(self.answers, Trading(core))

    @staticmethod
    def _table(answers: Answers, trading: Trading) -> dict[int, Answer]:
        return {
            1: answers.market_data,
            2: answers.cancel_market_data,
            3: trading.place,
            4: trading.cancel,
            5: answers.open_orders,
            6: answers.account_updates,
            7: answers.executions,
            8: answers.next_order_id,
            9: answers.contract_details,
            14: _nothing,  # log level
            15: _nothing,  # reqAutoOpenOrders: a person's orders keep id 0
            16: answers.all_open_orders,
            17: answers.managed_accounts,
            49: answers.current_time,
            58: trading.cancel_all,
            59: answers.market_data_type,
            61: answers.positions,
            62: answers.account_summary,
            63: _nothing,  # the summary is told once
            64: answers.cancel_positions,
            76: answers.account_updates_multi,
            77: _nothing,  # so are these
            78: answers.option_parameters,
            91: answers.market_rule,
            99: answers.completed_orders,
        }

    def opened(self, line: Line) -> None:
        """A socket without an id yet."""
        self.sockets = [*self.sockets, line]

    def ended(self, line: Line) -> None:
        """Its id is free again, at once or as late as the fault `id-held` says."""
        self.sockets = [one for one in self.sockets if one is not line]
        if self._core.lines.get(line.client_id) is line:
            del self._core.lines[line.client_id]
            self._held[line.client_id] = time.monotonic()

    def received(self, line: Line, message: tuple[str, ...]) -> None:
        """Answer a message; one that cannot be read is told so by 320."""
        try:
            self._received(line, int(message[0]), message)
        except (WireError, ValueError, IndexError) as error:
            words = f"Error reading request. {error}"
            line.send(messages.error(-1, 320, words, line.version))
        except Exception as error:
            self._failed(error)
            line.cut()

    def _received(self, line: Line, kind: int, message: tuple[str, ...]) -> None:
        if kind == START:
            self._start(line, message)
            return
        if line.client_id < 0:
            raise WireError("startApi comes first")
        answer = self._requests.get(kind)
        if answer is None:
            raise WireError(f"requests of kind {kind} are not simulated")
        if kind == PLACE_ORDER and self._core.faults.strikes("lost-before"):
            line.cut()
            return
        if kind == PLACE_ORDER and self._core.faults.strikes("lost-after"):
            line.muted = True
        answer(line, message)
        if line.muted:
            line.cut()

    def _start(self, line: Line, message: tuple[str, ...]) -> None:
        client_id = Fields(message[2:]).integer()
        since = time.monotonic() - self._held.get(client_id, float("-inf"))
        if client_id in self._core.lines or since < self._core.faults.seconds("id-held"):
            words = "Unable to connect as the client id is already in use. "
            line.send(
                messages.error(-1, 326, f"{words}Retry with a unique client id.", line.version)
            )
            line.close()
            return
        line.client_id = client_id
        self._core.lines[client_id] = line
        self.answers.managed_accounts(line)
        self.answers.next_order_id(line)
        for code, words in FARMS:
            line.send(messages.error(-1, code, words, line.version))


def _nothing(line: Line, message: tuple[str, ...]) -> None:
    """A request that has no answer."""
