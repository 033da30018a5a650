"""The figures the simulated market is built from.

Figures only, measured on recorded SPY same-day chains of July and August 2026 (21 full days, a
book every five minutes), on SPX straddles of 573 days, and on minute bars of SPY and SPX from 2013
to 2026. No recorded quote is in here. Volatilities are Black-76 on the parity forward, at mid, with
calendar minutes to the close over 525,600. What is marked "chosen" is a modelling choice.

Time is profile minutes since the open, 0 to 390. A half day runs through the same profile in 210
minutes, so that its close looks like any other close.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PROFILE_MINUTES = 390
TEN_O_CLOCK = 30
"""Minutes after the open at which the day's level of volatility is stated."""

MINUTES_A_YEAR = 525_600.0

# --- the underlying ------------------------------------------------------------------------------

# fmt: off
FIVE_MINUTE_VARIANCE: Floats = np.array([
    3.666, 2.025, 1.927, 2.569, 2.103, 1.559, 2.362, 1.549, 1.584, 1.356, 1.560, 1.500, 1.382,
    1.219, 1.207, 1.101, 1.262, 1.062, 0.927, 0.944, 1.003, 1.066, 0.961, 1.148, 0.946, 0.779,
    0.909, 0.805, 0.924, 0.832, 0.805, 0.695, 0.760, 0.730, 0.740, 0.733, 0.746, 0.631, 0.702,
    0.666, 0.857, 0.755, 0.846, 0.629, 0.659, 0.877, 0.707, 0.739, 0.776, 0.719, 0.575, 0.608,
    0.642, 0.584, 0.929, 0.595, 0.698, 0.598, 0.545, 0.654, 0.753, 0.786, 0.522, 0.542, 0.620,
    0.907, 0.712, 0.534, 0.525, 0.594, 0.557, 0.590, 0.669, 0.635, 0.791, 0.946, 1.974, 1.908,
])
"""Share of the day's variance in each five minutes, x 78 (SPX, 252 days of 2025-26)."""
# fmt: on

FIRST_MINUTES: Floats = np.array([4.836, 3.647, 1.802, 1.715, 1.904])
LAST_MINUTES: Floats = np.array([2.595, 1.564, 0.933, 1.053, 8.327])
"""How the first and the last five minutes share theirs (SPY's one-minute variance, x 390)."""

SHOCK_DEGREES = 12.0
JUMPS_A_DAY = 0.25
JUMP_SIZE = (3.0, 6.0)
"""Student's t of a minute's return; least and mean size of a jump in deviations of its minute.
Chosen for the published excess kurtosis of 3.3-3.8 once a day's own volatility is divided out."""

GAP_DEVIATION = 0.0073
GAP_LEVEL = 0.23
GAP_DEGREES = 5.0
"""Overnight return: its deviation at this level of volatility, and its Student's t."""

LINE_ORDINALS: Floats = np.array([737_794.0, 738_886.0, 739_919.0, 740_346.0])
LINE_DOLLARS: Floats = np.array([560.0, 615.0, 690.0, 705.0])
LINE_PULL = 0.03
LINE_BAND = 0.06
"""Chosen: overnight the price is pulled to a line (2021-01-04, 2024-01-01, 2026-10-30 and the
end of 2027), harder the farther it has strayed. Within the day there is no drift at all."""

# --- the level of implied volatility, and what is realised of it ---------------------------------

LEVEL_FLOOR, LEVEL_SCALE, LEVEL_WIDTH = 0.080, 0.116, 0.62
"""IV at 10:00 = floor + scale exp(width g), g normal: median .196, p10 .13, p90 .34."""

SLOW_SHARE, SLOW_MEMORY, GAP_LEVERAGE = 0.85, 0.94, 0.50
"""Chosen: share of g's variance that persists, its memory a day, minus its correlation with the
overnight return."""

RATIO_LOW_IV, RATIO_HIGH_IV, RATIO_PIVOT, RATIO_POWER = 1.12, 0.80, 0.155, 4.0
RATIO_DEVIATION = 0.20
"""Chosen (see the package's docstring): realised / implied volatility falls from the first figure
to the second as the level of IV passes the pivot; the rest is luck of the day."""

