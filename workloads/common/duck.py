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

_AS_SPARK = (
    """ "/"(a, b) AS CASE WHEN b = 0 THEN error('division by zero') ELSE system.main."/"(a, b) END""",
    *(f"{name}(x) AS CASE WHEN x > 0 THEN system.main.{name}(x) END" for name in ("ln", "log2", "log10")),
)
"""Functions outside their domain, as Spark in its ANSI mode has them; DuckDB's own give infinity or NaN (2.0.0)."""

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
                config={"memory_limit": limit, "temp_directory": spill, "preserve_insertion_order": False}
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
