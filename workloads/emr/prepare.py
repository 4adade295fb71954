"""Turn the raw tables of a dataset into features: an EMR step, on Spark."""

from collections.abc import Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf
from pyspark.storagelevel import StorageLevel

from common import features, hadoop
from common.command import Parser, run
from common.dataset import FEATURES, Dataset, Table
from common.results import STATS, Stats, rejected_sql
from common.spark import NO_SUCCESS, columns_of, connect, in_files, lines, parquet, rows_of, sql_of


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", required=True, help="URI of the dataset folder")
    parser.add_argument("--raw", required=True, help="URI of the raw tables")
    parser.add_argument("--output", required=True, help="URI where the features go")
    arguments = parser.parse_args(argv)
    with connect("prepare") as engine:
        prepare(engine, arguments.dataset, arguments.raw, arguments.output)


def prepare(engine: SparkSession, dataset_at: str, raw: str, output: str) -> Stats:
    """Read the raw tables, compute the features and write one folder per split.

    Raises:
        InputError: the definition, the raw data or a SQL text is at fault; nothing is left in `output`.
    """
    dataset = hadoop.read_dataset(engine, dataset_at)
    stats = Stats()
    with hadoop.publish(engine, output) as folder:
        for table in dataset.tables:
            read_table(engine, dataset, table, raw, stats)
        found = make_features(engine, dataset)
        summary = rows_of(engine, features.summary_sql(dataset, found))
        duplicates = rows_of(engine, features.duplicate_sql(dataset))
        stats.rows = features.check_rows(dataset, found, summary, duplicates)
        stats.rows_out = sum(stats.rows.values())
        for split, count in stats.rows.items():
            write_split(engine, dataset, split, count, folder)
        hadoop.write(engine, hadoop.join(folder, STATS), stats.json().encode())
    return stats


def read_table(engine: SparkSession, dataset: Dataset, table: Table, raw: str, stats: Stats) -> None:
    """Make the view of a raw table."""
    files = hadoop.table_files(engine, raw, table)
    if table.format == "text":
        lines(engine, files).createOrReplaceTempView("lines")
        cleaned = f"{table.name}__cleaned"
        with sql_of(f"{dataset.place}/{table.clean_name}"):
            engine.sql(table.clean).persist(StorageLevel.MEMORY_AND_DISK).createOrReplaceTempView(cleaned)
        found = columns_of(engine, cleaned)
        features.check_clean(dataset, table, found)
        with sql_of(f"{dataset.place}/{table.clean_name}"):
            stats.lines(table.name, rows_of(engine, rejected_sql(cleaned)))
        names = ", ".join(name for name, _ in found if name not in ("reject", "copies"))
        engine.sql(f"SELECT {names} FROM {cleaned} WHERE reject IS NULL").createOrReplaceTempView(table.name)
    else:
        with sql_of(hadoop.join(raw, table.location)):
            parquet(engine, files).createOrReplaceTempView(table.name)
            features.check_table(dataset, table, columns_of(engine, table.name), hadoop.join(raw, table.location))
            engine.table(table.name).select(*table.columns).createOrReplaceTempView(table.name)
            stats.rows_in += engine.table(table.name).count()
    print(f"{table.name}: {len(files)} files, {stats.rows_in:,} rows read so far", flush=True)


def make_features(engine: SparkSession, dataset: Dataset) -> features.Columns:
    """Evaluate features.sql once, into the view `features`, which spills to disk when it is large."""
    engine.sql(dataset.cutoffs_sql).createOrReplaceTempView("cutoffs")
    with sql_of(f"{dataset.place}/{FEATURES}"):
        engine.sql(dataset.features).persist(StorageLevel.MEMORY_AND_DISK).createOrReplaceTempView("features")
        found = columns_of(engine, "features")
        features.check_features(dataset, found)
        engine.table("features").count()
    return found


def write_split(engine: SparkSession, dataset: Dataset, split: str, count: int, folder: str) -> None:
    """Write the rows of one split without its name."""
    rows = engine.table("features").where(sf.col("split") == split).drop("split")
    # Only _SUCCESS of the whole says that a split is whole.
    writer = in_files(rows, dataset.entity, count).write.option(*NO_SUCCESS)
    writer.parquet(hadoop.join(folder, split))
    print(f"{split}: written", flush=True)


if __name__ == "__main__":
    run(main)
