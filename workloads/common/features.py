"""The checks that the SQL texts of a dataset must pass, worded once and run by both engines."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from common.command import InputError
from common.dataset import DEFINITION, FEATURES, LABELLED, Dataset, Table, identifier, quoted

Columns = Sequence[tuple[str, str]]
"""Column names with their SQL types, as in ("age", "BIGINT")."""

FEATURE_TYPES = ("BIGINT", "DOUBLE")
ENTITY_TYPES = ("BIGINT", "VARCHAR")

_ARITHMETIC = {
    r"division by zero|divide_by_zero": "division by zero; NULLIF(..., 0) makes it NULL",
    r"overflow|out.of.range|failed to cast decimal": "a number does not fit its type (overflow); "
    "a BIGINT ends at 9,223,372,036,854,775,807",
    r"cast_invalid_input|could not convert string": "a text that is no number is CAST to one; TRY_CAST gives NULL",
}

ABOUT_LINES = ("reject", "copies", "file")
"""Columns of a clean SQL that are about lines and no part of the table; the last may be left out."""

EXAMPLES = 100
"""How many lines at the start of a bad file are tried for an example."""

YEAR_SECONDS = 366 * 86_400
FAR_SECONDS = 50 * YEAR_SECONDS
"""How far from the cut-offs a time can lie. Days, hours, minutes and milliseconds since 1970 all lie farther."""


def check_types(wanted: Mapping[str, str], found: Columns, where: str, by: str) -> None:
    """Check that the columns found in `where` include those wanted `by` a definition, or raise InputError."""
    types = dict(found)
    for column, type_name in wanted.items():
        if column not in types:
            raise InputError(f"{where}: column {column!r} is missing, wanted by {by}; there are: {', '.join(types)}")
        if types[column] != type_name:
            raise InputError(f"{where}: column {column!r} has type {types[column]}, but {by} wants {type_name}")


def arithmetic(message: str) -> str | None:
    """What went wrong, in words for both engines, if an engine's message is about a number that an expression made."""
    for pattern, meaning in _ARITHMETIC.items():
        if re.search(pattern, message, re.IGNORECASE):
            return meaning
    return None


def check_clean(dataset: Dataset, table: Table, found: Columns) -> None:
    """Check that a clean SQL returns what the counts of rejected lines need, or raise InputError."""
    wanted = {"reject": "VARCHAR", "copies": "BIGINT"}
    check_types(wanted, found, f"{dataset.place}/{table.clean_name}", "every clean SQL (CAST them)")


def not_utf8(file: str, column: str) -> InputError:
    """The error for a text that is not UTF-8."""
    return InputError(f"{file}: column {column!r} holds bytes that are not UTF-8; VARCHAR must, BLOB need not")


def check_declared(dataset: Dataset, table: Table, found: Columns) -> None:
    """Check that a clean SQL returns the columns that dataset.toml calls key and times, or raise InputError."""
    by = f"[tables.{table.name}] of {DEFINITION}"
    types = dict(found)
    wanted = {name: types.get(name, "") for name in table.key} | dict.fromkeys(table.times, "BIGINT")
    check_types(wanted, found, f"{dataset.place}/{table.clean_name}", by)


def texts_of(table: Table) -> list[str]:
    """The columns of a Parquet table that hold texts."""
    return [name for name, type_name in table.columns.items() if type_name == "VARCHAR"]


def values_sql(table: Table, broken_text: str) -> str:
    """The portable SELECT over a table's view that `check_values` judges: one row.

    Columns: distinct keys, rows, rows whose key is incomplete, texts that are not UTF-8, then the least and the
    greatest value of each time. `broken_text` is the engine's condition for such a text, with {} for the column.
    """
    broken = " + ".join(f"CASE WHEN {broken_text.format(quoted(name))} THEN 1 ELSE 0 END" for name in texts_of(table))
    within = ["COUNT(*) AS n", f"SUM({broken or 'CAST(0 AS BIGINT)'}) AS broken"]
    within += [f"MIN({quoted(name)}) AS least_{name}, MAX({quoted(name)}) AS most_{name}" for name in table.times]
    keys = quoted(*table.key)
    nameless = " OR ".join(f"{quoted(name)} IS NULL" for name in table.key)
    counts = [
        "CAST(COUNT(*) AS BIGINT)",
        "CAST(SUM(n) AS BIGINT)",
        f"CAST(SUM(CASE WHEN {nameless} THEN n ELSE 0 END) AS BIGINT)" if keys else "CAST(0 AS BIGINT)",
        "CAST(SUM(broken) AS BIGINT)",
    ]
    counts += [f"MIN(least_{name}), MAX(most_{name})" for name in table.times]
    inner = f"SELECT {', '.join([keys, *within] if keys else within)} FROM {quoted(table.name)}"
    return f"SELECT {', '.join(counts)} FROM ({inner}{f' GROUP BY {keys}' if keys else ''}) AS counted"


