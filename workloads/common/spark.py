"""Spark on a cluster. `common.duck` has the same functions for DuckDB."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
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
    if spark.sparkContext.master.startswith("local"):
        name = "org.apache.spark.BarrierTaskContext$"
        with contextlib.suppress(Exception):
            context = spark._jvm.java.lang.Class.forName(name).getField("MODULE$").get(None)  # type: ignore[union-attr]
            getattr(context, "org$apache$spark$BarrierTaskContext$$timer")().cancel()


@contextmanager
def sql_of(where: str) -> Iterator[None]:
    """Turn the engine's message about a text of the dataset into InputError; a failing executor stays what it is."""
    try:
        yield
    except PySparkException as problem:
        # What follows is the statement again and a stack trace.
        message = (
            str(problem).split("== SQL", 1)[0].split("\n\tat ", 1)[0].split("\n'", 1)[0].split("JVM stacktrace")[0]
        )
        raise InputError(f"{where}: {message}") from None


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
    line = F.decode(F.col("value").cast("binary"), "ISO-8859-1")
    whole = F.when(line.endswith("\r"), line.substr(F.lit(1), F.length(line) - 1)).otherwise(line)
    return text.select(whole.alias("line"))


def predictions(rows: DataFrame, keep: str, names: Sequence[str], model: bytes) -> DataFrame:
    """Predict on the executors: the column `keep` and `probability` (FLOAT), one row for each row."""
    schema = StructType([rows.schema[keep], StructField("probability", FloatType(), nullable=False)])
    content = rows.sparkSession.sparkContext.broadcast(model)
    wanted = rows.select(keep, *(F.col(name).cast("double") for name in names))

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        booster = load_model(content.value, names, "the broadcast model")
        # Spark already runs one task per core.
        booster.set_param({"nthread": 1})
        for batch in batches:
            probability = pa.array(predict(booster, feature_array(batch, names)))
            yield pa.record_batch([batch.column(keep), probability], names=[keep, "probability"])

    return wanted.mapInArrow(score, schema)
