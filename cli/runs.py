"""``compare runs``: what has run."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.terminal import terminal
from comparison import summary
from comparison.report.terminal import print_runs
from record.runs.folders import OUTPUT, records
from record.schema import Record, RecordError

EPILOG = "Exit codes: 0, also when a record is damaged (it is listed with the reason); 2 bad input."


def runs(
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="A list for machines.")] = False,
) -> None:
    """List all runs, newest first; a damaged record with what is wrong with it.

    Example: compare runs --json
    """
    found = sorted(records(output), key=_when, reverse=True)
    if as_json:
        typer.echo(json.dumps([_row(name, record) for name, record in found], indent=2))
    elif found:
        print_runs(found, terminal())
    else:
        typer.echo(f"No runs below {output}: `compare run` makes one.")


def _when(run: tuple[str, Record | RecordError]) -> datetime:
    """When a run started; one that did not, or that nobody knows of, is the oldest."""
    started = run[1].started if isinstance(run[1], Record) else None
    return started or datetime.min.replace(tzinfo=UTC)


def _row(name: str, record: Record | RecordError) -> dict[str, Any]:
    if isinstance(record, RecordError):
        return {"run_id": name, "error": str(record)}
    return {
        "run_id": record.run_id,
        "repeat_of": record.repeat_of,
        "started": record.started.isoformat() if record.started else None,
        "where": record.where,
        "dataset": record.dataset.name,
        "events": record.dataset.events,
        "sides": {
            side: {
                "status": each.status,
                "seconds": summary.total_seconds(each),
                "auc": summary.metric(each.metrics, "auc"),
            }
            for side, each in record.sides.items()
        },
    }
