"""The EMR side of prepare: what it refuses, and that it leaves nothing then."""

import os
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from common import duck
from common.command import InputError
from common.dataset import SPLITS
from common.hyperparameters import HYPERPARAMETERS
from tests.engines import start_driver
from tests.workloads import small
from tests.workloads.bad_inputs import MISTAKES
from tests.workloads.conftest import Place
from workloads.single_node import prepare as sagemaker_prepare
from workloads.spark import prepare, train


@pytest.mark.full
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, place: Place, tmp_path: Path, spark: SparkSession) -> None:
    """The same mistakes, the same messages; nothing is left at the output's place."""
    mistake = MISTAKES[name]
    dataset = small.write_definition(tmp_path / "dataset", **mistake.changed)
    raw = shutil.copytree(place.raw, tmp_path / "raw")
    mistake.damage(raw)
    output = tmp_path / "output"
    with pytest.raises(InputError, match=f"(?si){mistake.message}") as raised:
        prepare.prepare(spark, dataset.as_uri(), raw.as_uri(), output.as_uri())
    assert not output.exists()
    if mistake.same:
        with duck.connect() as engine, pytest.raises(InputError) as other:
            sagemaker_prepare.prepare(engine, dataset, raw, output)
        assert str(raised.value) == str(other.value)


def test_csv_for_batch_transform(
    place: Place, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the flag the rows to score lie there once more: the entity, then the features, as the model takes them."""
    monkeypatch.setattr(prepare, "connect", lambda _: nullcontext(spark))
    places = [f"--dataset={place.dataset.as_uri()}", f"--raw={place.raw.as_uri()}", f"--output={tmp_path.as_uri()}"]
    prepare.main([*places, "--csv"])
    # No _SUCCESS, which would be scored too.
    (file,) = (each for each in (tmp_path / "score-csv").iterdir() if each.suffix != ".crc")
    table = pq.read_table(tmp_path / "score").drop_columns("bought")
    types = pacsv.ConvertOptions(column_types={field.name: field.type for field in table.schema})
    rows = pacsv.read_csv(file, pacsv.ReadOptions(column_names=table.column_names), convert_options=types)
    assert table.column_names[0] == "visitor_id"
    assert rows.to_pylist() == table.to_pylist()
    assert rows.num_rows


def test_a_finished_result_is_not_replaced(place: Place, tmp_path: Path, spark: SparkSession) -> None:
    """Whoever wants to repeat a run gives it another place."""
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(InputError, match="holds a finished result"):
        prepare.prepare(spark, place.dataset.as_uri(), place.raw.as_uri(), tmp_path.as_uri())
    assert (tmp_path / "_SUCCESS").exists()


@pytest.mark.full
def test_a_driver_that_dies_leaves_nothing_that_is_taken_for_a_result(
    place: Place, tmp_path: Path, spark: SparkSession
) -> None:
    """Killed between two splits: no split has a _SUCCESS of its own, training refuses, and another run starts anew."""
    output = tmp_path / "features"
    places = [place.dataset.as_uri(), place.raw.as_uri(), output.as_uri()]
    program = f"""
import time
from workloads.spark import prepare, train
write = prepare.write_split
def write_one(engine, dataset, split, *rest):
    write(engine, dataset, split, *rest)
    time.sleep(300)
prepare.write_split = write_one
prepare.main([f"--{{name}}={{at}}" for name, at in zip(("dataset", "raw", "output"), {places}, strict=True)])
"""
    driver = start_driver(program)
    try:
        assert driver.stdout is not None
        assert any(line.endswith(": written\n") for line in driver.stdout)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
    assert len(list(output.glob("*/part-*.parquet"))) == 1
    assert list(output.rglob("_SUCCESS")) == []
    message = f"{output.as_uri()}: holds no finished result"
    values = {name: given.default for name, given in HYPERPARAMETERS.items()}
    with pytest.raises(InputError, match=message):
        train.train(spark, place.dataset.as_uri(), output.as_uri(), (tmp_path / "model").as_uri(), 1, values)
    (output / "train" / "part-left.parquet").write_bytes(b"of the first run")
    stats = prepare.prepare(spark, place.dataset.as_uri(), place.raw.as_uri(), output.as_uri())
    files = {split: [path.name for path in (output / split).iterdir() if path.suffix == ".parquet"] for split in SPLITS}
    assert all(len(names) == 1 for names in files.values()), files
    assert {split: pq.read_table(output / split).num_rows for split in SPLITS} == stats.rows


@pytest.mark.full
def test_the_number_of_shuffle_partitions_changes_no_file(place: Place, tmp_path: Path, spark: SparkSession) -> None:
    """A split of few rows is one file, with the rows in order, whatever the cluster and its settings."""
    written = []
    before = spark.conf.get("spark.sql.shuffle.partitions") or ""
    for partitions in ("3", "40"):
        output = tmp_path / partitions
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
        try:
            prepare.prepare(spark, place.dataset.as_uri(), place.raw.as_uri(), output.as_uri())
        finally:
            spark.conf.set("spark.sql.shuffle.partitions", before)
            spark.catalog.clearCache()
        assert not (output / "score-csv").exists()
        files = {split: sorted((output / split).glob("part-*")) for split in SPLITS}
        assert {split: len(names) for split, names in files.items()} == dict.fromkeys(SPLITS, 1)
        written.append({split: pq.read_table(names[0]) for split, names in files.items()})
    assert written[0] == written[1]
    visitors = written[0]["train"]["visitor_id"].to_pylist()
    assert visitors == sorted(visitors)


def test_unknown_places(tmp_path: Path, spark: SparkSession) -> None:
    """A place that does not exist, and one on a file system that is not there."""
    for uri, message in ((tmp_path.as_uri() + "/none", "no such dataset folder"), ("s9://bucket/a", "not a place")):
        with pytest.raises(InputError, match=message):
            prepare.prepare(spark, uri, uri, tmp_path.as_uri())
