"""Numbers of several runs of the same thing: their middle, how far they spread, and what of a difference is noise."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from comparison import summary
from record.schema import Record

_LEAST_FREEDOM = 2

RULE = (
    "A difference is within noise up to t * s * sqrt(1/a + 1/b): s is the pooled standard deviation of the repeats, "
    "a and b are the numbers of runs compared, t is Student's for 95 percent."
)


@dataclass(frozen=True)
class Spread:
    """How one number came out in several runs; ``deviation`` is the median absolute deviation from the median."""

    runs: int
    median: float
    minimum: float
    maximum: float
    deviation: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """The spread of what was measured; None if nothing was."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    median = statistics.median(known)
    deviation = statistics.median(abs(value - median) for value in known)
    return Spread(len(known), median, min(known), max(known), deviation)


def noise(repeats: Sequence[Sequence[float | None]], a: int, b: int) -> float | None:
    """How large a difference between the middles of ``a`` and ``b`` runs may be by chance, as RULE says.

    ``repeats`` has the same number of each run, for each set of repeats. None if fewer than three of one set, or two
    each of two, are known: nobody knows the noise then.
    """
    squares, freedom = 0.0, 0
    for values in repeats:
        known = [value for value in values if value is not None]
        if len(known) > 1:
            middle = statistics.fmean(known)
            squares += math.fsum((value - middle) ** 2 for value in known)
            freedom += len(known) - 1
    if freedom < _LEAST_FREEDOM:
        return None
    # Here, since SciPy takes a second to import, and most of what reads runs has no repeats.
    from scipy.stats import t

    # Two-sided, 95 percent.
    return float(t.ppf(0.975, freedom)) * math.sqrt(squares / freedom) * math.sqrt(1 / a + 1 / b)


@dataclass(frozen=True)
class Number:
    """A number of a record: whose it is (a side's, or the sides'), of what, and its unit ("" without one)."""

    side: str
    name: str
    unit: str
    value: float | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What the same number of another record has as well."""
        return self.side, self.name, self.unit

    @property
    def is_time(self) -> bool:
        """Whether it depends on the host: one host's says nothing of another's, nor of an account's."""
        return self.unit in ("s", "ms")


def repeated(records: Sequence[Record]) -> dict[tuple[str, str], Spread | None]:
    """Seconds of each stage, in all, and AUC, by side and name."""
    names = {(side, name) for side, name, unit in _keys(records) if unit == "s" or name == "AUC"}
    columns = [{(each.side, each.name): each.value for each in numbers(record)} for record in records]
    order = dict.fromkeys((each.side, each.name) for record in records for each in numbers(record))
    return {key: spread(column.get(key) for column in columns) for key in order if key in names}


def _keys(records: Sequence[Record]) -> set[tuple[str, str, str]]:
    return {each.key for record in records for each in numbers(record) if "billable" not in each.name}


def numbers(record: Record) -> Iterator[Number]:
    """Every number of a record that can be compared with another run's."""
    for name, side in record.sides.items():
        title = summary.TITLES[name]
        for stage in side.stages:
            # How long something took to fail says nothing of it.
            yield Number(title, stage.name, "s", stage.seconds if stage.status == "succeeded" else None)
            yield Number(title, f"{stage.name}, billable", "s", stage.billable_seconds)
            yield Number(title, f"{stage.name}, rows read", "rows", stage.rows_in)
            yield Number(title, f"{stage.name}, rows written", "rows", stage.rows_out)
            yield Number(title, f"{stage.name}, written", "B", stage.bytes_out)
        yield Number(title, "in all", "s", summary.total_seconds(side) if side.status == "succeeded" else None)
        for metric, (label, _) in summary.METRICS.items():
            yield Number(title, label, "", summary.metric(side.metrics, metric))
        if side.serve is not None:
            yield Number(title, "one request to the endpoint", "ms", side.serve.p50_milliseconds)
    for pair in record.agreement:
        which = "both" if len(record.sides) == 2 else f"{summary.TITLES[pair.first]}, {summary.TITLES[pair.second]}"
        yield Number(which, "test AUC between the sides", "", pair.auc_difference)
        yield Number(which, "largest prediction difference", "", pair.predictions_max_difference)
