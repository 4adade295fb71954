"""Spark on a cluster. `common.duck` has the same functions for DuckDB."""

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, DataFrameReader, DataFrameWriter, SparkSession
from pyspark.sql import functions as sf

from common import features
from common.command import InputError
from common.features import Columns
from common.hadoop import places

# Spark's names for the types that the datasets use.
_TYPES = {
    "bigint": "BIGINT",
    "binary": "BLOB",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "double": "DOUBLE",
    "float": "FLOAT",
    "int": "INTEGER",
    "string": "VARCHAR",
}


_DAMAGED = re.compile(
    r"Unexpected end of input stream|not a gzip file|gzip (stream|header|data|format)|stored gzip size"
    r"|Inflater finished; byte-count|invalid (block|stored|code|distance|bit|literal)"
    r"|incorrect (header|data|length) check|checksum|unknown compression method|is not a Parquet file",
    re.IGNORECASE,
)
"""What Hadoop, zlib and Parquet say about a file that is cut off or is something else.

Seen on 2026-11-22; the texts of BuiltInGzipDecompressor in Hadoop 3.3.4, which works where there is no native zlib.
"""


_DAMAGED_PAGE = re.compile(
    r"could not (read page|decode the dictionary)|can not read class org\.apache\.parquet"
    r"|ArrayIndexOutOfBoundsException|MalformedInputException"
)
"""What Spark's reader of Parquet says, on the way up, about rows that are damaged (3.5.9)."""


_LISTING = {
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "16",
}
"""Up to so many paths the driver lists by itself; beyond, a job of so many tasks does.

Spark's own 32 paths and a task for each path make dynamic allocation ask for nodes (HadoopFSUtils of Spark 3.5.9).
"""

FILE_BYTES = 128 << 20
"""Size of the files that a stage writes, before compression: what one task reads at a time."""

_VALUE_BYTES = 8
"""Of a BIGINT or DOUBLE; texts count the same."""


NO_SUCCESS = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
"""The writer's option that keeps Spark's own _SUCCESS away: that name says that a whole stage's result is there."""


