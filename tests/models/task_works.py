"""Works that tests give to other processes: few imports, so that a worker starts fast."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from errors import DataError
from models.tasks import Task


def add(arrays, task):
    numbers = np.random.default_rng(task.arguments["seed"]).normal(size=1000)
    return [float((numbers @ numbers.reshape(-1, 10).sum(axis=1).repeat(10)) + arrays.bid.size)]


def kill_once(arrays, task):
    mark = Path(task.arguments["mark"])
    if not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def kill_always(arrays, task):
    os.kill(os.getpid(), signal.SIGKILL)


def complain(arrays, task):
    raise DataError("the file is cut short")


def fail(arrays, task):
    return 1 / 0


def write_to_the_arrays(arrays, task):
    arrays.bid[0, 0] = 1.0


def count(arrays, task):
    with Path(task.arguments["log"]).open("a") as log:
        log.write(f"{task.name}\n")
    return task.name


def where(arrays, task):
    time.sleep(0.2)
    return os.getpid()


def tell_and_wait(arrays, task):
    partial = Path(task.arguments["log"] + ".partial")
    partial.write_text(str(os.getpid()))
    partial.rename(task.arguments["log"])
    time.sleep(120)


def add_slowly(arrays, task):
    time.sleep(1.0)
    return add(arrays, task)


def task_of(work, name="a task", **arguments):
    return Task(name, f"{work.__module__}:{work.__name__}", arguments)
