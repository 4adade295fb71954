"""Files as a cluster sees them: URIs (s3://..., file:///...). `common.local` has the same functions for folders."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from common.command import InputError
from common.dataset import Dataset, Table, decode, is_definition
from common.raw import HEAD_BYTES, ParquetFile, RawFile, choose, is_data, is_gzip, parquet_file
from common.results import SUCCESS

_READERS = 16
"""Files whose first or last bytes are read at the same time: a request to S3 each."""


def join(*parts: str) -> str:
    """Join the parts of a URI."""
    return "/".join(part.strip("/") if number else part.rstrip("/") for number, part in enumerate(parts))


def read_dataset(spark: SparkSession, uri: str) -> Dataset:
    """Read the definition of a dataset from a URI, or raise InputError."""
    system, path = _open(spark, uri)
    if not system.exists(path):
        raise InputError(f"{uri}: no such dataset folder")
    files = {}
    for status in system.listStatus(path):
        name = status.getPath().getName()
        if status.isFile() and is_definition(name):
            files[name] = decode(read(spark, join(uri, name)), join(uri, name))
    return Dataset.parse(files, uri)


def data_files(spark: SparkSession, uri: str) -> list[str]:
    """List the data files below a URI at any depth, sorted.

    Raises:
        InputError: there is none.
    """
    return [file.place for file in choose(_listed(spark, uri, ""), uri)]


def table_files(spark: SparkSession, raw: str, table: Table) -> list[RawFile]:
    """List the files of a raw table, or raise InputError."""
    uri = join(raw, table.location)
    return choose(_listed(spark, uri, table.location), uri, table.format == "text")


def _listed(spark: SparkSession, uri: str, prefix: str) -> Iterator[RawFile]:
    system, path = _open(spark, uri)
    if not system.exists(path) or not system.getFileStatus(path).isDirectory():
        raise InputError(f"{uri}: no such folder")
    root = system.getFileStatus(path).getPath().toString().rstrip("/") + "/"
    listing = system.listFiles(path, True)
    while listing.hasNext():
        status = listing.next()
        place, size = status.getPath().toString(), status.getLen()
        name = place.removeprefix(root)
        if is_data(name, size):
            yield RawFile(prefix + name, place, size)


def packed(spark: SparkSession, files: Sequence[RawFile]) -> list[bool]:
    """Tell which text files are gzip, by their first bytes; InputError for other archives."""
    with ThreadPoolExecutor(_READERS) as pool:
        heads = pool.map(lambda file: _read(spark, file, 0, min(file.size, HEAD_BYTES)), files)
        return [is_gzip(head, file.name) for head, file in zip(heads, files, strict=True)]


def footers(spark: SparkSession, files: Sequence[RawFile]) -> list[ParquetFile]:
    """Read the footers of Parquet files, or raise InputError."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(
            pool.map(lambda file: parquet_file(file, lambda start, size: _read(spark, file, start, size)), files)
        )


def _read(spark: SparkSession, file: RawFile, start: int, size: int) -> bytes:
    system, path = _open(spark, file.place)
    try:
        stream = system.open(path)
        try:
            stream.seek(start)
            return bytes(_java(spark._jvm, "org.apache.commons.io.IOUtils").toByteArray(stream, size))
        finally:
            stream.close()
    except Py4JJavaError as problem:
        raise InputError(f"{file.name}: not readable: {problem.java_exception.getMessage()}") from None


def equal(spark: SparkSession, one: str, other: str) -> bool:
    """Whether two files hold the same bytes."""
    streams = []
    try:
        for uri in (one, other):
            system, path = _open(spark, uri)
            streams.append(system.open(path))
        return bool(_java(spark._jvm, "org.apache.commons.io.IOUtils").contentEquals(*streams))
    finally:
        for stream in streams:
            stream.close()


def uri(spark: SparkSession, place: str) -> str:
    """A place as Spark writes it in a URI."""
    return str(_open(spark, place)[1].toUri().toString())


