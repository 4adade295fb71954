"""The definition of a dataset: a folder with dataset.toml and the SQL texts that it names.

Nothing outside such a folder knows a column name. Both services read the same folder: from a disk with `Dataset.load`,
from S3 by handing the texts to `Dataset.parse`.
"""

import calendar
import datetime
import difflib
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from common.command import InputError, one_line

DEFINITION = "dataset.toml"
FEATURES = "features.sql"

LABELLED = ("train", "validation", "test")
SPLITS = (*LABELLED, "score")
"""The cut-offs in the order in which they must lie in time."""

FORMATS = ("text", "parquet")
COLUMN_TYPES = ("BIGINT", "INTEGER", "DOUBLE", "FLOAT", "VARCHAR", "BOOLEAN", "DATE", "BLOB")
"""Column types that both engines read from Parquet as the same values. Times are epoch seconds: BIGINT."""

MAX_TABLES = 8
"""A Processing job takes 10 inputs (CreateProcessingJob, read 2026-11-22): two are left for code and definition."""

GOOD_SHARE = 0.5
"""The share of good lines that a file must have where the definition says nothing; at least one must always be good."""

RESERVED = ("lines", "cutoffs", "features", "predictions")
"""Views that the workloads make themselves."""

_NO_CODE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/[*].*?[*]/", re.DOTALL)
"""Texts, quoted names and comments of SQL."""

_OTHER_EACH_TIME = re.compile(
    r"\b(RANDOM|RAND|RANDN|UUID|GEN_RANDOM_UUID|SHUFFLE|NOW|TODAY|CURDATE|HASH|APPROX_COUNT_DISTINCT)\s*(?=[(])"
    r"|\b(CURRENT_(DATE|TIME|TIMESTAMP)|LOCALTIME|LOCALTIMESTAMP|TABLESAMPLE)\b",
    re.IGNORECASE,
)
"""What both engines have and compute in ways of their own, or anew each time."""

