"""A broker around another one: what is not its own business goes to the inner broker.

Backtrader's base class defines every one of these, and quietly wrong for a wrapper (a commission
multiplier of one, say). So each is delegated by name.
"""

from typing import Any

from brokers.base import DeskBroker


class WrappingBroker(DeskBroker):
    """Delegates cash, value, positions and funds. Subclasses define what happens to orders."""

    def __init__(self, inner: Any) -> None:
        """`inner` is any Backtrader broker."""
        self.inner = inner
        super().__init__()

    @property
    def cerebro(self) -> Any:
        """The running Cerebro (Backtrader sets it); the inner broker gets it too."""
        return self._cerebro

    @cerebro.setter
    def cerebro(self, cerebro: Any) -> None:
        self._cerebro = cerebro
        self.inner.cerebro = cerebro

    def start(self) -> None:
        """Start the inner broker."""
        super().start()
        self.inner.start()

    def stop(self) -> None:
        """Stop the inner broker."""
        self.inner.stop()

    def getcash(self) -> float:
        """Cash of the inner broker."""
        return float(self.inner.getcash())

    def getvalue(self, datas: Any = None) -> float:
        """Value of the inner broker."""
        return float(self.inner.getvalue(datas))

    def getposition(self, data: Any) -> Any:
        """Position at the inner broker."""
        return self.inner.getposition(data)

    def getcommissioninfo(self, data: Any) -> Any:
        """Commission scheme of the inner broker."""
        return self.inner.getcommissioninfo(data)

    @property
    def positions(self) -> Any:
        """Positions of the inner broker."""
        return self.inner.positions

    @property
    def startingcash(self) -> float:
        """Starting cash of the inner broker."""
        return float(self.inner.startingcash)

    @property
    def fundshares(self) -> float:
        """Fund shares of the inner broker."""
        return float(self.inner.fundshares)

    @property
    def fundvalue(self) -> float:
        """Fund value of the inner broker."""
        return float(self.inner.fundvalue)

    @property
    def fundmode(self) -> bool:
        """Fund mode of the inner broker."""
        return bool(self.inner.fundmode)
