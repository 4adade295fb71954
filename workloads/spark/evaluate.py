"""Measure the model on the validation and the test split, on Spark."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from common import features, hadoop, metrics
from common.arrays import feature_names, load_model
from common.artifact import ARCHIVE, model_in
from common.command import Parser, run
from common.dataset import Dataset
from common.results import EVALUATION, MODEL, STATS, Stats, to_json
from common.spark import columns_of, connect, parquet, predictions, rows_of, sql_of

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
        measured = {}
        for split in SPLITS:
            split_at = hadoop.join(features_at, split)
            predicted = write_predictions(engine, dataset, model, split_at, model_at)
            stats.rows_in += predicted.count()
            predicted.createOrReplaceTempView("predictions")
            measured[split] = measure(engine, split_at)
            predicted.unpersist()
        attainable = None
        if truth_at is not None and dataset.truth is not None:
            read_truth(engine, dataset, truth_at, hadoop.join(features_at, "test"))
            attainable = measure(engine, truth_at)
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


def write_predictions(engine: SparkSession, dataset: Dataset, model: bytes, split_at: str, model_at: str) -> DataFrame:
    """Predict for the rows of a split, on the executors; what metrics.sql reads is kept, on disk when it is large."""
    rows = parquet(engine, hadoop.data_files(engine, split_at))
    names = feature_names(dataset, rows.columns, split_at)
    load_model(model, names, model_at)
    predicted = predictions(rows, dataset.label, names, model)
    predicted = predicted.selectExpr(f"`{dataset.label}` AS label", "CAST(probability AS DOUBLE) AS probability")
    return predicted.persist(StorageLevel.MEMORY_AND_DISK)


def read_truth(engine: SparkSession, dataset: Dataset, truth_at: str, test_at: str) -> None:
    """Make the view `predictions` from the generator's probabilities, one for each row of the test split."""
    parquet(engine, hadoop.data_files(engine, truth_at)).createOrReplaceTempView("truth")
    parquet(engine, hadoop.data_files(engine, test_at)).createOrReplaceTempView("test")
    with sql_of(truth_at):
        types = dict(columns_of(engine, "test"))
        wanted = {"split": "VARCHAR", dataset.entity: types[dataset.entity], "probability": "DOUBLE"}
        features.check_types(wanted, columns_of(engine, "truth"), truth_at, "evaluate")
        engine.sql(metrics.truth_sql(dataset, "test", "truth", "`")).createOrReplaceTempView("predictions")
        metrics.check_truth(dataset, rows_of(engine, metrics.TRUTH_GAPS), truth_at)


def measure(engine: SparkSession, where: str) -> dict[str, object]:
    """Run metrics.sql over the view `predictions`."""
    return metrics.collect(rows_of(engine, metrics.metrics_sql()), where)


if __name__ == "__main__":
    run(main)
