"""The page on a person's answers can be read with one answer, with ten and with very many."""

import re
from datetime import date
from html import unescape

import numpy as np
import pytest

from commands.human_page import choosing, draw_page, human_figures, page_beside
from desk.human import answered
from feeds.sessions import last_sessions
from reports.charts import answers
from reports.human_page import verdict
from settings import RuleSettings

LIMITS = RuleSettings()
NOISE = 1e-9


def journal_rows(amount, seed=1, responses=("y", "n", "skip", "timeout", "withdrawn")):
    """Suggestions, decisions and outcomes of `amount` questions, six a session at most."""
    random = np.random.default_rng(seed)
    a_day = max(1, min(6, amount // 5))
    days = last_sessions(-(-amount // a_day), date(2026, 10, 30))
    suggestions, decisions, outcomes = [], [], []
    for number in range(amount):
        day = days[number // a_day]
        response = str(random.choice(responses))
        made, seconds = float(random.normal(10, 100)), float(random.lognormal(2, 1))
        key = {"session_id": str(day.date), "suggestion_id": f"q{number}"}
        suggestions.append(
            key
            | {"ts": day.open_ns + (31 + number % a_day * 50) * 60_000_000_000}
            | {"exit_reason": None, "shown": True, "side": -1, "quantity": 1}
            | {"risk_score": float(random.uniform(0.1, 0.9)), "bid": 2.4, "ask": 2.5}
            | {"feature_atm_iv": float(random.lognormal(-2, 0.3)), "model": "m<i>"}
            | {"model_sha256": "ab12cd34ef" if number < amount // 2 else "99ff00aa11"}
        )
        reason = str(random.choice(["", "news", "price"])) if response == "n" else ""
        decisions.append(
            key
            | {"response": response, "outcome": "sent" if response == "y" else "not sent"}
            | {"reason_code": reason, "response_ms": 1000 * seconds}
            | {"bid_at_response": 2.39, "ask_at_response": 2.49}
        )
        outcomes.append(key | {"pnl": made - 2 if response == "y" else None, "shadow_pnl": made})
    return suggestions, decisions, outcomes


def page_of(folder, rows, played=None):
    table = answered(*rows)
    path = draw_page(table, rows[0], LIMITS, played or {}, ["a <note>"], folder / "page.html")
    return path.read_text()


def text_of(html):
    body = html[html.index("<body") :]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


@pytest.mark.parametrize("amount", [1, 10, 400])
def test_the_page_is_complete_in_itself_with_any_number_of_answers(tmp_path, amount):
    rows = journal_rows(amount)
    sessions = dict.fromkeys(row["session_id"] for row in rows[0])
    html = page_of(tmp_path, rows, {"hold": dict.fromkeys(sessions, 0.0)})
    text = text_of(html)
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert re.search(r"\bnan\b", text.lower()) is None
    assert "<i>" not in html and "a &lt;note&gt;" in html
    assert ("too few for any conclusion" in text) is (amount < 10)
    assert "hold" in text
    if amount == 400:
        assert html.count('src="data:image/png;base64,') == 6


@pytest.mark.parametrize("response", ["y", "n", "skip", "timeout", "withdrawn"])
def test_answers_of_one_kind_alone_have_a_page(tmp_path, response):
    text = text_of(page_of(tmp_path, journal_rows(12, responses=(response,))))
    assert "Nothing can be said of your choosing yet" in text


def test_answers_without_any_outcome_have_a_page(tmp_path):
    suggestions, decisions, _ = journal_rows(12)
    text = text_of(page_of(tmp_path, (suggestions, decisions, [])))
    assert "No outcome is known yet" in text
    assert "12 suggestions without an outcome" in text


def test_every_answer_counts_once_in_hours_risks_and_volatilities():
    rows = journal_rows(120)
    table = answered(*rows)
    figures = human_figures(table, rows[0], LIMITS, {}, [])
    said = table["response"].isin(["y", "n"]).sum()
    for parts in figures.agreement.values():
        assert sum(one.answers for one in parts) == said
        assert sum(one.yes for one in parts) == (table["response"] == "y").sum()
    assert [one.name for one in figures.agreement["risk"]] == [
        *("risk below 0.3", "risk 0.3 to 0.6", "risk from 0.6"),
    ]


def test_versions_of_the_model_share_the_suggestions():
    rows = journal_rows(60)
    figures = human_figures(answered(*rows), rows[0], LIMITS, {}, [])
    assert [one.name for one in figures.models] == ["m<i> ab12cd34", "m<i> 99ff00aa"]
    assert sum(one.n for one in figures.models) == figures.choosing.n == 60
    total = sum(one.earned.total for one in figures.models)
    assert total == pytest.approx(figures.choosing.earned.total)


def test_choosing_added_the_difference_of_the_means():
    table = answered(*journal_rows(200))
    one = choosing("all", table)
    is_yes = table["response"] == "y"
    refused = table["response"].isin(["n", "skip"])
    added = table["shadow_pnl"][is_yes].mean() - table["shadow_pnl"][refused].mean()
    assert one.added == pytest.approx(added, abs=NOISE)
    assert one.interval.low < one.added < one.interval.high


def test_choosing_is_called_luck_until_it_is_more():
    rows = journal_rows(200)
    plain = choosing("all", answered(*rows))
    assert "That may be luck" in verdict(plain)
    for row, decision in zip(rows[2], rows[1], strict=True):
        row["shadow_pnl"] += 400 if decision["response"] == "y" else 0
    assert "chance alone seldom does that" in verdict(choosing("all", answered(*rows)))
    few = choosing("all", answered(*journal_rows(12)))
    assert "too few to say" in verdict(few)


def test_many_answers_are_drawn_as_boxes_and_few_one_by_one():
    few, many = (answered(*journal_rows(n, responses=("y",))) for n in (20, 400))
    assert answers.spread(few).axes[0].collections[0].get_offsets().shape == (20, 2)
    assert len(answers.spread(many).axes[0].patches) == 2


def test_the_page_lies_beside_its_journal(tmp_path):
    assert page_beside(tmp_path / "journal.db") == tmp_path / "journal_human.html"


def test_the_delay_is_told_in_cents_a_contract(tmp_path):
    rows = journal_rows(40, responses=("y",))
    text = text_of(page_of(tmp_path, rows))
    assert "100 c a contract" in text  # a seller, and the mid fell from 2.45 to 2.44


def test_a_market_that_stood_still_has_an_axis_of_whole_cents():
    rows = journal_rows(20, responses=("y",))
    for row in rows[1]:
        row |= {"bid_at_response": 2.4, "ask_at_response": 2.5}
    figure = answers.latency(answered(*rows))
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert len(set(labels)) == len(labels) and "0" in labels
