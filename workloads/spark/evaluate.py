"""Measure the model on the validation and the test split, on Spark."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.storagelevel import StorageLevel

from common import features, hadoop, metrics
from common.arrays import feature_names, load_model
from common.artifact import ARCHIVE, model_in
from common.command import Parser, run
from common.dataset import Dataset
from common.predictions import predictions
from common.results import EVALUATION, MODEL, STATS, Stats, to_json
from common.spark import columns_of, connect, parquet, rows_of, sql_of

SPLITS = ("test", "validation")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", required=True, help="URI of the dataset folder")
    parser.add_argument("--features", required=True, help="URI of the features")
    parser.add_argument("--model", required=True, help="URI of the model, or of its archive")
    parser.add_argument("--truth", help="URI of what the generator knows, if it does")
    parser.add_argument("--output", required=True, help="URI where the metrics go")
    arguments = parser.parse_args(argv)
    with connect("evaluate") as engine:
        evaluate(engine, arguments.dataset, arguments.features, arguments.model, arguments.truth, arguments.output)


def evaluate(
    engine: SparkSession,
    dataset_at: str,
    features_at: str,
    model_at: str,
    truth_at: str | None,
    output: str,
) -> Stats:
    """Predict, measure and write evaluation.json.

    Raises:
        InputError: the definition, the features, the model or the truth is at fault; nothing is left in `output`.
    """
    dataset = hadoop.read_dataset(engine, dataset_at)
    hadoop.check_finished(engine, features_at)
    model = read_model(engine, model_at)
    stats = Stats()
    with hadoop.publish(engine, output) as folder:
        parts, places = {}, {}
        for split in SPLITS:
            places[split] = hadoop.join(features_at, split)
            parts[split] = predict_rows(engine, dataset, model, places[split], model_at)
        if truth_at is not None and dataset.truth is not None:
            parts[metrics.ATTAINABLE] = read_truth(engine, dataset, truth_at, places["test"])
            places[metrics.ATTAINABLE] = truth_at
        measured = measure(engine, parts, places)
        attainable = measured.pop(metrics.ATTAINABLE, None)
        stats.rows_in = sum(part["rows"] for part in measured.values())
        text = to_json({"metrics": measured, "attainable": attainable})
        hadoop.write(engine, hadoop.join(folder, EVALUATION), text.encode())
        hadoop.write(engine, hadoop.join(folder, STATS), stats.json().encode())
    return stats


def read_model(engine: SparkSession, uri: str) -> bytes:
    """Read the model that train wrote, or the one in a Training job's archive; or raise InputError."""
    if uri.endswith(f"/{ARCHIVE}"):
        return model_in(hadoop.read(engine, uri), uri)
    hadoop.check_finished(engine, uri)
    return hadoop.read(engine, hadoop.join(uri, MODEL))


def predict_rows(engine: SparkSession, dataset: Dataset, model: bytes, split_at: str, model_at: str) -> DataFrame:
    """Predict for the rows of a split, on the executors."""
    rows = parquet(engine, hadoop.data_files(engine, split_at))
    names = feature_names(dataset, rows.columns, split_at)
    load_model(model, names, model_at)
    predicted = predictions(rows, dataset.label, names, model)
    return predicted.selectExpr(f"`{dataset.label}` AS label", "CAST(probability AS DOUBLE) AS probability")


def read_truth(engine: SparkSession, dataset: Dataset, truth_at: str, test_at: str) -> DataFrame:
    """The generator's probabilities, one for each row of the test split; they are the view `attainable` as well."""
    parquet(engine, hadoop.data_files(engine, truth_at)).createOrReplaceTempView("truth")
    parquet(engine, hadoop.data_files(engine, test_at)).createOrReplaceTempView("test")
    with sql_of(truth_at):
        types = dict(columns_of(engine, "test"))
        wanted = {"split": "VARCHAR", dataset.entity: types[dataset.entity], "probability": "DOUBLE"}
        features.check_types(wanted, columns_of(engine, "truth"), truth_at, "evaluate")
        joined = engine.sql(metrics.truth_sql(dataset, "test", "truth", "`"))
        joined.createOrReplaceTempView(metrics.ATTAINABLE)
        metrics.check_truth(dataset, rows_of(engine, metrics.TRUTH_GAPS), truth_at)
    return joined


def measure(engine: SparkSession, parts: Mapping[str, DataFrame], places: Mapping[str, str]) -> dict[str, Any]:
    """Run metrics.sql over all parts; what it reads is kept, on disk when it is large."""
    rows = [part.select(sf.lit(name).alias("part"), "label", "probability") for name, part in parts.items()]
    together = reduce(DataFrame.unionAll, rows).persist(StorageLevel.MEMORY_AND_DISK)
    together.createOrReplaceTempView("predictions")
    found = rows_of(engine, metrics.metrics_sql())
    together.unpersist()
    return metrics.collect(found, places)


if __name__ == "__main__":
    run(main)