SURPRISE_SHARE = 0.5
"""Chosen: the part of that luck which the market learns while it happens."""

# --- total variance left W(t) and its dynamics ---------------------------------------------------

# fmt: off
VARIANCE_LEFT_MINUTES: Floats = np.array([
    0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 120.0, 150.0, 180.0,
    210.0, 240.0, 270.0, 300.0, 330.0, 345.0, 360.0, 375.0, 380.0, 385.0, 388.0, 389.0, 390.0,
])
VARIANCE_LEFT: Floats = np.array([
    1.270, 1.190, 1.150, 1.105, 1.080, 1.000, 0.915, 0.832, 0.750, 0.680, 0.590, 0.505, 0.450,
    0.405, 0.330, 0.265, 0.225, 0.168, 0.142, 0.121, 0.101, 0.086, 0.065, 0.043, 0.030, 1e-6,
])
"""W(t) / W(10:00): between SPY's 21 days and SPX's 573; after 15:45 chosen."""
# fmt: on

CLOSE_MINUTES = 15
CLOSE_SHARE, CLOSE_FRACTION, CLOSE_WIDTH = 0.050, 0.60, 0.60
"""The part of W that stands for the close itself (at most this fraction of it), and how much it
differs from day to day (log deviation): at 15:45 the IV ratio ranges from 1.3 to 2.7."""

STATE_MEMORY = 0.995
STATE_DEGREES = 3.3
STATE_MINUTES: Floats = np.array([0.0, 15.0, 45.0, 60.0, 330.0, 345.0, 371.0, 390.0])
STATE_DEVIATION: Floats = np.array([0.042, 0.042, 0.034, 0.032, 0.031, 0.036, 0.045, 0.045])
STATE_LEVERAGE: Floats = np.array([0.78, 0.78, 0.76, 0.72, 0.64, 0.48, 0.20, 0.10])
"""The log of total volatility: memory a minute, Student's t of its own moves, deviation of its
moves in five minutes, and minus their correlation with the return."""

ANNOUNCEMENT_BEFORE_CLOSE = 120
EVENT_VARIANCE, EVENT_WIDTH = 2.0, 0.30
EVENT_FIRST_SHARE, EVENT_TALK_MINUTES = 0.40, 75
"""An announcement at 14:00 adds this multiple of W(10:00), part of it on the minute, the rest while
the press conference lasts. Recorded once: IV .38 at 10:00, .645 at 13:55, .51 at 14:05."""

# --- smile: iv / atm iv = 1 + a z + b z^2 + c z^3 for |z| < 2.5, then wings ----------------------

SMILE_REACH = 2.5
SMILE_MINUTES: Floats = np.array([15.0, 60.0, 150.0, 270.0, 352.0, 378.0])
SMILE_A: Floats = np.array([-0.1051, -0.0980, -0.0848, -0.0652, -0.0398, -0.0374])
SMILE_B: Floats = np.array([0.0410, 0.0420, 0.0467, 0.0543, 0.0540, 0.0523])
SMILE_C: Floats = np.array([0.01042, 0.00882, 0.00796, 0.00625, 0.00420, 0.00457])
PUT_WING: Floats = np.array([-0.310, -0.312, -0.317, -0.344, -0.373, -0.400])
CALL_WING: Floats = np.array([0.355, 0.382, 0.380, 0.381, 0.417, 0.458])
PUT_WING_REACH: Floats = np.array([13.0, 13.0, 40.0, 45.0, 40.0, 20.0])
CALL_WING_REACH: Floats = np.array([2.0, 2.0, 4.0, 6.0, 6.0, 3.0])
"""The published wings rise in a straight line because a worthless option keeps an ask of a penny,
and half a penny is a higher volatility the farther away it is. The fair value's wings leave the
published slope over this many units of z, fitted to where bids end; in the quotes the straight
line comes back."""

SKEW_DEVIATION = 0.035
"""Of `a` from day to day: (IV25put - IV25call) / ATM ranged from .01 to .19."""

# --- quotes --------------------------------------------------------------------------------------

