"""The human-in-the-loop broker: no entry reaches the market without a yes.

`ApprovalBroker` wraps any Backtrader broker. It holds the order object as Submitted while the
question is open, never blocks, and on yes forwards *the same object*; n is Rejected, everything
else Canceled. One yes approves a plan: protective exits, and the settlement, need no second one.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import backtrader as bt

from brokers.base import DeskBroker
from feeds.quotes import is_last_minute
from feeds.snapshot import ChainSnapshot
from vocabulary import Answer, Approver, Decision, Suggestion, Verdict

Recheck = Callable[[bt.Order, ChainSnapshot], Verdict]


def always_allowed(order: bt.Order, snapshot: ChainSnapshot) -> Verdict:
    """The recheck of a market that stands still between question and answer."""
    return Verdict(True)


class ApprovalBroker(DeskBroker):
    """Asks before it forwards.

    Entries must carry a `Suggestion` in `order.info["suggestion"]`. Exits carry an `exit_reason`,
    belong to an approved plan and pass; anything else is Rejected. The decision is put into
    `order.info["decision"]`. `decided` is called with every decision, for the journal.
    """

    def __init__(
        self,
        inner: Any,
        approver: Approver,
        recheck: Recheck = always_allowed,
        decided: Callable[[Suggestion, Decision], None] | None = None,
    ) -> None:
        """`inner` executes; `recheck` judges price, age and rules again at the moment of yes."""
        self.inner = inner
        self.approver = approver
        self.recheck = recheck
        self.decided = decided
        self._held: deque[bt.Order] = deque()
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
        """Withdraw open questions and stop the inner broker."""
        for order in tuple(self._held):
            self.cancel(order, "the session was stopped")
        self.inner.stop()

    def submit(self, order: bt.Order) -> bt.Order:
        """Forward an exit, hold an entry and ask; an approver that knows already answers here."""
        if order.info.get("exit_reason") is not None:
            return self.inner.submit(order)
        order.submit(self)
        self.tell(order)
        if order.info.get("suggestion") is None:
            return self._refuse(order, "an entry needs a suggestion that a person can answer")
        self.approver.ask(order.info["suggestion"])
        self._held.append(order)
        self._poll(order)
        return order

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Withdraw an open question, or cancel at the inner broker."""
        held = next((one for one in self._held if one == order), None)
        if held is None:
            self.inner.cancel(order, reason)
            return
        suggestion = order.info["suggestion"]
        self.approver.withdraw(suggestion, reason)
        self._close(held, Decision(suggestion.id, Answer.WITHDRAWN, "desk", reason=reason))

    def next(self) -> None:
        """Collect answers, then let the inner broker do its turn (idle loops included)."""
        for order in tuple(self._held):
            if self._session_is_over(order):
                self.cancel(order, "session_end")
            else:
                self._poll(order)
        self.inner.next()

    def get_notification(self) -> bt.Order | None:
        """Own news first; the inner broker's Submitted of a forwarded entry was told already."""
        if self._news:
            return self._news.popleft()
        news = self.inner.get_notification()
        while news is not None and self._told_already(news):
            news = self.inner.get_notification()
        return news

    def _poll(self, order: bt.Order) -> None:
        decision = self.approver.answer(order.info["suggestion"])
        if decision is not None:
            self._close(order, decision)

    def _close(self, order: bt.Order, decision: Decision) -> None:
        """End a question: forward on yes if the market still allows it, refuse otherwise."""
        self._held.remove(order)
        order.addinfo(decision=decision)
        if self.decided is not None:
            self.decided(order.info["suggestion"], decision)
        if decision.answer is Answer.YES:
            self._forward(order)
        elif decision.answer is Answer.NO:
            self._refuse(order, decision.reason or "the person said no")
        else:
            order.addinfo(reason=decision.reason or str(decision.answer))
            order.cancel()
            self.tell(order)

    def _forward(self, order: bt.Order) -> None:
        verdict = self.recheck(order, order.data.feed.snapshot())
        if verdict.allowed:
            self.inner.submit(order)
        else:
            self._refuse(order, verdict.reason)

    def _refuse(self, order: bt.Order, reason: str) -> bt.Order:
        order.addinfo(reason=reason)
        order.reject(self)
        self.tell(order)
        return order

    @staticmethod
    def _session_is_over(order: bt.Order) -> bool:
        return bool(is_last_minute(order.data.feed.snapshot().minutes_until_close))

    @staticmethod
    def _told_already(news: bt.Order) -> bool:
        return bool(news.status == bt.Order.Submitted and news.info.get("decision") is not None)

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
