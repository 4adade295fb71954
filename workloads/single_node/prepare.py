"""Turn the raw tables of a dataset into features: a SageMaker Processing job, on DuckDB."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from common import features, local, raw
from common.command import InputError, Parser, run
from common.dataset import FEATURES, Dataset, Table, quoted
from common.duck import columns_of, connect, literal, parquet, rows_of, sql_of, threads
from common.lines import Lines, read
from common.raw import RawFile
from common.results import STATS, Stats, rejected_sql

CSV_FILE_BYTES = 64 << 20
"""Size at which the CSV for Batch Transform starts a new file: it hands whole files to instances."""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = Parser(__doc__)
    parser.add_argument("--dataset", type=Path, default="/opt/ml/processing/input/dataset", help="dataset folder")
    parser.add_argument("--raw", type=Path, default="/opt/ml/processing/input/raw", help="raw tables")
    parser.add_argument("--output", type=Path, default="/opt/ml/processing/output", help="where the features go")
    arguments = parser.parse_args(argv)
    with connect() as engine:
        prepare(engine, arguments.dataset, arguments.raw, arguments.output)


def prepare(engine: duckdb.DuckDBPyConnection, dataset_at: Path, raw_at: Path, output: Path) -> Stats:
    """Read the raw tables, compute the features and write one folder per split.

    Raises:
        InputError: the definition, the raw data or a SQL text is at fault; nothing is left in `output`.
    """
    dataset = Dataset.load(dataset_at)
    stats = Stats()
    with local.publish(output) as folder:
        for table in dataset.tables:
            read_table(engine, dataset, table, raw_at, stats)
        found = make_features(engine, dataset, raw_at)
        summary = rows_of(engine, features.summary_sql(dataset, found))
        duplicates = rows_of(engine, features.duplicate_sql(dataset))
        stats.rows = features.check_rows(dataset, found, summary, duplicates)
        stats.rows_out = sum(stats.rows.values())
        for split in stats.rows:
            write_split(engine, dataset, found, split, folder)
        (folder / STATS).write_text(stats.json(), "utf-8")
    return stats


def read_table(engine: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table, raw_at: Path, stats: Stats) -> None:
    """Make the view of a raw table."""
    files = local.table_files(raw_at, table)
    if table.format == "text":
        read_lines(engine, dataset, table, files, stats)
        print(f"{table.name}: {stats.rejected_share(table.name)}", flush=True)
    else:
        found = local.footers(files)
        stats.rows_in += raw.check_parquet(table, found)
        raw.check_copies(found, local.equal)
        source = parquet([Path(file.place) for file in files])
        engine.execute(f"CREATE TEMP VIEW {quoted(table.name)} AS SELECT {quoted(*table.columns)} FROM {source}")
    check_values(engine, dataset, table, files)
    print(f"{table.name}: {len(files)} files, {stats.rows_in:,} rows read so far", flush=True)


def read_lines(
    engine: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table, files: Sequence[RawFile], stats: Stats
) -> None:
    """Make the view of a text table: its clean SQL, evaluated once."""
    text = lines_of(engine, files)
    engine.register("lines", text)
    cleaned = f"{table.name}__cleaned"
    try:
        with sql_of(f"{dataset.place}/{table.clean_name}"):
            engine.execute(f"CREATE TEMP TABLE {cleaned} AS {table.clean}")
    except InputError as problem:
        raise text.problem or problem from None
    engine.unregister("lines")
    found = columns_of(engine, cleaned)
    features.check_clean(dataset, table, found)
    by_file = "file" in dict(found)
    counts = rows_of(engine, rejected_sql(cleaned, by_file))
    stats.lines(table.name, counts)
    names = {raw.number(file.name): file.name for file in files} if by_file else {}
    features.check_lines(
        table,
        counts,
        names,
        recount=lambda name: count(engine, table, files, name),
        example=lambda name: example(engine, table, files, name),
    )
    names_of = quoted(*(name for name, _ in found if name not in features.ABOUT_LINES))
    engine.execute(f"CREATE TEMP VIEW {quoted(table.name)} AS SELECT {names_of} FROM {cleaned} WHERE reject IS NULL")


def lines_of(engine: duckdb.DuckDBPyConnection, files: Sequence[RawFile]) -> Lines:
    """The lines of a table's files."""
    local.packed(files)
    return Lines(files, threads(engine))