NEAR_EDGES: Floats = np.array([-0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842])
NEAR_WIDTHS: Floats = np.array(
    [
        [1.000, 1.000, 1.000, 1.000, 1.00],
        [0.970, 1.000, 1.000, 1.000, 1.00],
        [0.950, 0.999, 1.000, 1.000, 1.00],
        [0.900, 0.990, 1.000, 1.000, 1.00],
        [0.780, 0.970, 0.995, 1.000, 1.00],
        [0.280, 0.790, 0.970, 0.990, 1.00],
        [0.050, 0.300, 0.870, 0.970, 0.99],
        [0.020, 0.200, 0.800, 0.960, 0.99],
    ]
)
"""P(spread <= 1, 2, 3, 4, 5 cents) between these distances in the money, in deviations: deltas .2
.3 .4 .5 .6 .7 .8."""

LOCKED_SHARE = 0.0016
LOCKED_WITHIN = 0.524
"""Share of quotes at the money (delta .3 to .7) whose bid equals the ask."""

LOOSE_FROM, LOOSE_SLOPE, LOOSE_DOLLARS = 2.15, 0.25, 20.0
LOOSE_DISTANCE: Floats = np.array([0.0, 3.0, 6.0, 9.0, 12.5, 17.5, 25.0, 37.5])
LOOSE_CENTS: Floats = np.array([9.0, 13.0, 18.0, 20.0, 23.0, 26.0, 29.0, 30.0])
"""About two deviations in the money (a little less where that is many dollars) quotes go from 3
cents to a dime or three: the middle of the range by dollars in the money."""

WIDE_DISTANCE: Floats = np.array([4.0, 8.5, 12.5, 17.5, 20.0, 25.0, 37.5])
WIDE_MINUTES: Floats = np.array([15.0, 60.0, 150.0, 270.0, 330.0, 345.0, 390.0])
WIDE_SHARE: Floats = np.array(
    [
        [0.00, 0.06, 0.22, 0.40, 0.60, 0.76, 0.88],
        [0.00, 0.06, 0.26, 0.42, 0.58, 0.72, 0.85],
        [0.00, 0.05, 0.19, 0.30, 0.42, 0.58, 0.74],
        [0.00, 0.05, 0.18, 0.27, 0.40, 0.54, 0.72],
        [0.00, 0.05, 0.16, 0.22, 0.32, 0.50, 0.70],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.36, 0.64],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.36, 0.64],
    ]
)
WIDE_CENTS = (60.0, 100.0, 9.0, 350.0)
WIDE_HOLD = 30
"""Deep in the money a quote is often dollars wide: share by minute and dollars, its range (least;
greatest = second + third x dollars, at most the fourth), and about how many minutes it lasts."""

REQUOTE_SLACK = 0.3
"""Cents the fair value must leave the cent it was quoted in before the quote moves."""

SIZE_EDGES: Floats = np.array(
    [-2.326, -2.054, -1.645, -1.282, -0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842, 1.282]
)
BID_SIZE: Floats = np.array([2701.0, 2780, 2381, 1375, 816, 411, 294, 231, 150, 79, 67, 49, 45])
ASK_SIZE: Floats = np.array([3823.0, 3401, 2899, 1693, 911, 430, 312, 238, 148, 82, 69, 54, 55])
"""Median size between these distances in the money (deltas .01 .02 .05 .1 .2 ... .8 .9)."""

SIZE_SHARES: Floats = np.array([0.0, 0.01, 0.10, 0.50, 0.90, 0.99, 1.0])
SIZE_FACTORS: Floats = np.array([0.004, 0.006, 0.19, 1.0, 2.4, 5.0, 10.0])
SIZE_REFRESH = 0.37
"""Quantiles of a size over its median (at the money p1 1, p10 22, p50 173, p90 466), and the share
of contracts whose size changes in a minute (90 % in five)."""

OPENING_CENTS: Floats = np.array([1.6, 1.2, 0.9])
EVENT_CENTS: Floats = np.array([18.0, 11.0, 7.0, 4.0, 2.5, 1.5])
CLOSING_CENTS: Floats = np.array([12.0, 150.0])
"""Cents added to spreads at the money: the first minutes, those from 14:00 on an announcement day,
and the last two rows of a session, by which nobody should mark a position."""
