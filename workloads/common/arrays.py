"""Rows of features as the arrays that XGBoost takes: one conversion for training and prediction, here and there."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xgboost

from common.command import InputError
from common.dataset import Dataset


def feature_names(dataset: Dataset, columns: Sequence[str], where: str) -> list[str]:
    """The feature columns of a file that prepare wrote: all but entity and label.

    Raises:
        InputError: entity, label or the features are missing.
    """
    first = [dataset.entity, dataset.label]
    if list(columns[:2]) != first or len(columns) < 3:
        raise InputError(
            f"{where}: columns {', '.join(columns)} are not those of features: {', '.join(first)}, then the features"
        )
    return list(columns[2:])


def feature_array(batch: pa.RecordBatch, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """The features of a batch as XGBoost sees them: float32, NaN where a value is missing."""
    array = np.empty((batch.num_rows, len(names)), np.float32)
    for number, name in enumerate(names):
        array[:, number] = batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return array


def label_array(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.float32]:
    """The labels of a batch, or InputError when one is missing."""
    column = batch.column(name)
    if column.null_count:
        raise InputError(f"{name} is NULL in {column.null_count} rows of a split that is trained or measured on")
    return np.asarray(column.cast(pa.float32()).to_numpy(zero_copy_only=False), np.float32)


def load_model(content: bytes, names: Sequence[str], where: str) -> xgboost.Booster:
    """Load a model in XGBoost's JSON form and check that it was trained on these features.

    Raises:
        InputError: the model is not readable or belongs to other features.
    """
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as problem:
        raise InputError(f"{where}: not an XGBoost model: {str(problem).strip().splitlines()[-1]}") from None
    trained = booster.feature_names or []
    if trained != list(names):
        raise InputError(f"{where}: trained on {', '.join(trained)}, but the features are {', '.join(names)}")
    return booster


def predict(booster: xgboost.Booster, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The probability of label 1 for each row, as float32: what the model itself computes."""
    if not len(rows):
        return np.empty(0, np.float32)
    return np.asarray(booster.inplace_predict(rows, validate_features=False), np.float32)
