"""Work is done once, by whoever there is, with the same result; a lost worker costs its task."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import task_works as works
from market import market

from errors import DataError, InternalError
from feeds.sessions import last_sessions
from feeds.source import MemorySource
from models.session_arrays import read_sessions
from models.shared_sessions import at_spread, chosen, share
from models.task_processes import ATTEMPTS, ProcessWorkers
from models.tasks import Task, TaskStore, context_of, work_off
from settings import Settings

SETTINGS = Settings()
SESSIONS = [each for each in last_sessions(5, market().session.date) if each.minutes == 390]


@pytest.fixture(scope="module")
def arrays():
    days = [market(session=session).day() for session in SESSIONS]
    return read_sessions(MemorySource(days), SETTINGS, hedge=True)


@pytest.fixture
def workers(tmp_path):
    made = ProcessWorkers(1, tmp_path / "shared")
    yield made
    made.close()
    assert not (tmp_path / "shared").exists()


def test_results_are_the_same_bit_for_bit_whatever_the_number_of_workers(arrays, tmp_path):
    tasks = [works.task_of(works.add, f"task {seed}", seed=seed) for seed in range(6)]
    results = []
    for number in (1, 3):
        workers = ProcessWorkers(number, tmp_path / f"shared {number}")
        store = TaskStore(tmp_path / str(number), "here")
        results.append(work_off(tasks, arrays, workers, store))
        workers.close()
    assert results[0] == results[1]
    assert len({each[0] for each in results[0]}) == 6


def test_a_killed_worker_costs_its_task_alone(arrays, tmp_path, workers):
    tasks = [
        works.task_of(works.kill_once, "killed", mark=str(tmp_path / "mark")),
        *[works.task_of(works.add, f"task {seed}", seed=seed) for seed in range(3)],
    ]
    results = work_off(tasks, arrays, workers, TaskStore(tmp_path / "tasks", ""))
    assert results[0] == "done"
    assert all(isinstance(each[0], float) for each in results[1:])


def test_a_task_that_kills_every_worker_is_named(arrays, tmp_path, workers):
    with pytest.raises(InternalError, match=rf"the big one cost {ATTEMPTS} workers.*code -9"):
        work_off(
            [works.task_of(works.kill_always, "the big one")],
            arrays,
            workers,
            TaskStore(tmp_path / "t", ""),
        )


def test_errors_of_a_task_arrive_as_they_were(arrays, tmp_path, workers):
    store = TaskStore(tmp_path / "tasks", "")
    with pytest.raises(DataError, match=r"^the file is cut short$"):
        work_off([works.task_of(works.complain)], arrays, workers, store)
    with pytest.raises(InternalError, match="a task failed: ZeroDivisionError") as caught:
        work_off([works.task_of(works.fail)], arrays, workers, store)
    assert "return 1 / 0" in str(caught.value.__cause__)
    with pytest.raises(InternalError, match="read-only"):
        work_off([works.task_of(works.write_to_the_arrays)], arrays, workers, store)


def test_finished_tasks_are_not_done_again(arrays, tmp_path, workers):
    log, store = tmp_path / "log", TaskStore(tmp_path / "tasks", "context")
    tasks = [works.task_of(works.count, f"number {i}", log=str(log)) for i in range(3)]
    finished = []
    work_off(tasks[:2], arrays, workers, store)
    results = work_off(tasks, arrays, workers, store, lambda *told: finished.append(told))
    assert results == ["number 0", "number 1", "number 2"]
    assert finished == [(tasks[0], True), (tasks[1], True), (tasks[2], False)]
    assert sorted(log.read_text().split("\n")[:-1]) == results
    other = TaskStore(tmp_path / "tasks", "another context")
    assert [other.get(task) for task in tasks] == [None] * 3


def test_a_result_that_was_cut_short_is_done_again(arrays, tmp_path):
    store, task = TaskStore(tmp_path, "context"), works.task_of(works.count, log="")
    store.put(task, json.dumps({"a": [1.5]}))
    assert store.get(task) == '{"a": [1.5]}'
    (path,) = tmp_path.iterdir()
    path.write_text('{"a": [1')
    assert store.get(task) is None


def test_workers_end_with_the_one_who_asked(arrays, tmp_path):
    workers = ProcessWorkers(2, tmp_path / "shared")
    tasks = [works.task_of(works.where, f"{i}") for i in range(2)]
    processes = work_off(tasks, arrays, workers, TaskStore(tmp_path / "t", ""))
    assert os.getpid() not in processes
    workers.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_everything_that_matters_is_in_the_hash(arrays):
    base = context_of(arrays, SETTINGS)
    bid = arrays.bid.copy()
    bid[0, 5] += 0.01
    assert base == context_of(arrays, SETTINGS)
    assert base != context_of(replace(arrays, bid=bid), SETTINGS)
    assert base != context_of(arrays, Settings(fills={"slippage": 0.01}))
    assert base == context_of(arrays, SETTINGS.model_copy(update={"out": Path("x")}))
    task = Task("a", "m:f", {"seed": 1})
    keys = {
        task.key("c"),
        task.key("d"),
        Task("a", "m:g", {"seed": 1}).key("c"),
        Task("a", "m:f", {"seed": 2}).key("c"),
        Task("a", "m:f", {"seed": 1}, b"x").key("c"),
    }
    assert len(keys) == 5
    assert Task("another name", "m:f", {"seed": 1}, cost=9).key("c") == task.key("c")


def test_shared_sessions_are_the_same_and_cannot_be_written_to(arrays, tmp_path):
    opened = share(arrays, tmp_path).open()
    assert opened.sessions == arrays.sessions
    assert opened.settings == arrays.settings
    for name, value in vars(arrays).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(opened, name), value, strict=True)
            assert not getattr(opened, name).flags.writeable or value.size == 0


@pytest.mark.parametrize("which", [[0, 1], [1, 2, 3], [0, 3]])
def test_chosen_sessions_are_those_that_alone_had_been_read(arrays, which):
    days = [market(session=SESSIONS[i]).day() for i in which]
    alone = read_sessions(MemorySource(days), SETTINGS, hedge=True)
    some = chosen(arrays, which)
    assert some.sessions == alone.sessions
    for i in range(len(which)):
        for decision in range(int(alone.decisions[i])):
            ours, theirs = some.contract[i, decision], alone.contract[i, decision]
            np.testing.assert_array_equal(ours < 0, theirs < 0)
            for a, b in zip(ours, theirs, strict=True):
                if b >= 0:
                    np.testing.assert_array_equal(some.bid[a], alone.bid[b])
                    assert some.strike_thousandths[a] == alone.strike_thousandths[b]


def test_twice_the_spread_keeps_the_mid_and_no_bid_below_a_cent(arrays):
    wide = at_spread(arrays, 2.0)
    half = (arrays.ask - arrays.bid) / 2
    room = (arrays.bid > 0) & (arrays.bid - half >= 0.01)
    assert room.any()
    np.testing.assert_allclose((wide.ask - wide.bid)[room], 4 * half[room])
    np.testing.assert_allclose((wide.ask + wide.bid)[room], (arrays.ask + arrays.bid)[room])
    quoted = arrays.bid > 0
    assert (wide.bid[quoted & np.isfinite(wide.ask)] >= 0.01 - 1e-12).all()
    np.testing.assert_array_equal(wide.bid[~quoted], arrays.bid[~quoted])
    assert wide.contract is arrays.contract
