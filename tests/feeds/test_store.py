"""The chain store gives back what was put in, names what is damaged, and spoils nothing else."""

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from errors import DataError
from feeds.chain import ChainDay, chain_day
from feeds.quotes import UNLIMITED_SIZE
from feeds.sessions import session_on
from feeds.store import ChainStore, period_name

FRIDAY = date(2026, 7, 17)
MONDAY = date(2026, 7, 20)
TUESDAY = date(2026, 7, 21)
HALF_DAY = date(2026, 11, 27)


def quoted_day(
    day: date = FRIDAY,
    snapshots: int = 5,
    source: str = "imported",
    sized: bool = True,
    seed: int = 0,
) -> ChainDay:
    """A small session: 3 strikes, a crossed, a zero-bid and an absent quote among the rest."""
    session, dice = session_on(day), np.random.default_rng(seed)
    shape = snapshots, 2, 3
    cents = dice.integers(1, 4000, shape)
    bid, ask = cents / 100, (cents + dice.integers(0, 30, shape)) / 100
    bid[0, 0, 0], bid[0, 1, 0], bid[0, 1, 2], ask[0, 1, 2] = ask[0, 0, 0] + 0.05, 0, *[np.nan] * 2
    sizes = dice.integers(0, 500, (2, *shape)).astype(np.int32) if sized else (None, None)
    return chain_day(
        session=session,
        underlying="SPY",
        ts=session.open_ns + (4 + 300 * np.arange(snapshots)) * 1_000_000_000,
        spot=np.round(628 + dice.normal(0, 1, snapshots).cumsum(), 4),
        underlying_bid=np.full(snapshots, 628.01),
        strikes=np.array([627_000, 628_000, 631_500]),
        bid=bid,
        ask=ask,
        bid_size=sizes[0],
        ask_size=sizes[1],
        source=source,
        official_close=628.53,
        close_source="minute bar",
        spot_source="quotes + minute bars",
        flags=("thin", "half day"),
    )


def assert_same(loaded: ChainDay, written: ChainDay) -> None:
    for name in ("ts", "spot", "underlying_bid", "underlying_ask", "strikes"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(written, name), err_msg=name)
    for name in ("bid", "ask", "bid_size", "ask_size"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(written, name), err_msg=name)
    for name in ("session", "underlying", "recorded", "official_close", "source", "flags"):
        assert getattr(loaded, name) == getattr(written, name)
    for name in ("spot_source", "close_source", "year_convention"):
        assert getattr(loaded, name) == getattr(written, name)


@some.composite
def chain_days(draw: some.DrawFn) -> ChainDay:
    """Any session a source may record: odd instants, holes, absent sizes, half days."""
    session = session_on(draw(some.sampled_from([FRIDAY, MONDAY, HALF_DAY])))
    length = session.close_ns - session.open_ns
    steps = draw(some.sets(some.integers(0, length), min_size=1, max_size=6))
    strikes = draw(some.sets(some.integers(1, 2_000_000), min_size=1, max_size=4))
    shape = len(steps), 2, len(strikes)
    cells = int(np.prod(shape))

    def column(values: some.SearchStrategy[float | None]) -> np.ndarray:
        drawn = draw(some.lists(values, min_size=cells, max_size=cells))
        return np.array([np.nan if one is None else one for one in drawn], float).reshape(shape)

    price = some.none() | some.integers(0, 60_000).map(lambda cents: cents / 100)
    size = some.integers(0, 5_000) | some.just(UNLIMITED_SIZE)
    sized = draw(some.booleans())
    dollars = some.integers(1, 9_000_000).map(lambda units: units / 10_000)
    every_snapshot = {"min_size": len(steps), "max_size": len(steps)}
    return chain_day(
        session=session,
        underlying=draw(some.sampled_from(["SPY", "BRK.B"])),
        ts=session.open_ns + np.array(sorted(steps)),
        spot=np.array(draw(some.lists(dollars, **every_snapshot))),
        underlying_ask=np.array(draw(some.lists(dollars, **every_snapshot))),
        strikes=np.array(sorted(strikes)),
        bid=column(price),
        ask=column(price),
        bid_size=column(size).astype(np.int32) if sized else None,
        ask_size=column(size).astype(np.int32) if sized else None,
        source=draw(some.sampled_from(["recorded", "simulated seed 7"])),
        official_close=draw(some.none() | dollars),
    )


