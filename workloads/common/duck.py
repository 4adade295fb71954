"""DuckDB in a SageMaker container. `common.spark` has the same functions for Spark."""

import glob
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from common import features
from common.command import InputError
from common.features import Columns

MEMORY_SHARE = 0.6
"""DuckDB's part of the memory; the rest is for Arrow, Python and what DuckDB does not count."""

_ERROR = "WHEN b = 0 AND a IS NOT NULL THEN error('division by zero')"
_AS_SPARK = (
    *(f"{name}(a, b) AS CASE {_ERROR} ELSE system.main.{name}(a, b) END" for name in ('"/"', '"%"', "mod")),
    *(f"{name}(x) AS CASE WHEN x > 0 THEN system.main.{name}(x) END" for name in ("ln", "log2", "log10")),
    # Halves are told by the digits that are written, as in 1.005: times 100 it is 100.49999999999999. 0 has no sign.
    "round(x) AS system.main.round(x) + 0, (x INTEGER, n) AS system.main.round(x, n), "
    "(x BIGINT, n) AS system.main.round(x, n), (x DOUBLE, n) AS CASE WHEN abs(x) < 1E17 AND n <= 15 "
    "THEN CAST(CAST(system.main.round(CAST(CAST(x AS VARCHAR) AS DECIMAL(38, 20)), n) AS VARCHAR) AS DOUBLE) "
    "WHEN n < 0 THEN system.main.round(x, n) ELSE x END",
    # Of all white space Spark takes off spaces alone.
    *(
        f"{name}(x) AS system.main.{name}(x, ' '), (x, y) AS system.main.{name}(x, y)"
        for name in ("trim", "ltrim", "rtrim")
    ),
    "regexp_extract(x, p) AS system.main.regexp_extract(x, p, 1), (x, p, g) AS system.main.regexp_extract(x, p, g)",
    "regexp_replace(x, p, r) AS system.main.regexp_replace(x, p, r, 'g')",
)
"""Functions of which DuckDB's own mean something else than Spark's in its ANSI mode (2.0.0)."""

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available_memory() -> int:
    """Bytes that this process may use: the machine's memory or the container's limit, whichever is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _CGROUP_LIMITS:
        path = Path(name)
        if path.is_file():
            text = path.read_text().strip()
            if text.isdigit():
                memory = min(memory, int(text))
    return memory


@contextmanager
def connect(scratch: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory, spilling to a temporary folder below `scratch` (default: the system's) when it is full.

    The environment variable DUCKDB_MEMORY_LIMIT, as in `4GB`, overrides 60 % of the available memory.
    """
    limit = os.environ.get("DUCKDB_MEMORY_LIMIT") or f"{int(available_memory() * MEMORY_SHARE) >> 20}MiB"
    with tempfile.TemporaryDirectory(prefix="duckdb-", dir=scratch) as spill:
        try:
            connection = duckdb.connect(
                config={
                    "memory_limit": limit,
                    "temp_directory": spill,
                    "preserve_insertion_order": False,
                    "default_null_order": "nulls_first_on_asc_last_on_desc",  # as Spark has it
                }
            )
        except duckdb.Error as problem:
            raise InputError(f"DUCKDB_MEMORY_LIMIT = {limit!r}: {problem}") from None
        for macro in _AS_SPARK:
            connection.execute(f"CREATE TEMP MACRO {macro}")
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def sql_of(where: str) -> Iterator[None]:
    """Turn the engine's message about a text of the dataset into InputError.

    Running out of memory or disk is not the text's fault and stays what it is.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except duckdb.Error as problem:
        raise InputError(f"{where}: {features.arithmetic(str(problem)) or problem}") from None


def columns_of(connection: duckdb.DuckDBPyConnection, view: str) -> Columns:
    """The columns of a view, table or SELECT with their types."""
    return [(row[0], row[1]) for row in rows_of(connection, f"DESCRIBE {view}")]


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    """The rows of a small result."""
    return connection.execute(sql).fetchall()


def threads(connection: duckdb.DuckDBPyConnection) -> int:
    """How many threads DuckDB uses: all cores of the container."""
    return int(rows_of(connection, "SELECT current_setting('threads')")[0][0])


def parquet(files: Sequence[Path]) -> str:
    """The table function that reads Parquet files, for a FROM clause.

    Names are names, not patterns, and folders like `day=1` are not columns.
    """
    names = ", ".join(literal(glob.escape(str(path))) for path in files)
    return f"read_parquet([{names}], hive_partitioning = false)"


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
