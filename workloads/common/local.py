"""Files as a SageMaker container sees them: folders. `common.hadoop` has the same functions for URIs."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from common.command import InputError
from common.dataset import NOT_LINES, Table
from common.results import SUCCESS

_PARTIAL = ".partial"


def data_files(folder: Path, text: bool = False) -> list[Path]:
    """List the data files below a folder at any depth, sorted; like Spark, names that start with _ or . are no data.

    Raises:
        InputError: there is none, or a text file is packed in a way that is not gzip.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts):
            files.append(path)
    if not files:
        raise InputError(f"{folder}: holds no data file")
    for path in files:
        if text and path.name.endswith(NOT_LINES):
            raise InputError(f"{path}: a text table's files must be plain or gzip (.gz)")
    return files


def table_files(raw: Path, table: Table) -> list[Path]:
    """List the files of a raw table, or raise InputError."""
    return data_files(raw / table.location, table.format == "text")


def batches(files: Sequence[Path], columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Read columns of Parquet files, `rows` rows at a time across row groups and in order."""
    for path in files:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(rows, columns=list(columns))


@contextmanager
def publish(output: Path) -> Iterator[Path]:
    """Give a folder to write to; move its contents to `output` at the end, _SUCCESS last, or leave nothing.

    The folder lies inside `output`, because a container's output is a mount of its own and a move must not copy.

    Raises:
        InputError: `output` holds a finished result, which is never replaced.
    """
    if (output / SUCCESS).exists():
        raise InputError(f"{output}: holds a finished result ({SUCCESS}); give another place")
    clear(output)
    partial = output / _PARTIAL
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in sorted(partial.iterdir()):
            path.rename(output / path.name)
        partial.rmdir()
        (output / SUCCESS).touch()
    except BaseException:
        clear(output)
        raise


def clear(folder: Path) -> None:
    """Remove what a folder holds, but not the folder: it may be a mount."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
