"""Work in tasks: the same results bit for bit, whoever does it and however many they are.

A task names a function, its arguments and nothing else that could matter but the shared sessions.
Workers (`models.task_processes` on this machine, `models.task_cluster` on many) only choose where a
task runs. Finished tasks are kept by a hash of everything that matters, so that work which was
stopped goes on where it was.
"""

import hashlib
import importlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.session_arrays import SessionArrays
from settings import Settings

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
"""Environment of every worker: sums must not depend on how many threads make them."""

_CODE = ("settings.py", "vocabulary", "feeds", "strategies", "brokers/fills.py", "models")
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "stable-baselines3", "sb3-contrib", "torch")
_NOT_FOR_RESULTS = {
    *("out", "theta", "live", "ib", "broker", "model", "policy"),
    *("data", "start", "end", "sessions"),  # the sessions themselves are hashed
    "training",  # in the arguments of those tasks that train
}


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Args:
        name: what a person reads, "fold 2, seed 3".
        work: the function as "module:name"; it takes the sessions and the task and returns
            JSON values. It must depend on nothing else.
        arguments: JSON values.
        payload: bytes that go with them (a network, say).
        cost: how long it takes beside other tasks, for the progress bar.
    """

    name: str
    work: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    cost: int = 1

    def key(self, context: str) -> str:
        """Hash of the task in its `context` (`context_of`): equal keys have equal results."""
        plain = json.dumps([context, self.work, self.arguments], sort_keys=True)
        return hashlib.sha256(plain.encode() + b"\n" + self.payload).hexdigest()


class Workers(Protocol):
    """Whoever does tasks."""

    def run(self, tasks: Sequence[Task], arrays: SessionArrays) -> Iterator[tuple[Task, str]]:
        """Each task with its result as JSON text, in the order in which they are finished.

        Raises the `DeskError` of a task that failed.
        """


class TaskStore:
    """Finished tasks in a folder, a file each."""

    def __init__(self, folder: Path, context: str) -> None:
        """`context` is that of `context_of`."""
        self._folder, self._context = folder, context
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, task: Task) -> str | None:
        """The result of a finished task; None where it is not there, or is cut short."""
        try:
            text = self._path(task).read_text(encoding="utf-8")
            json.loads(text)
        except (OSError, ValueError):
            return None
        return text

    def put(self, task: Task, text: str) -> None:
        """Keep a result; a reader sees all of it or nothing."""
        path = self._path(task)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)

    def _path(self, task: Task) -> Path:
        plain = re.sub(r"[^a-z0-9]+", "-", task.name.lower()).strip("-")
        return self._folder / f"{plain[:60]}-{task.key(self._context)[:24]}.json"


def perform(task: Task, arrays: SessionArrays) -> str:
    """Do a task here; its result as JSON text."""
    module, _, name = task.work.partition(":")
    work = getattr(importlib.import_module(module), name)
    return json.dumps(work(arrays, task))


def work_off(
    tasks: Sequence[Task],
    arrays: SessionArrays,
    workers: Workers,
    store: TaskStore,
    done: Callable[[Task, bool], None] = lambda task, was_kept: None,
) -> list[Any]:
    """The results of `tasks` in their order; those in the store are not done again.

    `done` is called for each task, with whether it was kept in the store.
    """
    texts: dict[int, str] = {}
    missing: dict[int, int] = {}
    for number, task in enumerate(tasks):
        known = store.get(task)
        if known is None:
            missing[id(task)] = number
        else:
            texts[number] = known
            done(task, True)
    for task, text in workers.run([tasks[n] for n in missing.values()], arrays):
        store.put(task, text)
        texts[missing[id(task)]] = text
        done(task, False)
    return [json.loads(texts[number]) for number in range(len(tasks))]


def context_of(arrays: SessionArrays, settings: Settings) -> str:
    """Hash of what all tasks share: sessions, rules, code, libraries and kind of processor."""
    digest = hashlib.sha256(arrays.label.encode())
    for each in fields(arrays):
        value = getattr(arrays, each.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{each.name} {value.dtype} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    plain = settings.model_dump(mode="json", exclude=_NOT_FOR_RESULTS)
    digest.update(json.dumps(plain, sort_keys=True).encode())
    digest.update(f"{_code_digest()} {platform.machine()} {_versions()}".encode())
    return digest.hexdigest()


def _code_digest() -> str:
    digest = hashlib.sha256()
    for name in _CODE:
        place = ROOT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _versions() -> list[str]:
    return [_version(name) for name in _LIBRARIES]


def _version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} none"


@contextmanager
def one_thread() -> Iterator[None]:
    """Let processes that start inside make their sums in one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
