"""What SQL means the same on both engines because the workloads see to it: the values are known by hand."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from common import duck, metrics
from common.dataset import SPLITS, Dataset
from common.spark import rows_of
from tests.workloads import small
from workloads.single_node import prepare as sagemaker_prepare
from workloads.spark import prepare as emr_prepare

# Names that are words of SQL, as columns of a file may be called.
DATASET_TOML = """
name = "words"
entity = "user"
label = "order"

[cutoffs]
train = 2026-01-10
validation = 2026-01-20
test = 2026-01-30
score = 2026-02-09

[tables.group]
location = "group/"
format = "parquet"
columns = { user = "VARCHAR", desc = "DOUBLE", end = "DATE", limit = "BIGINT", from = "BIGINT" }
key = ["user", "from"]
times = ["from"]
"""

FEATURES_SQL = """
SELECT
    split,
    "user",
    CAST(CASE WHEN "limit" = 2 THEN 0 ELSE 1 END AS BIGINT) AS "order",
    ROUND("desc", 2) AS "table",
    ROUND("desc") AS whole,
    CAST(RANK() OVER (PARTITION BY split ORDER BY "limit") AS BIGINT) AS up,
    CAST(RANK() OVER (PARTITION BY split ORDER BY "limit" DESC) AS BIGINT) AS down,
    "limit" / CASE WHEN "limit" IS NULL THEN 0 ELSE 2 END AS half,
    MOD("limit", CASE WHEN "limit" IS NULL THEN 0 ELSE 2 END) AS odd,
    CAST("end" < DATE '1582-10-10' AS BIGINT) AS ancient,
    CAST(EXTRACT(YEAR FROM "end") AS BIGINT) AS year,
    CAST(LENGTH(TRIM("user")) AS BIGINT) AS trimmed,
    CAST(LENGTH(REGEXP_REPLACE("user", 'a', 'bb')) AS BIGINT) AS longer,
    CAST(LENGTH(REGEXP_EXTRACT("user", '(a)b?')) AS BIGINT) AS first_group
FROM "group" CROSS JOIN cutoffs;  -- the end
"""

ROWS = [  # user, desc, end, limit
    (" a\u00a0", 1.005, datetime.date(1, 1, 1), None),
    ("abca", -2.675, datetime.date(1582, 10, 4), 2),
    ("\u3000b", 0.001, datetime.date(1969, 12, 31), 7),
    ("\U0001f600", 4.5, None, 7),
]
EXPECTED = {  # the rest of the row
    " a\u00a0": (1, 1.01, 1.0, 1, 4, None, None, 1, 1, 2, 4, 1),
    "abca": (0, -2.68, -3.0, 2, 3, 1.0, 0, 1, 1582, 4, 6, 1),
    "\u3000b": (1, 0.0, 0.0, 3, 1, 3.5, 1, 0, 1969, 2, 2, 0),
    "\U0001f600": (1, 4.5, 5.0, 3, 1, 3.5, 1, None, None, 1, 1, 0),
}


def test_words_of_sql_and_values(tmp_path: Path, spark: SparkSession) -> None:
    """NULL first, halves, dates before 1582, white space, NULL by 0; and columns called `order` or `user`."""
    definition = tmp_path / "dataset"
    small.write_definition(definition, dataset=DATASET_TOML, features=FEATURES_SQL)
    users, desc, end, limit = zip(*ROWS, strict=True)
    columns = {"user": users, "desc": desc, "end": end, "limit": pa.array(limit, pa.int64()), "from": [small.START] * 4}
    (tmp_path / "raw" / "group").mkdir(parents=True)
    pq.write_table(pa.table(columns), tmp_path / "raw" / "group" / "a.parquet")
    ours, theirs = tmp_path / "sagemaker", tmp_path / "emr"
    with duck.connect() as engine:
        sagemaker_prepare.prepare(engine, definition, tmp_path / "raw", ours)
    emr_prepare.prepare(spark, definition.as_uri(), (tmp_path / "raw").as_uri(), theirs.as_uri())
    for split in SPLITS:
        for side in (ours, theirs):
            rows = pq.read_table(side / split).to_pylist()
            assert {row["user"]: tuple(row.values())[1:] for row in rows} == EXPECTED, (side, split)

    test, truth = tmp_path / "emr" / "test", tmp_path / "truth"
    truth.mkdir()
    pq.write_table(
        pa.table({"split": ["test"] * 4, "user": users, "probability": [0.1, 0.2, 0.3, 0.4]}), truth / "a.parquet"
    )
    joined = metrics.truth_sql(
        Dataset.load(definition), f"parquet.`{test.as_uri()}`", f"parquet.`{truth.as_uri()}`", "`"
    )
    assert set(rows_of(spark, joined)) == {(1, 0.1), (0, 0.2), (1, 0.3), (1, 0.4)}
