"""The card keeps what it was told, refuses what contradicts itself, finds IN SAMPLE days."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from zoo import STANDARDISATION, card

from errors import ModelError
from models.card import ModelCard, SessionDays, Standardisation, assumed_card, assumptions
from models.card import differences as differences_of
from settings import MarketSettings, RiskSettings, RuleSettings, Settings

FULL = card(standardisation=STANDARDISATION, policy_sha256="a" * 64, parent_sha256="b" * 64)


def test_a_card_survives_both_of_its_forms():
    assert ModelCard.from_json(FULL.to_json()) == FULL
    assert ModelCard.from_plain(json.loads(json.dumps(FULL.to_plain()))) == FULL
    assert ModelCard.from_json(FULL.to_json()).to_json() == FULL.to_json()


def test_a_card_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        FULL.capital = 1.0
    with pytest.raises(ValidationError, match="frozen"):
        FULL.training.days.count = 1


def test_the_json_says_what_a_person_wants_to_know():
    plain = FULL.to_plain()
    assert plain["actions"] == ["hold", "sell_call", "sell_put", "close"]
    assert plain["training"]["days"]["dates"] == ["2026-01-05", "2026-01-06", "2026-01-08"]
    assert plain["rules"]["stop_multiples"] == [3.0, 4.0, 5.0]
    assert plain["year_convention"] == "calendar"
    assert plain["created"] == "2026-11-22T12:00:00Z"
    assert FULL.strike_rule == "atm"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["schema_version"], 2, "schema_version"),
        (["name"], None, "at name"),
        (["colour"], "red", "at colour"),
        (["rules", "band_low"], 7, r"rules\.band_low"),
        (["year_convention"], "lunar", "year_convention"),
        (["training", "days", "count"], 4, "do not fit the dates"),
        (["training", "days", "sha256"], "0" * 64, "do not fit the dates"),
        (["training", "days", "dates"], [], "training"),
        (["standardisation", "sd"], [1, 1, 1, 0, 1, 1, 1, 1], "must be positive"),
        (["standardisation", "mean"], [0] * 7, r"standardisation\.mean"),
        (["created"], "2026-11-22T12:00:00", "created"),
        (["policy_sha256"], "abc", "policy_sha256"),
    ],
)
def test_a_wrong_card_is_refused_with_the_place_in_one_line(path, value, words):
    plain = FULL.to_plain()
    *parents, last = path
    inner = plain
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ModelError, match=words) as refusal:
        ModelCard.from_plain(plain)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000])
def test_a_card_that_is_no_json_is_refused(text):
    with pytest.raises(ModelError, match="not JSON"):
        ModelCard.from_json(text)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"card"', "{}"])
def test_json_that_is_no_card_is_refused(text):
    with pytest.raises(ModelError, match="card is wrong at"):
        ModelCard.from_json(text)


def test_a_card_fits_the_desk_it_was_made_for():
    card(4).check_fit(4)
    card(3).check_fit(3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feature_version": 2}, "features version 2, the desk has 1"),
        ({"mask_version": 2}, "mask version 2"),
        ({"risk_version": 3}, "risk score version 3"),
        ({"rules_version": 9}, "rules version 9"),
        ({"feature_names": ("spot",) * 8}, "other features"),
        ({"actions": ("hold", "sell_put", "sell_call", "close")}, "are not those of its network"),
        ({"actions": ("hold", "sell_call", "sell_put")}, "are not those of its network"),
    ],
)
def test_a_card_for_another_desk_is_refused(changes, words):
    with pytest.raises(ModelError, match=words):
        card(4, **changes).check_fit(4)


days = st.sets(st.dates(date(2024, 1, 1), date(2024, 3, 1)), min_size=1)


@given(days, days)
def test_overlap_is_what_both_have_oldest_first(trained, used):
    overlap = SessionDays.of("store", trained).overlap(sorted(used))
    assert list(overlap) == sorted(trained & used)


@given(days, st.randoms())
def test_the_hash_depends_on_the_days_and_on_nothing_else(dates, random):
    shuffled = random.sample(sorted(dates) * 2, 2 * len(dates))
    first = SessionDays.of("a", dates)
    assert SessionDays.of("a", shuffled) == first
    assert (first.first, first.last, first.count) == (min(dates), max(dates), len(dates))
    other = {*dates, max(dates) + timedelta(days=1)}
    assert SessionDays.of("a", other).sha256 != first.sha256


def test_in_sample_days_are_found():
    run = [date(2026, 1, 7), date(2026, 1, 8), date(2026, 1, 5)]
    assert FULL.training_overlap(run) == (date(2026, 1, 5), date(2026, 1, 8))
    assert card(training=None).training_overlap(run) == ()


def test_a_run_like_the_training_has_nothing_to_say():
    assert differences_of(card(), Settings()) == []


def test_a_run_unlike_the_training_says_each_figure_once():
    settings = Settings(
        capital=50_000,
        rules=RuleSettings(time_exit_minutes=5, strike="otm"),
        risk=RiskSettings(volatility_reference=0.4),
        market=MarketSettings(year_convention="trading"),
    )
    assert differences_of(card(), settings) == [
        "this model was trained under capital = 80000.0, this run uses 50000.0",
        "this model was trained under market.year_convention = calendar, this run uses trading",
        "this model was trained under risk.volatility_reference = 0.5, this run uses 0.4",
        "this model was trained under rules.time_exit_minutes = 15.0, this run uses 5.0",
        "this model was trained under rules.strike = atm, this run uses otm",
    ]


def test_an_assumed_card_takes_the_defaults_and_says_so(monkeypatch):
    monkeypatch.setenv("ZDTE_CAPITAL", "1000")
    assumed = assumed_card("ppo_2m_final", 3)
    assert assumed.actions == ("hold", "sell_call", "sell_put")
    assert (assumed.capital, assumed.contracts) == (80_000.0, 1)
    assert (assumed.rules, assumed.risk) == (RuleSettings(), RiskSettings())
    said = "\n".join(assumptions(assumed, "1.8.0"))
    for fact in (
        "ppo_2m_final (stable-baselines3 1.8.0) has no card",
        "features are version 1: minutes_since_open, spy_price",
        "0 hold, 1 sell_call, 2 sell_put",
        "strike atm",
        "'calendar' year convention",
        "IN SAMPLE days cannot be marked",
    ):
        assert fact in said


@given(st.lists(st.floats(1e-3, 1e3), min_size=8, max_size=8))
def test_constants_are_kept_to_the_last_bit(figures):
    constants = Standardisation(mean=tuple(figures), sd=tuple(figures))
    kept = ModelCard.from_json(card(standardisation=constants).to_json())
    assert kept.standardisation == constants