_READS_FILES = re.compile(
    r"\b(READ_\w+|\w+_SCAN|GLOB|SNIFF_CSV)\s*(?=[(])|\b(FROM|JOIN)\s*(['`]|parquet\s*[.])", re.IGNORECASE
)
"""Data that is in no table of the definition: nothing would have checked it, and the services have no such path."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Table:
    """One raw table.

    Attributes:
        name: the view that the SQL texts read.
        location: a path below the raw prefix, with a trailing slash; files at any depth.
        format: `text` (lines, gzip or plain) or `parquet`.
        columns: column to type, what a Parquet table must hold and all that its view shows.
        clean: for text, the SELECT over the view `lines(line)`.
        clean_name: the file that `clean` came from, for messages.
        key: the columns that together name one row: never NULL, never twice. Empty: nothing is checked.
        times: the columns that hold epoch seconds.
        good_share: for text, the least share of good lines that every file must have, 0 to 1.
    """

    name: str
    location: str
    format: str
    columns: Mapping[str, str]
    clean: str
    clean_name: str
    key: tuple[str, ...]
    times: tuple[str, ...]
    good_share: float


@dataclass(frozen=True)
class Dataset:
    """A checked definition.

    Attributes:
        name: the dataset's name, also its prefix in S3.
        description: one sentence for people.
        entity: the column that names what a row is about.
        label: the column that holds 0 or 1, NULL where the future is unknown.
        cutoffs: split to epoch seconds; features look back from there, the label looks ahead.
        tables: the raw tables.
        features: the SELECT that makes split, entity, label and the features.
        truth: the location of the generator's own probabilities, or None.
        place: where the definition came from, for messages.
    """

    name: str
    description: str
    entity: str
    label: str
    cutoffs: Mapping[str, int]
    tables: tuple[Table, ...]
    features: str
    truth: str | None
    place: str

    @classmethod
    def load(cls, folder: Path) -> "Dataset":
        """Read a definition from a folder.

        Raises:
            InputError: the folder or a file is missing or is not UTF-8, or `parse` found a mistake.
        """
        if not folder.is_dir():
            raise InputError(f"{folder}: no such dataset folder")
        files = {}
        for path in sorted(folder.iterdir()):
            if is_definition(path.name):
                files[path.name] = decode(path.read_bytes(), str(path))
        return cls.parse(files, str(folder))

    @classmethod
    def parse(cls, files: Mapping[str, str], place: str) -> "Dataset":
        """Check a definition given as file name to text.

        Raises:
            InputError: names the file, the key, the value and what is allowed.
        """
        place = place.rstrip("/")
        if DEFINITION not in files:
            raise InputError(f"{place}: {DEFINITION} is missing")
        where = f"{place}/{DEFINITION}"
        try:
            root = tomllib.loads(files[DEFINITION])
        except tomllib.TOMLDecodeError as problem:
            raise InputError(f"{where}: not valid TOML: {problem}") from None

        top = _Section(root, where)
        top.only("name", "description", "entity", "label", "cutoffs", "tables", "truth")
        name = top.text("name")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name, re.ASCII):
            raise InputError(f"{where}: name {name!r} must be lower-case letters, digits and hyphens")
        entity, label = top.identifier("entity"), top.identifier("label")
        if len({"split", entity.lower(), label.lower()}) < 3:
            raise InputError(f"{where}: entity {entity!r} and label {label!r} must differ and not be 'split'")

        return cls(
            name=name,
            description=top.text("description", ""),
            entity=entity,
            label=label,
            cutoffs=_cutoffs(top.section("cutoffs")),
            tables=_tables(top.section("tables"), files, place),
            features=_sql(files, FEATURES, place),
            truth=_truth(top.section("truth")) if "truth" in root else None,
            place=place,
        )

    @property
    def cutoffs_sql(self) -> str:
        """The portable SELECT behind the view `cutoffs(split, cutoff)`."""
        rows = ", ".join(f"('{split}', CAST({cutoff} AS BIGINT))" for split, cutoff in self.cutoffs.items())
        return f"SELECT split, cutoff FROM (VALUES {rows}) AS given(split, cutoff)"


def is_definition(name: str) -> bool:
    """Whether a file of the folder belongs to the definition (and not, say, to a generator beside it)."""
    return name.endswith((".toml", ".sql"))


def decode(content: bytes, where: str) -> str:
    """Decode a text of the definition, or raise InputError."""
    try:
        return content.decode("utf-8-sig")  # without the mark that Windows puts before it
    except UnicodeDecodeError as problem:
        raise InputError(f"{where}: not UTF-8: {problem.reason} at byte {problem.start}") from None


def quoted(*names: str) -> str:
    """Names as SQL takes them, with commas between: a column may be called `order`, which is also a word of SQL."""
    return ", ".join(f'"{name}"' for name in names)


def nearest(value: str, allowed: Iterable[str]) -> str:
    """Word what is allowed, with a suggestion when one is close: for the end of a message."""
    names = list(allowed)
    close = difflib.get_close_matches(value, names, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}"


class _Section:
    """One table of the TOML file with the place it came from."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def only(self, *allowed: str) -> None:
        for key in self.values:
            if key not in allowed:
                raise InputError(f"{self.where}: unknown key {key!r}; {nearest(key, allowed)}")

    def value(self, key: str, kind: type[_Value], wanted: str) -> _Value:
        if key not in self.values:
            raise InputError(f"{self.where}: {key!r} is missing; it must be {wanted}")
        value = self.values[key]
        if not isinstance(value, kind):
            raise InputError(f"{self.where}: {key} = {value!r} must be {wanted}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        if default is not None and key not in self.values:
            return default
        return one_line(self.value(key, str, "a text"))

    def identifier(self, key: str) -> str:
        return identifier(self.text(key), f"{self.where}: {key}")

    def section(self, key: str) -> "_Section":
        return _Section(self.value(key, dict, "a table"), f"{self.where} [{key}]")

    def location(self) -> str:
        location = self.text("location")
        parts = location.rstrip("/").split("/")
        if ":" in location or any(part in ("", ".", "..") for part in parts):
            raise InputError(
                f"{self.where}: location = {location!r} must be a path below the raw prefix, as in 'logs/'"
            )
        return "/".join(parts) + "/"


def identifier(value: str, where: str) -> str:
    """Return a name that every part of both services takes, or raise InputError."""
    if not _IDENTIFIER.fullmatch(value):
        raise InputError(f"{where} {value!r} must be a plain SQL identifier: letters, digits and _, no digit first")
    return value


def _cutoffs(section: _Section) -> dict[str, int]:
    section.only(*SPLITS)
    dates: dict[str, datetime.date] = {}
    for split in SPLITS:
        date = section.value(split, datetime.date, "a date, as in 2026-03-12")
        if isinstance(date, datetime.datetime):
            raise InputError(f"{section.where}: {split} = {date} must be a date without a time, as in 2026-03-12")
        dates[split] = date
    for earlier, later in itertools.pairwise(SPLITS):
        if not dates[earlier] < dates[later]:
            raise InputError(
                f"{section.where}: {earlier} = {dates[earlier]} must be before {later} = {dates[later]}; "
                f"the order is {' < '.join(SPLITS)}"
            )
    return {split: calendar.timegm(date.timetuple()) for split, date in dates.items()}


def _tables(section: _Section, files: Mapping[str, str], place: str) -> tuple[Table, ...]:
    if not 1 <= len(section.values) <= MAX_TABLES:
        raise InputError(f"{section.where}: {len(section.values)} tables; allowed: 1 to {MAX_TABLES}")
    tables: list[Table] = []
    for name in section.values:
        identifier(name, f"{section.where}: table")
        if name.lower() in (*RESERVED, *(table.name.lower() for table in tables)):
            raise InputError(f"{section.where}: table {name!r} has a name that is taken: {', '.join(RESERVED)}")
        table = _Section(section.value(name, dict, "a table"), f"{section.where[:-1]}.{name}]")
        form = table.text("format")
        if form not in FORMATS:
            raise InputError(f"{table.where}: format = {form!r}; {nearest(form, FORMATS)}")
        if form == "text":
            table.only("location", "format", "clean", "key", "times", "good_share")
            columns, clean_name = {}, table.text("clean")
            clean = _sql(files, clean_name, place)
        else:
            table.only("location", "format", "columns", "key", "times")
            columns, clean_name, clean = _columns(table.section("columns")), "", ""
        key, times = (_chosen(table, choice, columns) for choice in ("key", "times"))
        for column in times:
            if columns.get(column, "BIGINT") != "BIGINT":
                raise InputError(f"{table.where}: times: {column!r} must be BIGINT, epoch seconds")
        tables.append(Table(name, table.location(), form, columns, clean, clean_name, key, times, _good_share(table)))
    return tuple(tables)


def _chosen(section: _Section, key: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    """A list of a table's columns, or one of them; those of a text table are known when its clean SQL has run."""
    value = section.values.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{section.where}: {key} = {value!r} must be a column or a list of columns")
    for name in names:
        identifier(name, f"{section.where}: {key}")
        if columns and name not in columns:
            raise InputError(f"{section.where}: {key}: {nearest(name, columns)}; found {name!r}")
        if names.count(name) > 1:
            raise InputError(f"{section.where}: {key}: {name!r} comes twice")
    return tuple(names)


def _good_share(section: _Section) -> float:
    value = section.values.get("good_share", GOOD_SHARE)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{section.where}: good_share = {value!r} must be a number from 0 to 1")
    return float(value)


def _columns(section: _Section) -> dict[str, str]:
    if not section.values:
        raise InputError(f"{section.where}: no column; name those that the SQL texts read, as in {{ id = 'BIGINT' }}")
    for column in section.values:
        identifier(column, f"{section.where}: column")
        type_name = section.text(column)
        if type_name not in COLUMN_TYPES:
            raise InputError(f"{section.where}: {column} = {type_name!r}; {nearest(type_name.upper(), COLUMN_TYPES)}")
    return {column: section.text(column) for column in section.values}


def _truth(section: _Section) -> str:
    section.only("location")
    return section.location()


def _sql(files: Mapping[str, str], name: str, place: str) -> str:
    if name not in files:
        raise InputError(f"{place}: {name} is missing")
    where, text = f"{place}/{name}", files[name]

    def line(at: int) -> str:
        return f"{where}: line {text.count(chr(10), 0, at) + 1}"

    for part in _NO_CODE.finditer(text):
        if part[0].startswith("'"):
            for written, meant in (("\\", "CHR(92)"), ("''", "CHR(39)")):
                if written in part[0][1:-1]:
                    raise InputError(
                        f"{line(part.start())}: {part[0]} means another text to Spark; put {meant} for {written}"
                    )
    # As long as the text, with nothing but code in it, and the quotes of what was a text.
    code = _NO_CODE.sub(lambda part: re.sub(r"[^\n']" if part[0][0] == "'" else r"[^\n]", " ", part[0]), text).rstrip()
    # Both engines take one statement without its semicolon; line numbers in messages stay those of the file.
    if code.endswith(";"):
        code = code.rstrip(";")
        text = text[: len(code)]
    if not code.strip():
        raise InputError(f"{where}: empty; it must be one SELECT")
    if not re.match(r"[\s(]*(SELECT|WITH)\b", code, re.IGNORECASE) or ";" in code:
        at = max(code.find(";"), 0)
        raise InputError(f"{line(at)}: must be one SELECT, or WITH and a SELECT, and nothing after a semicolon")
    if found := _OTHER_EACH_TIME.search(code):
        raise InputError(
            f"{line(found.start())}: {found[0].strip()} has other values in each run or on each engine; a feature must "
            "depend on the data alone"
        )
    if found := _READS_FILES.search(code):
        what = " ".join(found[0].split())
        raise InputError(f"{line(found.start())}: {what} reads what is no table of {DEFINITION}; declare it there")
    return text + "\n"
