"""The two sides, stage by stage, on the same raw data: what one computes, the other computes."""

import csv
import io
import json
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from pyspark.sql import SparkSession

from common import duck, hyperparameters
from common.arrays import feature_array
from common.command import InputError
from common.dataset import SPLITS, Dataset
from tests.workloads import small
from tests.workloads.conftest import WORKLOADS
from workloads.single_node import evaluate as sagemaker_evaluate
from workloads.single_node import prepare as sagemaker_prepare
from workloads.single_node import score as sagemaker_score
from workloads.single_node import train as sagemaker_train
from workloads.spark import evaluate as emr_evaluate
from workloads.spark import prepare as emr_prepare
from workloads.spark import score as emr_score
from workloads.spark import train as emr_train

VALUES = {name: given.default for name, given in hyperparameters.HYPERPARAMETERS.items()} | {"num_round": 40}
"""The defaults, with fewer rounds."""


@dataclass(frozen=True)
class Run:
    """The folders of one dataset and of what both sides made of it."""

    definition: Path
    raw: Path
    output: Path
    name: str

    @property
    def dataset(self) -> Dataset:
        return Dataset.load(self.definition)

    def table(self, side: str, split: str) -> pa.Table:
        """The features of a split, ordered by the entity."""
        return pq.read_table(self.output / side / "features" / split).sort_by(self.dataset.entity)

    def json(self, *names: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.output.joinpath(*names).read_text())
        return loaded

    def booster(self, side: str) -> xgboost.Booster:
        """The model of a side, loaded by plain XGBoost."""
        return xgboost.Booster(model_file=self.output / side / "model" / "xgboost-model.json")

    def predict(self, booster: xgboost.Booster, side: str, split: str) -> Any:
        """Predict for a split's rows, ordered by the entity, under the model's own feature names."""
        names = booster.feature_names
        assert names is not None
        array = feature_array(self.table(side, split).combine_chunks().to_batches()[0], names)
        return booster.predict(xgboost.DMatrix(array, feature_names=names))


