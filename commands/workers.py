"""Who does the tasks of a verb: processes of this machine, or a Ray cluster."""

import argparse
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import SettingError
from models.task_cluster import ClusterWorkers
from models.task_processes import ProcessWorkers, available_processors
from models.tasks import Workers

SHARED = "shared"


def add_workers(parser: argparse.ArgumentParser) -> None:
    """The flags `--workers` and `--ray`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--workers", type=int, metavar="N", help="processes (default one a processor)"
    )
    group.add_argument(
        "--ray", metavar="auto|ADDRESS", help="workers of a Ray cluster instead of processes"
    )


@contextmanager
def open_workers(arguments: argparse.Namespace, folder: Path) -> Iterator[Workers]:
    """The workers that the flags ask for; `folder` is the run's, and nobody else's meanwhile.

    Raises `SettingError` for a number of workers below one, where no cluster answers, and where
    another process works in the folder.
    """
    with _alone_in(folder):
        workers = _opened(arguments, folder)
        try:
            yield workers
        finally:
            workers.close()


def _opened(arguments: argparse.Namespace, folder: Path) -> ProcessWorkers | ClusterWorkers:
    if arguments.ray is not None:
        return ClusterWorkers(arguments.ray)
    count = available_processors() if arguments.workers is None else arguments.workers
    if count < 1:
        raise SettingError(f"--workers {count}: at least one must do the work")
    return ProcessWorkers(count, folder / SHARED)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it however this process ends."""
    place = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingError(
                f"--out {folder}: another process is at work there; wait for it or name another"
            ) from None
        yield
    finally:
        os.close(place)
