"""Tasks on a Ray cluster: many machines behind the same interface. Ray is an optional extra.

The code of the project is sent to the machines, sessions lie once in each machine's shared memory.
Ray does a task again when its worker or machine is lost. Every machine needs the same libraries;
results are equal bit for bit where the processors are alike.
"""

import logging
import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from errors import DeskError, InternalError, SettingError
from models.session_arrays import SessionArrays
from models.tasks import ONE_THREAD, ROOT, Task, perform

RETRIES = 3
_SENT = ("errors.py", "settings.py", "vocabulary", "feeds", "strategies", "brokers", "models")
"""What a task needs of the project; sessions and weights go with the tasks."""


class ClusterWorkers:
    """Workers of a Ray cluster."""

    def __init__(self, address: str) -> None:
        """Connect to the cluster at `address`; "auto" finds the one of this machine.

        Raises `SettingError` where Ray is not installed or no cluster answers.
        """
        self._ray = _ray()
        _knock(address)
        runtime = {"working_dir": str(ROOT), "excludes": _stays_here(), "env_vars": ONE_THREAD}
        try:
            self._ray.init(
                address=address,
                runtime_env=runtime,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise SettingError(
                f"--ray {address}: no Ray cluster answers ({_first_line(error)}); "
                "start one with: ray start --head"
            ) from error

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self._ray.shutdown()

    def run(self, tasks: Sequence[Task], arrays: SessionArrays) -> Iterator[tuple[Task, str]]:
        """As `models.tasks.Workers.run`.

        Raises `InternalError` for a task that lost its worker again and again.
        """
        ray = self._ray
        sessions = ray.put(arrays)
        work = ray.remote(num_cpus=1, max_retries=RETRIES)(perform)
        pending = {work.remote(task, sessions): task for task in tasks}
        try:
            while pending:
                (first, *_), _ = ray.wait(list(pending), num_returns=1)
                task = pending.pop(first)
                yield task, _result(ray, first, task)
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)


def _stays_here() -> list[str]:
    """Patterns of what is not sent: data and runs may be larger than Ray takes."""
    others = sorted(each.name for each in ROOT.iterdir() if each.name not in _SENT)
    plain = [re.sub(r"([*?\[\]\\])", r"\\\1", name) for name in others]  # names are no patterns
    return ["/models/trained", "__pycache__", *(f"/{name}" for name in plain)]


def _knock(address: str) -> None:
    """See in seconds whether anybody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto": Ray looks for the cluster of this machine
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise SettingError(
            f"--ray {address}: no Ray cluster answers ({error}); start one with: ray start --head"
        ) from error


def _result(ray: Any, reference: Any, task: Task) -> str:
    try:
        return str(ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DeskError):
            raise error.cause from None
        raise InternalError(f"{task.name} failed: {_first_line(error.cause)}") from error
    except ray.exceptions.RayError as error:
        raise InternalError(
            f"{task.name} lost its worker {RETRIES + 1} times: {_first_line(error)}"
        ) from error


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise SettingError('--ray needs Ray: pip install "zdte[ray]"') from None
    return ray


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
