"""Files as a SageMaker container sees them: folders. `common.hadoop` has the same functions for URIs."""

import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from common.command import InputError
from common.dataset import Table
from common.raw import HEAD_BYTES, ParquetFile, RawFile, choose, is_data, is_gzip, parquet_file
from common.results import SUCCESS

_PARTIAL = ".partial"

_READERS = 16
"""Footers read at the same time."""


def data_files(folder: Path) -> list[Path]:
    """List the data files below a folder at any depth, sorted.

    Raises:
        InputError: there is none.
    """
    return [Path(file.place) for file in choose(_listed(folder, ""), str(folder))]


def table_files(raw: Path, table: Table) -> list[RawFile]:
    """List the files of a raw table, or raise InputError."""
    folder = raw / table.location
    return choose(_listed(folder, table.location), str(folder), table.format == "text")


def _listed(folder: Path, prefix: str) -> Iterator[RawFile]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    # Links to folders are followed, as Hadoop does.
    for current, _, names in os.walk(folder, followlinks=True):
        for path in (Path(current, name) for name in names):
            if path.is_file():
                name, size = path.relative_to(folder).as_posix(), path.stat().st_size
                if is_data(name, size):
                    yield RawFile(prefix + name, str(path), size)


def packed(files: Sequence[RawFile]) -> list[bool]:
    """Tell which text files are gzip, by their first bytes; InputError for other archives."""
    return [is_gzip(_read(file, 0, HEAD_BYTES), file.name) for file in files]


def footers(files: Sequence[RawFile]) -> list[ParquetFile]:
    """Read the footers of Parquet files, or raise InputError."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda file: parquet_file(file, lambda start, size: _read(file, start, size)), files))


def _read(file: RawFile, start: int, size: int) -> bytes:
    try:
        with open(file.place, "rb") as stream:
            stream.seek(start)
            return stream.read(size)
    except OSError as problem:
        raise InputError(f"{file.name}: not readable: {problem.strerror}") from None


def equal(one: str, other: str) -> bool:
    """Whether two files hold the same bytes."""
    return filecmp.cmp(one, other, shallow=False)


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
