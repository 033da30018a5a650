"""A model knows its line, and answers of strangers are not learned from."""

from datetime import date

import numpy as np
import pytest

from errors import DataError, ModelError
from models.feedback.dataset import typed
from models.feedback.lineage import free_name, hashes, lineage_of
from models.feedback.preferences import labels_of, pairs_of, reliability
from models.training import blank_card
from settings import Settings
from vocabulary import FEATURE_COLUMNS

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def keep(folder, name, sha256, parent=None):
    card = blank_card(name, Settings())
    update = {"policy_sha256": sha256, "parent_sha256": parent}
    card = card.model_copy(update=update)
    (folder / name).mkdir()
    (folder / name / "policy.zip").write_bytes(b"")
    (folder / name / "card.json").write_text(card.to_json())
    return card


def test_the_line_goes_back_to_the_first_model(tmp_path):
    keep(tmp_path, "first", A)
    keep(tmp_path, "second", B, parent=A)
    third = keep(tmp_path, "third", C, parent=B)
    line = lineage_of(third, tmp_path)
    assert [one.name for one in line] == ["third", "second", "first"]
    assert hashes(line) == {A, B, C}


def test_a_missing_parent_and_a_circle_are_told_in_one_line(tmp_path):
    orphan = keep(tmp_path, "orphan", B, parent=A)
    with pytest.raises(ModelError, match="lineage of orphan is broken"):
        lineage_of(orphan, tmp_path)
    round_again = keep(tmp_path, "first", A, parent=B)
    with pytest.raises(ModelError, match="circle"):
        lineage_of(round_again, tmp_path)


def test_a_damaged_card_in_the_folder_is_named(tmp_path):
    child = keep(tmp_path, "child", B, parent=A)
    keep(tmp_path, "broken", A)
    (tmp_path / "broken" / "card.json").write_text("{")
    with pytest.raises(ModelError, match=r"broken/card.json cannot be read"):
        lineage_of(child, tmp_path)


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    assert free_name("mine", tmp_path) == "mine"
    keep(tmp_path, "mine", A)
    assert free_name("mine", tmp_path) == "mine-2"
    keep(tmp_path, "mine-2", B)
    assert free_name("mine", tmp_path) == "mine-3"


FEATURES = (0.2, 0.63, 0.17, 0.0, 0.0, 0.0, 0.2, 0.8)


def row(name, response="y", **changes):
    plain = dict(zip(FEATURE_COLUMNS, FEATURES, strict=True)) | {
        "suggestion_id": name,
        "session_id": "s",
        "ts": f"2026-11-0{1 + len(name) % 8}T15:00:00Z",
        "session_date": date(2026, 11, 2),
        "model_sha256": A,
        "action": 2,
        "source": "mock",
        "shown": True,
        "response": response,
        "weight": 1.0,
    }
    return plain | changes


def test_only_answers_of_the_line_are_learned_from_and_the_others_are_counted():
    table = typed(
        [
            row("yes"),
            row("no", "n"),
            row("skipped", "skip"),
            row("stranger", model_sha256=B),
            row("old", source="import", model_sha256="", weight=0.5),
            row("blind", **{FEATURE_COLUMNS[2]: None}),
        ]
    )
    kept = labels_of(table, {A})
    assert sorted(kept.labels.source) == ["import", "mock", "mock"]
    assert kept.labels.classes == (1, 2)
    told = " ".join(kept.notes)
    assert "1 of 6 suggestions left out: no y and no n" in told
    assert "features missing" in told
    assert "of another model" in told
    assert len(labels_of(table).labels) == 4


def test_a_suggestion_that_nobody_was_shown_is_no_label():
    assert len(labels_of(typed([row("hidden", shown=False)])).labels) == 0


def test_labels_are_oldest_first():
    table = typed([row("aaaa"), row("b", "n")])
    kept = labels_of(table).labels
    assert (np.diff(kept.ts) > 0).all()
    assert list(kept.said) == [False, True]


def test_an_unknown_action_is_refused():
    with pytest.raises(DataError, match="action 7"):
        labels_of(typed([row("odd", action=7)]))


def test_a_reviewer_who_answers_like_a_coin_counts_nothing():
    assert reliability(None) == 1.0
    assert reliability(1.0) == 1.0
    assert reliability(0.75) == pytest.approx(0.5)
    assert reliability(0.4) == 0.0
    table = typed([row("seen", source="review", weight=0.5), row("at the desk")])
    assert sorted(labels_of(table, consistency=0.75).labels.weight) == [0.25, 1.0]


def test_comparisons_need_both_suggestions():
    table = typed([row("good", action=1), row("bad"), row("blind", **{FEATURE_COLUMNS[2]: None})])
    wanted = [{"better": "good", "worse": "bad"}, {"better": "good", "worse": "blind"}]
    pairs, notes = pairs_of(table, wanted)
    assert len(pairs) == 1
    assert (pairs.better_action[0], pairs.worse_action[0]) == (1, 2)
    assert notes == ["1 comparisons left out: a suggestion of them is not usable"]
