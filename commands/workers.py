"""Who does the tasks of a verb: processes of this machine, or a Ray cluster."""

import argparse
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
    """The workers that the flags ask for; `folder` is the run's.

    Raises `SettingError` for a number of workers below one, and where no cluster answers.
    """
    if arguments.ray is None:
        count = available_processors() if arguments.workers is None else arguments.workers
        if count < 1:
            raise SettingError(f"--workers {count}: at least one must do the work")
        workers: ProcessWorkers | ClusterWorkers = ProcessWorkers(count, folder / SHARED)
    else:
        workers = ClusterWorkers(arguments.ray)
    try:
        yield workers
    finally:
        workers.close()
