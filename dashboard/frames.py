"""What browsers are sent, topic by topic: plain values, ready for JSON, with what the mask leaves.

- now: time, ages, prices, position, the question's countdown; several times a second.
- card: the open question in full, or how the last one ended; when it changes.
- chain: the chain around the money; with every bar.
- log: the desk's messages; when there is a new one.
- day (`dashboard.day`): the day so far from the journal.
"""

import time
from typing import Any

import numpy as np

from dashboard.figures import ChainFigures
from dashboard.questions import Ended, Shown
from dashboard.words import contract_words, finite, moment, quote_figures
from desk.blind import masked_contract, masked_status
from desk.context import Context
from errors import DataError
from feeds.contract import TICK
from feeds.snapshot import ChainSnapshot
from vocabulary import DeskStatus, OpenQuestion

AROUND = 6
"""Strikes shown on either side of the money."""

MESSAGES = 60


def last_snapshot(context: Context) -> ChainSnapshot | None:
    """The chain at the last bar; None before there was one."""
    try:
        return context.market.feed.snapshot()
    except DataError:
        return None


def now_frame(
    raw: DeskStatus,
    context: Context,
    shown: Shown | None,
    ended: Ended | None,
    silent: float,
    browsers: int,
) -> dict[str, Any]:
    """The moving figures.

    Args:
        raw: the desk's state, unmasked.
        context: of the desk.
        shown, ended: the open question, and the one that ended last.
        silent: wall seconds since the desk told anything; `told` in the frame is that moment.
        browsers: pages that are open.
    """
    mask = context.mask
    status = masked_status(raw, mask)
    now = context.clock.market_now()
    bar = last_snapshot(context)
    age = None if bar is None else finite(max(0.0, (now - bar.ts) / 1e9), 1)
    return {
        "told": round(time.time() - silent, 4),
        "silent": round(silent, 2),
        "over": bar is not None and bar.ts >= context.market.session.close_ns,
        "time": moment(now, mask),
        "mode": status.mode,
        "account": status.account,
        "model": status.model,
        "halted": status.halted,
        "feed": context.market.line,
        "broker": status.broker_line,
        "bar": {"time": moment(None if bar is None else bar.ts, mask), "age": age},
        "spot": finite(status.spot, 2),
        "iv": finite(status.atm_iv),
        "day_pnl": finite(status.day_pnl, 2),
        "loss_left": finite(status.loss_left, 2),
        "wait_left": finite(raw.wait_left, 2),
        "position": _position(raw, status, context),
        "orders": [_order(line) for line in status.orders],
        "question": _question(raw.question, shown, context),
        "ended": None if ended is None else ended.key,
        "browsers": browsers,
    }


def log_frame(raw: DeskStatus, context: Context) -> dict[str, Any]:
    """The last messages, oldest first."""
    status = masked_status(raw, context.mask)
    lines = [
        {"time": moment(ts, context.mask), "text": text} for ts, text in status.messages[-MESSAGES:]
    ]
    return {"lines": lines, "hidden": context.mask.hides}


def chain_frame(figures: ChainFigures | None, raw: DeskStatus, context: Context) -> dict[str, Any]:
    """The chain around the money at the last bar."""
    if figures is None:
        return {"time": None, "rows": []}
    bar, mask = figures.snapshot, context.mask
    strikes = bar.strikes / 1000
    near = int(np.searchsorted(strikes, bar.spot))
    rows = [
        _strike(figures, k, raw, context)
        for k in range(max(0, near - AROUND), min(len(strikes), near + AROUND))
    ]
    return {"time": moment(bar.ts, mask), "spot": finite(mask.level(bar.spot), 2), "rows": rows}


def _strike(figures: ChainFigures, k: int, raw: DeskStatus, context: Context) -> dict[str, Any]:
    bar, iv = figures.snapshot, figures.greeks.iv[0, 0, k]
    level = context.mask.level(float(bar.strikes[k]) / 1000)
    row: dict[str, Any] = {"strike": finite(level, 2), "iv": finite(float(iv))}
    bids, asks = bar.bid, bar.ask
    for right, name in enumerate(("call", "put")):
        contract = bar.contract(right, k)
        row[name] = {
            "bid": finite(float(bids[right, k]), 2),
            "ask": finite(float(asks[right, k]), 2),
            "delta": finite(float(figures.greeks.delta[0, right, k]), 2),
            "held": raw.position is not None and raw.position.contract == contract,
            "asked": raw.question is not None and raw.question.suggestion.contract == contract,
        }
    return row


def _position(raw: DeskStatus, status: DeskStatus, context: Context) -> dict[str, Any] | None:
    held = raw.position
    if held is None:
        return None
    quote = context.market.board.latest(held.contract)
    side = "short" if held.side < 0 else "long"
    shown = masked_contract(held.contract, context.mask)
    return {
        "words": f"{side} {held.quantity} {contract_words(shown)}",
        "price": finite(held.average_price),
        "pnl": finite(status.position_pnl, 2),
        "stop": finite(status.stop_price, 2),
        "entered": moment(held.entered_ts, context.mask),
        "quote": quote_figures(quote),
    }


def _order(line: Any) -> dict[str, Any]:
    return {
        "text": line.text,
        "status": line.status,
        "filled": line.filled,
        "quantity": line.quantity,
        "limit": finite(line.limit, 2),
    }


def _question(
    question: OpenQuestion | None, shown: Shown | None, context: Context
) -> dict[str, Any] | None:
    """The moving part of the open question; its prices are real, its level is masked."""
    if shown is None:
        return None
    told: dict[str, Any] = {"key": shown.key, "terms": shown.terms}
    told["given"] = None if shown.given is None else str(shown.given.answer)
    if question is None or question.suggestion.id != shown.suggestion.id:
        return told | {"left": None, "quote": None, "spot": None, "drift": None}
    quote, suggestion = question.quote, question.suggestion
    drift = None
    if quote is not None and suggestion.side < 0:
        drift = finite((suggestion.bid - quote.bid) / TICK, 1)
    elif quote is not None:
        drift = finite((quote.ask - suggestion.ask) / TICK, 1)
    spot = None if quote is None else finite(context.mask.level(quote.spot), 2)
    return told | {
        "left": finite(question.seconds_left, 1),
        "quote": quote_figures(quote),
        "spot": spot,
        "drift": drift,
    }
