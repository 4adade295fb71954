"""Spark's evaluate: the model in the archive that a Training job makes."""

import json
import tarfile
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.command import InputError
from common.hyperparameters import HYPERPARAMETERS
from tests.workloads.conftest import Place
from workloads.spark import evaluate, prepare, train

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def made(place: Place, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """The small dataset's features, and a model as Spark's train writes it."""
    folder = tmp_path_factory.mktemp("made")
    dataset, features = place.dataset.as_uri(), (folder / "features").as_uri()
    prepare.prepare(spark, dataset, place.raw.as_uri(), features)
    values = {name: given.default for name, given in HYPERPARAMETERS.items()} | {"num_round": 5}
    train.train(spark, dataset, features, (folder / "model").as_uri(), 1, values)
    return folder


def archive(folder: Path, *names: str) -> str:
    """An archive of some files of a folder, as SageMaker makes it; its URI."""
    file = folder.parent / "job" / "output" / "model.tar.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz") as tar:
        for name in names:
            tar.add(folder / name, f"./{name}")
    return file.as_uri()


def test_a_model_is_the_same_in_an_archive(place: Place, made: Path, tmp_path: Path, spark: SparkSession) -> None:
    packed = archive(made / "model", "stats.json", "xgboost-model.json")
    found = []
    for name, model in (("folder", (made / "model").as_uri()), ("archive", packed)):
        output = tmp_path / name
        features = (made / "features").as_uri()
        evaluate.evaluate(spark, place.dataset.as_uri(), features, model, None, output.as_uri())
        found.append((output / "evaluation.json").read_text())
    # Spark adds up in the order in which its tasks end, so the last digit of a sum may differ.
    near = json.loads(found[0], parse_float=lambda text: pytest.approx(float(text), rel=1e-9))
    assert near == json.loads(found[1])
    assert json.loads(found[1])["metrics"]["test"]["auc"] > 0.5


def test_an_archive_without_a_model_is_named(place: Place, made: Path, tmp_path: Path, spark: SparkSession) -> None:
    packed = archive(made / "model", "stats.json")
    output = tmp_path / "evaluation"
    with pytest.raises(InputError, match=r"model\.tar\.gz: xgboost-model\.json is missing"):
        evaluate.evaluate(spark, place.dataset.as_uri(), (made / "features").as_uri(), packed, None, output.as_uri())
    assert not output.exists()
