"""What the acceptance model looks at: nine figures of a suggestion.

phi = [is call, t, t^2, log iv, (log iv)^2, t log iv, call t, call log iv, risk score], with t the
elapsed part of the day and iv the at-the-money volatility. A person's taste in time and volatility
is rarely a straight line, hence the squares.
"""

import numpy as np
import numpy.typing as npt

from feeds.sessions import Floats
from vocabulary import FEATURES, Action

INPUTS = (
    *("is_call", "time", "time_squared", "log_iv", "log_iv_squared", "time_log_iv"),
    *("call_time", "call_log_iv", "risk_score"),
)
COUNT = len(INPUTS)

_TIME = FEATURES.index("minutes_since_open")
_IV = FEATURES.index("atm_iv")
_RISK = FEATURES.index("risk_score")


def inputs(features: npt.NDArray[np.floating], action: npt.NDArray[np.integer]) -> Floats:
    """[..., 9] of features [..., 8] and the sale wanted [...]; NaN where a figure is missing."""
    figures = np.asarray(features, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_iv = np.log(figures[..., _IV])
    call = (np.asarray(action) == Action.SELL_CALL).astype(np.float64)
    time = figures[..., _TIME]
    parts = (
        *(call, time, time * time, log_iv, log_iv * log_iv, time * log_iv),
        *(call * time, call * log_iv, figures[..., _RISK]),
    )
    return np.stack(np.broadcast_arrays(*parts), axis=-1)
