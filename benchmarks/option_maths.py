"""Contracts per CPU second for implied volatility and four Greeks, one thread.

Run `python benchmarks/option_maths.py`. It prints the best of several repeats of process time, so
that other programs on the machine disturb it little.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # after the number of threads is set

from feeds import option_maths
from feeds.chain import ChainDay, chain_day
from feeds.sessions import NANOSECONDS_A_MINUTE, session_on

CONTRACTS = 1_000_000
REPEATS = 7


def best_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Least CPU seconds of `work` in `repeats` calls."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def same_day_contracts(count: int) -> dict[str, np.ndarray]:
    """Calls and puts of the last session minutes, 390 to 1, worth a cent at least."""
    random = np.random.default_rng(0)
    forward = 600 + random.normal(0, 5, 4 * count)
    strike = np.round(forward + random.normal(0, 4, forward.size))
    years = random.uniform(1, 390, forward.size) / option_maths.MINUTES_A_YEAR
    is_call = random.random(forward.size) < 0.5
    volatility = random.uniform(0.08, 0.6, forward.size)
    price = option_maths.option_price(forward, strike, years, volatility, is_call)
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0)
    kept = np.flatnonzero(price - intrinsic >= 0.01)[:count]
    columns = {"price": price, "forward": forward, "strike": strike}
    columns |= {"years": years, "is_call": is_call}
    return {name: column[kept] for name, column in columns.items()}


def minute_session(strikes_count: int = 80) -> ChainDay:
    """A session of 391 minutes with quotes a cent or two wide at every strike."""
    session = session_on(date(2026, 10, 30))
    ts = session.open_ns + NANOSECONDS_A_MINUTE * np.arange(391)
    spot = 600 + np.cumsum(np.random.default_rng(1).normal(0, 0.1, ts.size))
    strikes = 1000 * np.arange(600 - strikes_count // 2, 600 + strikes_count // 2)
    years = option_maths.year_fraction(session.minutes_until_close(ts), "calendar")
    is_call = np.array([True, False])[:, None]
    value = option_maths.option_price(
        spot[:, None, None], strikes / 1000, years[:, None, None], 0.15, is_call
    )
    bid = np.floor(value * 100) / 100
    return chain_day(
        session=session,
        underlying="SPY",
        ts=ts,
        spot=spot,
        strikes=strikes,
        bid=bid,
        ask=bid + 0.01 + 0.01 * (bid > 0),
        source="simulated",
        official_close=float(spot[-1]),
    )


def main() -> None:
    contracts = same_day_contracts(CONTRACTS)
    count = contracts["price"].size
    greeks = best_seconds(lambda: option_maths.volatility_and_greeks(**contracts))
    alone = best_seconds(lambda: option_maths.implied_volatility(**contracts))
    print(f"{count:,} contracts, one thread, best of {REPEATS}, process time")
    print(f"IV + delta, gamma, theta, vega  {count / greeks / 1e6:6.2f} million contracts / s")
    print(f"IV alone                        {count / alone / 1e6:6.2f} million contracts / s")

    day = minute_session()
    dollars = day.strikes / 1000
    forward, nearest, years = day.forward, day.atm_index, day.years
    quotes = day.bid, day.ask
    tasks: dict[str, Callable[[], object]] = {
        "parity_forward": lambda: option_maths.parity_forward(day.spot, dollars, *quotes),
        "atm_index": lambda: option_maths.atm_index(day.spot, day.strikes, *quotes),
        "atm_volatility": lambda: option_maths.atm_volatility(
            forward, dollars, *quotes, years, nearest
        ),
        "chain_greeks": lambda: option_maths.chain_greeks(forward, dollars, *quotes, years),
    }
    print(f"a session of {len(day)} minutes and {dollars.size} strikes")
    for name, work in tasks.items():
        print(f"{name:30}  {best_seconds(work, 30) * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
