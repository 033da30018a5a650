"""`run.py backtest`: a policy over historical chains, with files, figures and a report."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import backtrader as bt

from brokers.approval import ApprovalBroker
from brokers.approvers import AutomaticApprover
from brokers.chain_broker import ChainBroker
from commands.market_data import open_source
from commands.options import add_settings
from commands.policies import ChosenPolicy, choose_policy
from commands.results import SessionCollector, backtest_result
from commands.run_folder import RUNS, is_among_runs, new_run_folder, write_config
from commands.run_log import Cost, RunLog
from commands.screen import progress, say
from errors import DataError
from feeds.chain_feed import ChainFeed
from feeds.source import ChainSource
from reports.result import BacktestResult
from reports.run_folder import write_run_files
from settings import Settings
from strategies.events import read_events
from strategies.ppo_strategy import PPOStrategy

FLAGS = ("data", "start", "end", "model", "policy", "capital", "contracts", "seed", "out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `backtest`."""
    add_settings(parser, FLAGS)
    parser.add_argument("--no-report", action="store_true", help="write the data files only")
    parser.add_argument(
        "--assume-schema", type=int, choices=[1], help="take a zip without a card as schema 1"
    )


def main(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run it; 0 when the report (or the data files) is written."""
    chosen = choose_policy(settings, arguments.assume_schema)
    cost = Cost()
    source = open_source(settings, chosen.year_convention)
    folder = new_run_folder(settings, "backtest", chosen.policy.name)
    with RunLog(folder / "log.jsonl") as log:
        log.write("data", label=source.label, path=settings.data, sessions=len(source.sessions))
        _say_notes(chosen.notes)
        result = run_backtest(source, chosen, settings)
        _say_notes(result.notes[len(chosen.notes) :])
        if not arguments.no_report:
            result = _with_baselines(result, source, settings)
        write_config(folder, settings)
        metrics = write_run_files(folder, result)
        log.write("data files written", **cost.so_far())
        _tell(metrics, result)
        if not arguments.no_report:
            say(f"report: {_draw(folder, result, chosen, settings)}")
        log.write("done", **cost.so_far())
    if arguments.no_report:
        say(f"data files: {folder}")
    return 0


def run_backtest(source: ChainSource, chosen: ChosenPolicy, settings: Settings) -> BacktestResult:
    """All sessions of `source` through Cerebro: feed, strategy, approval, simulated broker.

    Raises `DataError` where not one session could be read.
    """
    events = read_events(settings.rules.events) if settings.rules.events is not None else []
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    with progress("backtest", len(source.sessions)) as advance:
        sessions = SessionCollector(advance)
        feed = ChainFeed(source, on_session=sessions.add)
        cerebro.adddata(feed)
        cerebro.setbroker(
            ApprovalBroker(ChainBroker(settings.capital, settings.fills), AutomaticApprover())
        )
        cerebro.addstrategy(PPOStrategy, policy=chosen.policy, settings=settings, events=events)
        strategy = cerebro.run()[0]
    if not sessions.facts:
        raise DataError(f"no session could be read: {feed.skipped[0].reason}")
    return backtest_result(strategy, source, feed.skipped, sessions.facts, chosen, settings)


def _say_notes(notes: Sequence[str]) -> None:
    for note in notes:
        say(f"note: {note}")


def _with_baselines(
    result: BacktestResult, source: ChainSource, settings: Settings
) -> BacktestResult:
    from commands.baselines import play_baselines

    return play_baselines(result, source, settings)


def _draw(folder: Path, result: BacktestResult, chosen: ChosenPolicy, settings: Settings) -> Path:
    """The report, with what the policy wants over time and volatility; the index of runs too."""
    from commands.decision_grid import policy_grid
    from reports.backtest_report import draw_report
    from reports.decision_grid import write_grid
    from reports.runs_index import write_index

    write_grid(folder, policy_grid(chosen.policy, result, settings))
    report = draw_report(folder)
    if is_among_runs(folder):
        write_index(RUNS)
    return report


def _tell(metrics: dict[str, Any], result: BacktestResult) -> None:
    lines = (
        f"{result.model} on {result.data_label}: {metrics['sessions']} sessions, "
        f"{len(result.skipped)} skipped, {metrics['trades']} trades",
        f"net P&L {metrics['net_pnl']:,.2f} dollars after {metrics['fees']:,.2f} of fees, "
        f"max drawdown {metrics['max_drawdown']:,.2f}",
    )
    for line in lines:
        say(line)
