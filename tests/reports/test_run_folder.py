"""A run's files come back as they were written, byte for byte the same for the same run."""

import csv
import json
from dataclasses import fields, replace
from datetime import date, datetime

import factory
import numpy as np
import pyarrow.parquet as parquet
import pytest

from errors import DataError, InternalError
from reports.result import EquityTable
from reports.run_folder import read_run, write_run_files
from reports.timestamps import iso_new_york
from vocabulary import FEATURES, ExitReason

TRADE_HEADER = (
    "session,right,strike,side,quantity,decided_at,entered_at,entry_price,entry_underlying,"
    "exit_decided_at,exited_at,exit_price,exit_underlying,exit_reason,fees,gross_pnl,net_pnl,"
    "model,mid_entry,mid_exit,risk_score,stop_multiple"
)


@pytest.fixture(scope="module")
def result():
    """A dozen sessions with half a dozen kinds of everything; one exit never filled."""
    run = factory.result(12, 2, seed=4, in_sample=3)
    settled = [n for n, t in enumerate(run.trades) if t.exit_reason is ExitReason.SETTLEMENT]
    assert settled, "the run must settle something"
    run.trades[settled[0]] = replace(run.trades[settled[0]], exit_was_working=True)
    return run


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "new" / "run"
    write_run_files(path, result)
    return path


def same(first, second):
    """Equality of dataclasses that hold arrays, NaN equal to NaN."""
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, equal_nan=True)
            assert one.dtype == other.dtype
        else:
            assert one == other or (one != one and other != other), field.name
    return True


def test_everything_comes_back(result, folder):
    back, metrics = read_run(folder)
    for name in ("model", "data_label", "starting_cash", "underlying", "notes"):
        assert getattr(back, name) == getattr(result, name)
    assert back.in_sample_dates == result.in_sample_dates
    assert len(back.trades) == len(result.trades)
    assert all(map(same, back.trades, result.trades))
    assert all(map(same, back.sessions, result.sessions))
    assert [each.date for each in back.skipped] == [each.date for each in result.skipped]
    for name in ("decisions", "equity", "exposure"):
        assert same(getattr(back, name), getattr(result, name))
    assert list(back.baselines) == list(result.baselines)
    for name, baseline in result.baselines.items():
        assert all(map(same, back.baselines[name].trades, baseline.trades))
    assert metrics == json.loads((folder / "metrics.json").read_text())


def test_a_run_read_back_writes_the_same_bytes(folder, tmp_path):
    back, _ = read_run(folder)
    write_run_files(tmp_path, back)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_same_run_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_run_files(tmp_path / name, factory.result(3, 2))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_trades_have_the_promised_columns_and_times_with_an_offset(result, folder):
    lines = (folder / "trades.csv").read_text().splitlines()
    assert lines[0] == TRADE_HEADER
    assert len(lines) == len(result.trades) + 1
    for row, trade in zip(csv.DictReader(lines), result.trades, strict=True):
        entered = datetime.fromisoformat(row["entered_at"])
        assert entered.utcoffset() is not None
        assert entered.timestamp() * 1e9 == trade.entered_ts
        assert row["right"] == trade.contract.right.name
        assert float(row["net_pnl"]) == pytest.approx(trade.net_pnl)
        settled = trade.exit_reason is ExitReason.SETTLEMENT
        assert (row["exit_decided_at"] == "") is settled
        assert (row["mid_exit"] == "") is settled


def test_equity_is_cash_and_position_in_plain_figures(result, folder):
    lines = (folder / "equity.csv").read_text().splitlines()
    assert lines[0] == "ts,cash,position_value,equity"
    assert len(lines) == result.equity.ts.size + 1
    for line in lines[1::97]:
        ts, cash, value, equity = line.split(",")
        assert ts.endswith(("-04:00", "-05:00"))
        assert float(cash) + float(value) == pytest.approx(float(equity), abs=1e-6)


def test_decisions_name_the_features_and_are_null_off_decision_slots(result, folder):
    table = parquet.read_table(folder / "decisions.parquet")
    actions = ["probability_hold", "probability_sell_call", "probability_sell_put"]
    names = ["ts", *FEATURES, "action", *actions, "allowed", "reason"]
    assert table.column_names == names
    assert str(table.schema.field("ts").type) == "timestamp[ns, tz=America/New_York]"
    asked = result.decisions.action >= 0
    for name in ("action", *actions):
        assert table[name].is_valid().to_numpy().tolist() == asked.tolist()


