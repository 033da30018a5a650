"""Tasks on this machine: a few processes, sessions mapped into the memory of all of them.

A worker that dies (killed, out of memory) costs its task alone: another worker is started and does
that task again. The workers end with the process that started them, however it ends.
"""

import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from shutil import rmtree

from errors import DeskError, InternalError
from models.session_arrays import SessionArrays
from models.shared_sessions import SharedSessions, share
from models.tasks import Task, one_thread, perform

ATTEMPTS = 3
"""How many workers a task may cost before it is given up."""

_Answer = tuple[str, str | DeskError]


@dataclass(eq=False)
class _Worker:
    """A process, our end of the pipe to it, and what it is doing."""

    process: SpawnProcess
    pipe: "Connection[Task, _Answer]"
    task: Task | None = None


class ProcessWorkers:
    """Workers as processes of this machine; they stay for the next tasks on the same sessions."""

    def __init__(self, count: int, folder: Path) -> None:
        """`count` processes; the shared arrays lie in `folder` until `close`."""
        self._count, self._folder = count, folder
        self._workers: list[_Worker] = []
        self._arrays: SessionArrays | None = None
        self._shared: SharedSessions | None = None

    def close(self) -> None:
        """End the workers and remove the shared arrays."""
        self._end(self._workers)
        self._arrays = self._shared = None
        rmtree(self._folder, ignore_errors=True)

    def run(self, tasks: Sequence[Task], arrays: SessionArrays) -> Iterator[tuple[Task, str]]:
        """As `models.tasks.Workers.run`.

        Raises `InternalError` for a task that cost three workers.
        """
        if not tasks:
            return
        shared = self._share(arrays)
        waiting, lost = list(reversed(tasks)), dict.fromkeys(map(id, tasks), 0)
        workers = self._workers
        workers += [_start(shared) for _ in range(min(self._count, len(tasks)) - len(workers))]
        try:
            left = len(tasks)
            while left:
                _hand_out(workers, waiting)
                for worker in _ready(workers):
                    answer = _answer(worker)
                    if answer is None:
                        _count_loss(worker, lost, waiting)
                        workers[workers.index(worker)] = _start(shared)
                        continue
                    left -= 1
                    yield answer
        finally:
            self._end([worker for worker in workers if worker.task is not None])

    def _share(self, arrays: SessionArrays) -> SharedSessions:
        if self._shared is None or self._arrays is not arrays:
            self.close()
            self._arrays, self._shared = arrays, share(arrays, self._folder)
        return self._shared

    def _end(self, workers: Sequence[_Worker]) -> None:
        for worker in list(workers):
            _end(worker)
            self._workers.remove(worker)


def available_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(shared: SharedSessions) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, shared), daemon=True)
    with one_thread():
        process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return _Worker(process, ours)


def _hand_out(workers: list[_Worker], waiting: list[Task]) -> None:
    for worker in workers:
        if worker.task is None and waiting:
            worker.task = waiting.pop()
            with suppress(BrokenPipeError, ConnectionResetError):  # the end of its pipe tells so
                worker.pipe.send(worker.task)


def _ready(workers: list[_Worker]) -> list[_Worker]:
    ready = connection.wait([worker.pipe for worker in workers if worker.task is not None])
    return [worker for worker in workers if worker.pipe in ready]


def _answer(worker: _Worker) -> tuple[Task, str] | None:
    """The finished task with its result, None where the worker is gone."""
    task = worker.task
    assert task is not None
    try:
        trace, answer = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return None
    worker.task = None
    if isinstance(answer, str):
        return task, answer
    raise answer from RuntimeError(f"in a worker:\n{trace}")


def _count_loss(worker: _Worker, lost: dict[int, int], waiting: list[Task]) -> None:
    task = worker.task
    assert task is not None
    _end(worker)
    lost[id(task)] += 1
    if lost[id(task)] >= ATTEMPTS:
        raise InternalError(
            f"{task.name} cost {ATTEMPTS} workers, the last one ended with code "
            f"{worker.process.exitcode}: if memory is short, give fewer --workers"
        )
    waiting.append(task)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _serve(pipe: "Connection[_Answer, Task]", shared: SharedSessions) -> None:
    """The worker's side: one task after the other until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    arrays = shared.open()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("", perform(task, arrays)))
        except DeskError as error:
            pipe.send((traceback.format_exc(), error))
        except Exception as error:
            line = f"{task.name} failed: {type(error).__name__}: {error}"
            pipe.send((traceback.format_exc(), InternalError(line)))


def _end_with_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
