"""The figures the simulated market is built from, and the published ones it is held to.

Figures only, measured on recorded SPY same-day chains of July and August 2026 (21 full days, a
book every five minutes), on 573 days of SPX straddles, and on SPY and SPX minute bars of 2013 to
2026. No recorded quote is in here. What is marked "chosen" is a modelling choice, not a figure.

Clock: `u` is profile minutes since the open, 0 to 390. A half day runs through the same profile in
210 minutes, so that its close looks like any other close.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PROFILE_MINUTES = 390
TEN_O_CLOCK = 30
"""Minutes after the open at which volatility levels are stated."""

MINUTES_A_YEAR = 525_600.0

# --- the underlying ------------------------------------------------------------------------------

FIVE_MINUTE_VARIANCE: Floats = np.array(
    # share of the day's variance in each five minutes, x 78; SPX, 252 days of 2025-26
    [3.666, 2.025, 1.927, 2.569, 2.103, 1.559, 2.362, 1.549, 1.584, 1.356, 1.560, 1.500, 1.382]
    + [1.219, 1.207, 1.101, 1.262, 1.062, 0.927, 0.944, 1.003, 1.066, 0.961, 1.148, 0.946, 0.779]
    + [0.909, 0.805, 0.924, 0.832, 0.805, 0.695, 0.760, 0.730, 0.740, 0.733, 0.746, 0.631, 0.702]
    + [0.666, 0.857, 0.755, 0.846, 0.629, 0.659, 0.877, 0.707, 0.739, 0.776, 0.719, 0.575, 0.608]
    + [0.642, 0.584, 0.929, 0.595, 0.698, 0.598, 0.545, 0.654, 0.753, 0.786, 0.522, 0.542, 0.620]
    + [0.907, 0.712, 0.534, 0.525, 0.594, 0.557, 0.590, 0.669, 0.635, 0.791, 0.946, 1.974, 1.908]
)
FIRST_MINUTES: Floats = np.array([4.836, 3.647, 1.802, 1.715, 1.904])
LAST_MINUTES: Floats = np.array([2.595, 1.564, 0.933, 1.053, 8.327])
"""SPY's one-minute variance, x 390, inside the first and the last five minutes."""

SHOCK_DEGREES = 12.0
JUMPS_A_DAY = 0.25
JUMP_SIZE = (3.0, 6.0)
"""Student's t of a minute's return; jumps in units of that minute's deviation (chosen to give the
published excess kurtosis of 3.3-3.8 once a day's own volatility is divided out)."""

GAP_DEVIATION = 0.0073
GAP_DEGREES = 5.0

FIRST_DATE_ORDINAL = 737_794
"""2021-01-04, where every path starts."""

LEVEL_ORDINALS: Floats = np.array([737_794.0, 738_886.0, 739_919.0, 740_346.0])
LEVEL_DOLLARS: Floats = np.array([560.0, 615.0, 690.0, 705.0])
LEVEL_PULL = 0.03
LEVEL_BAND = 0.06
"""Chosen: overnight the price is pulled towards this line (2021-01-04, 2024-01-01, 2026-10-30,
2027-12-31), harder the further it strayed. Within the day there is no drift at all."""

# --- the level of implied volatility -------------------------------------------------------------

LEVEL_FLOOR, LEVEL_SCALE, LEVEL_WIDTH = 0.080, 0.116, 0.62
"""IV at 10:00 = floor + scale exp(width g), g normal: median .196, p10 .13, p90 .34."""

SLOW_SHARE, SLOW_MEMORY, GAP_LEVERAGE = 0.85, 0.94, 0.50
"""Chosen: share of g's variance that persists, its memory a day, its correlation with the gap."""

# --- what is realised of what was implied ----------------------------------------------------------

