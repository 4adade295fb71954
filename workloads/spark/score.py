"""Score the split whose future is unknown, on Spark."""

from collections.abc import Sequence

from pyspark.sql import SparkSession

from common import hadoop
from common.arrays import feature_names, load_model
from common.command import Parser, run
from common.predictions import predictions
from common.results import MODEL, STATS, Stats
from common.spark import connect, csv_writer, in_files, parquet


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", required=True, help="URI of the dataset folder")
    parser.add_argument("--features", required=True, help="URI of the features")
    parser.add_argument("--model", required=True, help="URI of the model")
    parser.add_argument("--output", required=True, help="URI where the predictions go")
    arguments = parser.parse_args(argv)
    with connect("score") as engine:
        score(engine, arguments.dataset, arguments.features, arguments.model, arguments.output)


def score(engine: SparkSession, dataset_at: str, features_at: str, model_at: str, output: str) -> Stats:
    """Predict and write CSV files of entity and probability.

    Raises:
        InputError: the definition, the features or the model is at fault; nothing is left in `output`.
    """
    dataset = hadoop.read_dataset(engine, dataset_at)
    for place in (features_at, model_at):
        hadoop.check_finished(engine, place)
    model = hadoop.read(engine, hadoop.join(model_at, MODEL))
    split_at = hadoop.join(features_at, "score")
    rows = parquet(engine, hadoop.data_files(engine, split_at))
    names = feature_names(dataset, rows.columns, split_at)
    load_model(model, names, model_at)
    with hadoop.publish(engine, output) as folder:
        count = rows.count()
        scored = in_files(predictions(rows, dataset.entity, names, model), dataset.entity, count)
        # Append, because publish has cleared the place.
        csv_writer(scored).mode("append").csv(folder)
        stats = Stats(rows_in=count, rows_out=count)
        hadoop.write(engine, hadoop.join(folder, STATS), stats.json().encode())
    return stats


if __name__ == "__main__":
    run(main)
