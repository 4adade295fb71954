"""Raw files with every name and packing that is allowed, and ids of every kind: right on both sides, not only equal."""

import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from pyspark.sql import SparkSession

from common import duck
from common.command import InputError
from common.dataset import SPLITS, Dataset
from local.sagemaker.transform import ColumnFilter, Transform
from record.runs.agreement import _scores
from tests.workloads import small
from workloads.single_node import prepare as sagemaker_prepare
from workloads.single_node import score as sagemaker_score
from workloads.spark import prepare as emr_prepare
from workloads.spark import score as emr_score

IDS = [
    "",
    " ",
    " a",
    "a ",
    "\ta",
    '"',
    '"q"',
    "a,b",
    "'",
    "\\",
    "\\n",
    "#c",
    "NULL",
    "007",
    "7",
    "0.50",
    "-",
    "é",
    "北京",
]
IDS += [f"v{number}" for number in range(40)]

VISITS_SQL = """
SELECT
    REGEXP_EXTRACT(line, '^(.*);([0-9]+);(-?[0-9]+)$', 1) AS visitor_id,
    TRY_CAST(REGEXP_EXTRACT(line, '^(.*);([0-9]+);(-?[0-9]+)$', 2) AS BIGINT) AS visited_at,
    TRY_CAST(REGEXP_EXTRACT(line, '^(.*);([0-9]+);(-?[0-9]+)$', 3) AS BIGINT) AS cents,
    CASE WHEN REGEXP_EXTRACT(line, '^(.*);([0-9]+);(-?[0-9]+)$', 2) = '' THEN 'malformed' END AS reject,
    copies,
    file
FROM (SELECT line, COUNT(*) AS copies, MIN(file) AS file FROM lines GROUP BY line) AS counted
"""
# Lines are ISO-8859-1; ids that do not fit come from Parquet.
FEATURES_SQL = small.FEATURES_SQL.replace(
    "SELECT\n    h.split,\n    h.visitor_id,", "SELECT\n    h.split,\n    p.name AS visitor_id,"
).replace("p.age AS age", "p.age AS age,\n    ROUND(LN(CAST(h.cents AS DOUBLE)), 6) AS log_cents")
DATASET_TOML = small.DATASET_TOML.replace(
    'columns = { visitor_id = "BIGINT", age = "BIGINT", country = "VARCHAR" }',
    'columns = { visitor_id = "VARCHAR", name = "VARCHAR", age = "BIGINT" }\nkey = ["visitor_id"]',
).replace('clean = "visits.sql"', 'clean = "visits.sql"\ntimes = "visited_at"\ngood_share = 0.9')

PLACES: dict[str, Callable[[bytes], bytes]] = {  # name to how it is packed
    "plain.log": lambda text: text,
    "a[1].log": lambda text: text,
    "a1.log": lambda text: text,
    "b*?{x,y}.log.gz": gzip.compress,
    "packed without its name": gzip.compress,
    "plain in spite of its name.gz": lambda text: text,
    "day=1/100%25 #é.GZ": lambda text: gzip.compress(text[:99]) + gzip.compress(text[99:]),
}
NO_DATA = [
    "empty.log",
    "empty.log.gz",
    "_part/x.log",
    ".x.log",
    "deep/_SUCCESS",
    "visits_$folder$",
    "x.log._COPYING_",
    "deep_$folder$/x.log",
]


def write(folder: Path) -> tuple[Path, Path, dict[str, list[tuple[int, int]]]]:
    """Write definition and raw data; return them and the visits by id."""
    random = np.random.default_rng(3)
    visits = defaultdict(list)
    keys = {name: f"k{number}" for number, name in enumerate(IDS)}
    lines: list[list[str]] = [[] for _ in PLACES]
    for name in IDS:
        for time in {small.START, *(small.START + random.choice(50 * small.DAY, 12)).tolist()}:
            visit = int(time), int(random.integers(-500, 500))
            visits[name].append(visit)
            lines[random.integers(len(PLACES))].append(f"{keys[name]};{visit[0]};{visit[1]}\n")
    raw = folder / "raw [x]"
    for (place, pack), own in zip(PLACES.items(), lines, strict=True):
        path = raw / "visits" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack("".join(["bad\n", *own]).encode()))
    for place in NO_DATA:
        path = raw / "visits" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if place.startswith("empty") else b"no data\n" * 99)
    # A link to a folder is as good as the folder.
    (raw / "visits" / "day=1").rename(folder / "elsewhere")
    (raw / "visits" / "day=1").symlink_to(folder / "elsewhere")
    (raw / "people").mkdir()
    half = len(IDS) // 2
    people = pa.table({"visitor_id": [*keys.values()], "name": IDS, "age": pa.array(range(len(IDS)), pa.int64())})
    pq.write_table(people[:half], raw / "people" / "p[1].parquet")
    # Another order of the columns, and one more of another type, which nobody asked for.
    other = people[half:].select(["age", "name", "visitor_id"]).append_column("more", [["x"] * (len(IDS) - half)])
    pq.write_table(other, raw / "people" / "p1.parquet")
    (raw / "people" / "p2.parquet").touch()
    texts = {"dataset": DATASET_TOML, "visits": VISITS_SQL, "features": FEATURES_SQL}
    return small.write_definition(folder / "dataset", **texts), raw, visits


