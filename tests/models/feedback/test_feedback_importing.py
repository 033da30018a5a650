"""Files of earlier desks: what can be used counts, and every other line is named."""

import json

import pytest

from errors import DataError
from models.feedback.dataset import COLUMNS, is_labelled
from models.feedback.importing import import_suggestions

LINE = {
    "timestamp": "2026-03-02T10:32:00",
    "action": "sell_put",
    "strike": 628,
    "contracts": 1,
    "option_type": "PUT",
    "spy_price": 628.5,
    "option_bid": 2.35,
    "option_ask": 2.45,
    "iv": 0.155,
    "risk_score": 0.2,
    "features": [0.159, 0.6285, 0.155, 0.0, 0.0, 0.0, 0.2, 0.841],
    "user_response": "y",
}


def file_of(folder, *lines, name="suggestions_20260302.jsonl"):
    path = folder / name
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    return path


def test_lines_of_an_earlier_desk_become_rows(tmp_path):
    other = LINE | {"action": 1, "option_type": "CALL", "user_response": "SKIP"}
    other |= {"timestamp": "2026-03-02T16:00:00+00:00", "user_comment": "tired"}
    found = import_suggestions([file_of(tmp_path, LINE, "", other)])
    table = found.table
    assert not found.bad and tuple(table.columns) == COLUMNS
    assert table["response"].tolist() == ["y", "skip"]
    assert table["right"].tolist() == ["P", "C"] and table["action"].tolist() == [2, 1]
    assert [f"{at:%H:%M %z}" for at in table["ts"]] == ["10:32 -0500", "11:00 -0500"]
    assert table["comment"].tolist() == [None, "tired"]
    assert (table["source"] == "import").all() and (table["weight"] == 0.5).all()
    assert is_labelled(table).tolist() == [True, False]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"action": "hold"}, "action is 'hold'"),
        ({"user_response": "maybe"}, "user_response is 'maybe'"),
        ({"option_type": "call"}, "option_type is 'call'"),
        ({"timestamp": "yesterday"}, "timestamp is 'yesterday'"),
        ({"strike": None}, "it has no strike"),
        ({"iv": "high"}, "iv is 'high'"),
        ({"fill_price": "x"}, "fill_price is 'x'"),
        ({"option_bid": 2.5}, "option_bid is 2.5 and option_ask 2.45"),
        ({"contracts": 0}, "contracts is 0, and must be above zero"),
        ({"strike": 10**400}, "int too large"),
        ({"features": [True] * 8}, "features are not 8 numbers"),
        ({"features": [0.1] * 7}, "features are not 8 numbers"),
        ({"features": [0.159, 1.257, 0.155, 0, 0, 0, 0.2, 0.841]}, "another scaling"),
        ({"features": [0.159, 0.6285, 0.155, 0, 0, 0, 7, 0.841]}, "feature risk_score is 7"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_others_count(tmp_path, changes, why):
    path = file_of(tmp_path, LINE, LINE | changes)
    found = import_suggestions([path])
    assert len(found.table) == 1
    (bad,) = found.bad
    assert bad.number == 2 and why in bad.why and str(bad).startswith(f"{path}, line 2: ")


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"words"', "[" * 100_000])
def test_what_is_no_object_is_a_bad_line(tmp_path, text):
    found = import_suggestions([file_of(tmp_path, LINE, text)])
    assert len(found.table) == 1 and len(found.bad) == 1


def test_the_same_line_in_two_files_counts_once(tmp_path):
    paths = [file_of(tmp_path, LINE, name=name) for name in ("a.jsonl", "b.jsonl")]
    assert len(import_suggestions(paths).table) == 1


def test_a_line_counts_once_however_it_is_written(tmp_path):
    turned = json.dumps(dict(reversed(LINE.items())), indent=None, separators=(",", ":"))
    found = import_suggestions([file_of(tmp_path, LINE, turned, LINE | {"user_response": "n"})])
    assert found.table["response"].tolist() == ["y", "n"] and not found.bad


def test_a_line_in_another_encoding_spoils_no_other(tmp_path):
    """Byte order marks, Windows' line ends and the line separators of Unicode are no fault."""
    said = json.dumps(LINE | {"user_comment": "m\u00fcde\u2028now"}, ensure_ascii=False)
    path = tmp_path / "mixed.jsonl"
    other = said.replace("y", "n").replace("\u2028", "").encode("latin-1")
    path.write_bytes(b"\xef\xbb\xbf" + said.encode() + b"\r\n" + other + b"\r\n")
    found = import_suggestions([path])
    assert found.table["comment"].tolist() == ["m\u00fcde\u2028now"]
    (bad,) = found.bad
    assert bad.number == 2 and bad.why.startswith("no UTF-8 at byte")
    path.write_bytes(said.encode("utf-16"))
    assert len(import_suggestions([path]).table) == 1


def test_what_was_paid_is_kept_where_it_is_known(tmp_path):
    paid = LINE | {"fill_price": 2.39, "timestamp": "2026-03-03T10:32:00"}
    table = import_suggestions([file_of(tmp_path, LINE | {"fill_price": None}, paid)]).table
    assert table["fill_price"].fillna(0).tolist() == [0, 2.39]


def test_a_file_without_any_usable_line_is_refused(tmp_path):
    with pytest.raises(DataError, match="line 1: no JSON; and no other of its 2 lines"):
        import_suggestions([file_of(tmp_path, "x", "y")])
    with pytest.raises(DataError, match="cannot read"):
        import_suggestions([tmp_path / "missing.jsonl"])