@given(chain_days(), some.integers(0, 86_400))
@settings(max_examples=40, deadline=None)
def test_every_day_loads_as_it_was_written(day: ChainDay, period: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ChainStore(Path(folder)).write(day, period)
        source = ChainStore(Path(folder)).select(underlying=day.underlying)
        assert list(source.sessions) == [day.session]
        assert_same(source.load(0), day)
        ts, spot = source.clock(0)
        np.testing.assert_array_equal(ts, day.ts[: day.recorded])
        np.testing.assert_array_equal(spot, day.spot[: day.recorded])


def test_the_added_closing_row_is_not_stored(tmp_path: Path) -> None:
    day = quoted_day()
    stored = ChainStore(tmp_path).write(day, 300)
    table = pd.read_parquet(tmp_path / stored.path)
    assert (len(day), day.recorded, stored.snapshots) == (6, 5, 5)
    assert table["ts"].max().value == day.ts[4]


def test_a_file_is_a_plain_table_for_any_tool(tmp_path: Path) -> None:
    day = quoted_day()
    stored = ChainStore(tmp_path).write(day, 300)
    assert stored.path == "SPY/2026/SPY_2026-07-17_imported_5m.parquet"
    table = pd.read_parquet(tmp_path / stored.path)
    assert len(table) == 5 * 2 * 3
    quote = table[(table["right"] == "P") & (table["strike"] == 628_000)].iloc[2]
    assert quote["ts"].value == day.ts[2]
    assert quote["bid"] == round(day.bid[2, 1, 1] * 100)
    assert quote["ask_size"] == day.ask_size[2, 1, 1]
    assert quote["spot"] == round(day.spot[2] * 10_000)
    assert table["bid"].isna().sum() == np.isnan(day.bid[:5]).sum() == 2


def test_absent_sizes_stay_unlimited(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    stored = store.write(quoted_day(sized=False), 300)
    assert not stored.facts.has_sizes
    assert (store.select().load(0).bid_size[:5] == UNLIMITED_SIZE).all()


def test_a_contract_lies_together_in_memory(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    store.write(quoted_day(), 300)
    assert store.select().load(0).bid[:, 1, 2].flags.c_contiguous


def test_the_year_convention_is_the_readers(tmp_path: Path) -> None:
    ChainStore(tmp_path).write(quoted_day(), 300)
    assert ChainStore(tmp_path, "t252").select().load(0).year_convention == "t252"


@given(some.data())
@settings(max_examples=30, deadline=None)
def test_no_damaged_byte_goes_unnoticed(data: some.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ChainStore(Path(folder))
        stored = store.write(quoted_day(), 300)
        store.write(quoted_day(MONDAY), 300)
        selected = store.select()
        path = Path(folder, stored.path)
        content = bytearray(path.read_bytes())
        content[data.draw(some.integers(0, len(content) - 1))] ^= data.draw(some.integers(1, 255))
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"2026-07-17.* is damaged"):
            selected.load(0)
        again = store.select()
        assert [session.date for session in again.sessions] == [MONDAY]
        assert [(one.date, stored.path in one.reason) for one in again.skipped] == [(FRIDAY, True)]
        assert again.skipped[0].range_pct == stored.range_pct
        assert_same(again.load(0), quoted_day(MONDAY))


@pytest.mark.parametrize(
    ("left", "words"), [(0, "is empty"), (1000, "is cut short"), (None, "cannot be read")]
)
def test_half_written_and_missing_files_are_named(
    tmp_path: Path, left: int | None, words: str
) -> None:
    store = ChainStore(tmp_path)
    path = tmp_path / store.write(quoted_day(), 300).path
    store.write(quoted_day(MONDAY), 300)
    selected = store.select()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:left])
    [skipped] = store.select().skipped
    assert path.name in skipped.reason
    assert words in skipped.reason
    with pytest.raises(DataError):
        selected.clock(0)
    with pytest.raises(DataError, match=f"no session can be read: .*{words}"):
        store.select(FRIDAY, FRIDAY)


def test_the_best_source_wins_and_then_the_fullest_file(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    for source, snapshots, period in (
        *(("simulated seed 0", 9, 60), ("imported", 8, 60), ("imported", 3, 300)),
        *(("downloaded", 4, 300), ("downloaded", 6, 60)),
    ):
        store.write(quoted_day(snapshots=snapshots, source=source), period)
    assert len(store.entries) == 5
    best = store.select().load(0)
    assert (best.source, best.recorded) == ("downloaded", 6)
    told_otherwise = ChainStore(tmp_path, prefer=["imported"]).select()
    assert (told_otherwise.label, told_otherwise.load(0).recorded) == ("imported", 8)


def test_half_a_recorded_session_gives_way_to_a_whole_one(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    store.write(quoted_day(snapshots=3, source="recorded"), 60)
    assert store.select().label == "recorded"
    store.write(replace(quoted_day(snapshots=9, source="downloaded"), flags=()), 60)
    assert store.select().label == "downloaded"


def test_a_range_takes_both_ends_and_labels_its_sources(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    store.write(quoted_day(TUESDAY, source="simulated seed 0"), 300)
    store.write(quoted_day(FRIDAY), 300)
    store.write(quoted_day(MONDAY), 300)
    assert store.select().label == "imported and simulated"
    assert [one.date for one in store.select().sessions] == [FRIDAY, MONDAY, TUESDAY]
    assert [one.date for one in store.select(FRIDAY, MONDAY).sessions] == [FRIDAY, MONDAY]
    assert [one.date for one in store.select(first=MONDAY).sessions] == [MONDAY, TUESDAY]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 8, 3), None, "no session from 2026-08-03 on: .* holds 2 sessions of SPY"),
        (None, date(2026, 7, 1), "no session up to 2026-07-01: .*, 2026-07-17 to 2026-07-20"),
        (date(2026, 7, 18), date(2026, 7, 19), "the New York Stock Exchange is closed"),
        (date(2026, 7, 3), date(2026, 7, 3), "the New York Stock Exchange is closed"),
        (MONDAY, FRIDAY, "reversed"),
    ],
)
def test_a_range_without_sessions_is_refused_in_one_line(
    tmp_path: Path, first: date | None, last: date | None, words: str
) -> None:
    store = ChainStore(tmp_path)
    store.write(quoted_day(FRIDAY), 300)
    store.write(quoted_day(MONDAY), 300)
    with pytest.raises(DataError, match=words) as refused:
        store.select(first, last)
    assert "\n" not in str(refused.value)


