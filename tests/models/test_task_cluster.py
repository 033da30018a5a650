"""A Ray cluster gives the results of this machine's processes, also when one of its nodes dies."""

import importlib.util
import shutil
import subprocess
import sys

import pytest
import task_works as works

from errors import DataError, SettingError
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models import task_cluster
from models.session_arrays import read_sessions
from models.task_cluster import ClusterWorkers
from models.tasks import ONE_THREAD, ROOT, perform
from settings import Settings

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason='Ray is not installed: pip install "zdte[ray]"')


@pytest.fixture(scope="module")
def arrays():
    return read_sessions(SimulatedMarket(default_sessions(2)), Settings())


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    made = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    made.second = made.add_node(**node)
    yield made
    made.shutdown()


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_person_is_told_what_to_install():
    with pytest.raises(SettingError, match="pip install"):
        ClusterWorkers("auto")


def test_what_is_sent_is_all_that_a_task_needs(tmp_path):
    for name in task_cluster._SENT:
        place = ROOT / name
        copy = shutil.copytree if place.is_dir() else shutil.copy
        copy(place, tmp_path / name)
    works_of_tasks = "import models.fold_tasks, models.timing, models.ppo_training, models.training"
    subprocess.run([sys.executable, "-c", works_of_tasks], cwd=tmp_path, check=True, timeout=120)


def test_nothing_else_is_sent_whatever_it_is_called(tmp_path, monkeypatch):
    """A folder of data would be more than Ray takes."""
    (tmp_path / "models").mkdir()
    (tmp_path / "my [data]").mkdir()
    (tmp_path / "history").mkdir()
    monkeypatch.setattr("models.task_cluster.ROOT", tmp_path)
    told = task_cluster._stays_here()
    assert told == ["/models/trained", "__pycache__", "/history", r"/my \[data\]"]


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_answer_is_one_line():
    with pytest.raises(SettingError, match=r"--ray 127\.0\.0\.1:9: no Ray cluster answers"):
        ClusterWorkers("127.0.0.1:9")


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_lost_node_costs_its_tasks_alone(cluster, arrays, monkeypatch):
    there = {**ONE_THREAD, "PYTHONPATH": str(ROOT / "tests" / "models")}  # where task_works is
    monkeypatch.setattr("models.task_cluster.ONE_THREAD", there)
    tasks = [works.task_of(works.add_slowly, f"task {seed}", seed=seed) for seed in range(8)]
    workers = ClusterWorkers(cluster.address)
    told = {}
    for task, text in workers.run(tasks, arrays):
        told[task.name] = text
        if len(told) == 2:
            cluster.remove_node(cluster.second, allow_graceful=False)
    with pytest.raises(DataError, match="cut short"):
        list(workers.run([works.task_of(works.complain)], arrays))
    workers.close()
    assert told == {task.name: perform(task, arrays) for task in tasks}
