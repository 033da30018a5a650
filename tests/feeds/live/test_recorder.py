"""Recording: every row reaches the store, whatever happens to the process that records."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as some
from market import EVERY_MINUTE, HALF_DAY, MONDAY, SESSION, at, contract, market

from errors import DataError
from feeds.chain import ChainDay
from feeds.live.book import ChainBook
from feeds.live.recorder import FOLDER, Recording, SessionRecorder, recover
from feeds.live.row_file import RowFile, read_rows
from feeds.store import ChainStore
from feeds.underlying import OfficialClose

ROOT = Path(__file__).resolve().parents[3]
CLOSE = OfficialClose(628.2, "end-of-day")
LATER = date(2026, 12, 1)


def day() -> ChainDay:
    return market(spot=628 + np.sin(EVERY_MINUTE / 40).round(2)).day()


def record(
    store: ChainStore, rows: range, close: OfficialClose = CLOSE, of: ChainDay | None = None
) -> Recording:
    of = of or day()
    recorder = SessionRecorder(store, of.session, 60)
    for t in rows:
        recorder.add(of.row(t))
    return recorder.finish(close)


def stored_day(store: ChainStore) -> ChainDay:
    return store.select().load(0)


def assert_same_rows(one: ChainDay, other: ChainDay, rows: slice) -> None:
    for name in ("ts", "bid", "ask", "bid_size", "ask_size"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows], name)
    np.testing.assert_allclose(one.spot, other.spot[rows], rtol=0, atol=5e-5)
    assert one.strikes.tolist() == other.strikes.tolist()


def test_a_recorded_session_is_in_the_store_with_all_its_rows(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    done = record(store, range(390))
    assert (done.rows, done.merged, done.torn_bytes, done.problem) == (390, 0, 0, "")
    assert done.stored is not None and done.stored.kind == "recorded"
    assert done.stored.path.endswith("SPY_2026-10-30_recorded_1m.parquet")
    read = stored_day(store)
    assert (read.official_close, read.close_source, read.flags) == (628.2, "end-of-day", ())
    rows = slice(0, 390)
    assert_same_rows(read.row(0), day(), slice(0, 1))
    assert read.recorded == 390
    np.testing.assert_array_equal(read.bid[rows], day().bid[rows])
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_strikes_that_were_listed_at_midday_have_no_quotes_before(tmp_path: Path) -> None:
    store, book = ChainStore(tmp_path), ChainBook(SESSION, age_limit_seconds=3600)
    recorder = SessionRecorder(store, SESSION, 60)
    for minute, strike in ((10, 628), (11, 628), (12, 600), (13, 650)):
        book.set_underlying(at(SESSION, minute), "stock stream", last=628.0)
        book.apply_quote(contract(strike=strike), at(SESSION, minute), 2.0, 2.1, 3, 4)
        recorder.add(book.snapshot(at(SESSION, minute)))
    recorder.finish(CLOSE)
    read = stored_day(store)
    assert read.strikes.tolist() == [600_000, 628_000, 650_000]
    assert np.isfinite(read.bid[:4, 1]).tolist() == [
        [False, True, False],
        [False, True, False],
        [True, True, False],
        [True, True, True],
    ]
    assert read.bid_size[3, 1].tolist() == [3, 3, 3]
    assert read.spot_source == "stock stream"


def test_a_session_recorded_in_parts_is_merged(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    first = record(store, range(100), OfficialClose(None))
    assert first.stored is not None and first.stored.facts.official_close is None
    assert first.stored.facts.flags == ("thin", "no official close")
    second = record(store, range(90, 391))
    assert (second.rows, second.merged) == (391, 100)
    assert_same_rows(stored_day(store), day(), slice(0, 391))
    assert len(store.entries) == 1
    assert stored_day(store).flags == ()


def test_a_close_that_is_known_later_is_added_and_never_lost(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    record(store, range(391), OfficialClose(None))
    assert stored_day(store).official_close is None
    record(store, range(0), CLOSE)
    assert stored_day(store).official_close == 628.2
    record(store, range(0), OfficialClose(None))
    record(store, range(5, 6), OfficialClose(None))
    assert stored_day(store).official_close == 628.2
    assert stored_day(store).recorded == 391


def test_a_half_day_says_so(tmp_path: Path) -> None:
    store, of = ChainStore(tmp_path), market(session=HALF_DAY).day()
    record(store, range(211), of=of)
    assert stored_day(store).flags == ("half day",)


def test_simulated_rows_are_never_stored_as_recorded(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    recorder = SessionRecorder(store, SESSION, 60, source="simulated")
    recorder.add(day().row(0))
    recorder.add(day().row(1))
    recorder.finish(CLOSE)
    assert [entry.kind for entry in store.entries] == ["simulated"]


# --- what is left out is counted -----------------------------------------------------------------


def test_rows_without_spot_and_prices_off_the_cent_are_left_out_and_counted(
    tmp_path: Path,
) -> None:
    store, odd = ChainStore(tmp_path), day()
    odd.bid[1, 0, 3] += 0.004
    recorder = SessionRecorder(store, SESSION, 60)
    blind = replace(odd.row(2), spot=np.array([np.nan]))
    for row in (odd.row(0), odd.row(1), blind, odd.row(3)):
        recorder.add(row)
    done = recorder.finish(CLOSE)
    assert (done.rows, done.unpriced, done.off_cent) == (3, 1, 1)
    read = stored_day(store)
    assert np.isnan(read.bid[1, 0, 3]) and np.isfinite(read.ask[1, 0, 3])


def test_a_closing_row_that_nobody_quoted_is_not_recorded(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    recorder = SessionRecorder(store, SESSION, 60)
    recorder.add(day().row(380))
    recorder.add(ChainBook(SESSION).snapshot(SESSION.close_ns))
    assert recorder.finish(CLOSE).rows == 1


def test_a_row_of_another_session_is_refused(tmp_path: Path) -> None:
    recorder = SessionRecorder(ChainStore(tmp_path), MONDAY, 60)
    with pytest.raises(DataError, match="a row of 2026-10-30 is no part of 2026-11-02"):
        recorder.add(day().row(0))
    recorder.close()


def test_nothing_recorded_is_nothing_stored(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    done = record(store, range(0))
    assert (done.stored, done.rows, store.entries) == (None, 0, [])
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_an_earlier_part_that_is_damaged_is_named_and_does_not_stop_the_recording(
    tmp_path: Path,
) -> None:
    store = ChainStore(tmp_path)
    first = record(store, range(100))
    assert first.stored is not None
    (tmp_path / first.stored.path).write_bytes(b"PAR1 no more")
    done = record(store, range(100, 391))
    assert "is cut short" in done.problem
    assert (done.rows, done.merged) == (291, 0)
    assert stored_day(store).recorded == 291


# --- crashes -------------------------------------------------------------------------------------

CRASHING = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from market import market
from feeds.live.recorder import SessionRecorder
from feeds.store import ChainStore
day = market().day()
recorder = SessionRecorder(ChainStore(Path({store!r})), day.session, 60)
for t in range(200):
    recorder.add(day.row(t))
    print(t, flush=True)
    time.sleep(0.001)
time.sleep(60)
"""


