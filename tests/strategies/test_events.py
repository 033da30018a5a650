"""The calendar of scheduled events: reading it, and when it blocks."""

from pathlib import Path

import numpy as np
import pytest
from market import SESSION, at

from errors import DataError
from strategies.events import Event, is_blocked, read_events, warnings

HEADER = "date,time,name,before,after,action\n"
FOMC = "2026-10-30,14:00,FOMC statement,15,45,block\n"


def events_file(folder: Path, text: str) -> Path:
    path = folder / "events.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("minute", "blocked"),
    [(254.999, False), (255.0, True), (270.0, True), (315.0, True), (315.001, False)],
)
def test_an_event_blocks_its_interval_bounds_included(
    tmp_path: Path, minute: float, blocked: bool
) -> None:
    events = read_events(events_file(tmp_path, HEADER + FOMC))
    assert bool(is_blocked(at(SESSION, minute), events)) is blocked


def test_times_are_new_york_times_in_winter_and_summer(tmp_path: Path) -> None:
    text = HEADER + FOMC + "2026-11-02,10:00,ISM,0,0,block\n"
    summer, winter = read_events(events_file(tmp_path, text))
    assert summer.start_ts == at(SESSION, 255)
    assert winter.start_ts == winter.end_ts == SESSION.open_ns + (72 + 1.5) * 3600 * 10**9


def test_a_warning_does_not_block(tmp_path: Path) -> None:
    events = read_events(events_file(tmp_path, HEADER + FOMC.replace("block", "warn")))
    assert [event.blocks for event in events] == [False]
    assert not is_blocked(at(SESSION, 270), events)


def test_instants_of_any_shape_are_judged_together(tmp_path: Path) -> None:
    text = HEADER + FOMC + "2026-10-30,10:00,CPI,5.5,10,block\n"
    events = read_events(events_file(tmp_path, text))
    ts = np.array([[at(SESSION, 24), at(SESSION, 24.5)], [at(SESSION, 41), at(SESSION, 260)]])
    np.testing.assert_array_equal(is_blocked(ts, events), [[False, True], [False, True]])
    assert not is_blocked(ts, []).any()


@pytest.mark.parametrize(
    "line",
    [
        "2026-13-30,14:00,FOMC,15,45,block",
        "2026-10-30,25:00,FOMC,15,45,block",
        "2026-10-30,14:00,FOMC,soon,45,block",
        "2026-10-30,14:00,FOMC,15,45,stop",
        "2026-10-30,14:00,FOMC,inf,45,block",
        "2026-10-30,14:00",
    ],
)
def test_a_line_that_is_no_event_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"events\.csv, line 3: not an event"):
        read_events(events_file(tmp_path, HEADER + FOMC + line + "\n"))


def test_other_columns_and_a_missing_file_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the columns must be date,time,name,before,after,action"):
        read_events(events_file(tmp_path, "when,what\n"))
    with pytest.raises(DataError, match=r"cannot read the events file .*No such file"):
        read_events(tmp_path / "none.csv")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00junk", b"a\x00b\n" * 3])
def test_a_file_of_something_else_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"events\.csv"):
        read_events(path)


def test_a_file_of_a_spreadsheet_may_begin_with_a_mark(tmp_path: Path) -> None:
    path = events_file(tmp_path, HEADER + FOMC)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_events(path)) == 1


def test_warning_events_are_told_while_they_count_and_block_nothing() -> None:
    warns = Event("CPI", 1_000, 2_000, False)
    blocks = Event("FOMC", 1_000, 2_000, True)
    assert warnings(999, [warns, blocks]) == warnings(2_001, [warns, blocks]) == []
    (line,) = warnings(1_500, [warns, blocks])
    assert line.startswith("CPI: until ") and line.endswith("New York, by events.csv")
