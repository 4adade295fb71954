"""The EMR side of train: all cores of an executor, and executors that are lost."""

import re
from pathlib import Path

import pytest
import xgboost
from pyspark.sql import SparkSession

from common.hyperparameters import HYPERPARAMETERS
from tests.engines import run_driver, start_driver
from tests.workloads.conftest import Place
from workloads.spark import prepare, train

CLUSTER = "local-cluster[2,2,1024]"
"""Two executors of two cores, in processes of their own."""

SETTINGS = {"spark.executor.cores": "2", "spark.executor.memory": "1g", "spark.sql.shuffle.partitions": "4"}


@pytest.fixture(scope="module")
def features(place: Place, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """The small dataset's features."""
    output = tmp_path_factory.mktemp("prepared") / "features"
    prepare.prepare(spark, place.dataset.as_uri(), place.raw.as_uri(), output.as_uri())
    return output


def program(place: Place, features: Path, output: Path, workers: int, before: str = "") -> str:
    """A driver that trains; `before` is run first."""
    arguments = [f"--dataset={place.dataset.as_uri()}", f"--features={features.as_uri()}", "--num_round=30",
                 f"--output={output.as_uri()}", f"--workers={workers}"]  # fmt: skip
    return f"""
from pyspark import SparkConf
from workloads.spark import train
{before}
train.main({arguments})
"""


@pytest.mark.full
def test_a_worker_has_all_cores_of_its_executor(
    place: Place, features: Path, tmp_path: Path, spark: SparkSession
) -> None:
    """One thread, as in the tests' session, or two: the same model."""
    say = """
import xgboost.spark.core as core
set_up = core._SparkXGBEstimator._get_xgb_parameters
def told(self, *given):
    found = set_up(self, *given)
    print("threads", found[0]["nthread"], flush=True)
    return found
core._SparkXGBEstimator._get_xgb_parameters = told
"""
    arguments = (place.dataset.as_uri(), features.as_uri(), (tmp_path / "one").as_uri(), 1)
    values = {name: given.default for name, given in HYPERPARAMETERS.items()} | {"num_round": 30}
    train.train(spark, *arguments, values)
    printed = run_driver(program(place, features, tmp_path / "two", 1, say), "local[2]")
    assert "threads 2\n" in printed
    one, two = ((tmp_path / name / "xgboost-model.json").read_bytes() for name in ("one", "two"))
    assert one == two


KILL = """
import os, psutil, signal, xgboost
def first():
    # Two workers come here at once.
    try:
        os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
class Kill(xgboost.callback.TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        if epoch == 5 and (first() or {often}):
            open({marker!r}, "a").write("x")
            next(each for each in psutil.Process().parents() if "java" in each.name()).send_signal(signal.SIGKILL)
            os._exit(1)  # as a container ends, with everything in it
        return False
estimator = train.SparkXGBClassifier
train.SparkXGBClassifier = lambda **given: estimator(callbacks=[Kill()], **given)
"""
"""The executor of a training worker is killed in its sixth round: every time, or the first of all."""


@pytest.mark.full
def test_training_that_loses_an_executor_starts_again(place: Place, features: Path, tmp_path: Path) -> None:
    """Two workers train together; the end of one is the end of both, and not of the step."""
    kill = KILL.format(often=False, marker=str(tmp_path / "killed"))
    printed = run_driver(program(place, features, tmp_path / "model", 2, kill), CLUSTER, SETTINGS)
    assert re.search(r"attempt 1 of 3 lost \d executors, training again: .*exited with code 137", printed)
    model = xgboost.Booster(model_file=tmp_path / "model" / "xgboost-model.json")
    assert model.num_boosted_rounds() == 30
    assert (tmp_path / "model" / "_SUCCESS").exists()


@pytest.mark.full
def test_executors_that_are_killed_again_end_the_step(place: Place, features: Path, tmp_path: Path) -> None:
    """With the reason; as it is with every step, whose executors Spark would replace without end."""
    marker = tmp_path / "killed"
    kill = KILL.format(often=True, marker=str(marker))
    with start_driver(program(place, features, tmp_path / "model", 1, kill), CLUSTER, SETTINGS) as driver:
        _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 1
    assert re.search(r"RuntimeError: executors were killed twice for the memory .*exited with code 137", errors), errors
    assert marker.read_text() == "xx"
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("host", ["2600:1f18::1", "::1", "10.0.0.10", "ip-10-0-0-10.ec2.internal"])
def test_workers_find_the_driver_at_an_address_of_ipv6(host: str) -> None:
    """Spark writes it in brackets; a tracker of XGBoost takes none."""
    assert train.tracker_host(f"[{host}]" if ":" in host else host) == host
