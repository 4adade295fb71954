"""metrics.sql on both engines against scikit-learn."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve

from common import duck, metrics
from common.command import InputError

Scores = list[tuple[int, float]]

PROBABILITIES = (
    st.sampled_from([0.0, 1.0, 0.5, 0.1, 0.3, 1e-300, 1e-17, 5e-324, math.nextafter(1, 0)])
    | st.floats(0, 1)
    | st.floats(0, 1, width=32)
    # At the borders of the slices in which metrics.sql sums, and closest to them.
    | st.builds(
        lambda power, step: max(0.0, math.nextafter(2.0**power, step)), st.integers(-50, -1), st.sampled_from([0, 1])
    )
    | st.integers(0, 1024).map(lambda number: number / 65536)
)
SCORES = st.lists(st.tuples(st.integers(0, 1), PROBABILITIES), min_size=2, max_size=60).filter(
    lambda scores: len({label for label, _ in scores}) == 2
)


def by_sklearn(scores: Scores) -> dict[str, float]:
    """The same metrics by scikit-learn."""
    label, probability = np.array([row[0] for row in scores]), np.array([row[1] for row in scores])
    return {
        "rows": len(scores),
        "positives": int(label.sum()),
        "auc": roc_auc_score(label, probability),
        "average_precision": average_precision_score(label, probability),
        "log_loss": log_loss(label, probability),
        "brier": brier_score_loss(label, probability),
    }


PARTS = """SELECT 'all' AS part, label, probability FROM scores
UNION ALL SELECT 'turned' AS part, 1 - label AS label, 1E0 - probability AS probability FROM scores"""
"""Two parts, the second one's labels and probabilities turned around."""


def both(rows: Iterable[Any]) -> dict[str, Any]:
    """The metrics of the first part; those of the other follow from them."""
    found = metrics.collect(rows, {"all": "here", "turned": "there"})
    one, other = found["all"], found["turned"]
    assert other["rows"] == one["rows"]
    assert other["positives"] == one["rows"] - one["positives"]
    # 1 - p may make one of two scores that are nearly the same.
    assert other["brier"] == pytest.approx(one["brier"], rel=1e-9, abs=1e-12)
    return dict(one)


def by_duckdb(scores: Scores) -> dict[str, Any]:
    """The metrics by metrics.sql on DuckDB."""
    table = pa.table({"label": pa.array([row[0] for row in scores], pa.int64()),
                      "probability": pa.array([row[1] for row in scores], pa.float64())})  # fmt: skip
    with duck.connect() as engine:
        engine.register("scores", table)
        engine.execute(f"CREATE TEMP VIEW predictions AS {PARTS}")
        return both(duck.rows_of(engine, metrics.metrics_sql()))


def by_spark(session: SparkSession, scores: Scores) -> dict[str, Any]:
    """The metrics by metrics.sql on Spark."""
    session.createDataFrame(scores, "label BIGINT, probability DOUBLE").createOrReplaceTempView("scores")
    session.sql(PARTS).createOrReplaceTempView("predictions")
    return both([tuple(row) for row in session.sql(metrics.metrics_sql()).collect()])


def check(found: dict[str, Any], scores: Scores) -> None:
    """Compare with scikit-learn and with ten bins counted by hand."""
    for name, value in by_sklearn(scores).items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    bins: dict[int, Scores] = {}
    for label, probability in scores:
        bins.setdefault(min(9, math.floor(probability * 10)), []).append((label, probability))
    assert [entry["bin"] for entry in found["calibration"]] == sorted(bins)
    for entry in found["calibration"]:
        rows = bins[entry["bin"]]
        assert entry["rows"] == len(rows)
        assert entry["mean_probability"] == pytest.approx(np.mean([row[1] for row in rows]), rel=1e-9, abs=1e-12)
        assert entry["positive_rate"] == pytest.approx(np.mean([row[0] for row in rows]), rel=1e-9, abs=1e-12)
    check_roc([(point["false_positive_rate"], point["true_positive_rate"]) for point in found["roc"]], scores)


def check_roc(points: list[tuple[float, float]], scores: Scores) -> None:
    """Every point is one of scikit-learn's, from corner to corner, and none is left out beyond a hundredth."""
    label, probability = [row[0] for row in scores], [row[1] for row in scores]
    false, true, _ = roc_curve(label, probability, drop_intermediate=False)
    exact = list(zip(false.tolist(), true.tolist(), strict=True))
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0)
    assert points == sorted(points)
    assert len(points) <= 102
    for point in points:
        assert any(point == pytest.approx(other, rel=0, abs=1e-12) for other in exact), point
    # Between two points that are kept lies less than a hundredth of the negatives, or nothing.
    for point in exact:
        assert any(kept[0] - 0.01 <= point[0] <= kept[0] and point[1] <= kept[1] for kept in points), point


