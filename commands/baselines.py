"""The baselines of every report, played over the same sessions as the run."""

from dataclasses import replace
from itertools import chain

from commands.screen import progress
from feeds.source import ChainSource
from models.evaluation import BASELINES
from models.playback import play
from models.session_arrays import read_sessions
from reports.result import BacktestResult, BaselineResult
from settings import Settings
from strategies.baselines import baseline


def play_baselines(
    result: BacktestResult, source: ChainSource, settings: Settings
) -> BacktestResult:
    """`result` with what each baseline did on its sessions, side by side in the environment."""
    kept = {facts.date for facts in result.sessions}
    indices = [i for i, session in enumerate(source.sessions) if session.date in kept]
    with progress("baselines", len(indices)) as advance:
        arrays = read_sessions(source, settings, indices, progress=lambda *_: advance())
    played = {name: play(baseline(name, settings.seed), arrays, settings) for name in BASELINES}
    baselines = {
        name: BaselineResult(list(chain.from_iterable(playback.trips)))
        for name, playback in played.items()
    }
    return replace(result, baselines=baselines)