def count(engine: duckdb.DuckDBPyConnection, table: Table, files: Sequence[RawFile], name: str) -> list[Any]:
    """The rows of `rejected_sql` for the lines of one file alone."""
    engine.register("lines", lines_of(engine, [file for file in files if file.name == name]))
    return rows_of(engine, rejected_sql(f"({table.clean}) AS cleaned", by_file=False))


def example(engine: duckdb.DuckDBPyConnection, table: Table, files: Sequence[RawFile], name: str) -> tuple[str, str]:
    """Find one of the first lines of a file (of any, when it is not known) that the clean SQL rejects, and why."""
    for file in files:
        if name in (file.name, table.location):
            head = next(read(Path(file.place), file.name)).slice(0, features.EXAMPLES)
            for place in range(head.num_rows):
                engine.register("lines", pa.Table.from_batches([head.slice(place, 1)]))
                for (reason,) in rows_of(engine, f"SELECT reject FROM ({table.clean}) AS cleaned"):
                    if reason is not None:
                        return head.column(0)[place].as_py(), reason
    return "", "unknown"


def check_values(engine: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table, files: Sequence[RawFile]) -> None:
    """Check keys, times and texts of a table."""
    if not (table.key or table.times or features.texts_of(table)):
        return
    features.check_declared(dataset, table, columns_of(engine, quoted(table.name)))
    try:
        # DuckDB checks each text that it reads, so any condition that reads it will do.
        found = rows_of(engine, features.values_sql(table, "LENGTH({}) < 0"))
    except duckdb.Error:
        check_readable(engine, table, files)
        raise
    features.check_values(dataset, table, found[0], lambda: rows_of(engine, features.repeated_sql(table)))


def check_readable(engine: duckdb.DuckDBPyConnection, table: Table, files: Sequence[RawFile]) -> None:
    """Find the first file of a Parquet table that is damaged or has a text that is not UTF-8, and raise InputError."""
    for file in files:
        for name in table.columns:
            try:
                engine.execute(f"SELECT MAX(HASH({quoted(name)})) FROM {parquet([Path(file.place)])}")
            except duckdb.Error as problem:
                if "UTF" in str(problem):
                    raise features.not_utf8(file.name, name) from None
                if not isinstance(problem, duckdb.OutOfMemoryException):
                    raise raw.damaged_parquet(file.name) from None


def make_features(engine: duckdb.DuckDBPyConnection, dataset: Dataset, raw_at: Path) -> features.Columns:
    """Evaluate features.sql once, into the table `features`, which spills to disk when it is large."""
    engine.execute(f"CREATE TEMP VIEW cutoffs AS {dataset.cutoffs_sql}")
    with sql_of(f"{dataset.place}/{FEATURES}"):
        found = columns_of(engine, dataset.features)
        features.check_features(dataset, found)
    try:
        with sql_of(f"{dataset.place}/{FEATURES}"):
            engine.execute(f"CREATE TEMP TABLE features AS {dataset.features}")
    except (InputError, duckdb.IOException):
        # DuckDB does not say which file it could not read.
        for table in dataset.tables:
            if table.format == "parquet":
                check_readable(engine, table, local.table_files(raw_at, table))
        raise
    return found


def write_split(
    engine: duckdb.DuckDBPyConnection, dataset: Dataset, found: features.Columns, split: str, folder: Path
) -> None:
    """Write the rows of one split without its name; score also as CSV, which is what Batch Transform reads."""
    names = quoted(*(name for name, _ in found[1:]))
    # Training depends on the order of the rows where it samples them: sorted, a second run gives the same model.
    rows = f"SELECT {names} FROM features WHERE split = '{split}' ORDER BY {quoted(dataset.entity)}"
    (folder / split).mkdir()
    engine.execute(f"COPY ({rows}) TO {literal(str(folder / split / 'part-0.parquet'))} (FORMAT parquet)")
    if split == "score":
        engine.execute(
            f"COPY (SELECT * EXCLUDE ({quoted(dataset.label)}) FROM ({rows})) TO {literal(str(folder / 'score-csv'))} "
            f"(FORMAT csv, HEADER false, FILE_SIZE_BYTES {CSV_FILE_BYTES}, FILENAME_PATTERN 'part-{{i}}')"
        )
    print(f"{split}: written", flush=True)


if __name__ == "__main__":
    run(main)