def expected(dataset: Dataset, visits: dict[str, list[tuple[int, int]]], split: str) -> dict[str, tuple[object, ...]]:
    """The features in plain Python: id to visits, mean, recency, age, logarithm."""
    cutoff = dataset.cutoffs[split]
    rows: dict[str, tuple[object, ...]] = {}
    for age, (name, own) in enumerate(visits.items()):
        past = [(time, cents) for time, cents in own if time < cutoff]
        cents = sum(cents for _, cents in past)
        logarithm = pytest.approx(float(np.log(cents)), abs=1e-6) if cents > 0 else None
        recency = cutoff - max(time for time, _ in past)
        rows[name] = (len(past), cents / len(past), recency, age, logarithm)
    return rows


def test_allowed_files_and_ids(tmp_path: Path, spark: SparkSession) -> None:
    """Features equal those of plain Python on both sides, and every id comes back from both sides' predictions."""
    definition, raw, visits = write(tmp_path)
    dataset = Dataset.load(definition)
    run = tmp_path / "run"
    ours, theirs = run / "sagemaker", run / "emr"
    with duck.connect() as engine:
        sagemaker_prepare.prepare(engine, definition, raw, ours / "features")
    emr_prepare.prepare(spark, definition.as_uri(), f"file://{raw}", f"file://{theirs}/features")
    stats = [json.loads((side / "features" / "stats.json").read_text()) for side in (ours, theirs)]
    assert stats[0] == stats[1]
    assert stats[0]["rejected"] == {"visits": {"malformed": len(PLACES)}}
    assert stats[0]["read"] == {"visits": len(PLACES) + sum(map(len, visits.values()))}
    assert not (theirs / "features" / "_copies").exists()
    for split in SPLITS:
        for side in (ours, theirs):
            found = {
                row[0]: row[2:]
                for row in zip(*pq.read_table(side / "features" / split).to_pydict().values(), strict=True)
            }
            assert found == expected(dataset, visits, split), (split, side)

    names = pq.read_schema(ours / "features" / "train" / "part-0.parquet").names[2:]
    rows = np.random.default_rng(1).normal(size=(99, len(names)))
    booster = xgboost.train(
        {"objective": "binary:logistic"}, xgboost.DMatrix(rows, rows[:, 0] > 0, feature_names=names), 3
    )
    (theirs / "model").mkdir()
    (theirs / "model" / "_SUCCESS").touch()
    booster.save_model(theirs / "model" / "xgboost-model.json")
    emr_score.score(
        spark,
        definition.as_uri(),
        f"file://{theirs}/features",
        f"file://{theirs}/model",
        f"file://{theirs}/predictions",
    )
    (ours / "predictions").mkdir()
    transform = Transform(True, True, 2000, True, ColumnFilter("$[1:]"), ColumnFilter("$[0,-1]"), join=True)
    for path in (ours / "features" / "score-csv").iterdir():
        with path.open("rb") as source, (ours / "predictions" / f"{path.name}.out").open("wb") as output:
            answer = lambda body: sagemaker_score.transform_fn(booster, body, "text/csv", "text/csv")[0].encode()  # noqa: E731
            output.writelines(transform.run(source, answer))
    scores: dict[str, list[tuple[str, float]]] = {
        side: duckdb.execute(f"SELECT entity, probability FROM {_scores(run, side)}").fetchall()
        for side in ("sagemaker", "emr")
    }
    assert Counter(entity for entity, _ in scores["sagemaker"]) == Counter(IDS)
    assert dict(scores["emr"]) == pytest.approx(dict(scores["sagemaker"]), abs=1e-6)
    assert len(scores["emr"]) == len(IDS)
    for side, pattern in ((ours, "*.out"), (theirs, "*.csv")):
        files = (side / "predictions").glob(pattern)
        assert {row[0] for path in files for row in csv.reader(path.open(newline=""), strict=True)} == set(IDS)


def test_a_file_that_was_shipped_in_part_before(tmp_path: Path, spark: SparkSession) -> None:
    """Its lines are in the whole file too and count once; a cut line makes no bad file of either."""
    definition, raw, _ = write(tmp_path)
    whole = (raw / "visits" / "plain.log").read_bytes()
    for name in ("w.log", "x.log", "y.log.gz", "z.log"):
        (raw / "visits" / name).write_bytes(gzip.compress(whole + name.encode()) if "gz" in name else whole[:-9] + b"9")
    with duck.connect() as engine:
        ours = sagemaker_prepare.prepare(engine, definition, raw, tmp_path / "one")
    theirs = emr_prepare.prepare(spark, definition.as_uri(), f"file://{raw}", (tmp_path / "two").as_uri())
    assert ours == theirs
    assert ours.rejected["visits"]["duplicate"] > 100


def test_a_bad_file_among_good_ones(tmp_path: Path, spark: SparkSession) -> None:
    """Each file is judged by itself where the clean SQL passes its number on; the message has an example."""
    definition, raw, _ = write(tmp_path)
    (raw / "visits" / "deep" / "c.log").write_text(
        "".join(f"k1,{number},1\n" for number in range(20)) + "k1;1767225600;5\n"
    )
    message = (
        "visits/deep/c.log: 1 of 21 different lines are good, at least 90% must be and never none; "
        "'k1,0,1' is rejected by visits.sql as 'malformed'"
    )
    with duck.connect() as engine, pytest.raises(InputError) as ours:
        sagemaker_prepare.prepare(engine, definition, raw, tmp_path / "one")
    with pytest.raises(InputError) as theirs:
        emr_prepare.prepare(spark, definition.as_uri(), f"file://{raw}", (tmp_path / "two").as_uri())
    assert str(ours.value) == str(theirs.value) == message
