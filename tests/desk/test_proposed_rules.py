"""Reasons become settings that exist, with honest counts of what they would have cost."""

from datetime import date

import pytest

from desk.proposed_rules import FEWEST, proposals, widened_events
from errors import DataError
from feeds.sessions import session_on
from models.feedback.dataset import typed
from settings import RuleSettings, Settings
from strategies.events import read_events
from vocabulary import FEATURE_COLUMNS

DAY = date(2026, 10, 28)
OPEN = session_on(DAY).open_ns
MINUTE = 60_000_000_000
RULES = RuleSettings()
FEATURES = (0.2, 0.63, 0.17, 0.0, 0.0, 0.0, 0.2, 0.8)


def row(number, minute, response="n", reason="", ask=2.40, risk=0.2):
    plain = dict(zip(FEATURE_COLUMNS, FEATURES, strict=True))
    plain |= {"feature_minutes_since_open": minute / 390}
    return plain | {
        "suggestion_id": str(number),
        "session_id": "s",
        "ts": (OPEN + round(minute * MINUTE)),
        "session_date": DAY,
        "action": 2,
        "source": "mock",
        "shown": True,
        "response": response,
        "reason_code": reason,
        "bid": 2.35,
        "ask": ask,
        "risk_score": risk,
        "weight": 1.0,
    }


def table(*rows):
    return typed([row(number, *each[0], **each[1]) for number, each in enumerate(rows)])


def no(minute, reason, **more):
    return (minute,), {"reason": reason, **more}


def yes(minute, **more):
    return (minute,), {"response": "y", **more}


def only(found):
    (one,) = found
    return one


def switched_on(line):
    """The settings that the line gives; they must exist and be allowed."""
    words = [word for word in line.split() if word != "--set"]
    given = dict(word.removeprefix("rules.").split("=") for word in words)
    return Settings(rules=given).rules


def test_fewer_than_three_noes_propose_nothing(tmp_path):
    assert FEWEST == 3
    few = table(no(40, "timing"), no(45, "timing"), yes(200), yes(210))
    assert proposals(few, RULES, tmp_path) == []
    assert proposals(typed([]), RULES, tmp_path) == []


def test_early_noes_move_the_window_and_the_yeses_it_costs_are_counted(tmp_path):
    early = table(*(no(m, "timing") for m in (32, 41, 44)), yes(38), yes(200), yes(300))
    one = only(proposals(early, RULES, tmp_path))
    assert switched_on(one.line).entry_after_open == 45
    assert (one.spared, one.of, one.cost, one.yeses) == (3, 3, 1, 3)


def test_late_noes_end_the_window_earlier(tmp_path):
    late = table(*(no(m, "timing") for m in (330, 341, 350)), yes(100), yes(345))
    one = only(proposals(late, RULES, tmp_path))
    assert switched_on(one.line).entry_before_close == 390 - 340
    assert (one.spared, one.cost) == (2, 1)


def test_wide_spreads_become_a_limit_below_them(tmp_path):
    wide = table(*(no(100, "spread", ask=2.35 + c / 100) for c in (4, 5, 6)), yes(100, ask=2.37))
    one = only(proposals(wide, RULES, tmp_path))
    changed = switched_on(one.line)
    assert (changed.spread_cents, changed.spread_fraction) == (4.0, 0.0)
    assert (one.spared, one.cost) == (2, 0)


def test_volatility_becomes_a_lower_bound_of_risk_and_says_what_risk_is(tmp_path):
    risky = table(*(no(100, "volatility", risk=r) for r in (0.35, 0.4, 0.42)), yes(100, risk=0.2))
    one = only(proposals(risky, RULES, tmp_path))
    assert switched_on(one.line).small_capital_risk == pytest.approx(0.4)
    assert "half of it is volatility" in one.words
    calm = table(*(no(100, "volatility", risk=0.7) for _ in range(3)))
    one = only(proposals(calm, RULES, tmp_path))
    assert one.rules == {} and one.line == ""


def test_a_rule_that_costs_as_many_yeses_as_it_spares_noes_is_not_proposed(tmp_path):
    """A model that only ever asks at 10:00 has noes and yeses in the same minute."""
    same = table(*(no(30, "timing") for _ in range(4)), *(yes(30) for _ in range(9)))
    one = only(proposals(same, RULES, tmp_path))
    assert one.rules == {} and one.line == ""
    assert "no setting tells these n from your y" in one.words


def test_a_direction_has_no_setting_and_says_so(tmp_path):
    one = only(proposals(table(*(no(100, "direction") for _ in range(3))), RULES, tmp_path))
    assert one.rules == {}
    assert "no setting tells" in one.words


def test_events_without_a_file_ask_for_one(tmp_path):
    one = only(proposals(table(*(no(100, "event") for _ in range(3))), RULES, tmp_path))
    assert one.rules == {}
    assert "rules.events=events.csv" in one.line


def test_events_are_widened_to_half_an_hour_in_a_copy(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(
        "date,time,name,before,after,action\n"
        f"{DAY},14:00,FOMC,5,45,warn\n{DAY},10:00,ISM,60,10,block\n"
    )
    before = path.read_text()
    noes = [no(minute, "event") for minute in (245, 255, 20)]
    one = only(proposals(table(*noes, yes(300), yes(200)), RuleSettings(events=path), tmp_path))
    assert path.read_text() == before
    events = {event.name: event for event in read_events(one.rules["events"])}
    minutes = {
        name: ((event.start_ts - OPEN) / MINUTE, (event.end_ts - OPEN) / MINUTE)
        for name, event in events.items()
    }
    assert minutes == {"FOMC": (240, 315), "ISM": (-30, 60)}
    assert all(event.blocks for event in events.values())
    assert (one.spared, one.of, one.cost, one.yeses) == (3, 3, 1, 2)


def test_a_broken_events_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("date,time,name,before,after,action\n2026-13-01,14:00,FOMC,5,5,block\n")
    with pytest.raises(DataError, match="line 2"):
        widened_events(path, tmp_path / "out.csv")
