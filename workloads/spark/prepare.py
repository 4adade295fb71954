"""Turn the raw tables of a dataset into features, on Spark."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.storagelevel import StorageLevel

from common import features, hadoop, raw
from common.command import InputError, Parser, run
from common.dataset import FEATURES, Dataset, Table, quoted
from common.raw import RawFile
from common.results import STATS, Stats, rejected_sql
from common.spark import NO_SUCCESS, columns_of, connect, csv_writer, in_files, lines, parquet, rows_of, sql_of

BROKEN_TEXT = "CAST(DECODE(CAST({0} AS BINARY), 'UTF-8') AS BINARY) <> CAST({0} AS BINARY)"
"""Whether a text is not UTF-8: Spark takes Parquet's word for it, but decoding replaces what is broken."""

COPIES = "_copies"
"""Where files lie, below the output and until it is written, whose names do not say how they are packed."""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", required=True, help="URI of the dataset folder")
    parser.add_argument("--raw", required=True, help="URI of the raw tables")
    parser.add_argument("--output", required=True, help="URI where the features go")
    parser.add_argument("--csv", action="store_true", help="write the split to score as CSV too, for Batch Transform")
    arguments = parser.parse_args(argv)
    with connect("prepare") as engine:
        prepare(engine, arguments.dataset, arguments.raw, arguments.output, arguments.csv)


def prepare(engine: SparkSession, dataset_at: str, raw_at: str, output: str, as_csv: bool = False) -> Stats:
    """Read the raw tables, compute the features and write one folder per split; the one to score also ``as_csv``.

    Raises:
        InputError: the definition, the raw data or a SQL text is at fault; nothing is left in `output`.
    """
    dataset = hadoop.read_dataset(engine, dataset_at)
    # A number that does not fit, or a division by zero, is an error on every side; otherwise Spark wraps around.
    engine.conf.set("spark.sql.ansi.enabled", "true")
    # "order" is a name, as in DuckDB, and no text.
    engine.conf.set("spark.sql.ansi.doubleQuotedIdentifiers", "true")
    stats = Stats()
    with hadoop.publish(engine, output) as folder:
        for table in dataset.tables:
            read_table(engine, dataset, table, raw_at, folder, stats)
        found = make_features(engine, dataset, raw_at)
        summary = rows_of(engine, features.summary_sql(dataset, found))
        duplicates = rows_of(engine, features.duplicate_sql(dataset))
        stats.rows = features.check_rows(dataset, found, summary, duplicates)
        stats.rows_out = sum(stats.rows.values())
        for split, count in stats.rows.items():
            write_split(engine, dataset, split, count, folder, as_csv)
        hadoop.clear(engine, hadoop.join(folder, COPIES))
        hadoop.write(engine, hadoop.join(folder, STATS), stats.json().encode())
    return stats


def read_table(engine: SparkSession, dataset: Dataset, table: Table, raw_at: str, output: str, stats: Stats) -> None:
    """Make the view of a raw table."""
    files = hadoop.table_files(engine, raw_at, table)
    if table.format == "text":
        read_lines(engine, dataset, table, files, output, stats)
        print(f"{table.name}: {stats.rejected_share(table.name)}", flush=True)
    else:
        found = hadoop.footers(engine, files)
        stats.rows_in += raw.check_parquet(table, found)
        raw.check_copies(found, lambda one, other: hadoop.equal(engine, one, other))
        places = [file.place for file in files]
        parquet(engine, places, table.columns).createOrReplaceTempView(table.name)
    check_values(engine, dataset, table, files)
    print(f"{table.name}: {len(files)} files, {stats.rows_in:,} rows read so far", flush=True)


def read_lines(
    engine: SparkSession, dataset: Dataset, table: Table, files: Sequence[RawFile], output: str, stats: Stats
) -> None:
    """Make the view of a text table: its clean SQL, evaluated once."""
    text, places = lines_of(engine, files, output)
    text.createOrReplaceTempView("lines")
    cleaned = f"{table.name}__cleaned"
    with sql_of(f"{dataset.place}/{table.clean_name}"):
        engine.sql(table.clean).persist(StorageLevel.MEMORY_AND_DISK).createOrReplaceTempView(cleaned)
    found = columns_of(engine, cleaned)
    features.check_clean(dataset, table, found)
    by_file = "file" in dict(found)
    try:
        with sql_of(f"{dataset.place}/{table.clean_name}"):
            counts = rows_of(engine, rejected_sql(cleaned, by_file))
    except InputError:
        # Spark does not say which file it could not read.
        for file, place in zip(files, places, strict=True):
            try:
                with sql_of(file.name):
                    lines(engine, [place]).count()
            except InputError:
                raise raw.damaged(file.name) from None
        raise
    stats.lines(table.name, counts)
    names = {raw.number(file.name): file.name for file in files} if by_file else {}
    features.check_lines(
        table,
        counts,
        names,
        recount=lambda name: count(engine, table, files, output, name),
        example=lambda name: example(engine, table, text, name),
    )
    names_of = quoted(*(name for name, _ in found if name not in features.ABOUT_LINES))
    engine.sql(f"SELECT {names_of} FROM {cleaned} WHERE reject IS NULL").createOrReplaceTempView(table.name)


