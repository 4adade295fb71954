"""The checks that the SQL texts of a dataset must pass, worded once and run by both engines."""

from collections.abc import Iterable, Mapping, Sequence

from common.command import InputError
from common.dataset import FEATURES, LABELLED, Dataset, Table

Columns = Sequence[tuple[str, str]]
"""Column names with their SQL types, as in ("age", "BIGINT")."""

FEATURE_TYPES = ("BIGINT", "DOUBLE")
ENTITY_TYPES = ("BIGINT", "VARCHAR")


def check_table(dataset: Dataset, table: Table, found: Columns, where: str) -> None:
    """Check that a Parquet table holds the columns that dataset.toml names.

    Raises:
        InputError: a column is missing or has another type.
    """
    check_types(table.columns, found, where, f"[tables.{table.name}.columns] of {dataset.place}")


def check_types(wanted: Mapping[str, str], found: Columns, where: str, by: str) -> None:
    """Check that the columns found in `where` include those wanted `by` a definition, or raise InputError."""
    types = dict(found)
    for column, type_name in wanted.items():
        if column not in types:
            raise InputError(f"{where}: column {column!r} is missing, wanted by {by}; there are: {', '.join(types)}")
        if types[column] != type_name:
            raise InputError(f"{where}: column {column!r} has type {types[column]}, but {by} wants {type_name}")


def check_clean(dataset: Dataset, table: Table, found: Columns) -> None:
    """Check that a clean SQL returns what the counts of rejected lines need, or raise InputError."""
    wanted = {"reject": "VARCHAR", "copies": "BIGINT"}
    check_types(wanted, found, f"{dataset.place}/{table.clean_name}", "every clean SQL (CAST them)")


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

    Columns: split, rows, rows without entity, negatives, positives, unknown labels, then per DOUBLE feature the number
    of values that are NaN or infinite. Both engines order NaN above infinity, so one comparison finds either.
    """
    label = dataset.label
    doubles = [name for name, type_name in found[3:] if type_name == "DOUBLE"]
    counts = [
        "COUNT(*)",
        f"COUNT(*) - COUNT({dataset.entity})",
        f"COUNT(CASE WHEN {label} = 0 THEN 1 END)",
        f"COUNT(CASE WHEN {label} = 1 THEN 1 END)",
        f"COUNT(*) - COUNT({label})",
        *(f"COUNT(CASE WHEN ABS({name}) > 3.4028234663852886E38 THEN 1 END)" for name in doubles),
    ]
    columns = ", ".join(f"{count} AS n{number}" for number, count in enumerate(counts))
    return f"SELECT split, {columns} FROM features GROUP BY split"


def duplicate_sql(dataset: Dataset) -> str:
    """The portable SELECT that finds one entity with several rows in one split."""
    return f"""SELECT split, {dataset.entity}, COUNT(*) AS n FROM features
GROUP BY split, {dataset.entity} HAVING COUNT(*) > 1 ORDER BY split, {dataset.entity} LIMIT 1"""


def check_rows(
    dataset: Dataset, found: Columns, summary: Iterable[Sequence[object]], duplicates: Iterable[Sequence[object]]
) -> dict[str, int]:
    """Judge the results of `summary_sql` and `duplicate_sql`; return split to number of rows.

    Raises:
        InputError: a split is unknown, empty or lacks one of the labels; a label is not 0 or 1 (score: or NULL); an
            entity is NULL or comes twice in a split; a feature is NaN or infinite.
    """
    where = f"{dataset.place}/{FEATURES}"
    by_split = {row[0]: [int(str(count)) for count in row[1:]] for row in summary}
    for split in by_split:
        if split not in dataset.cutoffs:
            raise InputError(f"{where}: split {split!r} is not one of {', '.join(dataset.cutoffs)}")
    doubles = [name for name, type_name in found[3:] if type_name == "DOUBLE"]
    rows: dict[str, int] = {}
    for split in dataset.cutoffs:
        if split not in by_split:
            raise InputError(f"{where}: no row for split {split!r}; does the raw data reach that cut-off?")
        count, nameless, negatives, positives, unknown, *strange = by_split[split]
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
