"""``compare report``: the page of a run, made again."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from record.errors import UserError
from record.runs.folders import LATEST, OUTPUT, RECORD, REPORT, check_output, is_file
from record.schema import Record, load

EPILOG = (
    "Exit codes: 0 well, 2 bad input: no such run, something beside it that cannot be read, or no page can be written."
)


def report(
    run: Annotated[str, typer.Argument(help="A run's id or folder.")] = LATEST,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Where the page is, for machines.")] = False,
) -> None:
    """Make the page of a run again, from its record and from what lies beside it: templates, rule reports, prices.

    Useful after `compare prices --refresh`, or when there is a second run of another size, from which the cost model
    tells an engine's start from its work.

    Examples: compare report

    compare report 20261122-093000
    """
    check_output(output)
    folder = next((each for each in (Path(run), output / run) if is_file(each / RECORD)), None)
    if folder is None:
        raise UserError(f"no run {run!r}: there is no {RECORD} in it, nor in {output / run}")
    path = make_report(load(folder / RECORD), folder)
    shown = os.path.relpath(path)
    typer.echo(json.dumps({"report": shown}) if as_json else shown)


def make_report(record: Record, folder: Path) -> Path:
    """Write the page of a run into its folder; returns where it is.

    Raises:
        UserError: it cannot be made; one line.
    """
    # Here, since the charts take long to load.
    from comparison.report.evidence import gather
    from comparison.report.page import write_report

    evidence = gather(record, folder)
    try:
        write_report(record, folder / REPORT, evidence)
    except OSError as error:
        raise UserError(f"{folder / REPORT}: cannot be written: {error.strerror or error}") from error
    return folder / REPORT