def lines_of(engine: SparkSession, files: Sequence[RawFile], output: str) -> tuple[DataFrame, list[str]]:
    """The lines of a table's files, and where each is read.

    Spark tells gzip by the name: files with another name for it are copied first.
    """
    root = hadoop.root_of(engine, files[0])
    honest: list[str] = []
    copies: list[str] = []
    places = []
    for file, is_gzip in zip(files, hadoop.packed(engine, files), strict=True):
        if is_gzip == file.name.endswith(".gz") or not (is_gzip or file.name.lower().endswith(".gz")):
            honest.append(file.place)
            places.append(file.place)
        else:
            place = hadoop.join(output, COPIES, file.name + (".gz" if is_gzip else ".as"))
            hadoop.copy(engine, file.place, place)
            copies.append(place)
            places.append(place)
    parts = [lines(engine, honest, root)] if honest else []
    if copies:
        parts.append(lines(engine, copies, hadoop.join(hadoop.uri(engine, output), COPIES) + "/", ".gz"))
    return parts[0].unionAll(parts[1]) if len(parts) > 1 else parts[0], places


def count(engine: SparkSession, table: Table, files: Sequence[RawFile], output: str, name: str) -> list[Any]:
    """The rows of `rejected_sql` for the lines of one file alone."""
    text, _ = lines_of(engine, [file for file in files if file.name == name], output)
    text.createOrReplaceTempView("lines")
    return rows_of(engine, rejected_sql(f"({table.clean}) AS cleaned", by_file=False))


def example(engine: SparkSession, table: Table, text: DataFrame, name: str) -> tuple[str, str]:
    """Find one of the first lines of a file (of any, when it is not known) that the clean SQL rejects, and why."""
    known = text if name == table.location else text.where(sf.col("file") == raw.number(name))
    head = known.take(features.EXAMPLES)
    for row in head:
        engine.createDataFrame([row], text.schema).createOrReplaceTempView("lines")
        for (reason,) in rows_of(engine, f"SELECT reject FROM ({table.clean}) AS cleaned"):
            if reason is not None:
                return row.line, reason
    return "", "unknown"


def check_values(engine: SparkSession, dataset: Dataset, table: Table, files: Sequence[RawFile]) -> None:
    """Check keys, times and texts of a table."""
    if not (table.key or table.times or features.texts_of(table)):
        return
    features.check_declared(dataset, table, columns_of(engine, table.name))
    try:
        with sql_of(table.location):
            found = rows_of(engine, features.values_sql(table, BROKEN_TEXT))
    except InputError:
        check_readable(engine, table, files)
        raise
    if found[0][3]:
        check_readable(engine, table, files)
    features.check_values(dataset, table, found[0], lambda: rows_of(engine, features.repeated_sql(table)))


def check_readable(engine: SparkSession, table: Table, files: Sequence[RawFile]) -> None:
    """Find the first file of a Parquet table that is damaged or has a text that is not UTF-8, and raise InputError."""
    for file in files:
        rows = parquet(engine, [file.place], table.columns)
        try:
            with sql_of(file.name):
                rows.write.format("noop").mode("overwrite").save()
        except InputError:
            raise raw.damaged_parquet(file.name) from None
        for name in features.texts_of(table):
            if rows.where(BROKEN_TEXT.format(quoted(name))).take(1):
                raise features.not_utf8(file.name, name)


def make_features(engine: SparkSession, dataset: Dataset, raw_at: str) -> features.Columns:
    """Evaluate features.sql once, into the view `features`, which spills to disk when it is large."""
    engine.sql(dataset.cutoffs_sql).createOrReplaceTempView("cutoffs")
    with sql_of(f"{dataset.place}/{FEATURES}"):
        engine.sql(dataset.features).persist(StorageLevel.MEMORY_AND_DISK).createOrReplaceTempView("features")
        found = columns_of(engine, "features")
        features.check_features(dataset, found)
    try:
        with sql_of(f"{dataset.place}/{FEATURES}"):
            engine.table("features").count()
    except InputError:
        # Spark does not say which file it could not read.
        for table in dataset.tables:
            if table.format == "parquet":
                check_readable(engine, table, hadoop.table_files(engine, raw_at, table))
        raise
    return found


def write_split(engine: SparkSession, dataset: Dataset, split: str, count: int, folder: str, as_csv: bool) -> None:
    """Write the rows of one split without its name."""
    rows = engine.table("features").where(sf.col("split") == split).drop("split")
    # Only _SUCCESS of the whole says that a split is whole.
    parts = in_files(rows, dataset.entity, count)
    parts.write.option(*NO_SUCCESS).parquet(hadoop.join(folder, split))
    if as_csv and split == "score":
        csv_writer(parts.drop(dataset.label)).csv(hadoop.join(folder, "score-csv"))
    print(f"{split}: written", flush=True)


if __name__ == "__main__":
    run(main)
