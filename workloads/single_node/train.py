"""Train the model: a SageMaker Training job, on one host or on several together."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from common import hyperparameters, local
from common.arrays import feature_array, feature_names, label_array
from common.command import InputError, Parser, run
from common.dataset import Dataset
from common.hosts import ALONE, Hosts, total
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
    train(arguments.dataset, arguments.train, arguments.validation, arguments.model_dir, values, Hosts.of_job())


def train(
    dataset_at: Path,
    train_at: Path,
    validation_at: Path,
    output: Path,
    values: dict[str, float],
    hosts: Hosts = ALONE,
) -> Stats:
    """Train on one split, report on the other, write the model and what serves it.

    Of several hosts each takes its share of the rows; the first writes the model, which is the same on all.

    Raises:
        InputError: the definition or the features are at fault.
    """
    dataset = Dataset.load(dataset_at)
    train_files, validation_files = local.data_files(train_at), local.data_files(validation_at)
    names = feature_names(dataset, pq.read_schema(train_files[0]).names, str(train_at))
    others = feature_names(dataset, pq.read_schema(validation_files[0]).names, str(validation_at))
    hyperparameters.check_features(names, others, str(validation_at))
    for split_at, files in ((train_at, train_files), (validation_at, validation_files)):
        check_shares(sum(pq.read_metadata(file).num_rows for file in files), hosts.count, str(split_at))

    with hosts.together():
        # Only bins are kept in memory, one byte per value.
        bins = hyperparameters.FIXED["max_bin"]
        train_batches = Batches(dataset, names, train_files, hosts)
        train_rows = xgboost.QuantileDMatrix(train_batches, max_bin=bins)
        validation_batches = Batches(dataset, names, validation_files, hosts)
        validation_rows = xgboost.QuantileDMatrix(validation_batches, ref=train_rows, max_bin=bins)
        trained, reported = total(train_rows.num_row()), total(validation_rows.num_row())
        print(f"{trained:,} rows to train on, {reported:,} to report on", flush=True)
        booster = xgboost.train(
            hyperparameters.for_booster(values),
            train_rows,
            num_boost_round=int(values["num_round"]),
            evals=[(train_rows, "train"), (validation_rows, "validation")],
            verbose_eval=hyperparameters.PRINT_EVERY,
        )
    stats = Stats(rows_in=trained + reported)
    if hosts.index == 0:
        write(booster, stats, output)
    return stats


def check_shares(rows: int, hosts: int, where: str) -> None:
    """Check that every host gets a row of a split, or raise InputError: XGBoost takes no data without any (3.2.0)."""
    if rows < hosts:
        raise InputError(
            f"{where}: holds {rows} rows for {hosts} host{'s' * (hosts > 1)}, which share them out; "
            "allowed are at least as many rows as hosts (train.instance_count)"
        )


def write(booster: xgboost.Booster, stats: Stats, output: Path) -> None:
    """Write the model and what serves it."""
    output.mkdir(parents=True, exist_ok=True)
    code = output / "code"
    code.mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("score.py"), code / "score.py")
    (output / STATS).write_text(stats.json(), "utf-8")
    partial = output / f".{MODEL}"
    partial.write_bytes(booster.save_raw("json"))
    partial.rename(output / MODEL)


def requested(path: Path) -> list[str]:
    """The HyperParameters of the job's request as arguments; outside a job there are none."""
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return [f"--{name}={value}" for name, value in found.items()]


class Batches(xgboost.DataIter):
    """Parquet files as XGBoost wants them: a batch of rows at a time, as often as it asks.

    Of several hosts each has all files and takes every n-th row. SageMaker would share the files out as well
    (ShardedByS3Key), but a host without a file fails the job, and there may be fewer files than hosts; and shares by
    size of file are not even.
    """

    def __init__(self, dataset: Dataset, names: Sequence[str], files: Sequence[Path], hosts: Hosts) -> None:
        """Take the feature columns to read and the files to read them from, in that order."""
        super().__init__(release_data=True)
        self.dataset, self.names, self.files, self.hosts = dataset, list(names), files, hosts
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self.batches = self._shares()

    def _shares(self) -> Iterator[pa.RecordBatch]:
        """The rows of this host, of every batch."""
        first, step = self.hosts.index, self.hosts.count
        for batch in local.batches(self.files, [self.dataset.label, *self.names], hyperparameters.BATCH_ROWS):
            share = batch if step == 1 else batch.take(pa.array(range(first % step, batch.num_rows, step), pa.int64()))
            first -= batch.num_rows
            if share.num_rows:
                yield share

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
