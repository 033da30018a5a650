"""`run.py rlhf --review`: the evening's windows, and the rules that reasons propose."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commands.market_data import open_source
from commands.policies import ChosenPolicy
from commands.rlhf_evidence import between
from commands.screen import progress, say
from desk.proposed_rules import Proposal, proposals
from desk.review import HELP, Review
from desk.review_answers import ReviewJournal, evenings
from desk.review_windows import windows
from feeds.source import ChainSource
from models.playback import Playback, play
from models.session_arrays import SessionArrays, read_sessions
from reports.formatting import money
from settings import Settings

if TYPE_CHECKING:
    import pandas as pd


def review(settings: Settings, chosen: ChosenPolicy, journal_path: Path, count: int) -> None:
    """Ask `count` windows and keep the answers in the journal of reviews.

    Raises `DataError` where the sessions offer nothing to ask about, `SettingError` where another
    process writes the journal.
    """
    from brokers.journal.journal import Journal

    source = open_source(settings, chosen.year_convention)
    seed = evenings(journal_path)
    say(f"{count} windows of past sessions; date, level and outcome are hidden. help tells more.")
    say(HELP)
    with Journal(journal_path) as journal:
        keeper = ReviewJournal(journal, chosen.policy, settings, chosen.sha256, seed)
        asked = Review(keeper, source.label, ask_line, say)
        evening = asked.run(windows(source, chosen.policy, settings, count, seed), count)
    say(evening.line)
    say(f"kept in {journal_path}; run.py rlhf learns from them")


def ask_line(prompt: str) -> str | None:
    """The next line of the terminal or the pipe; None where there is none."""
    print(prompt, end="", flush=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def propose_rules(
    table: "pd.DataFrame",
    source: ChainSource,
    arrays: SessionArrays | None,
    chosen: ChosenPolicy,
    settings: Settings,
    folder: Path,
) -> list[str]:
    """Lines on each proposed rule, backtested on `arrays`' sessions where a setting expresses it.

    Args:
        table: a feedback table.
        source, arrays: the sessions to backtest on, and the same as they are without the rule;
            None where there are none.
        chosen, settings: of the desk.
        folder: of the run; a widened events file is written there.
    """
    before = None if arrays is None else play(chosen.policy, arrays, settings)
    lines: list[str] = []
    for proposal in proposals(table, settings.rules, folder):
        lines.append(f"reason {proposal.reason} ({proposal.of} n): {proposal.words}")
        if proposal.rules:
            lines.append(
                f"  would have spared {proposal.spared} of these, and cost {proposal.cost} of "
                f"{proposal.yeses} y"
            )
            if arrays is not None and before is not None:
                after = _with_rule(proposal, source, arrays, chosen, settings)
                lines.append(f"  {_compared(before, after)}")
        if proposal.line:
            lines.append(f"  switch it on by hand: {proposal.line}")
    return lines


def _with_rule(
    proposal: Proposal,
    source: ChainSource,
    arrays: SessionArrays,
    chosen: ChosenPolicy,
    settings: Settings,
) -> Playback:
    """The policy played over the same sessions under the proposed rule."""
    rules = settings.rules.model_copy(update=dict(proposal.rules))
    changed = settings.model_copy(update={"rules": rules})
    days = {session.date for session in arrays.sessions}
    indices = [place for place, one in enumerate(source.sessions) if one.date in days]
    with progress("proposed rule", len(indices)) as advance:
        again = read_sessions(source, changed, indices, hedge=True, progress=lambda *_: advance())
    return play(chosen.policy, again, changed)


def _compared(before: Playback, after: Playback) -> str:
    """What the rule changed, in a sentence."""
    difference = (after.net_pnl - after.hedge_gain) - (before.net_pnl - before.hedge_gain)
    trades = [sum(map(len, one.trips)) for one in (before, after)]
    low, high = between(difference)
    known = "too few sessions for an interval"
    if low == low:
        known = f"90 %: {money(low, signed=True)} to {money(high, signed=True)}"
    mean = money(float(difference.mean()), signed=True)
    return (
        f"backtest of {len(difference)} sessions, all yes: {trades[1]} trades instead of "
        f"{trades[0]}, {mean} a session less delta ({known})"
    )