def test_times_follow_the_change_of_the_clocks_and_keep_every_digit():
    before = int(datetime.fromisoformat("2026-10-30T13:30:00+00:00").timestamp()) * 10**9
    after = int(datetime.fromisoformat("2026-11-02T14:30:00+00:00").timestamp()) * 10**9
    assert iso_new_york(np.array([before, after])).tolist() == [
        "2026-10-30T09:30:00-04:00",
        "2026-11-02T09:30:00-05:00",
    ]
    odd = iso_new_york(np.array([before, before + 4_250_000_001]))
    assert odd[1] == "2026-10-30T09:30:04.250000001-04:00"
    assert iso_new_york(np.empty(0, np.int64)).size == 0


def test_odd_seconds_survive_in_every_file(tmp_path):
    result = factory.result(2, 1)
    shift = 3_217_000_000
    trades = [replace(trade, entered_ts=trade.entered_ts + shift) for trade in result.trades]
    equity = replace(result.equity, ts=result.equity.ts + shift)
    write_run_files(tmp_path, replace(result, trades=trades, equity=equity))
    back, _ = read_run(tmp_path)
    assert [trade.entered_ts for trade in back.trades] == [trade.entered_ts for trade in trades]
    assert np.array_equal(back.equity.ts, equity.ts)


def test_a_run_without_trades_or_baselines_is_a_run(tmp_path):
    write_run_files(tmp_path, factory.result(2, 0, baselines=()))
    back, metrics = read_run(tmp_path)
    assert back.trades == []
    assert back.baselines == {}
    assert metrics["baselines"] == {}
    assert not (tmp_path / "baselines.csv").exists()


def test_baselines_of_a_former_run_do_not_stay(tmp_path):
    write_run_files(tmp_path, factory.result(2, 1))
    assert (tmp_path / "baselines.csv").exists()
    write_run_files(tmp_path, factory.result(2, 1, baselines=()))
    assert not (tmp_path / "baselines.csv").exists()


def test_skipped_sessions_keep_reason_and_range_in_the_list_of_sessions(result, folder):
    rows = list(csv.DictReader((folder / "sessions.csv").read_text().splitlines()))
    assert [row["session"] for row in rows] == sorted(row["session"] for row in rows)
    skipped = [row for row in rows if row["kept"] == "false"]
    assert [row["reason"] for row in skipped] == [each.reason for each in result.skipped]
    assert all(float(row["range_pct"]) > 0 for row in skipped)
    assert sum(row["in_sample"] == "true" for row in rows) == 3


def test_an_equity_curve_with_a_hole_is_our_own_mistake(tmp_path):
    result = factory.result(1, 1)
    cash = result.equity.cash.copy()
    cash[5] = np.nan
    holed = EquityTable(result.equity.ts, cash, result.equity.position_value)
    with pytest.raises(InternalError, match="not finite"):
        write_run_files(tmp_path, replace(result, equity=holed))


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match=r"holds no metrics\.json: it is no finished backtest"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "name", ["trades.csv", "sessions.csv", "equity.csv", "decisions.parquet", "exposure.parquet"]
)
@pytest.mark.parametrize("harm", ["missing", "empty", "cut"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, name, harm):
    write_run_files(tmp_path, factory.result(1, 1))
    path = tmp_path / name
    whole = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes(b"" if harm == "empty" else whole[: len(whole) * 2 // 3])
    with pytest.raises(DataError) as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)
    assert "run" in str(caught.value)


def test_writing_again_after_an_interruption_leaves_no_half_of_the_old_run(tmp_path):
    write_run_files(tmp_path, factory.result(1, 1))
    broken = replace(factory.result(1, 1), decisions=None)
    with pytest.raises(AttributeError):
        write_run_files(tmp_path, broken)
    with pytest.raises(DataError, match=r"metrics\.json"):
        read_run(tmp_path)


def test_the_strike_keeps_its_thousandths(tmp_path):
    result = factory.result(1, 1)
    odd = replace(result.trades[0].contract, strike_thousandths=612_505)
    write_run_files(tmp_path, replace(result, trades=[replace(result.trades[0], contract=odd)]))
    back, _ = read_run(tmp_path)
    assert back.trades[0].contract == odd
    assert back.trades[0].contract.expiration == date(2026, 10, 30)
