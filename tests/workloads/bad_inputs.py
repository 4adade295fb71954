"""Mistakes in a dataset or its raw data, and what both sides must say about them: exit code 2, nothing left behind."""

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.workloads.small import DATASET_TOML, FEATURES_SQL, VISITS_SQL


@dataclass(frozen=True)
class Mistake:
    """Changed texts of the definition, what to do to the raw folder, and a regular expression for the message."""

    message: str
    changed: dict[str, str] = field(default_factory=dict)
    damage: Callable[[Path], object] = lambda raw: None


def features(old: str, new: str) -> dict[str, str]:
    """features.sql with one piece replaced."""
    assert old in FEATURES_SQL
    return {"features": FEATURES_SQL.replace(old, new)}


def visits(old: str, new: str) -> dict[str, str]:
    """visits.sql with one piece replaced."""
    assert old in VISITS_SQL
    return {"visits": VISITS_SQL.replace(old, new)}


def people(**columns: pa.Array) -> Callable[[Path], object]:
    """Replace the table of people by one with these columns."""
    return lambda raw: pq.write_table(pa.table(columns), raw / "people" / "part.parquet")


def file(name: str, content: bytes) -> Callable[[Path], object]:
    """Write a raw file."""
    return lambda raw: (raw / name).write_bytes(content)


def empty(folder: Path) -> None:
    """Leave only files that are no data."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "_SUCCESS").touch()


IDS = pa.array([1, 2], pa.int64())
NO_FEATURE = "SELECT 'train' AS split, CAST(1 AS BIGINT) AS visitor_id, CAST(1 AS BIGINT) AS bought"
TWICE = "(SELECT * FROM history UNION ALL SELECT * FROM history WHERE visitor_id = 3 AND split = 'test')"

MISTAKES = {
    "raw folder missing": Mistake(r"visits/?: no such folder", damage=lambda raw: shutil.rmtree(raw / "visits")),
    "raw folder empty": Mistake(r"people/?: holds no data file", damage=lambda raw: empty(raw / "people")),
    "other compression": Mistake(
        r"c\.log\.bz2: a text table's files must be plain or gzip", damage=file("visits/c.log.bz2", b"x")
    ),
    "cut gzip": Mistake(r"not readable", damage=file("visits/c.log.gz", gzip.compress(bytes(range(256)) * 999)[:-30])),
    "other gzip": Mistake(r"not readable", damage=file("visits/c.log.gz", b"no gzip at all")),
    "not Parquet": Mistake(r"people.*part\.parquet", damage=file("people/part.parquet", b"no Parquet at all")),
    "column missing": Mistake(
        r"people/?: column 'age' is missing, wanted by \[tables\.people\.columns\] of .*there are: visitor_id, country",
        damage=people(visitor_id=IDS, country=["DE", "FR"]),
    ),
    "column type": Mistake(
        r"column 'age' has type DOUBLE, but .* wants BIGINT",
        damage=people(visitor_id=IDS, age=pa.array([1.0, 2.0]), country=["DE", "FR"]),
    ),
    "column not declared": Mistake(r"features\.sql: .*shoe_size", features("p.age AS age", "p.shoe_size AS age")),
    "clean syntax": Mistake(r"visits\.sql: .*syntax error .*line 8", visits("FROM (", "FRM (")),
    "clean at run time": Mistake(r"visits\.sql: .*boom\(", visits("'^([0-9]+),([0-9]+),([0-9]+)$', 2", "'boom(', 2")),
    "clean without reject": Mistake(
        r"visits\.sql: column 'reject' is missing, wanted by every clean SQL",
        {"visits": "SELECT line, COUNT(*) AS copies FROM lines GROUP BY line"},
    ),
    "clean copies": Mistake(
        r"visits\.sql: column 'copies' has type INTEGER",
        visits("    copies\n", "    CAST(copies AS INTEGER) AS copies\n"),
    ),
    "features syntax": Mistake(
        r"features\.sql: .*syntax error .*line 4", features("    FROM cutoffs AS c JOIN", "    FRUM cutoffs AS c JOIN")
    ),
    "no label": Mistake(
        r"features\.sql: the first columns must be split, visitor_id, bought", features("AS bought", "AS sold")
    ),
    "no feature": Mistake(r"at least one feature is needed", {"features": NO_FEATURE}),
    "feature type": Mistake(
        r"column 'age' has type VARCHAR; CAST it to BIGINT or DOUBLE", features("p.age AS age", "p.country AS age")
    ),
    "feature twice": Mistake(
        r"features\.sql: column 'age' comes twice", features("p.age AS age", "p.age AS age, p.age AS Age")
    ),
    "label 2": Mistake(r"bought of \d+ rows of split 'train' is not 0 or 1", features("ELSE 1 END", "ELSE 2 END")),
    "label NULL": Mistake(
        r"bought of \d+ rows of split 'test' is not 0 or 1",
        features("h.split = 'score'", "h.split IN ('score', 'test')"),
    ),
    "one class": Mistake(r"bought is 0 in all \d+ rows of split 'train'", features("ELSE 1 END", "ELSE 0 END")),
    "empty split": Mistake(
        r"no row for split 'train'", {"dataset": DATASET_TOML.replace("train = 2026-01-10", "train = 2025-01-10")}
    ),
    "unknown split": Mistake(
        r"split 'Train' is not one of train, validation, test, score",
        features("    h.split,", "    REPLACE(h.split, 'train', 'Train') AS split,"),
    ),
    "entity NULL": Mistake(
        r"visitor_id is NULL in \d+ rows of split 'train'",
        features("    h.visitor_id,\n", "    NULLIF(h.visitor_id, 3) AS visitor_id,\n"),
    ),
    "entity twice": Mistake(
        r"2 rows for visitor_id 3 in split 'test'", features("FROM history AS h", f"FROM {TWICE} AS h")
    ),
    "NaN": Mistake(
        r"mean_cents is NaN or infinite in \d+ rows of split 'train'",
        features("CAST(h.cents AS DOUBLE) / CAST(h.visits AS DOUBLE)", "CAST('NaN' AS DOUBLE)"),
    ),
    "beyond float32": Mistake(
        r"mean_cents is NaN or infinite in \d+ rows of split 'train'",
        features("CAST(h.cents AS DOUBLE) / CAST(h.visits AS DOUBLE)", "CAST(-h.cents AS DOUBLE) * 1E38"),
    ),
}
