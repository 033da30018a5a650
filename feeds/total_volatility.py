"""From an option's price to its total volatility s = volatility x sqrt(years), on arrays.

The solver of `feeds.black76`. In the terms of Jaeckel (2015), "Let's Be Rational":

- Every price becomes `beta`, its time value over sqrt(forward x strike). Calls and puts share it,
  and it depends on two numbers alone: s and the distance y = |ln(forward / strike)|.
- s of a same-day option is tiny, and there Black-76 is nearly Bachelier's model, whose inverse is a
  function of one number. A table of it, corrected from normal to lognormal, is off by 1e-5 or less.
- One Householder step of fourth order on ln(beta) then reaches the accuracy of the price itself.
  Only options of weeks or months, or of absurd volatility, need another.
- Normal tails are scaled erfc, so nothing under- or overflows in far wings.

Callers switch numpy's floating point warnings off; rows without an answer are NaN.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROOT_HALF = float(np.sqrt(0.5))
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))

_ROUNDING = 2.0**-50
"""Time value below this fraction of the forward is what intrinsic left by rounding."""

_SETTLED = 1e-3
"""After a step below this fraction of s the error is near the fourth power of it."""

_MORE_STEPS = 20


def total_volatility(
    price: Floats, forward: Floats, strike: Floats, years: Floats, sign: Floats
) -> Floats:
    """Total volatility at which Black-76 gives `price`; `sign` is +1 for a call, -1 for a put."""
    intrinsic = np.maximum(sign * (forward - strike), 0.0)
    time_value = price - intrinsic
    cap = np.where(sign > 0, forward, strike)
    solvable = (time_value > 0) & (price < cap) & (years > 0) & (forward > 0) & (strike > 0)
    solvable &= np.isfinite(forward + strike + years)
    solvable &= (intrinsic == 0) | (time_value > _ROUNDING * forward)
    root = np.sqrt(forward * strike)
    beta, gap = time_value / root, np.abs(forward - strike) / root
    distance = np.abs(np.log(forward / strike))
    if solvable.all():
        return _refined(_first_guess(beta, gap), np.log(beta), distance)
    # Any harmless option instead, so that no bad number slows the rows beside it.
    beta, gap, distance = (np.where(solvable, column, 0.01) for column in (beta, gap, distance))
    total = _refined(_first_guess(beta, gap), np.log(beta), distance)
    return np.where(solvable, total, np.nan)


def scaled_beta(h: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Factors of beta(s) = scaled x exp(exponent), with h = distance / s and half = s / 2."""
    scaled = _scaled_erfc((h - half) * ROOT_HALF)
    scaled -= scaled_erfc_positive((h + half) * ROOT_HALF)
    scaled *= 0.5
    return scaled, -0.5 * (h * h + half * half)


def _refined(total: Floats, log_beta: Floats, distance: Floats) -> Floats:
    """`total` after a Householder step, and after more of them where the first was not small."""
    step = _householder_step(total, log_beta, distance)
    total = total + step
    moving = np.flatnonzero(np.abs(step) > _SETTLED * total)
    for _ in range(_MORE_STEPS):
        if not moving.size:
            return total
        step = _householder_step(total[moving], log_beta[moving], distance[moving])
        total[moving] += step
        moving = moving[np.abs(step) > _SETTLED * total[moving]]
    total[moving] = np.nan
    return total


def _householder_step(total: Floats, log_beta: Floats, distance: Floats) -> Floats:
    """The step from s = `total` towards ln(beta(s)) = log_beta, after Jaeckel (2015).

    `slope` is beta' / beta, `curve` beta'' / beta' and `bend` beta''' / beta'; `second` and `third`
    are the same quotients of ln(beta). Where the model behind the step fails, a bounded Newton step
    is taken instead.
    """
    h = distance / total
    half = 0.5 * total
    scaled, exponent = scaled_beta(h, half)
    slope = 1 / (ROOT_TWO_PI * scaled)
    steepness = h * h / total
    curve = steepness - 0.5 * half
    bend = curve * curve - 3 * steepness / total - 0.25
    second = curve - slope
    third = bend - 3 * curve * slope + 2 * slope * slope
    newton = (log_beta - np.log(scaled) - exponent) / slope
    step = newton * (1 + 0.5 * second * newton) / (1 + newton * (second + third * newton / 6))
    bounded = np.abs(step) < half
    return step if bounded.all() else np.where(bounded, step, np.clip(newton, -half, total))


# --- Normal tails --------------------------------------------------------------------------------

