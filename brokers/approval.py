"""The human-in-the-loop broker: no entry reaches the market without a yes.

`ApprovalBroker` wraps any Backtrader broker. It holds the order object as Submitted while the
question is open, never blocks, and on yes forwards *the same object*; n is Rejected, everything
else Canceled. One yes approves a plan: protective exits, and the settlement, need no second one,
unless exits are asked too. docs/approval.md tells the whole of it.
"""

from collections.abc import Callable
from typing import Any, Literal

import backtrader as bt

from brokers.asking import SENT, AskingBroker, Recheck
from brokers.questions import Listeners, Question
from brokers.terms import Quotes, change_order, changed, refused_change
from feeds.snapshot import ChainSnapshot
from vocabulary import NEVER_ASKED, Answer, Approver, Clock, Decision, Suggestion, Verdict

__all__ = ["SENT", "ApprovalBroker", "Recheck", "always_allowed"]


def always_allowed(order: bt.Order, snapshot: ChainSnapshot) -> Verdict:
    """The recheck of a market that stands still between question and answer."""
    return Verdict(True)


class ApprovalBroker(AskingBroker):
    """Asks before it forwards, one question at a time.

    Entries must carry a `Suggestion` in `order.info["suggestion"]`. Exits carry an `exit_reason`,
    belong to an approved plan and pass; anything else is Rejected. The decision is put into
    `order.info["decision"]`. An entry that a listener cannot journal is refused; exits go on.
    """

    def __init__(
        self,
        inner: Any,
        approver: Approver,
        recheck: Recheck = always_allowed,
        decided: Callable[[Suggestion, Decision], None] | None = None,
        *,
        asked: Callable[[bt.Order, Suggestion, ChainSnapshot], None] | None = None,
        concluded: Callable[[Suggestion, Decision, str], None] | None = None,
        told: Callable[[bt.Order], None] | None = None,
        clock: Clock | None = None,
        question_seconds: float | None = None,
        exits: Literal["plan", "ask"] = "plan",
        repeat_seconds: float = 30.0,
        quotes: Quotes | None = None,
    ) -> None:
        """Wrap `inner`, which executes.

        Args:
            inner: any Backtrader broker.
            approver: who is asked; `brokers.channels.Channels` for several.
            recheck: judges price, age and rules of an entry again at the moment of yes.
            decided: called with every decision, before the order is forwarded.
            asked: called after a question was put.
            concluded: called with what became of a decision: "sent", or why not.
            told: called with every notification that is handed to Cerebro.
            clock: its monotonic time measures questions; the system's where None.
            question_seconds: an entry question is open this long, for ever where None.
            exits: "ask" puts exits before the person, too.
            repeat_seconds: an exit without a yes is put again after so long.
            quotes: prices of exits that are asked, fresher than the last bar's.
        """
        listeners = Listeners(asked, decided, concluded, told)
        super().__init__(
            inner, approver, recheck, listeners, clock, question_seconds, repeat_seconds, quotes
        )
        self._asks_exits = exits == "ask"

    def stop(self) -> None:
        """Withdraw open questions and stop the inner broker."""
        for question in tuple(self._held):
            self.cancel(question.order, "the session was stopped")
        super().stop()

    def submit(self, order: bt.Order) -> bt.Order:
        """Forward an exit, hold an entry and ask; an approver that knows already answers here."""
        reason = order.info.get("exit_reason")
        if reason is not None and (not self._asks_exits or reason in NEVER_ASKED):
            return self.inner.submit(order)
        order.submit(self)
        self.tell(order)
        if reason is None and order.info.get("suggestion") is None:
            return self._refuse(order, "an entry needs a suggestion that a person can answer")
        snapshot = order.data.feed.snapshot()
        self._seen_ts = snapshot.ts
        self._held.append(Question(order, order.info.get("suggestion")))
        self._put_next(snapshot)
        return order

    def next(self) -> None:
        """Collect answers, then let the inner broker do its turn (idle loops included)."""
        if self._held:
            self._attend()
        self.inner.next()

    def get_notification(self) -> bt.Order | None:
        """Own news first; the inner broker's Submitted of a forwarded order was told already."""
        news = self._news.popleft() if self._news else self._inner_news()
        if news is not None:
            self._listeners.told(news)
        return news

    # For the desk, on Cerebro's thread -----------------------------------------------------------

    @property
    def journal_fault(self) -> str:
        """Why a listener could not write; empty when all is well."""
        return self._listeners.fault

    @property
    def open_question(self) -> tuple[bt.Order, Suggestion, float] | None:
        """The order, the suggestion as it was put, and the seconds left; None for no question.

        Of an exit the seconds are those until it is put again.
        """
        question = self._put
        if question is None or question.suggestion is None or question.put_at is None:
            return None
        end = question.again_at
        if question.is_entry:
            end = question.put_at + self._question_seconds
        return question.order, question.suggestion, max(0.0, end - self._monotonic())

    def amend(self, quantity: int | None = None, limit: float | None = None) -> str:
        """Change the open entry question: fewer contracts, or the worst price; put it again.

        Returns why not, empty when it is done. The order becomes a limit order with a limit.
        """
        question = self._put
        if question is None or question.suggestion is None:
            return "there is no question to change"
        refused = refused_change(question.suggestion, quantity, limit)
        if not refused:
            question.suggestion = changed(question.suggestion, quantity, limit)
            change_order(question.order, question.suggestion, limit)
            self.approver.ask(question.suggestion)
        return refused

    def withdraw_all(self, reason: str) -> None:
        """Take open questions back: entries are Canceled, an exit is put again later."""
        self._cancel_entries(reason)
        question = self._put
        if question is not None and question.suggestion is not None:
            self.approver.withdraw(question.suggestion, reason)
            self._conclude(question, self._unanswered(question, Answer.WITHDRAWN, reason))

    def remember(self, entry: Suggestion) -> None:
        """Tell the suggestion of a position that an earlier process opened."""
        self._entry = entry

    def _inner_news(self) -> bt.Order | None:
        news = self.inner.get_notification()
        while news is not None and self._told_already(news):
            news = self.inner.get_notification()
        return news

    @staticmethod
    def _told_already(news: bt.Order) -> bool:
        return bool(news.status == bt.Order.Submitted and news.info.get("decision") is not None)
