"""An estimate as tables: the same rows for the terminal and, in Markdown, for a pull request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comparison.cost.break_even import AXES, break_even
from comparison.cost.lines import SHARED, Estimate, LineItem, Money, Party, drivers, idle_drivers, run_drivers, usd
from comparison.cost.run import RunCost
from comparison.summary import TITLES
from record.schema import STAGES

IN_ALL = " in all"


def name_of(party: Party) -> str:
    """A side, or what the sides share, for people."""
    return "Shared" if party == SHARED else TITLES[party]


@dataclass(frozen=True)
class CostTable:
    """Rows of text; columns from ``first_number`` on are numbers. ``sections``: row numbers before which a line is."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    first_number: int
    sections: frozenset[int] = frozenset()

    def markdown(self) -> str:
        """The table in Markdown."""
        bar = ["---" if i < self.first_number else "---:" for i in range(len(self.columns))]
        lines = [self.columns, bar, *self.rows]
        table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
        return f"### {self.title}\n\n{table}\n"


@dataclass(frozen=True)
class CostChange:
    """What a line costs a month before and after; None: there is no such line, or no price."""

    name: str
    before: float | None
    after: float | None


def lines_table(estimate: Estimate, side: Party) -> CostTable:
    """What a side's resources cost, line by line, and in all."""
    usage, parameters = estimate.usage, estimate.parameters
    values = [idle_drivers(usage, parameters), run_drivers(usage, parameters), drivers(usage, parameters)]
    shown = [line for line in estimate.lines if line.side == side]
    alike: dict[tuple[str, str], list[LineItem]] = {}
    for line in shown:
        alike.setdefault((_name(line), line.detail), []).append(line)
    rows = [
        (
            name if len(found) == 1 else f"{len(found)} times {name}",
            detail,
            *(str(Money.of([line.amount(each) for line in found])) for each in values),
        )
        for (name, detail), found in alike.items()
    ]
    count = len(rows)
    for serving, label in ((False, "in all, without serving in real time"), (True, "in all")):
        # Only what serves in real time makes two totals of it.
        if serving or any(line.serving for line in shown):
            rows.append((label, "", *_amounts(estimate, side, serving)))
    return CostTable(
        f"{name_of(side)}, US dollars",
        ("", "", "idle, an hour", "a run", "a month"),
        tuple(rows),
        2,
        frozenset({count}),
    )


def totals_table(estimate: Estimate) -> CostTable:
    """The sums of the sides, side by side, with and without serving in real time."""
    both = {serving: estimate.totals(serving=serving) for serving in (False, True)}
    rows = []
    for serving, label in ((False, "the pipeline"), (True, "the pipeline, and serving in real time")):
        for name, period in (("idle_hour", "idle, an hour"), ("run", "a run"), ("month", "a month")):
            rows.append((f"{label}: {period}", *(str(getattr(both[serving][side], name)) for side in estimate.parties)))
    title = f"{'Both' if len(estimate.sides) == 2 else 'All'} sides, US dollars in {estimate.region}"
    return CostTable(title, ("", *(name_of(side) for side in estimate.parties)), tuple(rows), 1, frozenset({3}))


def run_table(name: str, cost: RunCost) -> CostTable:
    """What a run cost, stage by stage."""
    rows = [
        (f"{stage}: work, which grows with the data", *(_sum(cost.total(side, "work", stage)) for side in cost.sides))
        for stage in STAGES
    ]
    rows.append(
        ("start-up and idle, of any size", *(_sum(cost.total(side, "start-up and idle")) for side in cost.sides))
    )
    rows.append(("in all, with storage and requests", *(_sum(cost.total(side)) for side in cost.sides)))
    estimated = (
        ", an estimate" if all(line.estimate for line in cost.lines if line.name in ("instances", "vCPUs")) else ""
    )
    title = f"Run {name}{estimated}, US dollars"
    return CostTable(title, ("", *(TITLES[side] for side in cost.sides)), tuple(rows), 1, frozenset({len(STAGES)}))


def changes(before: Estimate, after: Estimate) -> list[CostChange]:
    """The lines whose cost of a month differs, and the sums at the end."""
    old, new = (
        {_key(line): line.amount(drivers(each.usage, each.parameters)) for line in each.lines}
        for each in (before, after)
    )
    names = {_key(line): line for each in (before, after) for line in each.lines}
    found = [
        CostChange(f"{name_of(line.side)}: {_name(line)} ({line.resource})", old.get(key), new.get(key))
        for key, line in names.items()
        if key not in old or key not in new or old[key] != new[key]
    ]
    for side in dict.fromkeys((*before.parties, *after.parties)):
        sums = [each.month(side, serving=True) for each in (before, after)]
        found.append(CostChange(f"{name_of(side)}{IN_ALL}", *(each.usd if each.complete else None for each in sums)))
    return found


def changes_table(found: Sequence[CostChange]) -> CostTable:
    """Before, after and the difference."""
    rows = [
        (
            each.name,
            "-" if each.before is None else usd(each.before),
            "-" if each.after is None else usd(each.after),
            _difference(each),
        )
        for each in found
    ]
    count = sum(not each.name.endswith(IN_ALL) for each in found)
    return CostTable(
        "What changed, US dollars a month", ("", "before", "after", "difference"), tuple(rows), 1, frozenset({count})
    )


def sentences(estimate: Estimate) -> Iterator[str]:
    """Where the sides break even, in words."""
    # What does not fit is said of every curve.
    yield from dict.fromkeys(sentence for along in AXES for sentence in break_even(estimate, along).sentences)


def not_priced_table(estimate: Estimate) -> CostTable:
    """What has no line, by type and reason; not what is simply free."""
    counts: dict[tuple[str, str], int] = {}
    for each in estimate.not_priced:
        counts[each.type, each.why] = counts.get((each.type, each.why), 0) + len(each.resources)
    rows = [(kind, why, str(count)) for (kind, why), count in sorted(counts.items()) if why != "free of charge"]
    return CostTable("Not priced, and why (what is simply free is left out)", ("", "", "resources"), tuple(rows), 2)


def everything(estimate: Estimate) -> Money:
    """A month of the sides and of what they share."""
    sums = [estimate.month(side, serving=True) for side in estimate.parties]
    return Money(usd=sum(each.usd for each in sums), complete=all(each.complete for each in sums))


def _sum(total: Money | None) -> str:
    return "not run" if total is None else str(total)


def _key(line: LineItem) -> tuple[str, str, str, str]:
    return line.side, line.stack, line.resource, line.name


def _name(line: LineItem) -> str:
    return f"{line.name} (serving)" if line.serving and "endpoint" not in line.name else line.name


def _amounts(estimate: Estimate, side: Party, serving: bool) -> tuple[str, str, str]:
    totals = estimate.totals(serving=serving)[side]
    return str(totals.idle_hour), str(totals.run), str(totals.month)


def _difference(change: CostChange) -> str:
    if change.before is None and change.after is None:
        return "not known"
    by = (change.after or 0.0) - (change.before or 0.0)
    return usd(0) if by == 0 else f"{'-' if by < 0 else '+'}{usd(abs(by))}"
