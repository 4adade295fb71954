"""Spark on a cluster. `common.duck` has the same functions for DuckDB."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import FloatType, StructField, StructType

from common.arrays import feature_array, load_model, predict
from common.command import InputError
from common.features import Columns

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
    r"Unexpected end of input stream|not a gzip file|invalid (block|stored|code|distance|bit|literal)"
    r"|incorrect (header|data|length) check|checksum|is not a Parquet file",
    re.IGNORECASE,
)
"""What Hadoop, zlib and Parquet say about a file that is cut off or is something else (seen on 2026-11-22)."""


@contextmanager
def connect(name: str, settings: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Open a Spark session; what spark-submit was given stays, `settings` come on top."""
    builder = SparkSession.builder.appName(name).config("spark.sql.session.timeZone", "UTC")
    for key, value in (settings or {}).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        _stop_barrier_timer(spark)
        spark.stop()


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
        # What follows is the plan or the statement again.
        message = re.split(r"== SQL|JVM stacktrace|\n'|\n\tat ", str(problem))[0]
        raise InputError(f"{where}: {message}") from None
    except Py4JJavaError as problem:
        cause = problem.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        name, message = cause.getClass().getName(), cause.getMessage() or ""
        if _DAMAGED.search(message):
            raise InputError(f"{where}: a file that it reads is not readable: {message}") from None
        if re.fullmatch(r"org\.apache\.spark\.Spark\w+Exception|java\.util\.regex\.PatternSyntaxException", name):
            # A value that an expression cannot take, found by an executor.
            raise InputError(f"{where}: {message.split('== SQL')[0]}") from None
        raise


def columns_of(spark: SparkSession, view: str) -> Columns:
    """The columns of a view with their types under SQL's names."""
    return [(name, _TYPES.get(type_name, type_name.upper())) for name, type_name in spark.table(view).dtypes]


def rows_of(spark: SparkSession, sql: str) -> list[Any]:
    """The rows of a small result."""
    return [tuple(row) for row in spark.sql(sql).collect()]


def lines(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """The lines of plain or gzip files, as `common.lines` reads them: one column `line`."""
    # Without lineSep a lone carriage return would end a line too. In ISO-8859-1 every byte is a character.
    text = spark.read.option("lineSep", "\n").text(list(files))
    line = sf.decode(sf.col("value").cast("binary"), "ISO-8859-1")
    whole = sf.when(line.endswith("\r"), line.substr(sf.lit(1), sf.length(line) - 1)).otherwise(line)
    return text.select(whole.alias("line"))


def predictions(rows: DataFrame, keep: str, names: Sequence[str], model: bytes) -> DataFrame:
    """Predict on the executors: the column `keep` and `probability` (FLOAT), one row for each row."""
    schema = StructType([rows.schema[keep], StructField("probability", FloatType(), nullable=False)])
    content = rows.sparkSession.sparkContext.broadcast(model)
    wanted = rows.select(keep, *(sf.col(name).cast("double") for name in names))

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        booster = load_model(content.value, names, "the broadcast model")
        # Spark already runs one task per core.
        booster.set_param({"nthread": 1})
        for batch in batches:
            probability = pa.array(predict(booster, feature_array(batch, names)))
            yield pa.record_batch([batch.column(keep), probability], names=[keep, "probability"])

    return wanted.mapInArrow(score, schema)