def repeated_sql(table: Table) -> str:
    """The portable SELECT of the first key that comes more than once, and how often."""
    keys = quoted(*table.key)
    counted = f"SELECT {keys}, COUNT(*) AS n FROM {quoted(table.name)} GROUP BY {keys}"
    return f"{counted} HAVING COUNT(*) > 1 ORDER BY {keys} LIMIT 1"


def check_values(
    dataset: Dataset, table: Table, found: Sequence[int | None], repeated: Callable[[], Sequence[Sequence[object]]]
) -> None:
    """Judge the row of `values_sql`; `repeated` fetches the rows of `repeated_sql`. Texts are judged elsewhere.

    Raises:
        InputError: a key is NULL or comes twice; a time is not in seconds, going by its distance from the cut-offs.
    """
    keys, rows, nameless, _, *extremes = found
    by = f"[tables.{table.name}] of {DEFINITION}"
    if not rows:
        return
    if nameless:
        raise InputError(
            f"{table.location}: {' or '.join(table.key)} is NULL in {nameless} rows; it is the key by {by}"
        )
    if table.key and keys != rows:
        for *key, count in repeated():
            named = ", ".join(f"{name} {value!r}" for name, value in zip(table.key, key, strict=True))
            raise InputError(
                f"{table.location}: {count} rows for {named}, which is the key by {by}; was a file shipped twice?"
            )
    first, last = min(dataset.cutoffs.values()), max(dataset.cutoffs.values())
    for number, name in enumerate(table.times):
        least, most = extremes[2 * number : 2 * number + 2]
        if least is None or most is None:
            continue
        for value in (least, most):
            if not first - FAR_SECONDS <= value <= last + FAR_SECONDS:
                raise InputError(
                    f"{table.location}: {name} = {value} is not near the cut-offs, {first} to {last} in epoch seconds; "
                    f"{by} says that it is a time in seconds; NULL stands for an unknown one"
                )
        if most < first - YEAR_SECONDS or least > last + YEAR_SECONDS:
            print(
                f"warning: {table.location}: every {name} is over a year away from the cut-offs: {least} to {most}",
                flush=True,
            )


def check_lines(
    table: Table,
    found: Iterable[Sequence[Any]],
    files: Mapping[int, str],
    recount: Callable[[str], Iterable[Sequence[Any]]],
    example: Callable[[str], tuple[str, str]],
) -> None:
    """Judge how many of each file's distinct lines are good, by the rows of `rejected_sql`.

    `files` are the names behind the numbers in the view `lines`; `recount` gives the rows of one file alone; `example`
    finds a rejected line and the reason.

    Raises:
        InputError: a file without a good line, or with less than the table's share of them.
    """
    good: Counter[int] = Counter()
    bad: Counter[int] = Counter()
    for reason, number, distinct, _ in found:
        (good if reason is None else bad)[number] += distinct

    def few(number: int) -> bool:
        return not good[number] or good[number] < table.good_share * (good[number] + bad[number])

    for number in sorted(bad, key=lambda number: files.get(number, "")):
        name = files.get(number, table.location)
        if few(number) and number in files:
            # A line that several files have was counted for one of them, as of a file and what was shipped before it.
            rows = list(recount(name))
            good[number] = sum(distinct for reason, _, distinct, _ in rows if reason is None)
            bad[number] = sum(distinct for reason, _, distinct, _ in rows if reason is not None)
        if few(number):
            count = good[number] + bad[number]
            line, reason = example(name)
            shown = line if len(line) <= 200 else f"{line[:200]}..."
            raise InputError(
                f"{name}: {good[number]} of {count} different lines are good, at least {table.good_share:.0%} must be "
                f"and never none; {shown!r} is rejected by {table.clean_name} as {reason!r}"
            )


def check_features(dataset: Dataset, found: Columns) -> list[str]:
    """Check the columns of features.sql and return the names of the features.

    Raises:
        InputError: split, entity and label do not come first, a type is not allowed, a name comes twice, or there is
            no feature.
    """
    where = f"{dataset.place}/{FEATURES}"
    names = [name for name, _ in found]
    first = ["split", dataset.entity, dataset.label]
    if names[:3] != first:
        raise InputError(f"{where}: the first columns must be {', '.join(first)}; found: {', '.join(names)}")
    features = names[3:]
    if not features:
        raise InputError(f"{where}: no column after {', '.join(first)}; at least one feature is needed")
    for name in names:
        identifier(name, f"{where}: column")
        if [other.lower() for other in names].count(name.lower()) > 1:
            raise InputError(f"{where}: column {name!r} comes twice")
    allowed = {"split": ("VARCHAR",), dataset.entity: ENTITY_TYPES, dataset.label: ("BIGINT",)}
    for name, type_name in found:
        types = allowed.get(name, FEATURE_TYPES)
        if type_name not in types:
            raise InputError(f"{where}: column {name!r} has type {type_name}; CAST it to {' or '.join(types)}")
    return features