def root_of(spark: SparkSession, file: RawFile) -> str:
    """The raw prefix of a file, as Spark writes it in a URI."""
    return uri(spark, file.place.removesuffix(file.name)) + "/"


def copy(spark: SparkSession, one: str, other: str) -> None:
    """Copy a file."""
    (system, path), (other_system, other_path) = _open(spark, one), _open(spark, other)
    configuration = spark._jsc.hadoopConfiguration()
    _java(spark._jvm, "org.apache.hadoop.fs.FileUtil").copy(
        system, path, other_system, other_path, False, configuration
    )


def places(spark: SparkSession, files: Sequence[str]) -> list[str]:
    """What Spark reads to read exactly these files: a folder where it would list no other file in it, else its files.

    Spark asks for every path of its own, one after another or in a job of its own: a folder is one path.
    """
    by_folder: dict[str, list[str]] = {}
    for name in files:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    found = []
    for folder, names in by_folder.items():
        system, path = _open(spark, folder)
        listed = [status.getPath() for status in system.listStatus(path)]
        whole = sorted(names) == sorted(each.toString() for each in listed if not _HIDDEN.search(each.getName()))
        found += [folder] if whole else names
    return found


_HIDDEN = re.compile(r"^(?!_(common_)?metadata)(\.|_[^=]*$)|\._COPYING_$")
"""Names that Spark leaves out when it lists a folder (HadoopFSUtils.shouldFilterOutPathName of Spark 3.5.9)."""


def check_finished(spark: SparkSession, uri: str) -> None:
    """Check that a stage's result is whole, or raise InputError: a driver that died has left a part of it."""
    if not exists(spark, join(uri, SUCCESS)):
        raise InputError(f"{uri}: holds no finished result ({SUCCESS} is missing)")


@contextmanager
def publish(spark: SparkSession, uri: str) -> Iterator[str]:
    """Give the URI to write to; at the end write _SUCCESS, or leave nothing there.

    S3 has no rename, so the files go to their final place at once and _SUCCESS says that they are whole.

    Raises:
        InputError: the place holds a finished result, which is never replaced.
    """
    if exists(spark, join(uri, SUCCESS)):
        raise InputError(f"{uri}: holds a finished result ({SUCCESS}); give another place")
    clear(spark, uri)
    try:
        yield uri.rstrip("/")
        write(spark, join(uri, SUCCESS), b"")
    except BaseException:
        clear(spark, uri)
        raise


def clear(spark: SparkSession, uri: str) -> None:
    """Remove what lies below a URI."""
    system, path = _open(spark, uri)
    system.delete(path, True)


def exists(spark: SparkSession, uri: str) -> bool:
    """Whether a file or folder is there."""
    system, path = _open(spark, uri)
    return bool(system.exists(path))


def read(spark: SparkSession, uri: str) -> bytes:
    """Read a small file, or raise InputError when it is missing."""
    system, path = _open(spark, uri)
    if not system.exists(path):
        raise InputError(f"{uri}: no such file")
    stream = system.open(path)
    try:
        return bytes(_java(spark._jvm, "org.apache.commons.io.IOUtils").toByteArray(stream))
    finally:
        stream.close()


def write(spark: SparkSession, uri: str, content: bytes) -> None:
    """Write a small file; an object appears in S3 only when it is whole."""
    system, path = _open(spark, uri)
    stream = system.create(path, True)
    try:
        stream.write(bytearray(content))
    finally:
        stream.close()


def _open(spark: SparkSession, uri: str) -> tuple[Any, Any]:
    """The file system behind a URI and the path on it, as Java objects."""
    try:
        path = _java(spark._jvm, "org.apache.hadoop.fs.Path")(uri)
        return path.getFileSystem(spark._jsc.hadoopConfiguration()), path
    except Py4JJavaError as problem:
        raise InputError(f"{uri}: not a place that Hadoop knows: {problem.java_exception.getMessage()}") from None


@cache
def _java(jvm: Any, name: str) -> Any:
    """A class of Java. py4j asks the JVM for every part of its name, which takes longer than most calls."""
    return attrgetter(name)(jvm)
