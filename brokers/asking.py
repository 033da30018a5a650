"""The life of a question: put, answered or not, concluded, its order forwarded or ended.

The rules of the approval, without Backtrader's side of it, which is `brokers.approval`.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import backtrader as bt

from brokers.questions import TIME_EXIT, TIMED_OUT, Listeners, Question
from brokers.terms import Quotes, exit_suggestion
from brokers.wrapper import WrappingBroker
from feeds.quotes import is_last_minute
from feeds.snapshot import ChainSnapshot
from vocabulary import Answer, Approver, Clock, Decision, Suggestion, Verdict

Recheck = Callable[[bt.Order, ChainSnapshot], Verdict]

SENT = "sent"
"""The outcome of a yes that reached the inner broker."""

NOT_SENT = "not sent"
"""The outcome of every other answer to an entry."""

BAR_IS_LATE = 60_000_000_000
"""Nanoseconds of market time after which the time exit does not wait for its bar any more."""

ANSWERS = (Answer.YES, Answer.NO, Answer.SKIP)
"""What a person says; the rest happens to a question."""


class AskingBroker(WrappingBroker):
    """Holds orders and puts them before an approver, one at a time, exits first."""

    def __init__(
        self,
        inner: Any,
        approver: Approver,
        recheck: Recheck,
        listeners: Listeners,
        clock: Clock | None,
        question_seconds: float | None,
        repeat_seconds: float,
        quotes: Quotes | None,
    ) -> None:
        """See `brokers.approval.ApprovalBroker`."""
        super().__init__(inner)
        self.approver = approver
        self.recheck = recheck
        self._listeners = listeners
        self._monotonic = time.monotonic if clock is None else clock.monotonic
        self._market_now = None if clock is None else clock.market_now
        self._question_seconds = float("inf") if question_seconds is None else question_seconds
        self._repeat_seconds = repeat_seconds
        self._quotes = quotes
        self._held: list[Question] = []
        self._entry: Suggestion | None = None
        self._seen_ts = 0
        self._at_bar = False

    def cancel(self, order: bt.Order, reason: str = "canceled") -> None:
        """Withdraw an open question, or cancel at the inner broker."""
        question = next((one for one in self._held if one.order == order), None)
        if question is None:
            self.inner.cancel(order, reason)
        elif question.put_at is None or question.suggestion is None:
            self._held.remove(question)
            self._cancel_held(question.order, reason)
        else:
            self.approver.withdraw(question.suggestion, reason)
            self._held.remove(question)
            self._close(question, self._unanswered(question, Answer.WITHDRAWN, reason))

    @property
    def _put(self) -> Question | None:
        return next((one for one in self._held if one.put_at is not None), None)

    def _attend(self) -> None:
        """Look after what is held: the end of the session, answers, time-outs, what is due."""
        snapshot = self._held[0].order.data.feed.snapshot()
        self._at_bar, self._seen_ts = snapshot.ts != self._seen_ts, snapshot.ts
        for question in tuple(self._held):
            if is_last_minute(snapshot.minutes_until_close):
                self.cancel(question.order, "session_end")
            elif self._time_exit_has_come(question, snapshot):
                self._send_unanswered(question)
            elif question.put_at is not None and question in self._held:
                self._poll(question, snapshot)
        self._put_next(snapshot)
        self._at_bar = False

    def _put_next(self, snapshot: ChainSnapshot) -> None:
        """Put what is due, exits first, until somebody has to think."""
        while due := [one for one in self._held if self._is_due(one, snapshot)]:
            first, put = min(due, key=lambda one: one.is_entry), self._put
            if put is not None and (first.is_entry or not put.is_entry):
                return
            if put is not None:
                self.cancel(put.order, "an exit has to be decided first")
            self._ask(first, snapshot)

    def _is_due(self, question: Question, snapshot: ChainSnapshot) -> bool:
        if question.put_at is not None or question.due_ts > snapshot.ts:
            return False
        return self._monotonic() >= question.again_at

    def _ask(self, question: Question, snapshot: ChainSnapshot) -> None:
        question.put_at = self._monotonic()
        suggestion = question.suggestion
        if suggestion is None:
            question.times += 1
            suggestion = self._price_exit(question, snapshot, again=False)
        self.approver.ask(suggestion)
        fault = self._listeners.asked(question.order, suggestion, snapshot)
        if fault and question.is_entry:
            self.approver.withdraw(suggestion, fault)
            self._held.remove(question)
            self._refuse(question.order, fault)
        else:
            self._poll(question, snapshot)

    def _price_exit(self, question: Question, snapshot: ChainSnapshot, again: bool) -> Suggestion:
        """Write an exit's suggestion at the price of now."""
        contract = question.order.data.contract
        quote = None if self._quotes is None else self._quotes(contract)
        entry = self._entry if self._entry and self._entry.contract == contract else None
        question.again_at = self._monotonic() + self._repeat_seconds
        question.suggestion = exit_suggestion(question, snapshot, quote, entry, again)
        return question.suggestion

    def _poll(self, question: Question, snapshot: ChainSnapshot) -> None:
        """Take an answer that came in time; look at the clock if there is none."""
        suggestion, put_at = question.suggestion, question.put_at
        assert suggestion is not None and put_at is not None
        decision = self.approver.answer(suggestion)
        limit = self._question_seconds if question.is_entry else float("inf")
        if decision is not None and decision.latency_seconds <= limit:
            self._conclude(question, decision)
        elif self._monotonic() - put_at >= limit:
            self.approver.withdraw(suggestion, TIMED_OUT)
            reason = f"no answer within {limit:g} s"
            self._conclude(question, self._unanswered(question, Answer.TIMEOUT, reason))
        elif not question.is_entry and self._monotonic() >= question.again_at:
            self.approver.ask(self._price_exit(question, snapshot, again=True))

    def _time_exit_has_come(self, question: Question, snapshot: ChainSnapshot) -> bool:
        """Whether an exit is carried out although nobody said yes: so the entry's plan says."""
        entry = self._entry
        if question.is_entry or entry is None or entry.plan is None:
            return False
        at = entry.plan.time_exit_ts
        if at is None or entry.contract != question.order.data.contract:
            return False
        now = snapshot.ts if self._market_now is None else self._market_now() - BAR_IS_LATE
        return max(snapshot.ts, now) >= at

    def _send_unanswered(self, question: Question) -> None:
        """Carry out an exit that nobody answered, or that was put off, at the time exit."""
        suggestion = question.suggestion
        self._held.remove(question)
        if question.put_at is None or suggestion is None:
            self.inner.submit(question.order)
            return
        self.approver.withdraw(suggestion, TIME_EXIT)
        decision = self._unanswered(question, Answer.TIMEOUT, TIME_EXIT)
        decision = replace(decision, ts=self._now_ts(question.order), at_bar=self._at_bar)
        question.order.addinfo(decision=decision)
        self._listeners.decided(suggestion, decision)
        self.inner.submit(question.order)
        self._listeners.concluded(suggestion, decision, SENT)

    def _conclude(self, question: Question, decision: Decision) -> None:
        """End a question, or put an exit that got no yes away for a while."""
        if question.is_entry or decision.answer is Answer.YES:
            self._held.remove(question)
        else:
            question.put_at = None
            question.again_at = self._monotonic() + self._repeat_seconds
        self._close(question, decision)

    def _close(self, question: Question, decision: Decision) -> None:
        """Tell the decision, carry it out, tell what became of it."""
        order, suggestion = question.order, question.suggestion
        assert suggestion is not None
        decision = replace(decision, ts=self._now_ts(order), at_bar=self._at_bar)
        order.addinfo(decision=decision)
        fault = self._listeners.decided(suggestion, decision)
        if question in self._held:
            outcome = f"not now: asked again in {self._repeat_seconds:g} s"
            question.suggestion = None
        else:
            outcome = self._carry_out(question, decision, fault)
        if decision.answer in ANSWERS:
            self.approver.conclude(suggestion, decision, outcome)
        self._listeners.concluded(suggestion, decision, outcome)

    def _carry_out(self, question: Question, decision: Decision, fault: str) -> str:
        """Forward on yes if the market still allows it, refuse or cancel otherwise."""
        order = question.order
        if decision.answer is Answer.YES:
            return self._forward(question, fault)
        if decision.answer is Answer.NO:
            words = (decision.reason_code, decision.reason)
            self._refuse(order, ": ".join(filter(None, words)) or "the person said no")
        else:
            self._cancel_held(order, decision.reason or str(decision.answer))
        return NOT_SENT

    def _forward(self, question: Question, fault: str) -> str:
        order = question.order
        if question.is_entry:
            verdict = self.recheck(order, order.data.feed.snapshot())
            if fault or not verdict.allowed:
                reason = fault or verdict.reason
                self._refuse(order, reason)
                return reason
            self._entry = question.suggestion
        self.inner.submit(order)
        if order.status in (bt.Order.Rejected, bt.Order.Margin, bt.Order.Canceled):
            return str(order.info.get("reason") or order.getstatusname())
        return SENT

    def _refuse(self, order: bt.Order, reason: str) -> bt.Order:
        order.addinfo(reason=reason)
        order.reject(self)
        self.tell(order)
        return order

    def _cancel_held(self, order: bt.Order, reason: str) -> None:
        order.addinfo(reason=reason)
        order.cancel()
        self.tell(order)

    def _cancel_entries(self, reason: str) -> None:
        for question in tuple(self._held):
            if question.is_entry:
                self.cancel(question.order, reason)

    def _unanswered(self, question: Question, answer: Answer, reason: str) -> Decision:
        """The decision of a question that ended without a person's word."""
        assert question.suggestion is not None and question.put_at is not None
        open_for = self._monotonic() - question.put_at
        return Decision(question.suggestion.id, answer, "desk", open_for, reason)

    @staticmethod
    def _now_ts(order: bt.Order) -> int:
        return int(order.data.feed.snapshot().ts)
