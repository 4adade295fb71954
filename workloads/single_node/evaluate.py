"""Measure the model on the validation and the test split: a SageMaker Processing job."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from common import features, local, metrics
from common.arrays import feature_array, feature_names, load_model, predict
from common.artifact import ARCHIVE, model_in
from common.command import InputError, Parser, run
from common.dataset import Dataset, quoted
from common.duck import columns_of, connect, parquet, rows_of, sql_of
from common.results import EVALUATION, STATS, Stats, to_json

SPLITS = ("test", "validation")
BATCH_ROWS = 100_000


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", type=Path, default="/opt/ml/processing/input/dataset", help="dataset folder")
    parser.add_argument("--features", type=Path, default="/opt/ml/processing/input/features", help="features")
    parser.add_argument("--model", type=Path, default="/opt/ml/processing/input/model", help="folder of model.tar.gz")
    parser.add_argument("--truth", type=Path, help="what the generator knows, if it does")
    parser.add_argument("--output", type=Path, default="/opt/ml/processing/output", help="where the metrics go")
    arguments = parser.parse_args(argv)
    with connect() as engine:
        evaluate(engine, arguments.dataset, arguments.features, arguments.model, arguments.truth, arguments.output)


def evaluate(
    engine: duckdb.DuckDBPyConnection,
    dataset_at: Path,
    features_at: Path,
    model_at: Path,
    truth_at: Path | None,
    output: Path,
) -> Stats:
    """Predict, measure and write evaluation.json.

    Raises:
        InputError: the definition, the features, the model or the truth is at fault; nothing is left in `output`.
    """
    dataset = Dataset.load(dataset_at)
    model = read_model(model_at)
    stats = Stats()
    with local.publish(output) as folder, tempfile.TemporaryDirectory() as scratch:
        parts, places = {}, {}
        for split in SPLITS:
            files = local.data_files(features_at / split)
            predicted = Path(scratch) / f"{split}.parquet"
            stats.rows_in += predict_rows(dataset, model, files, f"{model_at}", predicted)
            parts[split], places[split] = parquet([predicted]), f"{features_at / split}"
        if truth_at is not None and dataset.truth is not None:
            read_truth(engine, dataset, truth_at, features_at / "test")
            parts[metrics.ATTAINABLE], places[metrics.ATTAINABLE] = metrics.ATTAINABLE, f"{truth_at}"
        measured = measure(engine, parts, places)
        attainable = measured.pop(metrics.ATTAINABLE, None)
        (folder / EVALUATION).write_text(to_json({"metrics": measured, "attainable": attainable}), "utf-8")
        (folder / STATS).write_text(stats.json(), "utf-8")
    return stats


def read_model(folder: Path) -> bytes:
    """Take the model out of model.tar.gz, which lies below the folder under its job's name."""
    archives = sorted(folder.rglob(ARCHIVE))
    if len(archives) != 1:
        raise InputError(f"{folder}: holds {len(archives)} files {ARCHIVE}; exactly one is needed")
    with archives[0].open("rb") as archive:
        return model_in(archive, f"{archives[0]}")


def predict_rows(dataset: Dataset, model: bytes, files: Sequence[Path], model_name: str, path: Path) -> int:
    """Predict for the rows of files, a batch at a time; return the number of rows."""
    names = feature_names(dataset, pq.read_schema(files[0]).names, str(files[0]))
    booster = load_model(model, names, model_name)
    schema = pa.schema([("label", pa.int64()), ("probability", pa.float64())])
    rows = 0
    with pq.ParquetWriter(path, schema) as writer:
        for batch in local.batches(files, [dataset.label, *names], BATCH_ROWS):
            probability = pa.array(predict(booster, feature_array(batch, names)).astype("float64"))
            writer.write_batch(pa.record_batch([batch.column(dataset.label), probability], schema=schema))
            rows += batch.num_rows
    return rows


def read_truth(engine: duckdb.DuckDBPyConnection, dataset: Dataset, truth_at: Path, test_at: Path) -> None:
    """Make the view `attainable` of the generator's probabilities, one for each row of the test split."""
    truth, test = parquet(local.data_files(truth_at)), parquet(local.data_files(test_at))
    with sql_of(str(truth_at)):
        types = dict(columns_of(engine, f"SELECT {quoted(dataset.entity)} FROM {test}"))
        wanted = {"split": "VARCHAR", **types, "probability": "DOUBLE"}
        features.check_types(wanted, columns_of(engine, f"SELECT * FROM {truth}"), str(truth_at), "evaluate")
        joined = metrics.truth_sql(dataset, test, truth, '"')
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {metrics.ATTAINABLE} AS {joined}")
        metrics.check_truth(dataset, rows_of(engine, metrics.TRUTH_GAPS), str(truth_at))


def measure(
    engine: duckdb.DuckDBPyConnection, parts: Mapping[str, str], places: Mapping[str, str]
) -> dict[str, object]:
    """Run metrics.sql over all parts, each given by what a FROM clause reads."""
    selects = [f"SELECT '{part}' AS part, label, probability FROM {rows}" for part, rows in parts.items()]
    engine.execute(f"CREATE OR REPLACE TEMP VIEW predictions AS {' UNION ALL '.join(selects)}")
    return metrics.collect(rows_of(engine, metrics.metrics_sql()), places)


if __name__ == "__main__":
    run(main)