def killed_recording(store: Path, after: int) -> int:
    """Record in a process of its own and kill it after that many rows; the last it told of."""
    code = CRASHING.format(root=str(ROOT), tests=str(ROOT / "tests"), store=str(store))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(after)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout if line.strip()]
    return told[-1]


def test_a_killed_recording_loses_nothing_it_had_written(tmp_path: Path) -> None:
    told = killed_recording(tmp_path, 60)
    store = ChainStore(tmp_path)
    assert store.entries == []
    assert recover(store, before=SESSION.date) == []
    (done,) = recover(store, LATER, lambda session: CLOSE)
    assert done.session == SESSION
    assert done.rows >= told + 1
    read = stored_day(store)
    np.testing.assert_array_equal(read.bid[: done.rows], market().day().bid[: done.rows])
    assert read.official_close == 628.2
    assert list((tmp_path / FOLDER).iterdir()) == []
    assert recover(store, LATER) == []


def test_a_killed_recording_goes_on_when_the_session_is_recorded_again(tmp_path: Path) -> None:
    killed_recording(tmp_path, 20)
    store, again = ChainStore(tmp_path), market().day()
    done = record(store, range(150, 391), of=again)
    assert done.rows >= 20 + 241
    read = stored_day(store)
    assert read.ts[0] == again.ts[0] and read.ts[-1] == again.ts[-1]


