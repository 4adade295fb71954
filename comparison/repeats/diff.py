"""Two runs, or two sets of repeats: what was different about them, and what came out differently."""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from comparison.repeats.spread import Number, noise, numbers
from record.errors import UserError
from record.runs.folders import find, repeats, succeeded
from record.schema import Machine, Record

Verdict = Literal["equal", "within noise", "changed", "noise not known", "not comparable", "not measured"]


@dataclass(frozen=True)
class Compared:
    """What is compared: the runs that it stands for, and the repeats that tell how much they vary by chance.

    Of repeats those that succeeded, in the same place as the first of the runs.
    """

    name: str
    runs: Sequence[Record]
    repeats: Sequence[Record]

    @classmethod
    def of(cls, reference: str, output: Path) -> "Compared":
        """What a reference names (`record.runs.folders.find`), with its repeats below the output folder."""
        found = find(reference, output)
        single = len(found) == 1
        alike = repeats(found[0].repeat_of, output) if single else found
        good = [record for record in alike if succeeded(record)]
        runs = found if single else good or found
        return cls(reference, runs, [record for record in good if _place(record) == _place(runs[0])])


@dataclass(frozen=True)
class Change:
    """Something that was given differently; None: it was not there."""

    group: str
    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Difference:
    """A number that both sides may have: medians where a side is several runs."""

    side: str
    name: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None
    noise: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Diff:
    """All that differs, and the numbers that are equal as well."""

    changes: list[Change]
    differences: list[Difference]

    @property
    def noise_known(self) -> bool:
        """Whether there are repeats enough to tell the noise of any number."""
        return any(each.noise is not None for each in self.differences)


def compare(a: Compared, b: Compared) -> Diff:
    """What differs between two sides.

    Raises:
        UserError: they are of different datasets.
    """
    first, second = a.runs[0], b.runs[0]
    if first.dataset.name != second.dataset.name:
        raise UserError(
            f"{a.name} is a run of dataset {first.dataset.name}, {b.name} of {second.dataset.name}: "
            "only runs of the same dataset can be compared"
        )
    return Diff(list(_changes(first, second)), list(_differences(a, b)))


def _changes(a: Record, b: Record) -> Iterator[Change]:
    given_a, given_b = _given(a), _given(b)
    for group, one in given_a.items():
        other = given_b[group]
        for name in dict.fromkeys([*one, *other]):
            if one.get(name) != other.get(name):
                yield Change(group, name, _text(one.get(name)), _text(other.get(name)))


def _given(record: Record) -> dict[str, Mapping[str, Any]]:
    """What a run was given, and what of its outcome is no number."""
    return {
        "run": {"where": record.where},
        "machine": record.machine.model_dump() if record.machine else {},
        "dataset": record.dataset.model_dump(exclude={"name", "rows"}),
        "raw rows": record.dataset.rows,
        "settings": record.settings,
        "versions": record.versions,
        "definitions": {str(side): digest for side, digest in record.definitions.items()},
        "status": {str(name): side.status for name, side in record.sides.items()},
        "agreement": {
            f"{pair.first}, {pair.second}: {field}": value
            for pair in record.agreement
            for field, value in pair.model_dump(include={"features_equal", "rejected_equal"}).items()
        },
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _differences(a: Compared, b: Compared) -> Iterator[Difference]:
    columns_a, columns_b = ([_by_key(record) for record in side.runs] for side in (a, b))
    # A run that is in the other's repeats as well counts once.
    sets = {record.run_id: [_by_key(each) for each in side.repeats] for side in (a, b) for record in side.repeats[:1]}
    order = {each.key: each for side in (a, b) for record in side.runs for each in numbers(record)}
    places = [_place(record) for side in (a, b) for record in side.runs]
    comparable = all(place == places[0] for place in places)
    for key, measure in order.items():
        values_a, values_b = ([column.get(key) for column in columns] for columns in (columns_a, columns_b))
        limit = noise(
            [[column.get(key) for column in columns] for columns in sets.values()], *_counts(values_a, values_b)
        )
        yield _difference(measure, values_a, values_b, limit, comparable or not measure.is_time)


def _place(record: Record) -> tuple[str, Machine | None]:
    """What times depend on: those of two laptops are no more of one kind than a laptop's and an account's."""
    return record.where, record.machine


def _by_key(record: Record) -> dict[tuple[str, str, str], float | None]:
    return {each.key: each.value for each in numbers(record)}


def _counts(*columns: list[float | None]) -> list[int]:
    """How many values each column has, but at least one: without any there is no difference to judge."""
    return [max(sum(value is not None for value in values), 1) for values in columns]


def _difference(
    measure: Number, values_a: list[float | None], values_b: list[float | None], limit: float | None, comparable: bool
) -> Difference:
    a, b = _median(values_a), _median(values_b)
    verdict: Verdict
    difference = None
    if a is None or b is None:
        verdict, limit = "not measured", None
    elif not comparable:
        verdict, limit = "not comparable", None
    else:
        difference = b - a
        if difference == 0:
            verdict = "equal"
        elif limit is None:
            verdict = "noise not known"
        else:
            verdict = "within noise" if abs(difference) <= limit else "changed"
    return Difference(measure.side, measure.name, measure.unit, a, b, difference, limit, verdict)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