RATIO_LOW_IV, RATIO_HIGH_IV, RATIO_PIVOT, RATIO_POWER = 1.12, 0.80, 0.155, 4.0
RATIO_DEVIATION = 0.20
"""Chosen, see the package's docstring: realised / implied volatility falls from the first figure
to the second as the level of IV passes the pivot; the rest is luck of the day."""

# --- total variance left W(t) and its dynamics -----------------------------------------------------

VARIANCE_LEFT_MINUTES: Floats = np.array(
    [0, 5, 10, 15, 20, 30, 45, 60, 75, 90, 120, 150, 180, 210, 240, 270, 300, 330, 345, 360, 375]
    + [380, 385, 388, 389, 390],
    dtype=float,
)
VARIANCE_LEFT: Floats = np.array(
    # W(t) / W(10:00): between SPY's 21 days and SPX's 573, nearer SPY's at the end
    [1.270, 1.190, 1.150, 1.105, 1.080, 1.000, 0.915, 0.832, 0.750, 0.680, 0.590, 0.505, 0.450]
    + [0.405, 0.330, 0.265, 0.225, 0.168, 0.142, 0.121, 0.101, 0.086, 0.065, 0.043, 0.030, 1e-6]
)
CLOSE_SHARE, CLOSE_FRACTION, CLOSE_WIDTH = 0.050, 0.60, 0.60
CLOSE_MINUTES = 15
"""Part of W that stands for the close itself; it differs from day to day (log deviation)."""

STATE_MEMORY = 0.995
"""Of the log of total volatility, a minute (chosen: spread of IV ratios at 11:00 and 12:00)."""

STATE_MINUTES: Floats = np.array([0.0, 15.0, 45.0, 60.0, 330.0, 345.0, 371.0, 390.0])
STATE_DEVIATION: Floats = np.array([0.042, 0.042, 0.034, 0.032, 0.031, 0.036, 0.045, 0.045])
STATE_LEVERAGE: Floats = np.array([0.78, 0.78, 0.76, 0.72, 0.64, 0.48, 0.20, 0.10])
STATE_DEGREES = 3.3
"""Changes of log total volatility in five minutes: their deviation and (minus) their correlation
with the return."""

SURPRISE_SHARE = 0.5
"""Chosen: part of the day's luck that the market learns while it happens."""

# --- announcements ---------------------------------------------------------------------------------

ANNOUNCEMENT_MINUTES_BEFORE_CLOSE = 120
EVENT_VARIANCE, EVENT_WIDTH = 2.0, 0.30
EVENT_FIRST_SHARE, EVENT_TALK_MINUTES = 0.40, 75
"""Variance of an announcement, as a multiple of W(10:00) without it: part at 14:00, the rest while
the press conference lasts. IV .38 at 10:00, .645 at 13:55, .51 at 14:05 were recorded once."""

# --- smile: iv / atm iv = 1 + a z + b z^2 + c z^3 for |z| < 2.5, linear wings -----------------------

SMILE_REACH = 2.5
SMILE_MINUTES: Floats = np.array([15.0, 60.0, 150.0, 270.0, 352.0, 378.0])
SMILE_A: Floats = np.array([-0.1051, -0.0980, -0.0848, -0.0652, -0.0398, -0.0374])
SMILE_B: Floats = np.array([0.0410, 0.0420, 0.0467, 0.0543, 0.0540, 0.0523])
SMILE_C: Floats = np.array([0.01042, 0.00882, 0.00796, 0.00625, 0.00420, 0.00457])
PUT_WING: Floats = np.array([-0.310, -0.312, -0.317, -0.344, -0.373, -0.400])
CALL_WING: Floats = np.array([0.355, 0.382, 0.380, 0.381, 0.417, 0.458])
SKEW_DEVIATION = 0.035
"""Of `a` from day to day: (IV25put - IV25call) / ATM ranged from .01 to .19."""

# --- quotes ------------------------------------------------------------------------------------------

NEAR_EDGES: Floats = np.array([-0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842])
"""In-the-money distance in deviations: deltas .2 .3 .4 .5 .6 .7 .8."""

