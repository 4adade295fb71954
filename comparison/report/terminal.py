"""The comparison in a terminal: the same words and pass marks as on the page, readable at 80 columns and in a pipe."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparison import summary
from comparison.repeats.diff import Diff, Difference
from comparison.repeats.spread import RULE, Spread
from record.schema import STAGES, Record, RecordError, Side, SideName, Stage

_STYLES = {"pass": "green", "fail": "bold red", "failed": "bold red", "not measured": "dim", "skipped": "dim"}
_VERDICTS = {"changed": "bold", "equal": "dim", "within noise": "dim"}


def print_comparison(record: Record, console: Console) -> None:
    """Print the conclusion, the failures, and the tables of stages, metrics and checks."""
    conclusion = summary.conclude(record)
    style = {"good": "bold green", "mixed": "bold yellow", "bad": "bold red"}[conclusion.tone]
    console.print()
    console.print(Text(conclusion.headline, style=style))
    for sentence in [*conclusion.sentences, *conclusion.details]:
        console.print(Text(sentence))
    _failures(record, console)
    if not any(side.stages for side in record.sides.values()):
        return
    console.print()
    console.print(_stages(record))
    console.print(_metrics(record))
    console.print(_checks(record))


def _failures(record: Record, console: Console) -> None:
    for name, side in record.sides.items():
        if side.error:
            stage = f" in {side.error.stage}" if side.error.stage else ""
            console.print()
            console.print(Text(f"{summary.TITLES[name]} failed{stage}: ", style="bold red") + Text(side.error.message))
            if side.error.log:
                # Not wrapped: a path is to be copied.
                console.print(Text(f"The log: {side.error.log}"), soft_wrap=True)
            for line in side.error.log_tail:
                console.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    return table


def _cell(text: str) -> Text:
    return Text(text, style=_STYLES.get(text, ""))


def _stages(record: Record) -> Table:
    """A row a side: of any number of sides, the table stays as wide as it is."""
    table = _table(f"Stages, measured {summary.here(record)}", "", *STAGES, "in all")
    for name, side in record.sides.items():
        stages = [side.stage(stage) for stage in STAGES]
        table.add_row(_named(name, side), *map(_time, stages), _cell(_total(side)))
    if any(stage.rows_out for side in record.sides.values() for stage in side.stages):
        table.add_section()
        table.add_row("Rows written")
        for name, side in record.sides.items():
            table.add_row(summary.TITLES[name], *(_rows(side.stage(stage)) for stage in STAGES))
    return table


def _named(name: SideName, side: Side) -> str:
    return f"{summary.TITLES[name]} ({side.engine})"


def _time(stage: Stage | None) -> Text:
    if stage and stage.status == "skipped":
        return _cell("skipped")
    text = summary.seconds(stage.seconds if stage else None)
    return Text(f"{text}, failed", style="bold red") if stage and stage.status == "failed" else _cell(text)


def _rows(stage: Stage | None) -> Text:
    skipped = stage is not None and stage.status == "skipped"
    return _cell("skipped" if skipped else summary.count(stage.rows_out if stage else None))


def _metrics(record: Record) -> Table:
    columns = [f"{label}\n{hint}" for label, hint in summary.METRICS.values()]
    table = _table("Metrics on the test split", "", *columns)
    for name, side in record.sides.items():
        values = [summary.score(summary.metric(side.metrics, metric)) for metric in summary.METRICS]
        table.add_row(summary.TITLES[name], *map(_cell, values))
    best = [summary.score(getattr(record.limits, metric)) for metric in summary.METRICS]
    table.add_row("Best achievable", *map(_cell, best))
    return table


def _checks(record: Record) -> Table:
    table = _table("Do the sides agree?", "", "Found", "Allowed", "Result")
    for name, limit, found in summary.matrix(record):
        checks = [check for check in found if check is not None]
        for check in checks:
            which = f"{name}: {summary.TITLES[check.side]}" if len(checks) > 1 else name
            table.add_row(which, _cell(check.value), limit, _cell(check.result))
    return table


def print_run(record: Record, console: Console) -> None:
    """Print a run in a line, and why a side of it failed."""
    times = ", ".join(
        f"{summary.TITLES[name]} {side.status}, {summary.seconds(summary.total_seconds(side))}"
        for name, side in record.sides.items()
    )
    console.print(Text(f"{record.run_id}: {times}"), soft_wrap=True)
    for name, side in record.sides.items():
        if side.error:
            stage = f" in {side.error.stage}" if side.error.stage else ""
            console.print(Text(f"  {summary.TITLES[name]} failed{stage}: {side.error.message}"), soft_wrap=True)


def print_repeats(
    name: str, spreads: Mapping[tuple[str, str], Spread | None], runs: int, asked: int, console: Console
) -> None:
    """Print the middle and the spread of each number of several runs."""
    if not spreads:
        console.print(f"\nNone of {asked} runs of {name} succeeded: there is nothing to sum up.", markup=False)
        return
    failed = f", {asked - runs} failed and left out" if runs < asked else ""
    columns = ("Median", "Minimum", "Maximum", "Deviation")
    table = _table(f"{name}: {runs} of {asked} runs{failed}", "", *columns)
    for (side, what), found in spreads.items():
        shown = summary.score if what == summary.METRICS["auc"][0] else summary.seconds
        values = (found.median, found.minimum, found.maximum, found.deviation) if found else (None,) * len(columns)
        table.add_row(f"{side}, {what}", *(_cell(shown(value)) for value in values))
    console.print()
    console.print(table)
    console.print("Deviation: the median of the runs' absolute deviations from the median.")


def print_runs(runs: Iterable[tuple[str, Record | RecordError]], console: Console) -> None:
    """Print each run, in the order given; what cannot be read follows with its reason."""
    table = _table("Runs", "Run", "Started, UTC", "Dataset", "", "Time", "AUC")
    damaged = []
    for name, record in runs:
        if isinstance(record, RecordError):
            damaged.append((name, record))
            continue
        events = record.dataset.events
        sides = record.sides.values()
        rows = zip_longest(
            (record.run_id, record.where),
            f"{record.started:%Y-%m-%d\n%H:%M}".split("\n") if record.started else ("never",),
            (record.dataset.name, "" if events is None else f"{events:,}"),
            [summary.TITLES[name] for name in record.sides],
            [_cell("failed" if side.status == "failed" else _total(side)) for side in sides],
            [_cell(summary.score(summary.metric(side.metrics, "auc"))) for side in sides],
            fillvalue="",
        )
        for row in rows:
            table.add_row(*(each if isinstance(each, Text) else str(each) for each in row))
    if table.row_count:
        # An id is what the other commands ask for: never cut off.
        table.columns[0].overflow = "fold"
        console.print(table)
    for name, error in damaged:
        console.print(Text(f"{name}: damaged: {error}", style="red"), soft_wrap=True)


def print_diff(a: str, b: str, diff: Diff, console: Console) -> None:
    """Print what was given differently, what came out differently, and how the noise was judged."""
    console.print()
    if diff.changes:
        table = _table("What was different", "", a, b)
        for change in diff.changes:
            name = change.name if change.group == "settings" else f"{change.group}: {change.name}"
            table.add_row(name, *(_cell("none" if v is None else v) for v in (change.a, change.b)))
        # A name is what one looks for; values that are long give way.
        for column in table.columns[1:]:
            column.max_width, column.overflow = 18, "fold"
        console.print(table)
    else:
        console.print("Nothing was given differently.")
    shown = [each for each in diff.differences if each.verdict not in ("equal", "not measured")]
    for side in dict.fromkeys(each.side for each in shown):
        table = _table(f"What came out differently: {side}", "", a, b, "Difference", "Noise", "")
        for each in (each for each in shown if each.side == side):
            table.add_row(each.name, *_difference(each))
        console.print(table)
    equal = sum(each.verdict == "equal" for each in diff.differences)
    if shown:
        console.print(f"{equal} other numbers are equal.")
    else:
        console.print(
            f"All {equal} numbers that both have are equal." if equal else "The runs have no number in common."
        )
    if any(each.verdict == "not comparable" for each in diff.differences):
        console.print("The runs are of different machines: their times are not compared.")
    if diff.noise_known:
        console.print(RULE)
    elif any(each.verdict == "noise not known" for each in diff.differences):
        console.print(
            "How much of this is noise is not known: `compare run --repeat 5` tells, with the settings of one."
        )


def _total(side: Side) -> str:
    return summary.seconds(summary.total_seconds(side))


def _difference(each: Difference) -> Sequence[Text]:
    def number(value: float | None, sign: str = "") -> str:
        if value is None:
            return ""
        if each.unit in ("s", "ms"):
            return f"{value:{sign}.2f} {each.unit}"
        return f"{value:{sign}.5f}" if each.unit == "" else f"{value:{sign},.0f} {each.unit}"

    noise = "" if each.noise is None else f"± {number(each.noise)}"
    # Said once below the tables, since it holds for all of them.
    verdict = "" if each.verdict == "noise not known" else each.verdict
    texts = (number(each.a), number(each.b), number(each.difference, "+"), noise)
    return [*map(Text, texts), Text(verdict, style=_VERDICTS.get(each.verdict, ""))]
