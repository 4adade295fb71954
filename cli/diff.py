"""``compare diff``: two runs, or two sets of repeats."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import terminal
from comparison.repeats.diff import Compared, compare
from comparison.repeats.spread import RULE
from comparison.report.terminal import print_diff
from record.runs.folders import OUTPUT

EPILOG = "Exit codes: 0, whatever differs; 2 bad input: no such run, a damaged record, two datasets."

_REFERENCE = "A run's id, the name of its repeats, a folder, or a record's file."


def diff(
    a: Annotated[str, typer.Argument(help=_REFERENCE)],
    b: Annotated[str, typer.Argument(help="Another one.")],
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Everything for machines, equal numbers too.")] = False,
) -> None:
    """Say what differs between two runs: what they were given, and what came out.

    A difference counts as noise where repeats of one of the runs vary by as much. Times are compared only where all
    runs are of one machine, or all of an account.

    Examples: compare diff 20261122-093000 20261122-101500

    compare diff nightly deeper-trees --json
    """
    sides = [Compared.of(reference, output) for reference in (a, b)]
    found = compare(*sides)
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, "noise_rule": RULE, **asdict(found)}, indent=2))
    else:
        print_diff(a, b, found, terminal())
