"""When the gateway is asked for its books: wanted, on their way, and compared anyway now and then.

Times are monotonic seconds. Unknown is never empty: an answer that failed is asked for again.
"""

from dataclasses import dataclass

from brokers.ib.order_parties import Link
from brokers.ib.records import Books

ASK_AGAIN_SECONDS = 1.0
"""Wall seconds between two requests for books, and before a refused change is tried again."""

ROUTINE_SECONDS = 30.0
"""Wall seconds after which books are compared anyway: IB does not tell what others trade."""


@dataclass(slots=True)
class BooksRequest:
    """The one request that may be under way.

    Attributes:
        link: to the gateway.
        patience: seconds after which an answer is not waited for any more.
        is_wanted: whether books have to be asked for.
    """

    link: Link
    patience: float
    is_wanted: bool = True
    _asked: tuple[int, float] | None = None
    _ask_after: float = 0.0
    _compared_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether books are wanted, or on their way."""
        return self.is_wanted or self._asked is not None

    def want(self, not_before: float) -> None:
        """Have the books asked for, at that time or later."""
        self.is_wanted = True
        self._ask_after = max(self._ask_after, not_before)

    def start_anew(self) -> None:
        """The line changed: nothing is on its way any more, and books are wanted at once."""
        self.is_wanted, self._asked, self._ask_after = True, None, 0.0

    def ask(self, now: float, is_needed: bool, acts: int) -> None:
        """Ask where books are wanted, needed or due; `acts` are told with the answer."""
        due = self.is_wanted or is_needed or now - self._compared_at > ROUTINE_SECONDS
        if self._asked is None and due and now >= self._ask_after:
            self.is_wanted = False
            self._asked = acts, now
            self._ask_after = now + ASK_AGAIN_SECONDS
            self.link.ask_books()

    def take(self, now: float) -> tuple[Books, int] | None:
        """Complete books, and our acts when they were asked for; None while there are none."""
        if self._asked is None:
            return None
        answer, (acts, since) = self.link.take_books(), self._asked
        if isinstance(answer, Books):
            self._asked, self._compared_at = None, now
            return answer, acts
        if answer is not None or now - since > self.patience:
            self._asked, self.is_wanted = None, True
        return None