@given(scores=SCORES)
@example(scores=[(0, 0.5), (1, 0.5), (1, 0.5)])
@example(scores=[(0, 1.0), (1, 0.0)])
@example(scores=[(0, 0.0), (1, 1.0)])
@settings(max_examples=80, deadline=None)
def test_duckdb_agrees_with_sklearn(scores: Scores) -> None:
    """Ties, equal scores, 0 and 1."""
    check(by_duckdb(scores), scores)


def test_spark_agrees_with_sklearn(spark: SparkSession) -> None:
    """The same text on Spark; fewer cases, each takes a second."""
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 3000)
    many = list(zip(label.tolist(), np.round(random.random(3000), 2).tolist(), strict=True))
    for scores in ([(0, 0.5), (1, 0.5), (1, 0.5)], [(0, 1.0), (1, 0.0), (1, 1.0)], many):
        check(by_spark(spark, scores), scores)


@pytest.mark.full
@pytest.mark.parametrize("lowest", [0.0, 2.0**-12, 2.0**-31])
def test_no_task_of_spark_ranks_more_than_a_slice(lowest: float, tmp_path: Path, spark: SparkSession) -> None:
    """Of 300,000 distinct scores a task sees those of some slices, also where all are near one another or zero."""
    exact = np.linspace(lowest, lowest * 1.5 or 1, 300_000, dtype=np.float32).astype(np.float64)
    rows = pd.DataFrame(
        {"part": "all", "label": np.random.default_rng(1).integers(0, 2, len(exact)), "probability": exact}
    )
    # By a file: rows are handed over one by one otherwise.
    rows.to_parquet(tmp_path / "predictions.parquet")
    spark.read.parquet((tmp_path / "predictions.parquet").as_uri()).repartition(4).createOrReplaceTempView(
        "predictions"
    )
    executed = spark.sql(metrics.metrics_sql())
    found = metrics.collect([tuple(row) for row in executed.collect()], {"all": "here"})["all"]
    assert found["auc"] == pytest.approx(roc_auc_score(rows.label, exact), rel=1e-12)
    distinct = len(np.unique(exact))
    gathered = single_task_rows(executed)
    assert distinct > 250_000
    assert gathered
    assert max(gathered) < distinct / 4


def single_task_rows(executed: DataFrame) -> list[int]:
    """How many rows an executed plan brought into one task (all of a part), for each time that it did so."""
    found = []
    nodes = [executed._jdf.queryExecution().executedPlan()]
    while nodes:
        node = nodes.pop()
        kind = node.getClass().getSimpleName()
        if kind == "ShuffleExchangeExec" and re.match(
            r"SinglePartition|hashpartitioning\(part#\d+, \d+\)", node.outputPartitioning().toString()
        ):
            found.append(int(node.metrics().apply("shuffleRecordsWritten").value()))
        if kind == "AdaptiveSparkPlanExec":
            nodes.append(node.executedPlan())
        elif kind.endswith("QueryStageExec"):
            nodes.append(node.plan())
        else:
            nodes += [node.children().apply(number) for number in range(node.children().size())]
    return found


@pytest.mark.parametrize("scores", [[], [(1, 0.4), (1, 0.6)], [(0, 0.4)]])
def test_one_class_is_an_error(scores: Scores, spark: SparkSession) -> None:
    """AUC has no value there; a number would mislead."""
    for by in (by_duckdb, lambda scores: by_spark(spark, scores)):
        with pytest.raises(InputError, match=rf"here: \d positives in {len(scores)} rows"):
            by(scores)


def test_pairs_do_not_overflow() -> None:
    """Four billion rows: the number of pairs is beyond 64 bits."""
    sql = metrics.metrics_sql().replace("COUNT(*) AS n", "2000000000 * COUNT(*) AS n", 1)
    sql = sql.replace("SUM(label)", "2000000000 * SUM(label)", 1)
    with duck.connect() as engine:
        engine.execute(
            "CREATE TABLE predictions AS SELECT * FROM "
            "(VALUES ('all', 0, 0.1), ('all', 1, 0.2), ('all', 0, 0.3), ('all', 1, 0.4)) "
            "AS given(part, label, probability)"
        )
        assert metrics.collect(duck.rows_of(engine, sql), {"all": "here"})["all"]["auc"] == 0.75
