"""Mistakes in a dataset or its raw data, and what both sides must say about them: exit code 2, nothing left behind."""

import bz2
import gzip
import io
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.workloads.small import DATASET_TOML, FEATURES_SQL, VISITS_SQL


@dataclass(frozen=True)
class Mistake:
    """Changed texts of the definition, what to do to the raw folder, and a regular expression for the message."""

    message: str
    changed: dict[str, str] = field(default_factory=dict)
    damage: Callable[[Path], object] = lambda raw: None
    same: bool = False


def same(
    message: str, changed: dict[str, str] | None = None, damage: Callable[[Path], object] = lambda raw: None
) -> Mistake:
    """A mistake of which both sides say the very same."""
    return Mistake(message, changed or {}, damage, same=True)


IDS = pa.array([1, 2], pa.int64())
BROKEN = pa.Array.from_buffers(
    pa.string(), 2, [*pa.array(["DE", "F."]).buffers()[:2], pa.py_buffer(b"DEF\xff")]
)  # of which the second is not UTF-8
KEYED = DATASET_TOML.replace('country = "VARCHAR" }', 'country = "VARCHAR" }\nkey = "visitor_id"')


def features(old: str, new: str) -> dict[str, str]:
    """features.sql with one piece replaced."""
    assert old in FEATURES_SQL
    return {"features": FEATURES_SQL.replace(old, new)}


def visits(old: str, new: str) -> dict[str, str]:
    """visits.sql with one piece replaced."""
    assert old in VISITS_SQL
    return {"visits": VISITS_SQL.replace(old, new)}


def only_line(content: bytes) -> Callable[[Path], object]:
    """Replace the visits by one file."""

    def damage(raw: Path) -> None:
        shutil.rmtree(raw / "visits")
        (raw / "visits").mkdir()
        (raw / "visits" / "a").write_bytes(content)

    return damage


def people(**columns: pa.Array) -> Callable[[Path], object]:
    """Replace the table of people by one with these columns."""
    return lambda raw: pq.write_table(pa.table(columns), raw / "people" / "part.parquet")


def more_people(**columns: pa.Array | None) -> Callable[[Path], object]:
    """Add a file of two people to the table; a column of None is left out."""
    given: dict[str, Any] = {
        "visitor_id": IDS,
        "age": pa.array([30, 40], pa.int64()),
        "country": ["DE", "FR"],
        **columns,
    }
    table = pa.table({name: values for name, values in given.items() if values is not None})
    return lambda raw: pq.write_table(table, raw / "people" / "z.parquet")


def rewrite(raw: Path, **ways: Any) -> None:
    """Write the table of people in another way."""
    place = raw / "people" / "part.parquet"
    pq.write_table(pq.read_table(place), place, **ways)


def overwrite(raw: Path, name: str) -> None:
    """Damage the first page of a column of the table of people."""
    place = raw / "people" / "part.parquet"
    group = pq.read_metadata(place).row_group(0)
    column = next(each for each in map(group.column, range(group.num_columns)) if each.path_in_schema == name)
    content = bytearray(place.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + 8] = b"\xff" * 8
    place.write_bytes(content)


def file(name: str, content: bytes) -> Callable[[Path], object]:
    """Write a raw file."""
    return lambda raw: (raw / name).write_bytes(content)


def damaged(name: str, content: bytes) -> Mistake:
    """A text file whose gzip data cannot be read to its end."""
    return same(rf"^visits/{re.escape(name)}: not readable: its gzip data", damage=file(f"visits/{name}", content))


def tar(mode: str) -> bytes:
    """A tar of one file with a good line."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("access.log")
        member.size = 6
        archive.addfile(member, io.BytesIO(b"1,2,3\n"))
    return packed.getvalue()


def empty(folder: Path) -> None:
    """Leave only files that are no data."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "_SUCCESS").touch()


NO_FEATURE = "SELECT 'train' AS split, CAST(1 AS BIGINT) AS visitor_id, CAST(1 AS BIGINT) AS bought"
TWICE = "(SELECT * FROM history UNION ALL SELECT * FROM history WHERE visitor_id = 3 AND split = 'test')"

