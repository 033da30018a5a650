"""What is downloaded is what the market was, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scripted_terminal import scripted_terminal

from errors import NoSubscriptionError, SessionLostError, TemporaryFeedError
from feeds.chain import ChainDay
from feeds.manifest import MANIFEST
from feeds.sessions import NEW_YORK, Session, session_on, sessions_between
from feeds.simulation.market import SimulatedMarket
from feeds.source import MemorySource
from feeds.store import ChainStore
from feeds.theta.asking import Waiting
from feeds.theta.downloader import (
    DownloadPlan,
    SessionReport,
    download,
    official_prices,
    plan_download,
)
from feeds.theta.rest import ThetaRest
from feeds.theta.session_quotes import NO_DATA, SessionReader
from feeds.theta_simulator.server import SimulatedTerminal

ROOT = Path(__file__).resolve().parents[3]
FIRST, LAST = date(2026, 10, 26), date(2026, 10, 29)
TODAY = date(2026, 10, 30)
NOW = datetime(2026, 10, 30, 12, 0, tzinfo=NEW_YORK)
MINUTE = 60


@pytest.fixture(scope="module")
def days() -> dict[date, ChainDay]:
    """Four finished sessions and the one of today, with few strikes."""
    market = SimulatedMarket(sessions_between(FIRST, TODAY), strikes_within=0.01)
    loaded = [market.load(i) for i in range(len(market.sessions))]
    return {day.session.date: day for day in loaded}


@pytest.fixture
def serve(days: dict[date, ChainDay]) -> Iterator[Callable[..., SimulatedTerminal]]:
    """A terminal over `days` (or others) in the middle of today."""
    running: list[SimulatedTerminal] = []

    def started(others: list[ChainDay] | None = None, **how: object) -> SimulatedTerminal:
        source = MemorySource(others or list(days.values()))
        how = {"zero_at_open": False, "speed": 0.0} | how
        terminal = SimulatedTerminal(source, **how)  # type: ignore[arg-type]
        terminal.start()
        running.append(terminal)
        return terminal

    yield started
    for terminal in running:
        terminal.stop()


def impatient(terminal: SimulatedTerminal, concurrency: int = 4) -> ThetaRest:
    """A client that gives up quickly."""
    ticks = iter(range(10**9))
    return ThetaRest(
        terminal.url,
        concurrency,
        waiting=Waiting(lambda: 2.0 * next(ticks), lambda seconds: time.sleep(0.001)),
    )


def planned(
    rest: ThetaRest, store: ChainStore, first: date = FIRST, last: date = LAST, **others: int
) -> DownloadPlan:
    return plan_download(rest, store, "SPY", first, last, others.get("period", MINUTE), NOW)


def reader(rest: ThetaRest, interval: str = "1m", seconds: int = MINUTE) -> SessionReader:
    prices = official_prices(rest, "SPY", FIRST, LAST)
    return SessionReader(rest, "SPY", interval, timedelta(seconds=seconds), prices)


def fetched(
    terminal: SimulatedTerminal, folder: Path, interval: str = "1m", seconds: int = MINUTE
) -> list[SessionReport]:
    """Everything from FIRST to LAST that is not there yet."""
    store = ChainStore(folder)
    with impatient(terminal) as rest:
        wanted = planned(rest, store, period=seconds).wanted
        source = reader(rest, interval, seconds)
        return list(download(source.read, wanted, store, "SPY", seconds, workers=4))


def assert_same_market(loaded: ChainDay, original: ChainDay) -> None:
    for name in ("ts", "spot", "strikes", "bid", "ask"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(original, name), err_msg=name)
    for price, size in (("bid", "bid_size"), ("ask", "ask_size")):
        quoted = getattr(original, price) > 0
        np.testing.assert_array_equal(
            getattr(loaded, size)[quoted], getattr(original, size)[quoted], err_msg=size
        )
    assert loaded.official_close == original.official_close


def test_a_downloaded_day_is_the_day_of_the_market(
    serve: Callable[..., SimulatedTerminal], days: dict[date, ChainDay], tmp_path: Path
) -> None:
    reports = fetched(serve(), tmp_path)
    assert all(one.quality is not None and not one.dropped for one in reports)
    source = ChainStore(tmp_path).select()
    assert [session.date for session in source.sessions] == sorted(days)[:-1]
    for index, session in enumerate(source.sessions):
        loaded = source.load(index)
        assert_same_market(loaded, days[session.date])
        assert (loaded.source, loaded.close_source) == ("downloaded", "end-of-day")
        assert loaded.spot_source == "quotes"
    assert not list(tmp_path.rglob(".*"))


def test_the_opening_quote_that_nobody_made_yet_is_no_quote(
    serve: Callable[..., SimulatedTerminal], days: dict[date, ChainDay], tmp_path: Path
) -> None:
    fetched(serve(zero_at_open=True), tmp_path)
    loaded, original = ChainStore(tmp_path).select().load(0), days[FIRST]
    assert np.isnan(loaded.bid[0]).all() and np.isnan(loaded.ask[0]).all()
    np.testing.assert_array_equal(loaded.bid[1:], original.bid[1:])


def test_a_backtest_of_downloaded_days_makes_the_same_trades(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import run

    market = SimulatedMarket(sessions_between(FIRST, TODAY))
    everything = [market.load(i) for i in range(len(market.sessions))]
    fetched(serve(everything), tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    span = ["--from", f"{FIRST}", "--to", f"{LAST}", "--policy", "sell_put@10:00", "--no-report"]
    assert run.main(["backtest", "--data", "data", "--out", "downloaded", *span]) == 0
    assert run.main(["backtest", "--out", "simulated", *span]) == 0
    trades = [(tmp_path / name / "trades.csv").read_text() for name in ("downloaded", "simulated")]
    assert trades[0] == trades[1]
    assert len(trades[0].splitlines()) > 2


@pytest.mark.parametrize("tier", ["value/free", "value/value", "standard/free", "pro/pro"])
def test_every_subscription_gives_the_quotes_and_the_best_spot_it_has(
    tier: str,
    serve: Callable[..., SimulatedTerminal],
    days: dict[date, ChainDay],
    tmp_path: Path,
) -> None:
    fetched(serve(tier=tier), tmp_path)
    loaded, original = ChainStore(tmp_path).select().load(0), days[FIRST]
    np.testing.assert_array_equal(loaded.bid, original.bid)
    assert loaded.official_close == original.official_close
    source = {"value/free": "parity forward", "value/value": "minute bars"}.get(tier, "quotes")
    assert loaded.spot_source.startswith(source)
    np.testing.assert_allclose(loaded.spot, original.spot, atol=0.25)


@pytest.mark.parametrize("code", [403, 471])
def test_without_options_one_line_names_the_subscription(
    code: int, serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    with pytest.raises(NoSubscriptionError, match="subscription"):
        fetched(serve(tier="free", permission_code=code), tmp_path)
    assert not ChainStore(tmp_path).entries


def test_what_is_stored_is_not_asked_for_again(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal, store = serve(), ChainStore(tmp_path)
    with impatient(terminal) as rest:
        wanted = planned(rest, store).wanted
        some = download(reader(rest).read, wanted, store, "SPY", MINUTE, workers=1)
        next(some)
        some.close()
        left = planned(rest, store)
    assert (len(wanted), len(left.wanted), left.stored) == (4, 3, 1)
    assert len(fetched(terminal, tmp_path)) == 3
    before = terminal.terminal.counts["requests"]
    assert fetched(terminal, tmp_path) == []
    assert terminal.terminal.counts["requests"] - before <= 2  # expirations, official prices


def test_a_file_that_is_gone_is_asked_for_again(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve()
    fetched(terminal, tmp_path)
    (tmp_path / ChainStore(tmp_path).entries[0].path).unlink()
    assert len(fetched(terminal, tmp_path)) == 1


def test_a_day_without_data_is_remembered_and_not_asked_for_again(
    serve: Callable[..., SimulatedTerminal], days: dict[date, ChainDay], tmp_path: Path
) -> None:
    nothing, store = (472, "No data found for your request"), ChainStore(tmp_path)
    listed = (200, "symbol,expiration\r\nSPY,2026-10-26\r\n")
    with scripted_terminal(listed, nothing) as terminal, ThetaRest(terminal.url) as rest:
        wanted = planned(rest, store).wanted
        (report,) = download(reader(rest).read, wanted, store, "SPY", MINUTE, workers=2)
        assert report.skipped is not None and report.skipped.reason == NO_DATA
        terminal.answers[:] = [listed]
        again = planned(rest, store)
    assert (list(again.wanted), again.empty) == ([], 1)


def test_only_finished_sessions_on_which_options_expire_are_wanted(tmp_path: Path) -> None:
    listed = (200, "symbol,expiration\r\nSPY,2026-10-26\r\nSPY,2026-10-28\r\nSPY,2026-10-30\r\n")
    with scripted_terminal(listed) as terminal, ThetaRest(terminal.url) as rest:
        plan = planned(rest, ChainStore(tmp_path), last=TODAY)
    assert [session.date.day for session in plan.wanted] == [26, 28]
    assert (plan.unlisted, list(plan.unfinished)) == (2, [TODAY])


@pytest.mark.parametrize(
    ("now", "finished"),
    [
        ("2026-10-29 17:29", False),
        ("2026-10-29 17:30", True),
        ("2026-10-29 23:59", True),
        ("2026-10-30 00:30", False),
        ("2026-10-30 01:59", False),
        ("2026-10-30 02:00", True),
        ("2026-11-02 00:30", True),
    ],
)
def test_a_session_is_finished_when_theta_has_all_of_it(
    now: str, finished: bool, tmp_path: Path
) -> None:
    listed, moment = (200, "symbol,expiration\r\nSPY,2026-10-29\r\n"), datetime.fromisoformat(now)
    with scripted_terminal(listed) as terminal, ThetaRest(terminal.url) as rest:
        local = moment.replace(tzinfo=NEW_YORK)
        plan = plan_download(rest, ChainStore(tmp_path), "SPY", LAST, LAST, MINUTE, local)
    assert (len(plan.wanted) == 1) is finished


def test_too_large_requests_are_split_until_they_fit(
    serve: Callable[..., SimulatedTerminal],
    days: dict[date, ChainDay],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feeds.theta_simulator.enquiry.LARGEST_ROWS", 2_000)
    reports = fetched(serve(), tmp_path)
    assert all(not one.dropped for one in reports)
    assert_same_market(ChainStore(tmp_path).select().load(0), days[FIRST])


def test_a_day_that_never_fits_is_skipped_with_its_reason(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve()
    with impatient(terminal) as rest:
        store, source = ChainStore(tmp_path), reader(rest)
        wanted = planned(rest, store).wanted[:1]
        terminal.fault("570")
        (report,) = download(source.read, wanted, store, "SPY", MINUTE, workers=1)
        terminal.clear()
        assert report.skipped is not None and "570" in report.skipped.reason
        assert len(planned(rest, store).wanted) == 4


def test_passing_faults_pass(
    serve: Callable[..., SimulatedTerminal], days: dict[date, ChainDay], tmp_path: Path
) -> None:
    terminal = serve()
    terminal.fault("429=3", "474=2", "571=2")
    assert len(fetched(terminal, tmp_path)) == 4
    assert_same_market(ChainStore(tmp_path).select().load(0), days[FIRST])


def test_a_stolen_session_ends_the_download_and_keeps_what_is_stored(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal, store = serve(), ChainStore(tmp_path)
    with impatient(terminal) as rest:
        outcomes = download(
            reader(rest).read, planned(rest, store).wanted, store, "SPY", MINUTE, workers=1
        )
        next(outcomes)
        terminal.fault("478")
        with pytest.raises(SessionLostError, match="another terminal"):
            list(outcomes)
    assert 1 <= len(store.entries) < 4
    terminal.clear()
    fetched(terminal, tmp_path)
    assert len(store.select().sessions) == 4


def test_a_lasting_fault_ends_the_download_in_one_line(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    with pytest.raises(TemporaryFeedError, match="474"):
        fetched(serve(faults=["474"]), tmp_path)


def test_cut_answers_never_enter_the_store(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve()
    with impatient(terminal) as rest:
        store, source = ChainStore(tmp_path), reader(rest)
        wanted = planned(rest, store).wanted
        terminal.fault("malformed")
        reports = list(download(source.read, wanted, store, "SPY", MINUTE, workers=4))
    assert all(one.skipped is not None for one in reports)
    assert not store.entries


def test_crossed_and_absent_quotes_are_none_and_counted(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve(faults=["crossed"])
    reports = fetched(terminal, tmp_path / "crossed")
    assert all(one.quality is not None and one.quality.crossed > 0 for one in reports)
    terminal.clear()
    terminal.fault("zero")
    fetched(terminal, tmp_path / "zero")
    crossed, zero = (ChainStore(tmp_path / name).select().load(0) for name in ("crossed", "zero"))
    assert np.isnan(crossed.bid[:, :, ::3]).mean() > 0.9
    assert np.isnan(zero.bid[:, :, ::3]).all() and np.isnan(zero.ask[:, :, ::3]).all()


def test_a_session_that_contradicts_itself_is_skipped(
    serve: Callable[..., SimulatedTerminal], days: dict[date, ChainDay], tmp_path: Path
) -> None:
    def swapped(day: ChainDay) -> ChainDay:
        return replace(day, bid=day.bid[:, ::-1], ask=day.ask[:, ::-1])

    reports = fetched(serve([swapped(day) for day in days.values()]), tmp_path)
    reasons = {one.skipped.reason for one in reports if one.skipped}
    assert reasons == {"calls and puts contradict each other (put-call parity) most of the day"}


def test_half_days_end_at_their_close(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    half, after = date(2025, 11, 28), date(2025, 12, 1)
    market = SimulatedMarket([session_on(half), session_on(after)], strikes_within=0.01)
    terminal, store = serve([market.load(0), market.load(1)]), ChainStore(tmp_path)
    with impatient(terminal) as rest:
        wanted = planned(rest, store, half, half).wanted
        prices = official_prices(rest, "SPY", half, half)
        source = SessionReader(rest, "SPY", "1m", timedelta(minutes=1), prices)
        list(download(source.read, wanted, store, "SPY", MINUTE, workers=1))
    assert_same_market(store.select().load(0), market.load(0))


@pytest.mark.parametrize(("interval", "seconds"), [("5m", 300), ("1h", 3600)])
def test_other_intervals_are_other_files(
    interval: str,
    seconds: int,
    serve: Callable[..., SimulatedTerminal],
    days: dict[date, ChainDay],
    tmp_path: Path,
) -> None:
    terminal = serve()
    fetched(terminal, tmp_path)
    assert len(fetched(terminal, tmp_path, interval, seconds)) == 4
    paths = [one.path for one in ChainStore(tmp_path).entries]
    assert sum(f"downloaded_{interval}" in path for path in paths) == 4
    steps = seconds // MINUTE
    every = ChainStore(tmp_path).select()
    np.testing.assert_array_equal(every.load(0).bid[::steps], days[FIRST].bid[::steps])


def test_a_failure_of_our_own_is_not_lost_in_a_thread(tmp_path: Path) -> None:
    def broken(session: Session) -> None:
        raise ZeroDivisionError(session.date)

    outcomes = download(
        broken,  # type: ignore[arg-type]
        sessions_between(FIRST, LAST),
        ChainStore(tmp_path),
        "SPY",
        MINUTE,
        workers=2,
    )
    with pytest.raises(ZeroDivisionError):
        list(outcomes)


def test_a_killed_download_leaves_whole_sessions_and_goes_on(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve()
    terminal.fault("latency=0.05")
    words = [sys.executable, str(ROOT / "run.py"), "download", "--from", f"{FIRST}", "--to"]
    words += [f"{LAST}", "--theta-url", terminal.url, "--data", "data"]
    words += ["--set", "theta.concurrency=1"]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = subprocess.Popen(words, **quiet)  # type: ignore[call-overload]
    manifest = tmp_path / "data" / MANIFEST
    _until(manifest.exists, killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    store = ChainStore(tmp_path / "data")
    assert 1 <= len(store.select().sessions) <= 4
    (store.root / f".{MANIFEST}.{killed.pid}.tmp").write_text('{"schema_version": 1, "sess')
    interrupted = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 0, err
    assert "stored already" in out
    assert len(store.select().sessions) == 4
    assert not list(store.root.rglob(".*"))


def test_ctrl_c_ends_a_download_with_a_summary(
    serve: Callable[..., SimulatedTerminal], tmp_path: Path
) -> None:
    terminal = serve()
    terminal.fault("latency=0.1")
    words = [sys.executable, str(ROOT / "run.py"), "download", "--from", f"{FIRST}", "--to"]
    words += [f"{LAST}", "--theta-url", terminal.url, "--set", "theta.concurrency=1"]
    stopped = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _until((tmp_path / "data" / MANIFEST).exists, stopped)
    terminal.fault("hung")
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=10)
    assert (stopped.returncode, err) == (130, "stopped\n")
    assert "the same command goes on there" in out
    assert ChainStore(tmp_path / "data").select().sessions


def _until(
    true: Callable[[], bool], process: "subprocess.Popen[bytes] | subprocess.Popen[str]"
) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
