"""Implied volatilities and Greeks as the vendor computes them.

European Black-Scholes-Merton on the last price of the underlying, a flat continuously compounded
rate, no dividends unless given; the price is the quote's mid. Units are the vendor's: theta a
calendar day, vega and rho per 1.00, charm, veta and color a year. The model itself is that of
`feeds.black76`, on the forward that rate and dividends make.

Formulas: Haug, "The Complete Guide to Option Pricing Formulas", chapter 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from feeds.black76 import DAYS_A_YEAR, greeks_at, implied_volatility, option_price
from feeds.sessions import Floats, Nanoseconds
from feeds.theta_simulator.query import Query, invalid
from feeds.theta_simulator.tape import Booleans

RATE = 0.0390
"""The simulated SOFR, the same every day; treasury rates are taken for the same."""

RATE_TYPES = (
    "sofr",
    *(
        f"treasury_{n}"
        for n in ["m1", "m3", "m6", "y1", "y2", "y3", "y5", "y7", "y10", "y20", "y30"]
    ),
)
SHORTEST_HOURS = 1.0
FIXED_DAYS = 0.15
NO_SOLUTION = 100.0
HOUR = 3600 * 1_000_000_000
HOURS_A_YEAR = DAYS_A_YEAR * 24


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request may choose: rate and dividend yield as fractions, and how time counts."""

    rate: float
    dividend: float
    version: str
    stock_price: float | None

    @classmethod
    def of(cls, query: Query) -> "Terms":
        """Raises `Refused` for a rate type or version there is not."""
        version = query.text("version", "latest")
        if version not in ("latest", "1"):
            raise invalid(f"version {version} is neither latest nor 1")
        if query.text("rate_type", "sofr") not in RATE_TYPES:
            raise invalid(f"rate_type is none of {', '.join(RATE_TYPES)}")
        percent = query.number("rate_value")
        return cls(
            rate=RATE if percent is None else percent / 100,
            dividend=query.number("annual_dividend") or 0.0,
            version=version,
            stock_price=query.number("stock_price"),
        )

    def years(self, until_close: Nanoseconds) -> Floats:
        """Years to expiry on the last day, from nanoseconds to the close.

        `latest` counts real time, an hour at least; version 1 a fixed 0.15 day. To which minute
        the vendor counts is not known; here it is the session's close.
        """
        if self.version == "1":
            return np.full(until_close.shape, FIXED_DAYS / DAYS_A_YEAR)
        return np.asarray(np.maximum(until_close / HOUR, SHORTEST_HOURS) / HOURS_A_YEAR)


class Question(NamedTuple):
    """Options to value, arrays of one shape: mid (0: no quote), dollars, years, is a call."""

    price: Floats
    spot: Floats
    strike: Floats
    years: Floats
    is_call: Booleans


def implied(question: Question, terms: Terms) -> tuple[Floats, Floats]:
    """Implied volatility and the relative error of the model's price at it.

    0 where there is none: with an error of 100 without a quote, and with the true one where the
    price is below what exercise brings, which no volatility explains.
    """
    forward, discount = _forward(question, terms)
    undiscounted = question.price / discount
    found = implied_volatility(
        undiscounted, forward, question.strike, question.years, question.is_call
    )
    volatility = np.nan_to_num(found)
    model = discount * option_price(
        forward, question.strike, question.years, volatility, question.is_call
    )
    quoted = question.price > 0
    error = np.full(volatility.shape, NO_SOLUTION)
    np.divide(model - question.price, question.price, out=error, where=quoted)
    return volatility, error


def all_greeks(question: Question, terms: Terms) -> dict[str, Floats]:
    """Every Greek of the vendor by its column name; 0 where there is no quote."""
    volatility, error = implied(question, terms)
    quoted = question.price > 0
    known = _greeks(question, terms, np.maximum(volatility, 1e-6))
    flat = np.where(volatility > 0, 1.0, 0.0)  # without volatility, delta alone means something
    greeks = {
        name: np.where(quoted, values if name in ("delta", "lambda") else values * flat, 0.0)
        for name, values in known.items()
    }
    return greeks | {"implied_vol": volatility, "iv_error": error}


def _greeks(question: Question, terms: Terms, sigma: Floats) -> dict[str, Floats]:
    price, s, x, t, is_call = question
    forward, discount = _forward(question, terms)
    root = np.sqrt(t)
    carry = np.exp(-_yield(question, terms) * t)
    d1 = np.log(forward / x) / (sigma * root) + 0.5 * sigma * root
    d2 = d1 - sigma * root
    bell = np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi)
    bell2 = np.exp(-0.5 * d2 * d2) / np.sqrt(2 * np.pi)
    delta = carry * greeks_at(sigma, forward, x, t, is_call).delta
    value = discount * option_price(forward, x, t, sigma, is_call)
    strike_leg = delta * s - value  # sign * strike * discount * N(sign * d2)
    gamma = carry * bell / (s * sigma * root)
    vega = s * carry * bell * root
    r, q = terms.rate, _yield(question, terms)
    drift = r - q
    decay = -s * carry * bell * sigma / (2 * root) - r * strike_leg + q * s * delta
    tilt = 2 * drift * t - d2 * sigma * root
    charm = q * delta - carry * bell * tilt / (2 * t * sigma * root)
    zomma = gamma * (d1 * d2 - 1) / sigma
    speed = -gamma / s * (d1 / (sigma * root) + 1)
    veta_slope = q + drift * d1 / (sigma * root) - (1 + d1 * d2) / (2 * t)
    color = gamma * (q + drift * d1 / (sigma * root) + (1 - d1 * d2) / (2 * t))
    return {
        "delta": delta,
        "theta": decay / DAYS_A_YEAR,
        "vega": vega,
        "rho": t * strike_leg,
        "epsilon": -s * t * delta,
        "lambda": np.divide(delta * s, price, out=np.zeros(s.shape), where=price > 0),
        "gamma": gamma,
        "vanna": -carry * bell * d2 / sigma,
        "charm": charm,
        "vomma": vega * d1 * d2 / sigma,
        "veta": vega * veta_slope,
        "vera": -x * t * discount * bell2 * d1 / sigma,
        "speed": speed,
        "zomma": zomma,
        "color": color,
        "ultima": vega / sigma**2 * (d1 * d2 * (d1 * d2 - 1) - d1**2 - d2**2),
        "d1": d1,
        "d2": d2,
        "dual_delta": -strike_leg / x,
        "dual_gamma": discount * bell2 / (x * sigma * root),
    }


def _yield(question: Question, terms: Terms) -> Floats:
    """Dividends of the year as a yield on spot."""
    return terms.dividend / question.spot


def _forward(question: Question, terms: Terms) -> tuple[Floats, Floats]:
    """Forward in dollars and discount factor."""
    t = question.years
    growth = np.exp((terms.rate - _yield(question, terms)) * t)
    return question.spot * growth, np.exp(-terms.rate * t)
