"""Turn the raw tables of a dataset into features: a SageMaker Processing job, on DuckDB."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from common import features, local
from common.command import Parser, run
from common.dataset import FEATURES, Dataset, Table
from common.duck import columns_of, connect, literal, parquet, rows_of, sql_of, threads
from common.lines import Lines
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


def prepare(engine: duckdb.DuckDBPyConnection, dataset_at: Path, raw: Path, output: Path) -> Stats:
    """Read the raw tables, compute the features and write one folder per split.

    Raises:
        InputError: the definition, the raw data or a SQL text is at fault; nothing is left in `output`.
    """
    dataset = Dataset.load(dataset_at)
    stats = Stats()
    with local.publish(output) as folder:
        for table in dataset.tables:
            read_table(engine, dataset, table, raw, stats)
        found = make_features(engine, dataset)
        summary = rows_of(engine, features.summary_sql(dataset, found))
        duplicates = rows_of(engine, features.duplicate_sql(dataset))
        stats.rows = features.check_rows(dataset, found, summary, duplicates)
        stats.rows_out = sum(stats.rows.values())
        for split in stats.rows:
            write_split(engine, dataset, found, split, folder)
        (folder / STATS).write_text(stats.json(), "utf-8")
    return stats


def read_table(engine: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table, raw: Path, stats: Stats) -> None:
    """Make the view of a raw table."""
    files = local.table_files(raw, table)
    if table.format == "text":
        engine.register("lines", Lines(files, threads(engine)))
        cleaned = f"{table.name}__cleaned"
        with sql_of(f"{dataset.place}/{table.clean_name}"):
            engine.execute(f"CREATE TEMP TABLE {cleaned} AS {table.clean}")
        engine.unregister("lines")
        found = columns_of(engine, cleaned)
        features.check_clean(dataset, table, found)
        stats.lines(table.name, rows_of(engine, rejected_sql(cleaned)))
        names = ", ".join(name for name, _ in found if name not in ("reject", "copies"))
        engine.execute(f"CREATE TEMP VIEW {table.name} AS SELECT {names} FROM {cleaned} WHERE reject IS NULL")
    else:
        with sql_of(f"{raw / table.location}"):
            found = columns_of(engine, f"SELECT * FROM {parquet(files)}")
            features.check_table(dataset, table, found, f"{raw / table.location}")
            engine.execute(f"CREATE TEMP VIEW {table.name} AS SELECT {', '.join(table.columns)} FROM {parquet(files)}")
            stats.rows_in += rows_of(engine, f"SELECT COUNT(*) FROM {table.name}")[0][0]
    print(f"{table.name}: {len(files)} files, {stats.rows_in:,} rows read so far", flush=True)


def make_features(engine: duckdb.DuckDBPyConnection, dataset: Dataset) -> features.Columns:
    """Evaluate features.sql once, into the table `features`, which spills to disk when it is large."""
    engine.execute(f"CREATE TEMP VIEW cutoffs AS {dataset.cutoffs_sql}")
    with sql_of(f"{dataset.place}/{FEATURES}"):
        found = columns_of(engine, dataset.features)
        features.check_features(dataset, found)
        engine.execute(f"CREATE TEMP TABLE features AS {dataset.features}")
    return found


def write_split(
    engine: duckdb.DuckDBPyConnection, dataset: Dataset, found: features.Columns, split: str, folder: Path
) -> None:
    """Write the rows of one split without its name; score also as CSV, which is what Batch Transform reads."""
    names = ", ".join(name for name, _ in found[1:])
    # Training depends on the order of the rows where it samples them: sorted, a second run gives the same model.
    rows = f"SELECT {names} FROM features WHERE split = '{split}' ORDER BY {dataset.entity}"
    (folder / split).mkdir()
    engine.execute(f"COPY ({rows}) TO {literal(str(folder / split / 'part-0.parquet'))} (FORMAT parquet)")
    if split == "score":
        engine.execute(
            f"COPY (SELECT * EXCLUDE ({dataset.label}) FROM ({rows})) TO {literal(str(folder / 'score-csv'))} "
            f"(FORMAT csv, HEADER false, FILE_SIZE_BYTES {CSV_FILE_BYTES}, FILENAME_PATTERN 'part-{{i}}')"
        )
    print(f"{split}: written", flush=True)


if __name__ == "__main__":
    run(main)
