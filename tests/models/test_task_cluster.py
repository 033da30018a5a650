"""A Ray cluster gives the results of this machine's processes, also when one of its nodes dies."""

import importlib.util

import pytest
import task_works as works

from errors import DataError, SettingError
from feeds.simulation import SimulatedMarket
from feeds.simulation.market import default_sessions
from models.session_arrays import read_sessions
from models.task_cluster import ClusterWorkers
from models.tasks import perform
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


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_answer_is_one_line():
    with pytest.raises(SettingError, match=r"--ray 127\.0\.0\.1:9: no Ray cluster answers"):
        ClusterWorkers("127.0.0.1:9")


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_lost_node_costs_its_tasks_alone(cluster, arrays, monkeypatch):
    monkeypatch.setattr(
        "models.task_cluster._STAYS_HERE", ["data", "runs", "docs", "models/trained"]
    )
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