NEAR_WIDTHS: Floats = np.array(
    # P(spread <= 1, 2, 3, 4, 5 cents) between those edges
    [
        [1.000, 1.000, 1.00, 1.000, 1.00],
        [0.970, 1.000, 1.00, 1.000, 1.00],
        [0.950, 0.999, 1.00, 1.000, 1.00],
        [0.900, 0.990, 1.00, 1.000, 1.00],
        [0.780, 0.970, 0.995, 1.000, 1.00],
        [0.280, 0.790, 0.970, 0.990, 1.00],
        [0.050, 0.300, 0.870, 0.970, 0.99],
        [0.020, 0.200, 0.800, 0.960, 0.99],
    ]
)
LOCKED_SHARE = 0.0016

LOOSE_FROM, LOOSE_SLOPE = 1.8, 0.28
LOOSE_CENTS = (10.0, 22.0)
"""Beyond about 1.8 deviations in the money quotes go from 3 cents to 10-25."""

WIDE_DISTANCE: Floats = np.array([5.0, 8.5, 12.5, 17.5, 25.0, 37.5])
WIDE_MINUTES: Floats = np.array([15.0, 60.0, 150.0, 270.0, 345.0, 390.0])
WIDE_SHARE: Floats = np.array(
    [
        [0.00, 0.04, 0.22, 0.38, 0.70, 0.88],
        [0.00, 0.04, 0.24, 0.36, 0.66, 0.85],
        [0.00, 0.03, 0.17, 0.26, 0.52, 0.75],
        [0.00, 0.03, 0.15, 0.22, 0.50, 0.72],
        [0.00, 0.00, 0.00, 0.00, 0.36, 0.62],
        [0.00, 0.00, 0.00, 0.00, 0.36, 0.62],
    ]
)
WIDE_CENTS = (60.0, 120.0, 8.0, 350.0)
"""Deep in the money a quote is often dollars wide: share by dollars and minute, and its range
(least; greatest = second + third x dollars, at most the fourth)."""

WIDE_HOLD = 30
"""Minutes such a width lasts, about."""

ZERO_BID_BELOW = 0.010
"""Dollars of fair value below which nobody bids."""

REQUOTE_SLACK = 0.003
"""Dollars the fair value must leave the cent it was quoted in before the quote moves."""

SIZE_EDGES: Floats = np.array(
    [-2.326, -2.054, -1.645, -1.282, -0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842, 1.282]
)
BID_SIZE: Floats = np.array(
    [2701.0, 2780, 2381, 1375, 816, 411, 294, 231, 150, 79, 67, 49, 45]
)
ASK_SIZE: Floats = np.array(
    [3823.0, 3401, 2899, 1693, 911, 430, 312, 238, 148, 82, 69, 54, 55]
)
"""Median size by in-the-money distance in deviations (deltas .01 .02 .05 .1 .2 ... .9)."""

SIZE_SHARES: Floats = np.array([0.0, 0.01, 0.10, 0.50, 0.90, 0.99, 1.0])
SIZE_FACTORS: Floats = np.array([0.004, 0.006, 0.13, 1.0, 2.7, 6.0, 12.0])
"""Quantiles of a size over its median: at the money p1 1, p10 22, p50 173, p90 466."""

SIZE_REFRESH = 0.37
"""Share of contracts whose size changes in a minute (90 % in five minutes)."""

OPENING_CENTS: Floats = np.array([1.6, 1.2, 0.9])
EVENT_CENTS: Floats = np.array([18.0, 11.0, 7.0, 4.0, 2.5, 1.5])
CLOSING_CENTS: Floats = np.array([12.0, 150.0])
"""Cents added to the spread at the money: the first minutes, those from 14:00 on an announcement
day, and the last two rows of a session."""

EVENT_SIZE_DIVISOR = 20.0
"""Sizes at 14:00 were 8 contracts."""
