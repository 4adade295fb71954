"""Train the model: a SageMaker Training job."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import xgboost

from common import hyperparameters, local
from common.arrays import feature_array, feature_names, label_array
from common.command import Parser, run
from common.dataset import Dataset
from common.results import MODEL, STATS, Stats

DATASET = "/opt/ml/input/data/code/datasets/webshop"
HYPERPARAMETERS = Path("/opt/ml/input/config/hyperparameters.json")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", type=Path, default=DATASET, help="dataset folder")
    parser.add_argument("--train", type=Path, default="/opt/ml/input/data/train", help="features to train on")
    parser.add_argument("--validation", type=Path, default="/opt/ml/input/data/validation", help="to report on")
    parser.add_argument("--model-dir", type=Path, default="/opt/ml/model", help="where the model goes")
    hyperparameters.add_arguments(parser)
    arguments = parser.parse_args([*requested(HYPERPARAMETERS), *(sys.argv[1:] if argv is None else argv)])
    values = hyperparameters.from_arguments(arguments)
    train(arguments.dataset, arguments.train, arguments.validation, arguments.model_dir, values)


def train(dataset_at: Path, train_at: Path, validation_at: Path, output: Path, values: dict[str, float]) -> Stats:
    """Train on one split, report on the other, write the model and what serves it.

    Raises:
        InputError: the definition or the features are at fault.
    """
    dataset = Dataset.load(dataset_at)
    train_files, validation_files = local.data_files(train_at), local.data_files(validation_at)
    names = feature_names(dataset, pq.read_schema(train_files[0]).names, str(train_at))
    others = feature_names(dataset, pq.read_schema(validation_files[0]).names, str(validation_at))
    hyperparameters.check_features(names, others, str(validation_at))

    # Only bins are kept in memory, one byte per value.
    bins = hyperparameters.FIXED["max_bin"]
    train_rows = xgboost.QuantileDMatrix(Batches(dataset, names, train_files), max_bin=bins)
    validation_rows = xgboost.QuantileDMatrix(Batches(dataset, names, validation_files), ref=train_rows, max_bin=bins)
    stats = Stats(rows_in=train_rows.num_row() + validation_rows.num_row())
    print(f"{train_rows.num_row():,} rows to train on, {validation_rows.num_row():,} to report on", flush=True)
    booster = xgboost.train(
        hyperparameters.for_booster(values),
        train_rows,
        num_boost_round=int(values["num_round"]),
        evals=[(train_rows, "train"), (validation_rows, "validation")],
        verbose_eval=hyperparameters.PRINT_EVERY,
    )

    output.mkdir(parents=True, exist_ok=True)
    code = output / "code"
    code.mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("score.py"), code / "score.py")
    (output / STATS).write_text(stats.json(), "utf-8")
    partial = output / f".{MODEL}"
    partial.write_bytes(booster.save_raw("json"))
    partial.rename(output / MODEL)
    return stats


def requested(path: Path) -> list[str]:
    """The HyperParameters of the job's request as arguments; outside a job there are none."""
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return [f"--{name}={value}" for name, value in found.items()]


class Batches(xgboost.DataIter):
    """Parquet files as XGBoost wants them: a batch of rows at a time, as often as it asks."""

    def __init__(self, dataset: Dataset, names: Sequence[str], files: Sequence[Path]) -> None:
        """Take the feature columns to read and the files to read them from, in that order."""
        super().__init__(release_data=True)
        self.dataset, self.names, self.files = dataset, list(names), files
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self.batches = local.batches(self.files, [self.dataset.label, *self.names], hyperparameters.BATCH_ROWS)

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hand over the next batch."""
        batch = next(self.batches, None)
        if batch is None:
            return False
        label = label_array(batch, self.dataset.label)
        input_data(data=feature_array(batch, self.names), label=label, feature_names=self.names)
        return True


if __name__ == "__main__":
    run(main)