@pytest.fixture(scope="module", params=["small", pytest.param("webshop", marks=pytest.mark.full)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Run:
    """All stages on both sides, up to the evaluation."""
    folder = tmp_path_factory.mktemp(request.param)
    raw, output = folder / "raw", folder / "output"
    if request.param == "small":
        definition = small.write_definition(folder / "dataset")
        small.write_raw(raw, visitors=1500)
    else:
        definition = WORKLOADS / "datasets" / "webshop"
        generate = [
            sys.executable,
            str(definition / "generate.py"),
            "--events",
            "60000",
            "--seed",
            "3",
            "--output",
            str(raw),
        ]
        subprocess.run(generate, check=True, capture_output=True, env={"PYTHONPATH": str(WORKLOADS)})
    result = Run(definition, raw, output, request.param)

    own = output / "sagemaker"
    with duck.connect() as engine:
        sagemaker_prepare.prepare(engine, definition, raw, own / "features")
    train, validation = own / "features" / "train", own / "features" / "validation"
    sagemaker_train.train(definition, train, validation, own / "model", VALUES)
    (own / "artifacts" / "job" / "output").mkdir(parents=True)
    with tarfile.open(own / "artifacts" / "job" / "output" / "model.tar.gz", "w:gz") as archive:
        archive.add(own / "model", ".")
    with duck.connect() as engine:
        places = (definition, own / "features", own / "artifacts", raw / "truth", own / "evaluation")
        sagemaker_evaluate.evaluate(engine, *places)

    spark.catalog.clearCache()
    dataset_at, there = definition.as_uri(), (output / "emr").as_uri()
    emr_prepare.prepare(spark, dataset_at, raw.as_uri(), f"{there}/features")
    emr_train.train(spark, dataset_at, f"{there}/features", f"{there}/model", 1, VALUES)
    truth_at = (raw / "truth").as_uri()
    emr_evaluate.evaluate(spark, dataset_at, f"{there}/features", f"{there}/model", truth_at, f"{there}/evaluation")
    emr_score.score(spark, dataset_at, f"{there}/features", f"{there}/model", f"{there}/predictions")
    return result


@pytest.mark.parametrize("split", SPLITS)
def test_features_are_exactly_equal(run: Run, split: str) -> None:
    """Row for row: names, types, NULL, and every bit of the numbers."""
    ours, theirs = run.table("sagemaker", split), run.table("emr", split)
    assert (ours.schema.names, ours.schema.types) == (theirs.schema.names, theirs.schema.types)
    assert ours.num_rows > 0
    for name in ours.column_names:
        assert ours[name].equals(theirs[name]), name


def test_stats_are_equal(run: Run) -> None:
    """Rows read, written and rejected, by table and reason."""
    stats = run.json("sagemaker", "features", "stats.json")
    assert stats == run.json("emr", "features", "stats.json")
    assert stats["rows_out"] == sum(stats["rows"].values())
    assert all(stats["rejected"].values())
    if run.name == "small":
        assert stats["rejected"] == small.REJECTED
    for stage in ("model", "evaluation"):
        assert run.json("sagemaker", stage, "stats.json") == run.json("emr", stage, "stats.json")
        assert (run.output / "emr" / stage / "_SUCCESS").exists()


def test_models_are_interchangeable(run: Run) -> None:
    """Both carry the feature names and predict the same on each other's features."""
    ours, theirs = run.booster("sagemaker"), run.booster("emr")
    assert ours.feature_names == theirs.feature_names == run.table("emr", "test").column_names[2:]
    for split in ("test", "score"):
        predictions = [run.predict(booster, side, split) for booster in (ours, theirs) for side in ("sagemaker", "emr")]
        for other in predictions[1:]:
            np.testing.assert_allclose(other, predictions[0], rtol=0, atol=1e-6)
    assert len(np.unique(predictions[0])) > 50


def test_metrics_agree(run: Run) -> None:
    """The test AUC to four decimals, the attainable metrics to rounding, and a model that has learned something."""
    ours, theirs = (run.json(side, "evaluation", "evaluation.json") for side in ("sagemaker", "emr"))
    for split in ("test", "validation"):
        assert ours["metrics"][split]["auc"] == pytest.approx(theirs["metrics"][split]["auc"], abs=1e-4)
        assert 0.55 < ours["metrics"][split]["auc"] < 1
    for name, value in theirs["attainable"].items():
        if name not in ("calibration", "roc"):
            assert ours["attainable"][name] == pytest.approx(value, rel=1e-9)
    assert ours["attainable"]["roc"] == theirs["attainable"]["roc"], "shares of whole numbers are exact"
    assert ours["attainable"]["auc"] > ours["metrics"]["test"]["auc"] - 0.02
    assert ours["attainable"]["rows"] == ours["metrics"]["test"]["rows"] == run.table("emr", "test").num_rows


def test_batch_scores_agree(run: Run) -> None:
    """The inference script on the CSV for Batch Transform, and the Spark step: one probability per entity."""
    booster = sagemaker_score.model_fn(str(run.output / "sagemaker" / "model"))
    ours: dict[str, float] = {}
    for path in (run.output / "sagemaker" / "features" / "score-csv").glob("*.csv"):
        rows = list(csv.reader(path.open()))
        body = io.StringIO()
        csv.writer(body).writerows(row[1:] for row in rows)
        answer, _ = sagemaker_score.transform_fn(booster, body.getvalue(), "text/csv", "text/csv")
        ours |= {row[0]: float(line) for row, line in zip(rows, answer.splitlines(), strict=True)}
    theirs: dict[str, float] = {}
    for path in (run.output / "emr" / "predictions").glob("part-*.csv"):
        theirs |= {entity: float(probability) for entity, probability in csv.reader(path.open())}
    assert ours.keys() == theirs.keys()
    assert len(ours) == run.json("emr", "predictions", "stats.json")["rows_out"] == run.table("emr", "score").num_rows
    for entity, probability in ours.items():
        assert theirs[entity] == pytest.approx(probability, abs=1e-6)
    assert (run.output / "emr" / "predictions" / "_SUCCESS").exists()


def test_two_workers(run: Run, spark: SparkSession, tmp_path: Path) -> None:
    """Trained by two tasks together the model is as good; its histograms are merged, so it is not the same."""
    features_at = (run.output / "emr" / "features").as_uri()
    emr_train.train(spark, run.definition.as_uri(), features_at, (tmp_path / "model").as_uri(), 2, VALUES)
    booster = xgboost.Booster(model_file=tmp_path / "model" / "xgboost-model.json")
    truth = run.table("emr", "test")[run.dataset.label].to_pylist()
    from sklearn.metrics import roc_auc_score

    one, two = (roc_auc_score(truth, run.predict(model, "emr", "test")) for model in (run.booster("emr"), booster))
    assert two == pytest.approx(one, abs=0.01)
    with pytest.raises(InputError, match="--workers 0 must be at least 1"):
        emr_train.main(["--dataset=x", "--features=x", "--output=x", "--workers=0"])


def test_sampling_is_repeatable(run: Run, tmp_path: Path) -> None:
    """Rows are in one order, so a seed decides what is sampled."""
    features_at = run.output / "sagemaker" / "features"
    values = VALUES | {"subsample": 0.5, "colsample_bytree": 0.7, "num_round": 5}
    for name in ("a", "b"):
        sagemaker_train.train(
            run.definition, features_at / "train", features_at / "validation", tmp_path / name, values
        )
    models = [(tmp_path / name / "xgboost-model.json").read_bytes() for name in ("a", "b")]
    assert models[0] == models[1]


def test_a_model_of_other_features_is_refused(run: Run, spark: SparkSession, tmp_path: Path) -> None:
    """The features of the model and of the rows must have the same names in the same order."""
    rows = np.random.default_rng(1).normal(size=(50, 2))
    other = xgboost.train({}, xgboost.DMatrix(rows, rows[:, 0], feature_names=["x", "y"]), 1)
    (tmp_path / "model").mkdir()
    other.save_model(tmp_path / "model" / "xgboost-model.json")
    (tmp_path / "model" / "_SUCCESS").touch()
    with tarfile.open(tmp_path / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "model" / "xgboost-model.json", "xgboost-model.json")
    own, there = run.output / "sagemaker" / "features", (run.output / "emr" / "features").as_uri()
    with duck.connect() as engine, pytest.raises(InputError, match="trained on x, y, but the features are"):
        sagemaker_evaluate.evaluate(engine, run.definition, own, tmp_path / "model", None, tmp_path / "one")
    model_at = (tmp_path / "model").as_uri()
    with pytest.raises(InputError, match="trained on x, y, but the features are"):
        emr_score.score(spark, run.definition.as_uri(), there, model_at, (tmp_path / "two").as_uri())


def test_truth_must_know_every_row(run: Run, spark: SparkSession, tmp_path: Path) -> None:
    """Half a truth would give attainable metrics of something else; the output stays empty."""
    whole = pq.read_table(run.raw / "truth")
    (tmp_path / "truth").mkdir()
    half = whole.filter(pa.compute.equal(pa.compute.bit_wise_and(whole[run.dataset.entity], 1), 0))
    pq.write_table(half, tmp_path / "truth" / "part.parquet")
    own, there = run.output / "sagemaker", (run.output / "emr").as_uri()
    message = r"no probability for \d+ of \d+ \w+ of split 'test'"
    places = (own / "features", own / "artifacts", tmp_path / "truth", tmp_path / "one")
    with duck.connect() as engine, pytest.raises(InputError, match=message):
        sagemaker_evaluate.evaluate(engine, run.definition, *places)
    uris = (f"{there}/features", f"{there}/model", (tmp_path / "truth").as_uri(), (tmp_path / "two").as_uri())
    with pytest.raises(InputError, match=message):
        emr_evaluate.evaluate(spark, run.definition.as_uri(), *uris)
    assert list((tmp_path / "one").iterdir()) == []
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("name", ["prepare.py", "evaluate.py", "train.py"])
def test_twins_read_alike(name: str) -> None:
    """The same functions in the same order: `diff` shows the difference between the engines."""
    ours, theirs = ((WORKLOADS / side / name).read_text() for side in ("single_node", "spark"))
    functions = [re.findall(r"^def (\w+)", text, re.MULTILINE) for text in (ours, theirs)]
    if name == "train.py":  # Reading is a class on one side, which XGBoost calls, and a function on the other.
        functions = [names[:2] for names in functions]
    assert functions[0] == functions[1]
