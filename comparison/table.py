"""The comparison in a terminal: the same words and pass marks as on the page, readable at 80 columns and in a pipe."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparison import summary
from comparison.record import Record, Stage

_STYLES = {"pass": "green", "fail": "bold red", "failed": "bold red", "not measured": "dim", "skipped": "dim"}


def print_comparison(record: Record, console: Console) -> None:
    """Print the verdict, the failures, and the tables of stages, metrics and checks."""
    verdict = summary.verdict(record)
    style = {"good": "bold green", "mixed": "bold yellow", "bad": "bold red"}[verdict.tone]
    console.print()
    console.print(Text(verdict.headline, style=style))
    for sentence in [*verdict.sentences, *verdict.details]:
        console.print(Text(sentence))
    _failures(record, console)
    if not any(side.stages for _, side in record.both()):
        return
    console.print()
    console.print(_stages(record))
    console.print(_metrics(record))
    console.print(_checks(record))


def _failures(record: Record, console: Console) -> None:
    for name, side in record.both():
        if side.error:
            stage = f" in {side.error.stage}" if side.error.stage else ""
            console.print()
            console.print(Text(f"{summary.TITLES[name]} failed{stage}: ", style="bold red") + Text(side.error.message))
            if side.error.log:
                # Not wrapped: a path is to be copied.
                console.print(Text(f"The log: {side.error.log}"), soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    return table


def _cell(text: str) -> Text:
    return Text(text, style=_STYLES.get(text, ""))


def _stages(record: Record) -> Table:
    table = _table(f"Stages, measured {summary.here(record)}", "", *summary.TITLES.values(), "Rows: SageMaker", "EMR")
    for name, *both in summary.order(record):
        table.add_row(name, *(_time(stage) for stage in both), *(_rows(stage) for stage in both))
    totals = [summary.seconds(summary.total_seconds(side)) for _, side in record.both()]
    table.add_section()
    table.add_row("in all", *map(_cell, totals), "", "")
    return table


def _time(stage: Stage | None) -> Text:
    if stage and stage.status == "skipped":
        return _cell("skipped")
    text = summary.seconds(stage.seconds if stage else None)
    return Text(f"{text}, failed", style="bold red") if stage and stage.status == "failed" else _cell(text)


def _rows(stage: Stage | None) -> Text:
    skipped = stage is not None and stage.status == "skipped"
    return _cell("skipped" if skipped else summary.count(stage.rows_out if stage else None))


def _metrics(record: Record) -> Table:
    table = _table("Metrics on the test split", "", "SageMaker", "EMR", "Attainable")
    for name, (label, hint) in summary.METRICS.items():
        values = [summary.metric(side.metrics, name) for _, side in record.both()]
        cells = [_cell(summary.score(value)) for value in (*values, getattr(record.limits, name))]
        table.add_row(f"{label} ({hint})", *cells)
    return table


def _checks(record: Record) -> Table:
    table = _table("Do the sides agree?", "", "Found", "Allowed", "Result")
    for check in summary.checks(record):
        table.add_row(check.name, _cell(check.value), check.limit, _cell(check.result))
    return table
