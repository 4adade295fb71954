"""``compare report``: the page of a run, made again."""

import json
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal import said_of
from record.errors import UserError
from record.runs.folders import LATEST, OUTPUT, RECORD, REPORT, check_output, is_file
from record.schema import Record, load

if TYPE_CHECKING:
    from comparison.report.data import ReportData

_REPOSITORY = Path(__file__).resolve().parents[1]

SCHEMA_VERSION = 1
"""Of what `--json` writes: a key that is removed or changes its meaning makes it 2."""

EPILOG = (
    "Exit codes: 0 well, 1 no page can be made, 2 bad input: no such run, or something beside it that cannot be read. "
    "The record stays as it is, and a page that is there, too."
)


def report(
    run: Annotated[str, typer.Argument(help="A run's id or folder.")] = LATEST,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="The verdicts on the ten claims and where the page is, for machines (docs/compare.md)."
        ),
    ] = False,
) -> None:
    """Make the page of a run again, from its record and from what lies beside it: templates, rule reports, prices.

    Useful after `compare prices --refresh`, or when there is a second run of another size, from which the cost model
    tells an engine's start from its work.

    Examples: compare report

    compare report 20261122-093000

    compare report --json | jq '.claims[] | {name, outcome, favours}'
    """
    check_output(output)
    folder = next((each for each in (Path(run), output / run) if is_file(each / RECORD)), None)
    if folder is None:
        raise UserError(f"no run {run!r}: there is no {RECORD} in it, nor in {output / run}")
    record = load(folder / RECORD)
    data = make_report(record, folder)
    page = os.path.relpath(folder / REPORT)
    typer.echo(json.dumps(_json(record, data, page), indent=2) if as_json else page)


def _json(record: Record, data: "ReportData", page: str) -> dict[str, Any]:
    """The verdicts on a run; docs/compare.md describes the keys."""
    from comparison import summary
    from comparison.claims import as_json

    conclusion = summary.conclude(record)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": record.run_id,
        "where": record.where,
        "report": page,
        "sides": [side for side, _ in record.sides.items()],
        "headline": conclusion.headline,
        "tone": conclusion.tone,
        "claims": [as_json(each) for each in data.claims],
    }


def make_report(record: Record, folder: Path) -> "ReportData":
    """Write the page of a run into its folder; returns what it shows beside the record.

    Raises:
        UserError: it cannot be made, whatever the reason; one line.
    """
    try:
        # Here, since the charts take long to load.
        from comparison.report.data import gather
        from comparison.report.page import write_report

        data = gather(record, folder)
        write_report(record, folder / REPORT, data)
    except UserError:
        raise
    except Exception as error:  # no fault of a page may cost the run that it shows
        raise UserError(f"{folder / REPORT}: cannot be made: {_fault(error)}", exit_code=1) from error
    return data


def _fault(error: Exception) -> str:
    """What failed, in a line: of a fault of this program with the last place in its own code, templates included."""
    if isinstance(error, OSError):
        return said_of(error)
    own = str(_REPOSITORY / "comparison")
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(own)]
    place = f"{os.path.relpath(frames[-1].filename, _REPOSITORY)}, line {frames[-1].lineno}: " if frames else ""
    return " ".join(f"{place}{type(error).__name__}: {error}".split())
