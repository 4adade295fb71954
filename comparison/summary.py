"""Words and pass marks of a record: the page and the terminal table share them, so they cannot differ."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from record.schema import STAGES, Agreement, Metrics, Record, Side, SideName, Stage, StageName
from sides import SIDES


class _Titles(dict[SideName, str]):
    """The sides' names for people; one that this checkout does not have is called as it is in the record."""

    def __missing__(self, name: SideName) -> str:
        return name


TITLES = _Titles({side.name: side.title for side in SIDES.values()})
NOT_MEASURED = "not measured"

# Pass marks. Two trainers that bin and sample in another order differ by less than this; a wrong feature, split or
# hyper-parameter differs by more.
AUC_DIFFERENCE_LIMIT = 0.002
# How far a test AUC may be from the best achievable one, in either direction: far above it would mean that something
# leaks.
BEST_ACHIEVABLE_DISTANCE_LIMIT = 0.05
# The same model on equal features: only the rounding of single precision is left.
CROSS_SCORING_LIMIT = 1e-6

METRICS: dict[str, tuple[str, str]] = {
    "auc": ("AUC", "higher is better"),
    "average_precision": ("Average precision", "higher is better"),
    "log_loss": ("Log loss", "lower is better"),
    "brier": ("Brier score", "lower is better"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was checked of a side, mostly against the first one: what was found, what is allowed."""

    name: str
    side: SideName
    value: str
    limit: str
    result: Literal["pass", "fail", "reported", "not measured"]


@dataclass(frozen=True)
class Conclusion:
    """The run in a headline and at most three sentences, with the details for who wants them.

    `tone` is what the page colours.
    """

    headline: str
    tone: Literal["good", "mixed", "bad"]
    sentences: list[str]
    details: list[str]


def count(value: int | None) -> str:
    """Format a number of things, e.g. `31,204`."""
    return NOT_MEASURED if value is None else f"{value:,}"


def seconds(value: float | None) -> str:
    """Format a duration in seconds, e.g. `4.8 s`, `2 min 5 s`, `1 h 2 min`."""
    if value is None:
        return NOT_MEASURED
    if value < 99.95:
        return f"{value:.2f} s" if value < 0.995 else f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def size(value: int | None) -> str:
    """Format a number of bytes in decimal units, e.g. `2.31 MB`."""
    if value is None:
        return NOT_MEASURED
    if value < 1000:
        return f"{value} B"
    # The 0.5 % keeps 999,999 from becoming `1000 kB`.
    power = min(int(math.log10(value * 1.0005) // 3), 5)
    scaled = value / 1000**power
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def score(value: float | None) -> str:
    """Format a metric with four decimals."""
    return NOT_MEASURED if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """Format a share, e.g. `12.3 %`."""
    return NOT_MEASURED if value is None else f"{100 * value:.1f} %"


def milliseconds(value: float | None) -> str:
    """Format a short time, e.g. `1.84 ms`."""
    return NOT_MEASURED if value is None else f"{value:.2f} ms"


def rate(number: int, value: float) -> str:
    """Format how many things a second were done in so many seconds, e.g. `512`."""
    return NOT_MEASURED if not value else f"{number / value:,.0f}"


def dollars(value: float) -> str:
    """Format a price as people write it, without an exponent, e.g. `0.0000004`."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if value else "0"


def difference(value: float | None) -> str:
    """Format a small number with two significant digits, e.g. `0.00031` or `6.0e-8`."""
    if value is None:
        return NOT_MEASURED
    if value == 0 or abs(value) >= 1e-4:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def join(names: Sequence[str]) -> str:
    """Join names as in a sentence: `a, b and c`; nothing where there are none."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def instances(stage: Stage | None) -> str:
    """Format the machines that a stage's definition asks for, how many of which type."""
    if stage is None or not stage.instances:
        return "not recorded"
    return ", ".join(f"{each.count} × {each.type}" for each in stage.instances)  # noqa: RUF001


def total_seconds(side: Side) -> float | None:
    """Return the seconds of the side's whole execution, or where that was not recorded the sum of its stages.

    None when nothing was measured.
    """
    if side.seconds is not None:
        return side.seconds
    measured = [stage.seconds for stage in side.stages if stage.seconds is not None]
    return sum(measured) if measured else None


def total_rejected(side: Side) -> int | None:
    """Return how many lines the side rejected for any reason, None when not measured."""
    return None if side.rejected is None else sum(sum(reasons.values()) for reasons in side.rejected.values())


def rejected(record: Record) -> list[tuple[str, str, dict[SideName, int | None]]]:
    """Return (table, reason, lines of each side) for every reason that occurred on any side."""
    sides = {name: side.rejected for name, side in record.sides.items()}
    keys = dict.fromkeys((table, reason) for side in sides.values() if side for table in side for reason in side[table])

    # A reason that one side did not report occurred there 0 times, unless the side reported nothing at all.
    def lines(side: dict[str, dict[str, int]] | None, table: str, reason: str) -> int | None:
        return None if side is None else side.get(table, {}).get(reason, 0)

    return [
        (table, reason, {name: lines(side, table, reason) for name, side in sides.items()}) for table, reason in keys
    ]


def metric(metrics: Metrics | None, name: str) -> float | None:
    """Return one of `METRICS` by name, None when not measured."""
    value: float | None = getattr(metrics, name, None)
    return value


def checks(record: Record) -> list[Check]:
    """Compare the sides: everything that should be equal or close, with the pass mark."""
    every = [check for pair in pairs(record) for check in _checks(pair)]
    every += [_best_achievable(record, name) for name in record.sides]
    names = list(dict.fromkeys(check.name for check in every))
    return sorted(every, key=lambda check: names.index(check.name))


def matrix(record: Record) -> list[tuple[str, str, list[Check | None]]]:
    """Return a row for each thing that was checked: its name, what is allowed, and what was found of each side."""
    found = {(check.name, check.side): check for check in checks(record)}
    rows = dict.fromkeys((check.name, check.limit) for check in checks(record))
    return [(name, limit, [found.get((name, side)) for side in record.sides]) for name, limit in rows]


def pairs(record: Record) -> tuple[Agreement, ...]:
    """Return what was compared of each other side with the first; nothing of it where the record has nothing."""
    first, *others = record.sides
    return record.agreement or tuple(Agreement(first=first, second=other) for other in others)


def agreed(record: Record, field: Literal["features_equal", "rejected_equal"]) -> bool | None:
    """Say whether something is equal on all sides; None when that was not measured of each, or there is one side."""
    values = [getattr(pair, field) for pair in pairs(record)]
    if False in values:
        return False
    return None if None in values or not values else True


def auc_difference(record: Record) -> float | None:
    """Return the largest difference of a side's test AUC to the first side's; None when one was not measured."""
    known = [pair.auc_difference for pair in pairs(record) if pair.auc_difference is not None]
    return max(known) if known and len(known) == len(record.sides) - 1 else None


def features_rows(record: Record) -> int | None:
    """Return how many rows of features were compared, of the pair of sides with the most."""
    return max((pair.features_rows for pair in record.agreement if pair.features_rows is not None), default=None)


def _best_achievable(record: Record, side: SideName) -> Check:
    auc, limit = metric(record.sides[side].metrics, "auc"), record.limits.auc
    distance = None if auc is None or limit is None else abs(limit - auc)
    return _within("Test AUC to best achievable", side, distance, BEST_ACHIEVABLE_DISTANCE_LIMIT)


def _checks(pair: Agreement) -> Iterator[Check]:
    first, side = TITLES[pair.first], pair.second
    yield _equal("Features, row for row", side, pair.features_equal, pair.features_rows)
    yield _equal("Rejected lines, by reason", side, pair.rejected_equal)
    yield _within(f"Test AUC to {first}'s", side, pair.auc_difference, AUC_DIFFERENCE_LIMIT)
    cross = pair.cross_scoring_max_difference
    one = cross.first_model_on_second_features if cross else None
    other = cross.second_model_on_first_features if cross else None
    yield _within(f"{first}'s model, the side's features", side, one, CROSS_SCORING_LIMIT)
    yield _within(f"The side's model, {first}'s features", side, other, CROSS_SCORING_LIMIT)
    # No pass mark: two trainings of equal quality may still differ on a single row.
    if (largest := pair.predictions_max_difference) is not None:
        yield Check(f"Largest difference to {first}'s predictions", side, difference(largest), "none set", "reported")


def _equal(name: str, side: SideName, equal: bool | None, rows: int | None = None) -> Check:
    if equal is None:
        return Check(name, side, NOT_MEASURED, "equal", "not measured")
    value = ("equal" if equal else "different") + (f", {rows:,} rows" if rows is not None else "")
    return Check(name, side, value, "equal", "pass" if equal else "fail")


def _within(name: str, side: SideName, value: float | None, limit: float) -> Check:
    allowed = f"≤ {difference(limit).replace('1.0e', '1e')}"
    if value is None:
        return Check(name, side, NOT_MEASURED, allowed, "not measured")
    return Check(name, side, difference(value), allowed, "pass" if value <= limit else "fail")


def here(record: Record) -> str:
    """Name the place that was measured, for a sentence."""
    return "on this machine" if record.where == "local" else "in this account"


def conclude(record: Record, *, cost: str = "", claims: str = "") -> Conclusion:
    """Say in plain sentences whether the sides are equivalent, what they cost, and what became of the claims.

    `cost` and `claims` are sentences of those who computed them, empty where nobody did.
    """
    headline, tone = _headline(record)
    sentences = [_equivalence(record), *filter(None, (cost, claims))]
    return Conclusion(headline, tone, sentences, [_what_ran(record), *_how_close(record), *_how_fast(record)])


def _equivalence(record: Record) -> str:
    """The sentence that says whether one result may be compared with the other."""
    values = {name: metric(side.metrics, "auc") for name, side in record.sides.items()}
    auc = join([f"{score(value)} on {TITLES[name]}" for name, value in values.items() if value is not None])
    limit = "" if record.limits.auc is None else f" ({score(record.limits.auc)} is the best achievable)"
    quality = f"The test AUC is {auc}{limit}" if auc else "No model was measured"
    if len(record.sides) == 1:
        return f"{quality}."
    features, rows = agreed(record, "features_equal"), features_rows(record)
    of = f" in all {rows:,} rows" if rows is not None else ""
    same = {
        True: f"the features are equal{of}",
        False: f"the features are not equal{of}",
        None: "whether the features are equal was not measured",
    }[features]
    return f"{quality}, and {same}."


def _headline(record: Record) -> tuple[str, Literal["good", "mixed", "bad"]]:
    every = _every(record)
    failed = {name: side for name, side in record.sides.items() if side.status == "failed"}
    if len(failed) == len(record.sides):
        return f"{every} failed", "bad"
    if failed:
        outcomes = [f"{TITLES[name]} failed{_in_stage(side)}" for name, side in failed.items()]
        outcomes += [f"{TITLES[name]} finished" for name in record.sides if name not in failed]
        return ", ".join(outcomes), "bad"
    results = [check.result for check in checks(record)]
    if len(record.sides) == 1:
        return f"{every} finished", "bad" if "fail" in results else "good"
    if "fail" in results:
        wrong = results.count("fail")
        return f"{every} finished, but {wrong} {'check' if wrong == 1 else 'checks'} of agreement failed", "bad"
    if "not measured" in results:
        return f"{every} finished; not all of their agreement was measured", "mixed"
    return f"{every} finished, and they agree", "good"


def _every(record: Record) -> str:
    names = list(record.sides)
    return {1: TITLES[names[0]], 2: "Both sides"}.get(len(names), "All sides")


def _in_stage(side: Side) -> str:
    return f" in {side.error.stage}" if side.error and side.error.stage else ""


def _what_ran(record: Record) -> str:
    dataset = record.dataset
    details = [f"{dataset.events:,} log events"] if dataset.events is not None else []
    details += [size(dataset.bytes)] if dataset.bytes is not None else []
    of = f" ({', '.join(details)})" if details else ""
    how = "were executed on this machine, one after the other," if record.where == "local" else "ran in an AWS account"
    return f"The state machine definitions {how} over the same dataset {dataset.name}{of}. {_who_finished(record)}"


def _who_finished(record: Record) -> str:
    done = {name: _stages_done(side) for name, side in record.sides.items()}
    if len(set(done.values())) == 1 and all(side.status == "succeeded" for side in record.sides.values()):
        return f"{_every(record)} finished {next(iter(done.values()))}."
    return (
        "; ".join(
            f"{TITLES[name]} {f'failed{_in_stage(side)}' if side.status == 'failed' else f'finished {done[name]}'}"
            for name, side in record.sides.items()
        )
        + "."
    )


def _stages_done(side: Side) -> str:
    done = [stage.name for stage in side.stages if stage.status == "succeeded"]
    return "all four stages" if len(done) == len(STAGES) else f"{len(done)} of four stages"


def _how_close(record: Record) -> Iterator[str]:
    features, compared = agreed(record, "features_equal"), features_rows(record)
    if features is not None:
        rows = f" ({compared:,} rows compared)" if compared is not None else ""
        equal = "equal, row for row" if features else "not equal"
        yield f"The features of the sides are {equal}{rows}."
    values = {name: metric(side.metrics, "auc") for name, side in record.sides.items()}
    measured = [f"{value:.4f} on {TITLES[name]}" for name, value in values.items() if value is not None]
    if measured:
        limit = "" if record.limits.auc is None else f"; {record.limits.auc:.4f} is the best achievable on this data"
        yield f"The test AUC is {join(measured)}{limit}."
    results = [check.result for check in checks(record) if check.result != "reported"]
    done = len(results) - results.count("not measured")
    if done:
        missing = f"; {len(results) - done} could not be measured" if done < len(results) else ""
        yield f"{results.count('pass')} of {done} checks of agreement passed{missing}."


def _how_fast(record: Record) -> Iterator[str]:
    times = {name: total for name, side in record.sides.items() if (total := total_seconds(side)) is not None}
    finished = all(side.status == "succeeded" for side in record.sides.values())
    if finished and len(times) == len(record.sides) > 1:
        took = join([f"{TITLES[name]} ({record.sides[name].engine}) {seconds(times[name])}" for name in times])
        yield f"From start to end {here(record)}: {took}.{engines_differ(record)}"
    if record.where == "local" and times:
        yield (
            "All seconds here are those of the engines on one machine. They say nothing about seconds in the cloud, "
            "where the instances, their number and their start differ."
        )


def engines_differ(record: Record) -> str:
    """What times and costs do not tell where a difference may be the engines' rather than the services'."""
    engines = list(dict.fromkeys(side.engine for side in record.sides.values()))
    if len(engines) < 2:
        return ""
    same = [
        f"{TITLES[one]} with {TITLES[other]}"
        for one, other in combinations(record.sides, 2)
        if record.sides[one].engine == record.sides[other].engine
        and record.sides[one].service != record.sides[other].service
    ]
    if same:
        return f" To compare the services, compare sides of the same engine: {join(same)}."
    return f" The sides differ in engine as well ({join(engines)}), so this does not compare the services."


def order(record: Record) -> list[tuple[StageName, dict[SideName, Stage | None]]]:
    """Return the four stages with each side's part, None where a side has no such stage."""
    return [(name, {side: each.stage(name) for side, each in record.sides.items()}) for name in STAGES]
