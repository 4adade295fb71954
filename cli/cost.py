"""``compare cost``: what the templates cost, before anything runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from assembly.template import Assembly
from cli.terminal import amount, say_error, terminal
from comparison.cost import table as tables
from comparison.cost.break_even import AXES, break_even
from comparison.cost.lines import Estimate
from comparison.cost.prices import PRICES, PriceBook
from comparison.cost.run import RunCost, run_cost
from comparison.cost.runtime import RuntimeModel, fit_runtime
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from record.errors import UserError
from record.runs.folders import OUTPUT, find
from record.schema import Record, RecordError

EPILOG = "Exit codes: 0 well, 1 above --max-monthly (or not known to be below), 2 bad input."
_KEYS = ", ".join(Usage.model_fields)


def cost(
    templates: Annotated[Path, typer.Option(help="Synthesised templates.")] = Path("cdk.out"),
    usage: Annotated[
        list[str] | None, typer.Option(help=f"How the pipelines are used: key=value. Repeatable. Keys: {_KEYS}.")
    ] = None,
    usage_file: Annotated[Path | None, typer.Option(help="The same as a TOML or JSON file.")] = None,
    prices: Annotated[Path, typer.Option(help="The price file.", show_default="the shipped one")] = PRICES,
    region: Annotated[str, typer.Option(help="The region whose prices count.")] = "us-east-1",
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="A run's id or folder: its seconds are taken for the stages' work, and its own cost is shown. "
            "Repeatable: runs of two sizes tell the fixed part from what grows with the data."
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Templates to compare with, of another commit for instance.")
    ] = None,
    output: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How it is printed.")
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    max_monthly: Annotated[
        float | None, typer.Option(parser=amount, help="Fail when a month costs more US dollars, all sides together.")
    ] = None,
) -> None:
    """What the templates cost: idle, a run, a month; the sides beside each other, and where they break even.

    An estimate from list prices; what it assumes is printed with it.

    Examples: compare cost --usage runs_per_day=4 --usage events_per_run=50000000;
    compare cost --run build/compare/latest --format markdown; compare cost --max-monthly 500
    """
    try:
        profile = Usage.of(usage or [], usage_file)
        book = PriceBook.load(prices)
        records = [record for reference in run or [] for record in _runs(reference)]
        runtime = fit_runtime(records, book) if records else RuntimeModel.load()
        priced = [estimate(_read(templates), profile, book, runtime, region)]
        if against is not None:
            priced.append(estimate(_read(against), profile, book, runtime, region))
        runs = [(record, run_cost(record, book, region, runtime)) for record in records]
    except UserError as error:
        # A path that was asked for may hold a line break.
        raise UserError(" ".join(str(error).split())) from error
    after, before = priced[0], priced[1] if against is not None else None
    if as_json or output == "json":
        typer.echo(json.dumps(_json(after, before, runs), indent=2))
    elif output == "markdown":
        typer.echo(_markdown(after, before, runs))
    else:
        _print(after, before, runs, terminal())
    if max_monthly is not None:
        _check(after, max_monthly)


def _runs(reference: str) -> list[Record]:
    """The runs that a `--run` names."""
    try:
        return find(reference, OUTPUT)
    except RecordError:  # it names its file
        raise
    except UserError as error:
        raise UserError(f"--run: {error}") from error


def _read(folder: Path) -> Assembly:
    try:
        found = (folder / "manifest.json").is_file()
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
    if not found:
        raise UserError(f"{folder}: no synthesised templates (no manifest.json); `make synth` writes them to cdk.out")
    try:
        return Assembly(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder}: the templates are damaged: {error!r}; `make synth` writes them again") from error


def _check(after: Estimate, limit: float) -> None:
    total = tables.everything(after)
    if total.usd > limit:
        message = f"{total} US dollars a month are above the limit of {limit:,.2f}"
    elif not total.complete:
        # What cannot be shown to stay below a limit does not pass it.
        missing = ", ".join(after.missing())
        message = f"{total} US dollars a month: a lower bound, without prices for {missing}; the limit is {limit:,.2f}"
    else:
        return
    say_error(message)
    raise typer.Exit(1)


def _all(after: Estimate, before: Estimate | None, runs: Sequence[tuple[Record, RunCost]]) -> list[tables.CostTable]:
    shown = [tables.lines_table(after, side) for side in after.parties]
    shown.append(tables.totals_table(after))
    if before is not None:
        shown.append(tables.changes_table(tables.changes(before, after)))
    return shown + [tables.run_table(record.run_id, priced) for record, priced in runs]


def _print(after: Estimate, before: Estimate | None, runs: Sequence[tuple[Record, RunCost]], console: Console) -> None:
    for table in [*_all(after, before, runs), tables.not_priced_table(after)]:
        shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for i, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if i < table.first_number else "right", overflow="fold")
        for i, row in enumerate(table.rows):
            if i in table.sections:
                shown.add_section()
            shown.add_row(*map(Text, row))
        console.print(shown)
    for sentence in tables.sentences(after):
        console.print(Text(sentence, style="bold"))
    console.print(Text(f"\nUsage: {_profile(after)}"))
    console.print(Text("Assumptions:"))
    for assumption in after.assumptions:
        console.print(Text(f"- {assumption}"))


def _markdown(after: Estimate, before: Estimate | None, runs: Sequence[tuple[Record, RunCost]]) -> str:
    parts = [
        "\n".join(f"**{sentence}**\n" for sentence in tables.sentences(after)),
        *[table.markdown() for table in _all(after, before, runs)],
        f"Usage: {_profile(after)}\n",
        "<details><summary>Assumptions, and what is not priced</summary>\n",
        "\n".join(f"- {assumption}" for assumption in after.assumptions) + "\n",
        tables.not_priced_table(after).markdown(),
        "</details>",
    ]
    return "\n".join(parts)


def _profile(after: Estimate) -> str:
    values = after.usage.model_dump()
    return ", ".join(f"{key}={'none' if value is None else f'{value:g}'}" for key, value in values.items())


def _json(after: Estimate, before: Estimate | None, runs: Sequence[tuple[Record, RunCost]]) -> dict[str, Any]:
    curves = [break_even(after, along) for along in AXES]
    found: dict[str, Any] = {
        "estimate": after.model_dump(mode="json"),
        "totals": {
            name: {side: sums.model_dump() for side, sums in after.totals(serving=serving).items()}
            for name, serving in (("pipeline", False), ("with_serving", True))
        },
        "break_even": {curve.along: asdict(curve) for curve in curves},
        "runs": {record.run_id: priced.model_dump(mode="json") for record, priced in runs},
    }
    if before is not None:
        found["changes"] = [asdict(change) for change in tables.changes(before, after)]
    return found
