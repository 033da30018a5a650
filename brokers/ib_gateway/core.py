"""The gateway without its socket: books, market, accounts and who is connected."""

from collections.abc import Callable, Sequence

from brokers.ib_gateway.accounts import Accounts
from brokers.ib_gateway.announcer import Announcer
from brokers.ib_gateway.book import Book
from brokers.ib_gateway.catalogue import Catalogue
from brokers.ib_gateway.faults import Faults
from brokers.ib_gateway.ledger import Ledger
from brokers.ib_gateway.line import Line
from brokers.ib_gateway.market import GatewayMarket
from settings import FillSettings

Later = Callable[[float, Callable[[], None]], None]


class Core:
    """What requests are answered from; `names` are the accounts that clients are told of.

    While `cut_off` the gateway has lost IB: orders fill on, and nobody is told or answered.
    """

    def __init__(
        self,
        names: Sequence[str],
        ledger: Ledger,
        market: GatewayMarket,
        faults: Faults,
        later: Later,
        fees: FillSettings,
        underlying: str,
    ) -> None:
        """`later(seconds, what)` runs `what` on the gateway's thread after a while."""
        self.names = list(names)
        self.ledger, self.market, self.faults, self.fees = ledger, market, faults, fees
        self.lines: dict[int, Line] = {}
        self.catalogue = Catalogue(ledger, market, underlying)
        self.accounts = Accounts(ledger, market, self.catalogue)
        self.announcer = Announcer(ledger, self.catalogue, self.accounts, faults, self.lines, later)
        self.book = Book(ledger, market, self.catalogue, self.announcer, fees, faults)

    @property
    def cut_off(self) -> bool:
        """Whether IB is lost."""
        return self.announcer.cut_off