def test_an_empty_store_and_another_underlying_are_refused(tmp_path: Path) -> None:
    store = ChainStore(tmp_path / "nothing")
    with pytest.raises(DataError, match="no session of SPY is stored in"):
        store.select()
    store.write(quoted_day(), 300)
    with pytest.raises(DataError, match="no session of QQQ"):
        store.select(underlying="QQQ")


def test_skipped_sessions_are_remembered_until_they_are_stored(tmp_path: Path) -> None:
    store = ChainStore(tmp_path)
    store.write(quoted_day(FRIDAY), 300)
    store.skip(MONDAY, "no official close", 1.25)
    store.skip(TUESDAY, "no quotes")
    store.skip(FRIDAY, "a later attempt without the close")
    skipped = ChainStore(tmp_path).select().skipped
    assert [(one.date, one.range_pct) for one in skipped] == [(MONDAY, 1.25), (TUESDAY, None)]
    assert [one.date for one in store.select(FRIDAY, MONDAY).skipped] == [MONDAY]
    store.write(quoted_day(MONDAY), 300)
    assert [one.date for one in store.skipped] == [TUESDAY]


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    ChainStore(tmp_path).write(quoted_day(), 300)
    manifest = tmp_path / "manifest.json"
    whole = manifest.read_text()
    another = whole.replace('"schema_version": 1,', '"schema_version": 2,', 1)
    for content in ("", whole[:-10], whole.replace('"path"', '"place"'), "[]", another):
        manifest.write_text(content)
        with pytest.raises(DataError, match=r"manifest\.json is damaged"):
            ChainStore(tmp_path).select()


