"""Train the model, with XGBoost on Spark."""

import time
from collections.abc import Sequence

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from xgboost import Booster
from xgboost.collective import Config
from xgboost.spark import SparkXGBClassifier

from common import hadoop, hyperparameters
from common.arrays import feature_names
from common.command import InputError, Parser, run
from common.results import MODEL, STATS, Stats
from common.spark import connect, killed_again, lost_executors, parquet, together

ATTEMPTS = 3
"""How often training starts. Nothing is published before it ends."""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", required=True, help="URI of the dataset folder")
    parser.add_argument("--features", required=True, help="URI of the features")
    parser.add_argument("--output", required=True, help="URI where the model goes")
    parser.add_argument("--workers", type=int, default=1, help="Spark tasks that train together")
    hyperparameters.add_arguments(parser)
    arguments = parser.parse_args(argv)
    values = hyperparameters.from_arguments(arguments)
    if arguments.workers < 1:
        raise InputError(f"--workers {arguments.workers} must be at least 1")
    # All workers must run at the same time (a barrier stage), which Spark refuses while it may remove executors.
    with connect("train", together(arguments.workers)) as engine:
        train(engine, arguments.dataset, arguments.features, arguments.output, arguments.workers, values)


def train(
    engine: SparkSession, dataset_at: str, features_at: str, output: str, workers: int, values: dict[str, float]
) -> Stats:
    """Train on one split, report on the other, write the model.

    Raises:
        InputError: the definition or the features are at fault.
    """
    dataset = hadoop.read_dataset(engine, dataset_at)
    hadoop.check_finished(engine, features_at)
    train_at, validation_at = hadoop.join(features_at, "train"), hadoop.join(features_at, "validation")
    train_rows, validation_rows = read(engine, train_at), read(engine, validation_at)
    names = feature_names(dataset, train_rows.columns, train_at)
    others = feature_names(dataset, validation_rows.columns, validation_at)
    hyperparameters.check_features(names, others, validation_at)

    stats = Stats(rows_in=train_rows.count() + validation_rows.count())
    print(f"{stats.rows_in:,} rows to train and to report on", flush=True)
    both = train_rows.withColumn("held_out", sf.lit(False)).unionByName(
        validation_rows.withColumn("held_out", sf.lit(True))
    )
    # Training depends on the order of the rows where it samples them: sorted, a second run gives the same model.
    both = both.repartitionByRange(workers, dataset.entity).sortWithinPartitions(dataset.entity)
    estimator = SparkXGBClassifier(
        features_col=names,
        label_col=dataset.label,
        validation_indicator_col="held_out",
        num_workers=workers,
        coll_cfg=Config(tracker_host_ip=tracker_host(str(engine.sparkContext.getConf().get("spark.driver.host")))),
        verbose=hyperparameters.PRINT_EVERY,
        **hyperparameters.for_estimator(values),
    )
    booster = fit(engine, estimator, both)
    booster.feature_names = names

    with hadoop.publish(engine, output) as folder:
        hadoop.write(engine, hadoop.join(folder, STATS), stats.json().encode())
        hadoop.write(engine, hadoop.join(folder, MODEL), bytes(booster.save_raw("json")))
    return stats


def tracker_host(driver_host: str) -> str:
    """The address under which XGBoost's workers find the driver.

    Spark writes an address of IPv6 in brackets, in which XGBoost 3.2.0 finds no host; the workers of EMR Serverless
    have such addresses (logs of two of its applications, public on GitHub, 2025-09 and 2026-05).
    """
    return driver_host.strip("[]")


def fit(engine: SparkSession, estimator: SparkXGBClassifier, rows: DataFrame) -> Booster:
    """Train, and start again when executors were lost, which ends the workers that train together."""
    for attempt in range(1, ATTEMPTS + 1):
        before = len(lost_executors(engine))
        try:
            return estimator.fit(rows).get_booster()
        except (Py4JJavaError, PySparkException):
            lost = newly_lost(engine, before)
            if attempt == ATTEMPTS or not lost or killed_again(engine):
                raise
            reason = " ".join(lost[-1].split())
            print(f"attempt {attempt} of {ATTEMPTS} lost {len(lost)} executors, training again: {reason}", flush=True)
    raise AssertionError("unreachable")


def newly_lost(engine: SparkSession, before: int) -> list[str]:
    """Why executors went beyond the first `before`; Spark knows of it some moments after the work has failed."""
    for _ in range(10):
        lost = lost_executors(engine)[before:]
        if lost:
            break
        time.sleep(1)
    return lost


def read(engine: SparkSession, uri: str) -> DataFrame:
    """The rows of one split, or InputError."""
    return parquet(engine, hadoop.data_files(engine, uri))


if __name__ == "__main__":
    run(main)
