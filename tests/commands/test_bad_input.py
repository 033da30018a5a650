"""Whatever a person gets wrong, the answer is one clear line and exit code 2."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from feeds.simulation.market import SimulatedMarket, default_sessions
from feeds.store import ChainStore

SHORT = ("--set", "sessions=2", "--no-report")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    market = SimulatedMarket(default_sessions(3), step_minutes=5)
    store = ChainStore(folder)
    for index in range(3):
        store.write(market.load(index), 300)
    return folder


@pytest.fixture
def store(stored: Path, tmp_path: Path) -> Path:
    """A store of 2026-10-28 to 2026-10-30 that a test may damage."""
    return Path(shutil.copytree(stored, tmp_path / "store"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backtest", "--model", "nobody"), "no model 'nobody'"),
        (("backtest", "--policy", "buy_low"), "no policy 'buy_low'"),
        (("backtest", "--capital", "-5"), "capital"),
        (("backtest", "--capital", "much"), "capital"),
        (("backtest", "--capital", "inf"), "finite"),
        (("backtest", "--set", "rules.daily_loss=nan"), "finite"),
        (("backtest", "--contracts", "1.5"), "contracts"),
        (("backtest", "--from", "tomorrow"), "from"),
        (("backtest", "--set", "rules.profit_traget=0.5"), "rules.profit_traget"),
        (("backtest", "--set", "rules.profit_target"), "NAME=VALUE"),
        (("backtest", "--set", "rules.strike=cheapest"), "rules.strike"),
        (("backtest", "--set", "rules.events=none.csv", "--policy", "hold"), "none.csv"),
        (("backtest", "--data", "nowhere", "--policy", "hold"), "nowhere"),
        (
            ("backtest", "--policy", "hold", "--from", "2026-07-04", "--to", "2026-07-05"),
            "does not open",
        ),
        (
            ("backtest", "--policy", "hold", "--from", "2026-08-05", "--to", "2026-08-04"),
            "reversed",
        ),
        (("backtest", "--policy", "hold", "--from", "1999-01-04"), "1999-01-04"),
        (("backtest", "--nonsense"), "--nonsense"),
        (("train", "--steps", "none"), "steps"),
        (("report", "nowhere"), "nowhere"),
        (("report", ".", "--session", "monday"), "monday"),
        (("import", "missing.csv"), "missing.csv"),
        (("sell",), "sell"),
        ((), "VERB"),
    ],
)
def test_a_wrong_call_gets_one_line(
    desk: Callable[..., object], words: tuple[str, ...], says: str
) -> None:
    done = desk(*words)
    assert done.code == 2
    assert says in done.fault


def test_an_unknown_environment_variable_is_not_ignored(
    desk: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZDTE_CAPITOL", "1")
    assert "ZDTE_CAPITOL" in desk("backtest", "--policy", "hold").fault


def test_flags_beat_the_environment_and_that_beats_the_file(
    desk: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text("capital = 70_000\ncontracts = 7\nseed = 3\n")
    monkeypatch.setenv("ZDTE_CONTRACTS", "8")
    monkeypatch.setenv("ZDTE_SEED", "4")
    words = ("backtest", "--policy", "hold", "--seed", "5", "--out", "out", *SHORT)
    assert desk(*words).code == 0
    written = (tmp_path / "out" / "config.toml").read_text()
    assert "capital = 70000.0" in written
    assert "contracts = 8" in written
    assert "seed = 5" in written


def test_a_broken_configuration_file_is_named(desk: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("capital = = 5\n")
    assert "config.toml" in desk("backtest", "--policy", "hold").fault


def test_a_zip_that_is_no_policy_is_refused(desk: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as archive:
        archive.writestr("beach.txt", "sand")
    for name in ("text.zip", "holiday.zip"):
        done = desk("backtest", "--model", name)
        assert done.code == 2
        assert name in done.fault


def test_out_must_not_hold_other_files(desk: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("x")
    assert "precious" in desk("backtest", "--policy", "hold", "--out", "precious", *SHORT).fault
    (tmp_path / "file").write_text("x")
    assert "file" in desk("backtest", "--policy", "hold", "--out", "file", *SHORT).fault


def test_dates_outside_the_store_say_what_it_holds(
    desk: Callable[..., object], store: Path
) -> None:
    done = desk("backtest", "--data", store, "--policy", "hold", "--to", "2026-10-01")
    assert done.code == 2
    assert "2026-10-28" in done.fault
    assert "2026-10-30" in done.fault


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_a_damaged_session_is_named_and_spoils_no_other(
    desk: Callable[..., object], store: Path, tmp_path: Path, damage: str
) -> None:
    victim = next(store.rglob("*2026-10-29*.parquet"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    whole = bytes(content)
    victim.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "flipped": whole}[damage])
    words = ("backtest", "--data", store, "--policy", "sell_put@10:00", "--out", "out")
    done = desk(*words, "--no-report")
    assert done.code == 0
    assert "2 sessions, 1 skipped" in done.out
    skipped = pd.read_csv(tmp_path / "out" / "sessions.csv").set_index("session")
    assert skipped.loc["2026-10-29"].astype(str).str.contains("2026-10-29").any()


@pytest.mark.parametrize("damage", ["empty", "cut"])
def test_a_damaged_manifest_is_named(desk: Callable[..., object], store: Path, damage: str) -> None:
    manifest = store / "manifest.json"
    content = manifest.read_text()
    manifest.write_text("" if damage == "empty" else content[: len(content) // 2])
    done = desk("backtest", "--data", store, "--policy", "hold")
    assert done.code == 2
    assert "manifest.json" in done.fault


def tidy() -> pd.DataFrame:
    """Two strikes of one snapshot in the tidy format."""
    return pd.DataFrame(
        {
            "ts": pd.Timestamp("2026-10-30 10:00", tz="America/New_York"),
            "underlying": "SPY",
            "expiration": "2026-10-30",
            "strike": [690.0, 690.0, 691.0, 691.0],
            "right": ["C", "P", "C", "P"],
            "bid": [1.10, 1.00, 0.70, 1.60],
            "ask": [1.12, 1.02, 0.72, 1.62],
            "underlying_price": 690.1,
        }
    )


def wrong_columns(quotes: pd.DataFrame) -> pd.DataFrame:
    return quotes.rename(columns={"bid": "best_bid"})


def naive(quotes: pd.DataFrame) -> pd.DataFrame:
    return quotes.assign(ts=quotes["ts"].dt.tz_localize(None))


def thousandths(quotes: pd.DataFrame) -> pd.DataFrame:
    return quotes.assign(strike=quotes["strike"] * 1000)


def negative(quotes: pd.DataFrame) -> pd.DataFrame:
    return quotes.assign(bid=-quotes["bid"])


def duplicated(quotes: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([quotes, quotes.iloc[:1]])


def mixed(quotes: pd.DataFrame) -> pd.DataFrame:
    return quotes.assign(underlying=["SPY", "SPY", "QQQ", "QQQ"])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (wrong_columns, "bid"),
        (naive, "offset"),
        (thousandths, "thousandths"),
        (negative, "negative"),
        (duplicated, "again"),
        (mixed, "QQQ"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_is_not_tidy_is_refused_whole(
    desk: Callable[..., object],
    tmp_path: Path,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    says: str,
    kind: str,
) -> None:
    file = tmp_path / f"quotes.{kind}"
    quotes = spoil(tidy())
    quotes.to_csv(file, index=False) if kind == "csv" else quotes.to_parquet(file)
    done = desk("import", file, "--data", "store")
    assert done.code == 2
    assert file.name in done.fault
    assert says in done.fault
    assert not (tmp_path / "store" / "manifest.json").exists()
