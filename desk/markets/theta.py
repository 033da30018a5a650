"""The market of now, from a Theta Terminal; one of `run.py simulate` tells its own time.

    with theta_market(settings, folder=run_folder) as market:
        cerebro.adddata(market.feed)
        market.start()
        cerebro.run()

Bars come by the clock whatever the terminal does. They are recorded into the data folder, which is
what the desk is trained on later; what earlier processes left there is put in order first.
"""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from desk.markets.archive import put_in_order
from desk.markets.boards import StreamedBoard
from desk.markets.known_day import RECORDED
from desk.markets.market import Board, Mask
from desk.markets.recording import SafeRecording
from desk.markets.since import MarketSince
from errors import DataError, NoSubscriptionError
from feeds.live.live_feed import LiveFeed
from feeds.live.recorder import SOURCE
from feeds.sessions import Session, last_sessions, session_on, to_new_york
from feeds.theta.asking import Manner, Manners
from feeds.theta.closes import ask_close
from feeds.theta.market import ThetaMarket
from feeds.theta.market_time import MarketTime, market_time
from feeds.theta.rest import ThetaRest
from feeds.theta.terminal import terminal_ready
from feeds.theta.tiers import Tiers, probe_tiers
from feeds.underlying import OfficialClose
from settings import SIMULATED, Settings

SYMBOL = "SPY"
CLOSING_SECONDS = 12.0
"""A question for an official close that is on its way ends by itself within this."""

SHORT = Manners(history=Manner(5.0, 5.0))
"""Nobody waits longer for an official close: the next start asks again."""


def theta_market(settings: Settings, *, folder: Path | None = None) -> "TerminalMarket":
    """Today's session from the terminal of `settings.theta`, which must answer now.

    Args:
        settings: the terminal, bar length, age limit, where to record.
        folder: of the run: its `recorded` takes the session of a simulated terminal.

    Raises `DataError` on a day without a session and after its close, `NoSubscriptionError` where
    the account has no live quotes, `FeedError` where the terminal cannot be asked.
    """
    with ExitStack() as stack:
        rest = stack.enter_context(terminal_ready(settings.theta))
        time = market_time(settings.theta.url)
        session = _session_of(time.now())
        past = last_sessions(1, session.date - timedelta(days=1))[0].date
        tiers = probe_tiers(rest, SYMBOL, session.date, past)
        if not tiers.chain_quotes:
            raise NoSubscriptionError(f"{tiers.advice()} (docs/theta.md)")
        market = TerminalMarket(settings, rest, time, session, tiers, folder)
        market.keep_open(stack.pop_all())
    return market


def _session_of(now: int) -> Session:
    """Today's session. Raises `DataError` where there is none, or none any more."""
    moment = to_new_york(now)
    session = session_on(moment.date())
    if now >= session.close_ns:
        raise DataError(
            f"the session of {session.date} closed at {session.close:%H:%M} New York and it is "
            f"{moment:%H:%M}: there is nothing left to trade, start before the next close"
        )
    return session


class TerminalMarket:
    """A `LiveMarket` over a terminal that answers already; made by `theta_market`."""

    def __init__(
        self,
        settings: Settings,
        rest: ThetaRest,
        time: MarketTime,
        session: Session,
        tiers: Tiers,
        folder: Path | None,
    ) -> None:
        """Nothing is asked yet."""
        self.session, self.mask = session, Mask()
        self.is_simulated, self.is_accelerated = time.is_simulated, time.speed > 1
        self.bar_seconds = float(settings.live.bar_seconds)
        kind = "simulated terminal" if time.is_simulated else "Theta Terminal"
        self.label = f"{kind} at {rest.place}, {session.date}"
        self.advice = tiers.advice()
        self.feed = LiveFeed()
        self._streamed = StreamedBoard(time.now, "theta")
        self.board: Board = self._streamed
        self._settings, self._rest, self._time = settings, rest, time
        self._stack = ExitStack()
        self._recording = self._recording_into(folder)
        self._archive_problem = ""
        self._since = MarketSince(self.now)
        self._archive_rest = self._short_rest()
        self._archive = Thread(target=self._put_in_order, name="archive", daemon=True)
        self._is_started = self._is_closed = False
        self._market = ThetaMarket(
            rest,
            settings.theta.ws,
            session,
            self.feed,
            tiers,
            takers=[] if self._recording is None else [self._recording.add],
            period_seconds=settings.live.bar_seconds,
            year_convention=settings.market.year_convention,
            age_limit_seconds=settings.rules.quote_age_seconds,
            now=time.now,
            board=self._streamed.quotes,
            outlives_session=True,
            source=SIMULATED if time.is_simulated else SOURCE,
        )

    def keep_open(self, stack: ExitStack) -> None:
        """Close `stack` (the terminal, if it was started for us) at the end."""
        self._stack = stack

    @property
    def line(self) -> str:
        """What the data is worth now and since when, in one line."""
        told = [self._market.line]
        if self.now() < self.session.open_ns:
            told.insert(0, f"the market opens at {self.session.open:%H:%M} New York")
        recording = "" if self._recording is None else self._recording.problem
        line = "; ".join(text for text in (*told, recording, self._archive_problem) if text)
        return self._since.told(line) if self.is_simulated else line

    def now(self) -> int:
        """Market time in nanoseconds since 1970 UTC."""
        return self._time.now()

    def hold(self, held: bool) -> None:
        """The market waits for nobody."""

    def start(self) -> None:
        """Read the chain, stream and make bars; put earlier recordings in order beside it."""
        if self._is_started:
            return
        self._is_started = True
        if self._recording is not None and not self.is_simulated:
            self._archive.start()
        self._market.start()

    def close(self) -> None:
        """Stop, end the feed, and store what was recorded; idempotent.

        After the close the official close is asked for once; where Theta does not know it yet, the
        next start asks again.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._market.close()
        self.feed.end()
        self._archive_rest.close()
        if self._archive.ident is not None:
            self._archive.join(CLOSING_SECONDS)
        if self._recording is not None:
            self._recording.finish(self._official_close(self._recording))
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _recording_into(self, folder: Path | None) -> SafeRecording | None:
        """Real quotes go to the data folder, simulated ones into the run's own."""
        settings = self._settings
        if self.is_simulated:
            place, source = (None if folder is None else folder / RECORDED), SIMULATED
        else:
            place, source = settings.filled_folder, SOURCE
        if place is None:
            return None
        rules, period = settings.rules, settings.live.bar_seconds
        return SafeRecording(place, self.session, period, source, rules.time_exit_minutes)

    def _put_in_order(self) -> None:
        """In a thread of its own: a restart in the middle of a session must not wait for it."""
        if self._recording is None:
            return
        self._archive_problem = put_in_order(
            self._recording.store,
            self.session.date,
            lambda session, ts, spot: ask_close(self._archive_rest, SYMBOL, session, ts, spot),
            self._settings.rules.time_exit_minutes,
        )

    def _short_rest(self) -> ThetaRest:
        """For questions that may be left to another time: quick to give up."""
        return ThetaRest(self._settings.theta.url, self._settings.theta.concurrency, SHORT)

    def _official_close(self, recording: SafeRecording) -> OfficialClose:
        if self.now() < self.session.close_ns:
            return OfficialClose(None)
        with self._short_rest() as rest:
            return ask_close(rest, SYMBOL, self.session, *recording.last_prices)
