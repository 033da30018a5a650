"""What happens in the market between two instants, as frames for those who subscribed."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from feeds.contract import Right
from feeds.theta_simulator.bars import bars
from feeds.theta_simulator.enquiry import NATIONAL_BEST, spoiled
from feeds.theta_simulator.messages import Instrument, bar_frame, quote_frame, trade_frame
from feeds.theta_simulator.stock import NASDAQ_BASIC, REGULAR, STOCK_SIZE
from feeds.theta_simulator.tape import Booleans, News, Tape
from feeds.theta_simulator.trades import AUTO_EXECUTION, Trades, option_trades, stock_trades

LETTER = {Right.CALL: "C", Right.PUT: "P"}
QUOTES_AFTER_A_TRADE = 2


class Frame(NamedTuple):
    """A frame and the market time (nanoseconds) it belongs to."""

    ts: int
    text: str


@dataclass
class Wanted:
    """What is streamed of a session.

    Attributes:
        quotes, trades: [2, K] contracts subscribed.
        every_trade: the full trade stream is on.
        stock_quotes, stock_trades: the underlying is subscribed.
        owed: quotes that still follow a trade of the full stream, by right and strike index.
    """

    quotes: Booleans
    trades: Booleans
    every_trade: bool = False
    stock_quotes: bool = False
    stock_trades: bool = False
    owed: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """Whether any frame could come of it."""
        flags = self.every_trade or self.stock_quotes or self.stock_trades
        return bool(flags or self.quotes.any() or self.trades.any())


def wanted(tape: Tape, streams: Set[tuple[str, Instrument]], every_trade: bool) -> Wanted:
    """What of a session the subscriptions, (QUOTE or TRADE, instrument), ask for.

    Contracts that do not exist are subscribed too, and silent, as at the vendor.
    """
    shape = 2, tape.strikes.size
    found = Wanted(np.zeros(shape, bool), np.zeros(shape, bool), every_trade)
    place = {int(strike): k for k, strike in enumerate(tape.strikes)}
    expiration = int(f"{tape.session.date:%Y%m%d}")
    for kind, one in streams:
        if one.root != tape.symbol:
            continue
        if one.security == "STOCK":
            found.stock_quotes |= kind == "QUOTE"
            found.stock_trades |= kind == "TRADE"
        elif one.expiration == expiration and one.strike in place:
            mask = found.quotes if kind == "QUOTE" else found.trades
            mask[Right.CALL if one.right == "C" else Right.PUT, place[one.strike]] = True
    return found


def instrument(tape: Tape, right: int, k: int) -> Instrument:
    """The contract of an index of the right and strike axes."""
    expiration = int(f"{tape.session.date:%Y%m%d}")
    letter = LETTER[Right(right)]
    return Instrument("OPTION", tape.symbol, expiration, int(tape.strikes[k]), letter)


def bursts(
    tape: Tape, want: Wanted, after: int, until: int, faults: frozenset[str]
) -> Iterator[list[Frame]]:
    """The frames after `after` up to and at `until` (nanoseconds), a row of the source at a time.

    Within a burst frames are in order of time; at one instant the underlying comes first.
    """
    for news in tape.news(after, until):
        end = min(int(tape.ts[news.row]), until)
        frames = list(_stock_frames(tape, want, after, end))
        frames += _option_quotes(tape, want, news, faults)
        frames += _option_trades(tape, want, after, end)
        frames.sort(key=lambda frame: frame.ts)
        yield frames
        after = max(after, end)
    rest = list(_stock_frames(tape, want, after, until)) + list(
        _option_trades(tape, want, after, until)
    )
    if rest:
        yield sorted(rest, key=lambda frame: frame.ts)


def _option_quotes(tape: Tape, want: Wanted, news: News, faults: frozenset[str]) -> Iterator[Frame]:
    take = want.quotes[news.right, news.k]
    for pair in want.owed:
        take = take | ((news.right == pair[0]) & (news.k == pair[1]))
    if "late-strikes" in faults:
        take = take & ~(tape.late[news.k] & (news.ts < tape.noon()))
    ts, right, k = news.ts[take], news.right[take], news.k[take]
    sides = spoiled(faults, k, tape.sides(news.row, right, k))
    columns = (column.tolist() for column in (ts, right, k, *sides, tape.exchange(right, k)))
    for when, r, strike, bid, ask, bid_size, ask_size, exchange in zip(*columns, strict=True):
        _pay(want, r, strike)
        one = instrument(tape, r, strike)
        quote = quote_frame(one, when, (bid, bid_size), (ask, ask_size), exchange, NATIONAL_BEST)
        yield Frame(when, quote)


def _pay(want: Wanted, right: int, k: int) -> None:
    """One quote less is owed to the contract."""
    left = want.owed.pop((right, k), 0) - 1
    if left > 0:
        want.owed[right, k] = left


def _option_trades(tape: Tape, want: Wanted, after: int, until: int) -> Iterator[Frame]:
    """OHLC and TRADE of each trade; in the full stream the standing quote before them."""
    if not (want.every_trade or want.trades.any()):
        return
    made = option_trades(tape)
    first, last = np.searchsorted(made.trades.ts, [after, until], side="right")
    for n in range(int(first), int(last)):
        right, k, row = int(made.right[n]), int(made.k[n]), int(made.row[n])
        if not (want.every_trade or want.trades[right, k]):
            continue
        one, ts = instrument(tape, right, k), int(made.trades.ts[n])
        exchange = int(tape.exchange(made.right[n : n + 1], made.k[n : n + 1])[0])
        if want.every_trade:
            bid = float(tape.bid[row, right, k]), int(tape.bid_size[row, right, k])
            ask = float(tape.ask[row, right, k]), int(tape.ask_size[row, right, k])
            yield Frame(ts, quote_frame(one, ts, bid, ask, exchange, NATIONAL_BEST))
            want.owed[right, k] = QUOTES_AFTER_A_TRADE
        same = (made.right == right) & (made.k == k)
        yield _bar(tape, one, made.trades, same, ts)
        yield _trade(one, made.trades, n, (AUTO_EXECUTION, exchange))


def _stock_frames(tape: Tape, want: Wanted, after: int, until: int) -> Iterator[Frame]:
    one = Instrument("STOCK", tape.symbol)
    if want.stock_quotes:
        first, last = np.searchsorted(tape.ts, [after, until], side="right").tolist()
        for row in range(first, last):
            bid, ask = float(tape.stock_bid[row]), float(tape.stock_ask[row])
            size = STOCK_SIZE + row * 37 % 800
            ts = int(tape.ts[row])
            text = quote_frame(one, ts, (bid, size), (ask, size + 1), NASDAQ_BASIC, REGULAR)
            yield Frame(ts, text)
    if want.stock_trades:
        made = stock_trades(tape)
        first, last = np.searchsorted(made.ts, [after, until], side="right").tolist()
        for n in range(first, last):
            yield _bar(tape, one, made, np.ones(made.ts.size, bool), int(made.ts[n]))
            yield _trade(one, made, n, (REGULAR, NASDAQ_BASIC))


def _bar(tape: Tape, one: Instrument, made: Trades, which: Booleans, ts: int) -> Frame:
    """The session's bar with all trades up to and at `ts`."""
    opening = np.array([tape.session.open_ns])
    bar = bars(made, which & (made.ts <= ts), opening, ts - tape.session.open_ns + 1)
    prices = tuple(float(getattr(bar, name)[0]) for name in ("open", "high", "low", "close"))
    sold = int(bar.volume[0]), int(bar.count[0])
    return Frame(ts, bar_frame(one, ts, prices, sold))  # type: ignore[arg-type]


def _trade(one: Instrument, made: Trades, n: int, codes: tuple[int, int]) -> Frame:
    ts, price, size, sequence = (column[n].item() for column in made)
    return Frame(ts, trade_frame(one, ts, price, size, sequence, codes))
