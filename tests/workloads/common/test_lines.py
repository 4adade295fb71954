"""Both engines read the same lines from the same files."""

import gzip
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from common import duck, lines
from common import spark as on_spark
from common.command import InputError

CONTENTS = [
    b"",
    b"\n",
    b"\n\n",
    b"a\nb",
    b"a\r\nb\r\n",
    b"a\rb\n\r\r\n\r",
    b"nul \x00 inside\n\x00\n\x00",
    "caf\xe9 \xff\xfe".encode("iso-8859-1") + b"\n\xc3\xa9 in UTF-8\n\x80\x81\n",
    b"\xef\xbb\xbfafter a byte order mark\n\xef\xbb\xbfand in the middle\n",
    b"\"quote\n'quote, \\ \t\x0b\x0c\x1c\x85\n",
    b"\xe2\x80\xa8line separators\x85are no newline\n",
    b"x" * 5_000_000 + b"\ny\r\n" + b"z" * 5_000_000,
]


def expected(content: bytes) -> list[str]:
    """What a line is, in plain Python."""
    text = content.removeprefix(b"\xef\xbb\xbf")
    if not text:
        return []
    parts = text.removesuffix(b"\n").split(b"\n")
    return [part.removesuffix(b"\r").decode("iso-8859-1") for part in parts]


def read_with_duckdb(files: list[Path]) -> Counter[str]:
    """All lines, through DuckDB."""
    with duck.connect() as engine:
        engine.register("lines", lines.Lines(files, threads=2))
        return Counter(line for (line,) in engine.execute("SELECT line FROM lines").fetchall())


def test_awkward_files_on_both_engines(tmp_path: Path, spark: SparkSession) -> None:
    """Carriage returns, NUL, invalid UTF-8, byte order marks, long lines; plain, gzip, and gzip in several members."""
    files = []
    wanted: Counter[str] = Counter()
    for number, content in enumerate(CONTENTS):
        plain, packed = tmp_path / f"{number}[*].log", tmp_path / f"{number}{{a}}.log.gz"
        plain.write_bytes(content)
        middle = len(content) // 2
        packed.write_bytes(gzip.compress(content[:middle]) + gzip.compress(content[middle:]))
        files += [plain, packed]
        wanted.update(expected(content) * 2)
    by_spark = Counter(lines_on_spark(spark, files))
    assert read_with_duckdb(files) == wanted
    assert by_spark == wanted


def lines_on_spark(session: SparkSession, files: list[Path]) -> list[str]:
    """All lines, through Spark."""
    return [row.line for row in on_spark.lines(session, [f"file://{path}" for path in files]).collect()]


@given(content=st.binary(max_size=60) | st.text(alphabet="a\r\n\x00\xe9", max_size=40).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No sequence of bytes fails, whatever the size of a chunk, but for what begins as gzip does."""
    assume(not content.startswith(b"\x1f\x8b"))
    path = tmp_path_factory.mktemp("lines") / "a.log"
    path.write_bytes(content)
    for chunk in (1, 3, 1 << 22):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines, "CHUNK_BYTES", chunk)
            found = [line.as_py() for batch in lines.read(path) for line in batch.column(0)]
        # A byte order mark that a chunk of one byte cuts apart is not worth more code: chunks are megabytes.
        if chunk >= 3 or not content.startswith(b"\xef"):
            assert found == expected(content)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 22])
def test_gzip_is_told_by_its_bytes(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is no promise: packed without .gz, plain with it; members end anywhere in a chunk."""
    monkeypatch.setattr(lines, "CHUNK_BYTES", chunk)
    (tmp_path / "a.log").write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"") + gzip.compress(b"3\n4"))
    (tmp_path / "b.gz").write_bytes(b"5\n")
    assert read_with_duckdb([tmp_path / "a.log", tmp_path / "b.gz"]) == Counter(["1", "23", "4", "5"])


def test_lines_can_be_scanned_again(tmp_path: Path) -> None:
    """A clean SQL may read its view twice."""
    (tmp_path / "a.log").write_text("1\n2\n3\n")
    with duck.connect() as engine:
        engine.register("lines", lines.Lines([tmp_path / "a.log"], threads=2))
        assert engine.execute("SELECT COUNT(*) FROM lines AS a CROSS JOIN lines AS b").fetchone() == (9,)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-20],
        lambda packed: packed[:3],
        lambda packed: packed[:50] + b"x" * 40,
        lambda packed: packed + b"\0" * 9,
        lambda packed: packed + b"garbage",
        lambda packed: packed + packed[:30],
    ],
    ids=["cut", "header only", "damaged", "zeros behind", "garbage behind", "second member cut"],
)
def test_damaged_gzip_is_bad_input(tmp_path: Path, damage: object) -> None:
    """The message names the file; nothing is read as if the file had ended."""
    path = tmp_path / "a.log.gz"
    path.write_bytes(damage(gzip.compress(bytes(range(256)) * 4000)))  # type: ignore[operator]
    with duckdb.connect() as engine:
        engine.register("lines", lines.Lines([path], threads=1))
        with pytest.raises((InputError, duckdb.Error), match=r"a\.log\.gz: not readable"):
            engine.execute("SELECT COUNT(*) FROM lines").fetchall()