def test_another_writer_is_seen_before_the_next_write(tmp_path: Path) -> None:
    one, other = ChainStore(tmp_path), ChainStore(tmp_path)
    one.write(quoted_day(FRIDAY), 300)
    other.write(quoted_day(MONDAY), 300)
    one.write(quoted_day(TUESDAY), 300)
    assert len(other.select().sessions) == 3


def test_the_order_of_writes_leaves_no_trace(tmp_path: Path) -> None:
    days = [quoted_day(FRIDAY), quoted_day(MONDAY), quoted_day(TUESDAY)]
    for name, order in (("forth", days), ("back", days[::-1] + days)):
        for day in order:
            ChainStore(tmp_path / name).write(day, 300)
    forth, back = ([*sorted((tmp_path / name).rglob("*"))] for name in ("forth", "back"))
    assert [path.name for path in forth] == [path.name for path in back]
    for one, other in zip(forth, back, strict=True):
        assert one.is_dir() or one.read_bytes() == other.read_bytes()


def spoilt(day: ChainDay, **values: object) -> ChainDay:
    for name, (place, value) in values.items():
        getattr(day, name)[place] = value
    return day


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bid": ((1, 0, 1), 1.234)}, "no whole number of cents"),
        ({"spot": (2, np.nan)}, "no price of the underlying"),
        ({"spot": (2, 3e6)}, "is no price"),
        ({"ts": (1, 0)}, "do not rise"),
    ],
)
def test_a_day_that_cannot_be_stored_is_refused(
    tmp_path: Path, values: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=f"SPY 2026-07-17 cannot be stored: .*{words}"):
        ChainStore(tmp_path).write(spoilt(quoted_day(), **values), 300)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"source": "../elsewhere"}, {"underlying": ".."}])
def test_no_name_leaves_the_folder(tmp_path: Path, change: dict[str, str]) -> None:
    day = replace(quoted_day(), **change)
    with pytest.raises(DataError, match="cannot be a file name"):
        ChainStore(tmp_path).write(day, 300)


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(0, "single"), (1, "1s"), (60, "1m"), (90, "90s"), (300, "5m"), (7200, "2h")],
)
def test_periods_have_the_names_people_use(seconds: int, name: str) -> None:
    assert period_name(seconds) == name


def test_a_session_recorded_every_second_comes_back_whole(tmp_path: Path) -> None:
    session = session_on(date(2026, 10, 30))
    ts = session.open_ns + np.arange(23_401) * 1_000_000_000
    cents = 100 + np.arange(23_401 * 2 * 24).reshape(23_401, 2, 24) % 777
    chain = chain_day(
        session=session,
        underlying="SPY",
        ts=ts,
        spot=np.full(ts.size, 690.0),
        strikes=np.arange(680, 704) * 1000,
        bid=cents / 100,
        ask=(cents + 1) / 100,
        source="recorded",
        official_close=690.0,
    )
    store = ChainStore(tmp_path)
    store.write(chain, 1)
    source = store.select()
    loaded = source.load(0)
    np.testing.assert_array_equal(source.clock(0)[0], ts)
    np.testing.assert_array_equal(loaded.bid, chain.bid)
    np.testing.assert_array_equal(loaded.ask, chain.ask)
