"""Predictions on Spark's executors. What needs no model does not import XGBoost, which takes seconds."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import FloatType, StructField, StructType

from common.arrays import feature_array, load_model, predict


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