@given(cut=some.integers(1, 400), junk=some.binary(max_size=40))
@examples(max_examples=30)
def test_a_torn_end_is_cut_off_and_the_file_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.rows"
    of = market(EVERY_MINUTE[:6]).day()
    file = RowFile(path)
    sizes = []
    for t in range(4):
        file.append(of.row(t))
        sizes.append(path.stat().st_size)
    file.close()
    os.truncate(path, max(sizes[-1] - cut, 0))
    with path.open("ab") as torn:
        torn.write(junk)
    kept = sum(size <= sizes[-1] - cut for size in sizes)
    assert [row.ts for row in read_rows(path).rows] == of.ts[:kept].tolist()
    again = RowFile(path)
    assert again.torn_bytes == max(sizes[-1] - cut, 0) + len(junk) - ([0, *sizes][kept])
    again.append(of.row(5))
    again.close()
    read = read_rows(path)
    assert [row.ts for row in read.rows] == [*of.ts[:kept].tolist(), of.ts[5]]
    assert read.torn_bytes == 0


def test_a_row_comes_back_from_the_file_as_it_was(tmp_path: Path) -> None:
    book = ChainBook(SESSION)
    book.set_underlying(at(SESSION, 5), "stock stream", bid=628.1, ask=628.2)
    book.apply_quote(contract(), at(SESSION, 5), 2.0, 2.1, 3, 4)
    row = book.snapshot(at(SESSION, 5))
    file = RowFile(tmp_path / "a.rows")
    file.append(row)
    file.close()
    (read,) = read_rows(tmp_path / "a.rows").rows
    assert (read.ts, read.spot, read.spot_source) == (row.ts[0], row.spot[0], "stock stream")
    assert (read.underlying_bid, read.underlying_ask) == (628.1, 628.2)
    for name in ("bid", "ask", "bid_size", "ask_size"):
        np.testing.assert_array_equal(getattr(read, name), getattr(row, name)[0])


def test_a_full_disk_costs_the_rows_it_has_no_room_for_and_no_others(tmp_path: Path) -> None:
    path, whole = tmp_path / "day.rows", day()
    file = RowFile(path)
    for t in range(3):
        file.append(whole.row(t))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    try:
        for t in (3, 4):
            with pytest.raises(OSError):
                file.append(whole.row(t))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    file.append(whole.row(5))
    file.close()
    read = read_rows(path)
    assert [row.ts for row in read.rows] == whole.ts[[0, 1, 2, 5]].tolist()
    assert read.torn_bytes == 0


def test_a_second_recorder_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    path, whole = tmp_path / "day.rows", day()
    file = RowFile(path)
    file.append(whole.row(0))
    with path.open("ab") as half:
        half.write(b"half a frame, as the writer has it for a moment")
    size = path.stat().st_size
    with pytest.raises(DataError, match=r"day\.rows is being recorded by another process"):
        RowFile(path)
    assert path.stat().st_size == size
    file.close()
    RowFile(path).close()
    assert [row.ts for row in read_rows(path).rows] == [whole.ts[0]]