MISTAKES = {
    "raw folder missing": Mistake(r"visits/?: no such folder", damage=lambda raw: shutil.rmtree(raw / "visits")),
    "raw folder is a file": Mistake(
        r"visits/?: no such folder",
        damage=lambda raw: (raw / "visits").rename(raw / "gone").with_name("visits").write_text("1,2,3\n"),
    ),
    "raw folder empty": Mistake(r"people/?: holds no data file", damage=lambda raw: empty(raw / "people")),
    "other compression": same(
        r"c\.log\.bz2: a text table's files must be plain or gzip", damage=file("visits/c.log.bz2", b"x")
    ),
    "lzo": same(r"^visits/c\.lzo: a text table's files must be plain or gzip", damage=file("visits/c.lzo", b"1,2,3\n")),
    "lzop": same(r"^visits/c\.log: is lzo", damage=file("visits/c.log", b"\x89LZO\0\r\n\x1a\n" + bytes(60))),
    "cut gzip": damaged("c.log.gz", gzip.compress(bytes(range(256)) * 999)[:-30]),
    "cut gzip under another name": damaged("c.log", gzip.compress(b"1,2,3\n")[:-9]),
    "two bytes of gzip": damaged("c.log", b"\x1f\x8b"),
    "checksum of gzip": damaged("c.log.gz", gzip.compress(b"1,2,3\n")[:-8] + bytes(4) + b"\x06\0\0\0"),
    "size in gzip": damaged("c.log.gz", gzip.compress(b"1,2,3\n")[:-4] + b"\x07\0\0\0"),
    "gzip padded with zeros": damaged("c.log.gz", gzip.compress(b"1,2,3\n") + bytes(512)),
    "garbage behind gzip": damaged("c.log.gz", gzip.compress(b"1,2,3\n") + b"garbage"),
    "zip": same(r"^visits/c\.log: is zip; .* plain or gzip", damage=file("visits/c.log", b"PK\x03\x04" + bytes(60))),
    "xz": same(r"^visits/c\.log\.gz: is xz", damage=file("visits/c.log.gz", lzma.compress(b"1,2,3\n"))),
    "bzip2": same(r"^visits/c\.log: is bzip2", damage=file("visits/c.log", bz2.compress(b"1,2,3\n"))),
    "tar": same(r"^visits/c\.log: is tar; .* plain or gzip", damage=file("visits/c.log", tar("w"))),
    "tar in gzip": same(r"^visits/c\.tgz: is tar", damage=file("visits/c.tgz", tar("w:gz"))),
    "gzip in gzip": same(
        r"^visits/c\.log\.gz: is gzip within gzip",
        damage=file("visits/c.log.gz", gzip.compress(gzip.compress(b"1,2,3\n" * 999))),
    ),
    "UTF-16 in gzip": same(
        r"^visits/c\.gz: is UTF-16", damage=file("visits/c.gz", gzip.compress("1,2,3\n".encode("utf-16")))
    ),
    "Parquet among lines": same(
        r"^visits/c\.log: is Parquet", damage=lambda raw: shutil.copy(raw / "people/part.parquet", raw / "visits/c.log")
    ),
    "backslash in a name": same(r"visits/a\\b\.log: .*backslash", damage=file("visits/a\\b.log", b"1,2,3\n")),
    "colon in a name": same(r"^visits/10:00\.log: .*colon", damage=file("visits/10:00.log", b"1,2,3\n")),
    "no good line": same(
        r"^visits/: 0 of 1 different lines are good, .*'1;2;3' is rejected by visits\.sql as 'malformed'",
        damage=only_line(b"1;2;3"),
    ),
    "too few good lines": same(
        r"^visits/: \d+ of \d+ different lines are good, at least 100% must be .* is rejected by visits\.sql as '\w+'",
        {"dataset": DATASET_TOML.replace('clean = "visits.sql"', 'clean = "visits.sql"\ngood_share = 1')},
    ),
    "type drift": same(
        r"^people/z\.parquet: column 'age' has type INTEGER, but \[tables\.people\.columns\] of dataset\.toml wants",
        damage=more_people(age=pa.array([1, 2], pa.int32())),
    ),
    "column missing in one file": same(r"^people/z\.parquet: column 'age' is missing", damage=more_people(age=None)),
    "nanoseconds nobody asked for": same(
        r"^people/z\.parquet: column 'born' has type TIMESTAMP\(NANOSECONDS\)",
        damage=more_people(born=pa.array([1, 2], pa.timestamp("ns"))),
    ),
    "time in a struct": same(
        r"^people/z\.parquet: column 'born' has type TIME\(MICROSECONDS\)",
        damage=more_people(born=pa.array([{"at": 1}, {"at": 2}], pa.struct([("at", pa.time64("us"))]))),
    ),
    "damaged page of a key": same(
        r"^people/part\.parquet: not readable: its Parquet data is damaged$",
        {"dataset": KEYED},
        lambda raw: overwrite(raw, "visitor_id"),
    ),
    "damaged page of a feature": same(
        r"^people/part\.parquet: not readable: its Parquet data is damaged$", damage=lambda raw: overwrite(raw, "age")
    ),
    "column twice": same(
        r"^people/z\.parquet: column 'age' comes twice",
        damage=lambda raw: pq.write_table(
            pa.Table.from_arrays([IDS, IDS, IDS], ["visitor_id", "age", "age"]), raw / "people" / "z.parquet"
        ),
    ),
    "encoding": same(
        r"^people/part\.parquet: column 'age' is written as BYTE_STREAM_SPLIT, which not every engine can read",
        damage=lambda raw: rewrite(raw, use_dictionary=False, column_encoding={"age": "BYTE_STREAM_SPLIT"}),
    ),
    "compression": same(
        r"^people/part\.parquet: column 'visitor_id' is written as BROTLI",
        damage=lambda raw: rewrite(raw, compression="brotli"),
    ),
    "columns by case": same(
        r"^people/z\.parquet: columns 'age' and 'Age' differ in nothing but their case", damage=more_people(Age=IDS)
    ),
    "key twice": same(
        r"^people/: 2 rows for visitor_id 1, which is the key by \[tables\.people\] of dataset\.toml",
        {"dataset": KEYED},
        more_people(),
    ),
    "key NULL": same(
        r"^people/: visitor_id is NULL in 2 rows",
        {"dataset": KEYED},
        more_people(visitor_id=pa.nulls(2, pa.int64())),
    ),
    "file shipped twice": same(
        r"^people/z\.parquet: the same bytes as people/part\.parquet",
        damage=lambda raw: shutil.copy(raw / "people/part.parquet", raw / "people/z.parquet"),
    ),
    "milliseconds": same(
        r"^people/: age = 1767225600000 is not near the cut-offs, 1768003200 to 1770595200 in epoch seconds",
        {"dataset": DATASET_TOML.replace('country = "VARCHAR" }', 'country = "VARCHAR" }\ntimes = ["age"]')},
        people(visitor_id=IDS, age=pa.array([1_767_225_600_000] * 2), country=["DE", "FR"]),
    ),
    "not UTF-8": same(
        r"^people/z\.parquet: column 'country' holds bytes that are not UTF-8",
        damage=more_people(country=BROKEN),
    ),
    "many rows for one": Mistake(
        r"features\.sql: .*More than one row returned by a subquery",
        features("p.age AS age", "(SELECT age FROM people) AS age"),
    ),
    "overflow": Mistake(
        r"features\.sql: a number does not fit its type",
        features("CAST(h.visits AS BIGINT) AS visits", "h.visits + 9223372036854775807 AS visits"),
    ),
    "division by zero": Mistake(
        r"features\.sql: division by zero",
        features("/ CAST(h.visits AS DOUBLE)", "/ CAST(h.visits - h.visits AS DOUBLE)"),
    ),
    "text as number": Mistake(
        r"features\.sql: a text that is no number", features("p.age AS age", "CAST(p.country AS BIGINT) AS age")
    ),
    "line break in an id": Mistake(
        r"features\.sql: visitor_id has a line break in \d+ rows of split 'train'",
        features("    h.visitor_id,\n", "    CAST(h.visitor_id AS VARCHAR(9)) || CHR(10) AS visitor_id,\n"),
    ),
    "not Parquet": Mistake(r"people.*part\.parquet", damage=file("people/part.parquet", b"no Parquet at all")),
    "column missing": Mistake(
        r"people/part\.parquet: column 'age' is missing, wanted by .*people\.columns\] .*there are: visitor_id",
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
    "feature with a blank": Mistake(
        r"features\.sql: column 'years old' must be a plain SQL identifier",
        features("p.age AS age", 'p.age AS "years old"'),
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