@contextmanager
def connect(name: str, settings: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Open a Spark session; what spark-submit was given stays, `settings` come on top."""
    builder = SparkSession.builder.appName(name).config("spark.sql.session.timeZone", "UTC")
    for key, value in {**_LISTING, **(settings or {})}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        with _watched(spark):
            yield spark
    finally:
        _stop_barrier_timer(spark)
        spark.stop()


def together(workers: int) -> dict[str, str]:
    """The settings under which `workers` tasks run at the same time, each with all cores of an executor."""
    SparkContext._ensure_initialized()  # type: ignore[attr-defined]  # without its JVM a SparkConf is empty
    conf = SparkConf()
    settings = {"spark.dynamicAllocation.enabled": "false", "spark.executor.instances": str(workers)}
    local = re.fullmatch(r"local\[(\d+|\*)\]", conf.get("spark.master", "") or "")
    if local is None:
        return settings | {"spark.task.cpus": conf.get("spark.executor.cores", "1") or "1"}
    # This machine is the one executor of all.
    cores = len(os.sched_getaffinity(0)) if local[1] == "*" else int(local[1])
    return settings | {
        "spark.master": f"local[{max(cores, workers)}]",
        "spark.task.cpus": str(max(1, cores // workers)),
    }


def lost_executors(spark: SparkSession) -> list[str]:
    """Why executors went, one text each: the last hundred of them (spark.ui.retainedDeadExecutors)."""
    listed = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    executors = [listed.apply(number) for number in range(listed.size())]
    return [each.removeReason().get() for each in executors if each.removeReason().isDefined()]


_KILLED = re.compile(r"exceeding \w+ memory limits|([Ee]xit status:|exited with code) (137|-104|52)\b")
"""What YARN and Spark say of an executor whose container took too much memory: YARN (-104), the kernel, the JVM's own.

Spark 3.5.9's YarnAllocator and SparkExitCode. A node that was taken away has -100.
"""

_WATCH_SECONDS = 5


def killed_again(spark: SparkSession) -> str | None:
    """Why an executor was killed for its memory, if it was not the first."""
    killed = [reason for reason in lost_executors(spark) if _KILLED.search(reason)]
    return killed[-1] if len(killed) > 1 else None


@contextmanager
def _watched(spark: SparkSession) -> Iterator[None]:
    """End the work when a second executor was killed for its memory: Spark would start others, without end."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_WATCH_SECONDS):
            with contextlib.suppress(Exception):  # the session has ended, and the work has a reason of its own
                if killed_again(spark) is not None:
                    spark.sparkContext.cancelAllJobs()

    watcher = threading.Thread(target=watch, name="executors", daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        reason = None
        with contextlib.suppress(Exception):
            reason = killed_again(spark)
        if reason is None:
            raise
        raise RuntimeError(
            "executors were killed twice for the memory that they took; "
            "give executors more memory for each vCPU (emr.core.instance_type, emr_serverless.memory_gb): "
            f"{' '.join(reason.split())}"
        ) from None
    finally:
        over.set()
        watcher.join()


def _stop_barrier_timer(spark: SparkSession) -> None:
    """Stop the timer that a local barrier stage leaves in the driver; its thread keeps spark-submit from ending.

    On a cluster the stage runs in executors, which exit by themselves. Found with Spark 3.5.9 on 2026-11-22: the
    thread is named "Barrier task timer for barrier() calls." and is no daemon.
    """
    if str(spark.sparkContext.master).startswith("local"):
        name = "org.apache.spark.BarrierTaskContext$"
        with contextlib.suppress(Exception):
            context = spark._jvm.java.lang.Class.forName(name).getField("MODULE$").get(None)  # type: ignore[union-attr]
            getattr(context, "org$apache$spark$BarrierTaskContext$$timer")().cancel()


@contextmanager
def sql_of(where: str) -> Iterator[None]:
    """Turn the engine's message about a text of the dataset, or about a damaged file, into InputError.

    A lost executor or a full disk is not the input's fault and stays what it is.
    """
    try:
        yield
    except PySparkException as problem:
        if meaning := features.arithmetic(str(problem)):
            raise InputError(f"{where}: {meaning}") from None
        # What follows is the plan or the statement again.
        message = re.split(r"== SQL|JVM stacktrace|\n'|\n\tat ", str(problem))[0]
        raise InputError(f"{where}: {message}") from None
    except Py4JJavaError as problem:
        cause, said = problem.java_exception, [""]
        while cause.getCause() is not None:
            cause = cause.getCause()
            said.append(cause.toString().split("\n")[0])
        name, message = cause.getClass().getName(), cause.getMessage() or ""
        if _DAMAGED.search(message) or _DAMAGED_PAGE.search("\n".join(said)):
            raise InputError(f"{where}: not readable: {message}") from None
        if meaning := features.arithmetic(f"{name} {message}"):
            raise InputError(f"{where}: {meaning}") from None
        if re.fullmatch(
            r"org\.apache\.spark\.Spark\w+Exception|java\.util\.regex\.PatternSyntaxException", name
        ) or message.startswith("[SCALAR_SUBQUERY_TOO_MANY_ROWS]"):
            # A value that an expression cannot take, found by an executor.
            raise InputError(f"{where}: {message.split('== SQL')[0]}") from None
        raise


def columns_of(spark: SparkSession, view: str) -> Columns:
    """The columns of a view with their types under SQL's names."""
    return [(name, _TYPES.get(type_name, type_name.upper())) for name, type_name in spark.table(view).dtypes]


def rows_of(spark: SparkSession, sql: str) -> list[Any]:
    """The rows of a small result."""
    return [tuple(row) for row in spark.sql(sql).collect()]


def parquet(spark: SparkSession, files: Sequence[str], columns: Mapping[str, str] | None = None) -> DataFrame:
    """The rows of Parquet files; with `columns`, these alone of files whose schemas have been checked."""
    reader = _reader(spark)
    if columns is not None:
        engines = {name: engine.upper() for engine, name in _TYPES.items()}
        reader = reader.schema(", ".join(f"`{name}` {engines[type_name]}" for name, type_name in columns.items()))
    return reader.parquet(*_names(spark, files))


def _reader(spark: SparkSession) -> DataFrameReader:
    """A reader of files and folders of which `day=1` is no column, and a date of before 1582 is the one written."""
    return spark.read.option("recursiveFileLookup", "true").option("datetimeRebaseMode", "CORRECTED")


def _names(spark: SparkSession, files: Sequence[str]) -> list[str]:
    """What Spark must be given to read exactly these files: a [ or * would make a name a pattern.

    The option `__globPaths__` does not help: with it one such name stands for all paths that are given (3.5.9).
    """
    return [re.sub(r"([*?\[\]{}])", r"\\\1", place) for place in places(spark, files)]


def in_files(rows: DataFrame, entity: str, count: int) -> DataFrame:
    """The rows, `count` of them, parted into files by their number: on every cluster the same rows in the same files.

    Within a file they are in the order of the entity.
    """
    files = max(1, -(-count * len(rows.columns) * _VALUE_BYTES // FILE_BYTES))
    return rows.repartition(files, entity).sortWithinPartitions(entity)


def csv_writer(rows: DataFrame) -> DataFrameWriter:
    """A writer of CSV that RFC 4180's readers read, without a header: what is missing is nothing between commas."""
    # An id stays as it is; Spark trims texts unless it is told not to.
    writer = rows.write.option("escape", '"').option(*NO_SUCCESS)
    return writer.options(ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False)


def lines(spark: SparkSession, files: Sequence[str], root: str = "", ending: str = "") -> DataFrame:
    """The lines of plain or gzip files, as `common.lines` reads them: `line` and `file`.

    `file` is the number (`common.raw.number`) of the file's name below `root` (as Spark writes a URI), less `ending`.
    """
    # Without lineSep a lone carriage return would end a line too. In ISO-8859-1 every byte is a character.
    text = _reader(spark).option("lineSep", "\n").text(_names(spark, files))
    path = sf.col("_metadata.file_path")
    name = path.substr(sf.lit(len(root) + 1), sf.length(path) - len(root) - len(ending))
    line = sf.decode(sf.col("value").cast("binary"), "ISO-8859-1")
    whole = sf.when(line.endswith("\r"), line.substr(sf.lit(1), sf.length(line) - 1)).otherwise(line)
    return text.select(whole.alias("line"), sf.crc32(name.cast("binary")).alias("file"))
