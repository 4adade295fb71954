"""The metrics of evaluation.json, from the rows of metrics.sql."""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from common.command import InputError
from common.dataset import Dataset

NAMES = ("rows", "positives", "auc", "average_precision", "log_loss", "brier")
_COUNTS = ("rows", "positives")


def metrics_sql() -> str:
    """The text of metrics.sql, which both engines run over the view `predictions(part, label, probability)`."""
    # Not __file__: on a cluster this package is inside a zip.
    return resources.files("common").joinpath("metrics.sql").read_text("utf-8")


Row = tuple[str, int | None, float | None]
"""A part's name, bin and value."""


def collect(rows: Iterable[tuple[str, str, int | None, float | None]], places: Mapping[str, str]) -> dict[str, Any]:
    """Build the metrics of each part from the rows of metrics.sql; `places` says where each part comes from.

    Raises:
        InputError: the rows of a part hold one class only.
    """
    by_part: dict[str, list[Row]] = {part: [] for part in places}
    for part, *row in rows:
        by_part[part].append(tuple(row))
    return {part: _metrics(by_part[part], where) for part, where in places.items()}


def _metrics(rows: Iterable[Row], where: str) -> dict[str, Any]:
    """Build the metrics of one part.

    Returns:
        rows, positives, auc, average_precision, log_loss (nats), brier; calibration: per bin that holds rows its
        bin (0 to 9), rows, mean_probability, positive_rate; and roc: at most 102 points of the ROC curve from (0, 0)
        to (1, 1), each false_positive_rate and true_positive_rate.

    Raises:
        InputError: the rows hold one class only, for which AUC has no value (scikit-learn returns NaN and warns).
    """
    values: dict[str, float | None] = {}
    bins: dict[int, dict[str, Any]] = {}
    roc: dict[int, dict[str, Any]] = {-1: dict.fromkeys(POINT_KEYS, 0.0)}
    for name, bin_number, value in rows:
        if bin_number is None:
            values[name] = value
        elif name.startswith("roc_"):
            roc.setdefault(bin_number, {})[name.removeprefix("roc_")] = value
        else:
            bins.setdefault(bin_number, {"bin": bin_number})[name.removeprefix("bin_")] = value
    if values.get("auc") is None:
        positives, count = values.get("positives") or 0, values.get("rows") or 0
        raise InputError(f"{where}: {positives:.0f} positives in {count:.0f} rows; metrics need both labels")
    metrics: dict[str, Any] = {name: values[name] for name in NAMES}
    for name in _COUNTS:
        metrics[name] = round(metrics[name])
    metrics["calibration"] = [
        {key: round(entry["rows"]) if key == "rows" else entry[key] for key in KEYS}
        for entry in (bins[number] for number in sorted(bins))
    ]
    metrics["roc"] = [{key: roc[number][key] for key in POINT_KEYS} for number in sorted(roc)]
    return metrics


KEYS = ("bin", "rows", "mean_probability", "positive_rate")
"""The fields of one calibration bin."""

POINT_KEYS = ("false_positive_rate", "true_positive_rate")
"""The fields of one point of the ROC curve."""

ATTAINABLE = "attainable"
"""The part that holds the generator's probabilities for the test split's rows: its metrics are the best achievable."""

TRUTH_GAPS = f"SELECT COUNT(*), COUNT(probability) FROM {ATTAINABLE}"
"""The portable SELECT that `check_truth` judges."""


def truth_sql(dataset: Dataset, test: str, truth: str, quote: str) -> str:
    """The portable SELECT behind the view `attainable`.

    `test` and `truth` are what a FROM clause reads: the rows of the test split and the generator's probabilities.
    `quote` is what the engine takes around a name that is also a word of SQL.
    """
    label, entity = (f"{quote}{name}{quote}" for name in (dataset.label, dataset.entity))
    return f"""SELECT test.{label} AS label, truth.probability AS probability
FROM {test} AS test
LEFT JOIN {truth} AS truth ON truth.{entity} = test.{entity} AND truth.split = 'test'"""


def check_truth(dataset: Dataset, gaps: Iterable[tuple[int, int]], where: str) -> None:
    """Check that the generator knows a probability for each row of the test split, or raise InputError."""
    for rows, known in gaps:
        if known < rows:
            raise InputError(f"{where}: no probability for {rows - known} of {rows} {dataset.entity} of split 'test'")
