"""An evaluation in words: one sentence a trader understands, and what it does not prove."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reports.formatting import DASH, count, money, money_interval, number, percent
from reports.summary import Table

Figures = Mapping[str, Any]

SURE = 0.95
FEWEST_TO_PROVE = 60
"""With fewer sessions no edge is claimed: a seller of options may well not have met a loss yet."""
OTHER_RISK = "buy and hold"
PROVEN, LOSES, WORSE, UNPROVEN = "proven", "loses", "worse", "unproven"


def judgement(figures: Figures) -> str:
    """What may be said of a candidate: proven, loses, worse or unproven.

    Proven is better than every rival with 95 % at the quoted spread, still a gain at twice the
    spread, a deflated Sharpe ratio of 95 %, and all that on `FEWEST_TO_PROVE` sessions at least.
    """
    lows, highs = _ends(figures, 0), _ends(figures, 1)
    if highs["hold"] < 0:
        return LOSES
    if any(high < 0 for high in highs.values()):
        return WORSE
    survives = figures["wide"] > 0 and (figures["deflated_sharpe"] or 0.0) >= SURE
    enough = figures["sessions"] >= FEWEST_TO_PROVE
    if all(low > 0 for low in lows.values()) and survives and enough:
        return PROVEN
    return UNPROVEN


def _ends(figures: Figures, end: int) -> dict[str, float]:
    """One end of the interval of each paired difference; NaN, which proves nothing, if unknown.

    Buy and hold is shown and no rival: it takes another risk, many times as large.
    """
    against = {name: each for name, each in figures["against"].items() if name != OTHER_RISK}
    ends = {name: each["net_pnl"]["interval"][end] for name, each in against.items()}
    return {name: math.nan if value is None else float(value) for name, value in ends.items()}


def best_baseline(figures: Figures) -> str:
    """The rival that is hardest to beat."""
    against = {name: each for name, each in figures["against"].items() if name != OTHER_RISK}
    rivals: list[str] = sorted(against, key=lambda name: float(against[name]["net_pnl"]["mean"]))
    return rivals[0]


def verdict(name: str, figures: Figures, trials: int) -> str:
    """The sentence."""
    if not figures["trades_a_session"]:
        return f"{name} never traded on {count(figures['sessions'], 'session')}: nothing to judge."
    rival = best_baseline(figures)
    low, high = figures["mean_interval"]
    found = (
        f"On {count(figures['sessions'], 'session')} that it had not learned from, {name} made "
        f"{money(figures['mean'], signed=True)} a session after costs "
        f"(95 %: {money_interval(low, high)})"
    )
    kind = judgement(figures)
    if kind == LOSES:
        return f"{found}: it loses money, do not trade it."
    compared = f"{found}, {_beside(rival, figures['against'][rival]['net_pnl'])}"
    if kind == PROVEN:
        return (
            f"{compared}, more than every rule beside it and still a gain at twice the spread; "
            f"luck among {count(trials, 'configuration')} tried does not explain it "
            f"({percent(figures['deflated_sharpe'])} sure): an edge on this market."
        )
    if kind == WORSE:
        worse = next(other for other, high in _ends(figures, 1).items() if high < 0)
        return f"{compared}: it is worse than {worse}, which needs no model."
    if figures["sessions"] < FEWEST_TO_PROVE:
        return f"{compared}: no edge is shown; that takes {FEWEST_TO_PROVE} sessions at least."
    return f"{compared}: that may be luck, no edge is shown{_needed(figures)}."


def _beside(rival: str, difference: Figures) -> str:
    mean, (low, high) = difference["mean"], difference["interval"]
    if round(mean, 2) == 0:
        return f"as much as {rival} ({money_interval(low, high)})"
    word = "more" if mean >= 0 else "less"
    return f"{money(abs(mean))} {word} than {rival} ({money_interval(low, high)})"


def _needed(figures: Figures) -> str:
    needed = figures["sessions_needed"]
    if needed is None or needed != needed or needed <= figures["sessions"]:
        return ""
    return f"; it would take about {needed:,.0f} such sessions to tell it from nothing"


def cautions(figures: Figures) -> list[str]:
    """What the figures do not prove."""
    lines = [
        "Compared is the mean of all seeds: a seed that was picked afterwards would look better. "
        "Sharpe ratios are of the seed in the middle, worst session and worst 1 % of all seeds.",
        "Twice the spread is the same decisions at worse fills. Less delta leaves out what the "
        "direction of the market gave: it has much less noise and says whether premium was earned.",
    ]
    if figures["is_simulated"]:
        lines.insert(0, "These sessions are simulated: nothing here says what real options pay.")
    if figures["trials"]["tried"] == 1:
        lines.append("One configuration is on record; trials that were not recorded do not count.")
    return lines


def standings(figures: Figures) -> Table:
    """Candidates, then baselines, random sales of each candidate's rate among them: a row each.

    How many sessions each was judged on is a column only where they differ.
    """
    columns: tuple[str, ...] = (
        *("Policy", "Trades a session", "Mean a session", "95 %", "Less delta", "95 %"),
        *("At twice the spread", "Worst session", "Worst 1 %", "Sharpe, a year"),
    )
    policies = {**figures["candidates"], **figures["baselines"], **_random(figures["candidates"])}
    rows = [_standing(name, row) for name, row in policies.items()]
    judged = [row["sessions"] for row in policies.values()]
    if len(set(judged)) > 1:
        columns = (*columns, "Sessions")
        rows = [(*row, f"{days:,}") for row, days in zip(rows, judged, strict=True)]
    return Table(columns, rows)


def _random(candidates: Figures) -> Figures:
    """Random legal sales by what they are called; as many as which candidate, if there are more."""
    rows = {}
    for name, each in candidates.items():
        if each["luck"]:
            like = f", as many as {name}" if len(candidates) > 1 else ""
            rows[f"random legal{like}"] = each["luck"]["figures"]
    return rows


def _standing(name: str, row: Figures) -> tuple[str, ...]:
    return (
        name,
        number(row["trades_a_session"]),
        money(row["mean"], signed=True),
        money_interval(*row["mean_interval"]),
        money(row["less_delta"], signed=True),
        money_interval(*row["less_delta_interval"]),
        money(row["wide"], signed=True),
        money(row["worst_session"]),
        money(row["expected_shortfall"]),
        number(row["daily_sharpe"]),
    )


def differences(figures: Figures) -> Table:
    """Each candidate less each rival, session by session."""
    columns = (
        *("Candidate", "Less", "Mean a session", "95 %"),
        *("Less delta", "95 %", "At twice the spread", "95 %"),
    )
    rows = [
        (name, rival, *(cell for each in difference.values() for cell in _pair(each)))
        for name, candidate in figures["candidates"].items()
        for rival, difference in candidate["against"].items()
    ]
    return Table(columns, rows, frozenset({0, 1}))


def _pair(difference: Figures) -> tuple[str, str]:
    return money(difference["mean"], signed=True), money_interval(*difference["interval"])


def belief(figures: Figures) -> Table:
    """How much luck could explain, a row a candidate."""
    columns = (
        *("Candidate", "Median seed", "Worst seed", "Probabilistic Sharpe", "Deflated Sharpe"),
        *("Configurations tried", "Random policies beaten", "Sessions needed"),
    )
    tried = f"{figures['trials']['tried']:,}"
    rows = [
        (
            name,
            money(row["median_seed"], signed=True),
            money(row["worst_seed"], signed=True),
            percent(row["probabilistic_sharpe"]),
            percent(row["deflated_sharpe"]),
            tried,
            percent(row["luck"].get("share_below")),
            number(row["sessions_needed"], 0),
        )
        for name, row in figures["candidates"].items()
    ]
    return Table(columns, rows)


def folds(figures: Figures) -> Table:
    """A row a candidate and fold: median and worst seed, then a column a seed."""
    seeds = max((row["seed_names"] for row in figures["candidates"].values()), key=len)
    one = ["Mean a session"]
    names = ["Median seed", "Worst seed", *(f"Seed {n}" for n in seeds)] if seeds[1:] else one
    columns = ("Candidate", "Fold", "Judged on", "Sessions", "Trades", *names, "Less delta")
    rows = [
        (
            name,
            str(fold["fold"]),
            f"{fold['first']} to {fold['last']}",
            f"{fold['sessions']:,}",
            number(fold["trades_a_session"]),
            *_padded([money(mean, signed=True) for mean in _means(fold)], len(names)),
            money(fold["less_delta"], signed=True),
        )
        for name, row in figures["candidates"].items()
        for fold in row["folds"]
    ]
    return Table(columns, rows, frozenset({0, 2}))


def _means(fold: Figures) -> list[float]:
    """Median (the lower one of two) and worst seed, then all; a lone seed is all of it."""
    means: list[float] = fold["seed_means"]
    ordered = sorted(means)
    return [ordered[(len(means) - 1) // 2], ordered[0], *means] if means[1:] else means


def _padded(cells: Sequence[str], length: int) -> list[str]:
    return [*cells, *[DASH] * (length - len(cells))]