def summary_sql(dataset: Dataset, found: Columns) -> str:
    """The portable SELECT over the view `features` that `check_rows` judges: one row per split.

    Columns: split, rows, rows without entity, negatives, positives, unknown labels, entities with a line break, then
    per DOUBLE feature the number of values that are NaN or infinite. Both engines order NaN above infinity, so one
    comparison finds either.
    """
    label, entity = quoted(dataset.label), quoted(dataset.entity)
    doubles = [quoted(name) for name, type_name in found[3:] if type_name == "DOUBLE"]
    # A record of Batch Transform is one line.
    breaks = " OR ".join(f"INSTR({entity}, CHR({code})) > 0" for code in (10, 13))
    if dict(found)[dataset.entity] != "VARCHAR":
        breaks = "1 = 0"
    counts = [
        "COUNT(*)",
        f"COUNT(*) - COUNT({entity})",
        f"COUNT(CASE WHEN {label} = 0 THEN 1 END)",
        f"COUNT(CASE WHEN {label} = 1 THEN 1 END)",
        f"COUNT(*) - COUNT({label})",
        f"COUNT(CASE WHEN {breaks} THEN 1 END)",
        *(f"COUNT(CASE WHEN ABS({name}) > 3.4028234663852886E38 THEN 1 END)" for name in doubles),
    ]
    columns = ", ".join(f"{count} AS n{number}" for number, count in enumerate(counts))
    return f"SELECT split, {columns} FROM features GROUP BY split"


def duplicate_sql(dataset: Dataset) -> str:
    """The portable SELECT that finds one entity with several rows in one split."""
    names = quoted("split", dataset.entity)
    return f"SELECT {names}, COUNT(*) AS n FROM features GROUP BY {names} HAVING COUNT(*) > 1 ORDER BY {names} LIMIT 1"


def check_rows(
    dataset: Dataset, found: Columns, summary: Iterable[Sequence[object]], duplicates: Iterable[Sequence[object]]
) -> dict[str, int]:
    """Judge the results of `summary_sql` and `duplicate_sql`; return split to number of rows.

    Raises:
        InputError: a split is unknown, empty or lacks one of the labels; a label is not 0 or 1 (score: or NULL); an
            entity is NULL, has a line break or comes twice in a split; a feature is NaN or infinite.
    """
    where = f"{dataset.place}/{FEATURES}"
    by_split = {row[0]: [int(str(count)) for count in row[1:]] for row in summary}
    for split in sorted(by_split, key=str):
        if split not in dataset.cutoffs:
            raise InputError(f"{where}: split {split!r} is not one of {', '.join(dataset.cutoffs)}")
    doubles = [name for name, type_name in found[3:] if type_name == "DOUBLE"]
    rows: dict[str, int] = {}
    for split in dataset.cutoffs:
        if split not in by_split:
            raise InputError(f"{where}: no row for split {split!r}; does the raw data reach that cut-off?")
        count, nameless, negatives, positives, unknown, broken, *strange = by_split[split]
        others = count - negatives - positives - (0 if split in LABELLED else unknown)
        if others:
            allowed = "0 or 1" if split in LABELLED else "0, 1 or NULL"
            raise InputError(f"{where}: {dataset.label} of {others} rows of split {split!r} is not {allowed}")
        if split in LABELLED and not (negatives and positives):
            raise InputError(
                f"{where}: {dataset.label} is {1 if positives else 0} in all {count} rows of split {split!r}; "
                "a model and its metrics need both"
            )
        if nameless:
            raise InputError(f"{where}: {dataset.entity} is NULL in {nameless} rows of split {split!r}")
        if broken:
            raise InputError(
                f"{where}: {dataset.entity} has a line break in {broken} rows of split {split!r}; "
                "scores are written a line each"
            )
        for name, number in zip(doubles, strange, strict=True):
            if number:
                raise InputError(
                    f"{where}: {name} is NaN or infinite in {number} rows of split {split!r}, as XGBoost's 32 bits see "
                    "it; return NULL for missing"
                )
        rows[split] = count
    for row in duplicates:
        raise InputError(f"{where}: {row[2]} rows for {dataset.entity} {row[1]!r} in split {row[0]!r}; one is allowed")
    return rows
