"""How Spark gets its files: exactly those that are data, and few paths."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from common import hadoop
from common.spark import FILE_BYTES, in_files, parquet
from tests.engines import run_driver


def write(path: Path, value: int) -> str:
    """A Parquet file of one row; its name as Hadoop lists it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"value": [value]}), path)
    return f"file:{path}"


def test_a_folder_of_files_is_one_path(spark: SparkSession, tmp_path: Path) -> None:
    """However many files there are; hidden ones beside them, which Spark leaves out too, do not matter."""
    for number in range(60):
        write(tmp_path / "day=1" / f"part-{number}.parquet", number)
    write(tmp_path / "day=2" / "part-60.parquet", 60)
    (tmp_path / "day=1" / "_SUCCESS").touch()
    (tmp_path / "day=1" / ".part-0.parquet.crc").touch()
    files = hadoop.data_files(spark, tmp_path.as_uri())
    assert len(files) == 61
    assert sorted(hadoop.places(spark, files)) == [f"file:{tmp_path}/day=1", f"file:{tmp_path}/day=2"]
    rows = parquet(spark, files)
    assert rows.columns == ["value"], "the folders' names are no columns"
    assert sorted(row.value for row in rows.collect()) == list(range(61))


@pytest.mark.parametrize("other", ["_a=b.parquet", "deeper/part.parquet", "_metadata", "empty.parquet"])
def test_a_folder_with_something_else_is_its_files(other: str, spark: SparkSession, tmp_path: Path) -> None:
    """What Spark would read beside the files that are wanted; a name is never a pattern."""
    wanted = [write(tmp_path / name, number) for number, name in enumerate(("a*.parquet", "{b}[1].parquet"))]
    write(tmp_path / "ab.parquet", 7)
    write(tmp_path / other, 8)
    assert hadoop.places(spark, wanted) == wanted
    assert sorted(row.value for row in parquet(spark, wanted).collect()) == [0, 1]


def test_listing_starts_no_job(tmp_path: Path) -> None:
    """Spark's own threshold of 32 paths would start a task for each."""
    for number in range(40):
        write(tmp_path / f"day={number}" / "part.parquet", number)
    program = f"""
from common import hadoop
from common.spark import connect, parquet
with connect("listing") as engine:
    engine.sparkContext.setJobGroup("listing", "")
    files = hadoop.data_files(engine, {tmp_path.as_uri()!r})
    assert len(hadoop.places(engine, files)) == 40
    parquet(engine, files)
    print("jobs:", len(engine.sparkContext.statusTracker().getJobIdsForGroup("listing")))
"""
    # The schema is read from one file, in a job of one task.
    assert run_driver(program).splitlines()[-1] == "jobs: 1"


@pytest.mark.parametrize(("count", "files"), [(0, 1), (850, 1), (10**4, 1), (10**6, 2), (10**8, 120)])
def test_files_follow_from_the_number_of_rows(count: int, files: int, spark: SparkSession) -> None:
    """Of 20 columns; the number of shuffle partitions and of cores has no part in it."""
    rows = spark.range(50).selectExpr("id", *(f"id AS c{number}" for number in range(19)))
    parted = in_files(rows, "id", count)
    plan = parted._jdf.queryExecution().optimizedPlan()
    assert plan.child().numPartitions() == files == max(1, -(-count * 20 * 8 // FILE_BYTES))
    if files == 2:
        parts = [[row.id for row in part] for part in parted.rdd.glom().collect()]
        assert all(part == sorted(part) for part in parts)
        assert sorted(parts[0] + parts[1]) == list(range(50))