_ERFC_POLYNOMIAL = (
    *(-7.666209795998097e-11, -3.7587308035623257e-11, 9.234867707529155e-10),
    *(5.460657473630792e-10, -6.606829477916605e-09, -4.390251943140879e-09),
    *(4.107398937332565e-08, 2.429131177189471e-08, -2.6125820988901525e-07),
    *(-5.826439766695699e-08, 1.7535246298697825e-06, -9.728484952656482e-07),
    *(-1.144508983794941e-05, 2.2383911531916976e-05, 5.1649421745236465e-05),
    *(-0.0002901539791322486, 0.000293713591593492, 0.0017556258323895534),
    *(-0.009746579547145438, 0.028362277421519668, -0.05869339859058929),
    *(0.09230432116019804, -0.10880393014170556, 0.08227673849015103),
    *(0.003585415485463656, -0.14024059858554702, 1.2375126308378275),
)
"""(1 + 2x) erfcx(x) in powers of (x - 3.75) / (x + 3.75), highest first, for x >= 0: the form of
Shepherd and Laframboise (1981), Mathematics of Computation 36, fitted anew to double precision."""


def scaled_erfc_positive(x: Floats) -> Floats:
    """erfcx(x) = exp(x^2) erfc(x) for x >= 0, to the last digit or two."""
    u = (x - 3.75) / (x + 3.75)
    value = np.full_like(u, _ERFC_POLYNOMIAL[0])
    for coefficient in _ERFC_POLYNOMIAL[1:]:
        value *= u
        value += coefficient
    value /= 1 + 2 * x
    return value


def _scaled_erfc(x: Floats) -> Floats:
    """erfcx(x) of either sign, by erfc(-x) = 2 - erfc(x)."""
    value = scaled_erfc_positive(np.abs(x))
    negative = x < 0
    if negative.any():
        value[negative] = 2 * np.exp(x[negative] ** 2) - value[negative]
    return value


# --- The first guess: Bachelier's inverse as a table ---------------------------------------------
# Bachelier's model gives beta / gap = exp(-h^2 / 2) (1 / (h sqrt(2 pi)) - erfcx(h / sqrt 2) / 2)
# with gap = |forward - strike| / sqrt(forward strike) and h = gap / s. The table holds ln h at even
# steps of `_bent`, so that a look-up is an index and not a search.

_NODES = 4096
_LOWEST, _HIGHEST = -60.0, 7.5
_NODES_PER_UNIT = _NODES / (_HIGHEST - _LOWEST)
_AT_THE_MONEY = 1000.0
"""Where beta is this many gaps, s = sqrt(2 pi) (beta + gap / 2) is as good as the table."""

_HIGHEST_GUESS = 3.0
"""Beyond, the correction to lognormal overshoots; the steps climb safely from here."""


def _bent(log_quotient: Floats) -> Floats:
    """ln(beta / gap); in the wings, where it is near -h^2 / 2, a line in its square root."""
    wing = 2 - 2 * np.sqrt(1 - np.minimum(log_quotient, 0))
    return np.where(log_quotient > 0, log_quotient, wing)


def _bachelier_table() -> Floats:
    h = np.geomspace(60.0, 1e-5, 6000)
    quotient = 1 / (h * ROOT_TWO_PI) - 0.5 * scaled_erfc_positive(h * ROOT_HALF)
    far = h > 30  # the difference cancels there; its asymptotic series does not
    quotient[far] = (h[far] ** -3 - 3 * h[far] ** -5 + 15 * h[far] ** -7) / ROOT_TWO_PI
    known = _bent(np.log(quotient) - 0.5 * h * h)
    return np.interp(np.linspace(_LOWEST, _HIGHEST, _NODES + 1), known, np.log(h))


_LOG_H = _bachelier_table()
_LOG_H_STEP = np.diff(_LOG_H)


def _first_guess(beta: Floats, gap: Floats) -> Floats:
    """Total volatility by Bachelier's model, then from normal to lognormal.

    The latter by Hagan and Woodward (1999), "Equivalent Black Volatilities"; what it leaves out is
    of fourth order in s and gap.
    """
    quotient = np.log(beta / np.maximum(gap, 1e-30))
    place = np.clip((_bent(quotient) - _LOWEST) * _NODES_PER_UNIT, 0, _NODES - 1e-3)
    node = place.astype(np.int64)
    h = np.exp(_LOG_H[node] + (place - node) * _LOG_H_STEP[node])
    near = beta > _AT_THE_MONEY * gap
    normal = np.where(near, ROOT_TWO_PI * (beta + 0.5 * gap), gap / h)
    lognormal = normal * (1 + normal * normal / 24) / (1 + gap * gap / 24)
    return np.minimum(lognormal, _HIGHEST_GUESS)
