"""``compare run``: the pipelines on this machine."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.report import make_report
from cli.terminal import said_of, say_error, settings_of, terminal, whole
from comparison.repeats.spread import repeated
from comparison.report.terminal import print_comparison, print_repeats, print_run
from record.errors import UserError
from record.runs.folders import LATEST, OUTPUT, RECORD, REPORT, check_output, check_unused, succeeded
from record.schema import Record, save
from record.text import clean
from sides import DEFAULT, SIDES

if TYPE_CHECKING:
    from local.run import Result

EPILOG = (
    "Exit codes: 0 all sides succeeded, 1 a side failed (with --repeat: in any run) or a run is recorded but has no "
    "page, 2 bad input, 130 interrupted (143 by SIGTERM, 129 by SIGHUP)."
)


def run(
    events: Annotated[
        int | None, typer.Option(parser=whole(1_000, 10**10), help="Log events to generate; default 200000.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run; default: the time.")] = None,
    sides: Annotated[
        str | None,
        typer.Option(help=f"The sides, in this order, or all: {', '.join(SIDES)}; default: {','.join(DEFAULT)}."),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the app, as with cdk -c: key=value. Repeatable.")
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(help="A folder with the raw tables of a dataset of your own, instead of generated ones."),
    ] = None,
    repeat: Annotated[
        int,
        typer.Option(
            parser=whole(1, 99), help="Run so many times, as <name>-1 to <name>-N; tells how much times vary."
        ),
    ] = 1,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[
        bool, typer.Option("--json", help="The record on standard output, everything else on standard error.")
    ] = False,
) -> None:
    """Run the pipelines on this machine, from the templates that `cdk deploy` would deploy.

    Examples: compare run --events 50000 --set hyperparameters.max_depth=6

    compare run --repeat 5 --run-id nightly; compare run --sides emr
    """
    # Here, since a command that only reads records needs neither Spark nor moto.
    from local.preflight import Options, check
    from stacks.shared.layout import RUN_ID, RUN_ID_ALLOWED

    settings = settings_of(setting or [])
    for option, key, value in (("--events", "dataset.events", events), ("--sides", "sides", sides)):
        if value is not None:
            if key in settings:
                raise UserError(f"{option} {value} and --set {key}={settings[key]}: one of them is allowed")
            settings[key] = str(value)
    name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S") if run_id is None else run_id
    names = [name] if repeat == 1 else [f"{name}-{number}" for number in range(1, repeat + 1)]
    if not RUN_ID.fullmatch(names[-1]):
        raise UserError(f"run id {names[-1]!r}: {RUN_ID_ALLOWED}")
    check_output(output)
    options = [Options(each, settings, output.resolve(), raw) for each in names]
    for used in names:
        check_unused(output / used)
    check(options[0])
    # Here, since all that takes longer than to find a mistake.
    from local.jobs import SetupError
    from local.progress import Progress
    from local.run import run as run_locally

    errors = terminal(stderr=True)
    shown = errors if as_json else terminal()
    results: list[Result] = []
    broken = 0
    for each in options:
        try:
            with run_locally(each, Progress()) as result:
                record = result.record if repeat == 1 else result.record.model_copy(update={"repeat_of": name})
                without_page = _publish(record, result.folder)
        except (OSError, SetupError) as error:
            broken += 1
            said, *log = (said_of(error) if isinstance(error, OSError) else str(error)).splitlines()
            say_error(said if repeat == 1 else f"run {each.run_id}: {said}")
            if log:
                errors.print(clean("\n".join(log)), soft_wrap=True)
            continue
        except KeyboardInterrupt:
            errors.print("Interrupted: every job was stopped, nothing of this run is left.")
            raise
        faults = [fault for fault in (without_page, point_latest(record, result.folder)) if fault]
        broken += bool(faults)
        results.append(replace(result, record=record))
        if repeat == 1:
            show(record, result.folder, shown, page=not faults)
        else:
            print_run(record, errors)
        for fault in faults:
            say_error(str(fault))
    records = [result.record for result in results]
    if repeat > 1:
        _show_repeats(name, records, repeat, shown, as_json)
    elif as_json and records:
        typer.echo(records[0].model_dump_json(indent=2))
    failed = [result for result in results if not succeeded(result.record)]
    if not failed and not broken:
        raise typer.Exit(0)
    raise typer.Exit(2 if failed and not broken and all(result.bad_input for result in failed) else 1)


def _show_repeats(name: str, records: Sequence[Record], asked: int, console: Console, as_json: bool) -> None:
    """Sum up the runs that succeeded."""
    good = [record for record in records if succeeded(record)]
    spreads = repeated(good)
    print_repeats(name, spreads, len(good), asked, console)
    if as_json:
        summary = [
            {"side": side, "name": what, **(asdict(found) if found else {})} for (side, what), found in spreads.items()
        ]
        content = {
            "repeat_of": name,
            "runs": [record.model_dump(mode="json") for record in records],
            "succeeded": len(good),
            "asked": asked,
            "spread": summary,
        }
        typer.echo(json.dumps(content, indent=2))


def _publish(record: Record, folder: Path) -> UserError | None:
    """Write a run's record, then its page; a run without a page is recorded all the same, and why is returned.

    Raises:
        OSError: the folder cannot be written to.
    """
    save(record, folder / RECORD)
    return write_page(record, folder)


def point_latest(record: Record, folder: Path) -> UserError | None:
    """Point ``latest`` at a run that has its record, if all sides succeeded; returns why it could not be."""
    if not succeeded(record):
        return None
    latest = folder.parent / f".{LATEST}-{os.getpid()}"
    try:
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        latest.replace(folder.parent / LATEST)
    except OSError as error:
        return UserError(
            f"run {record.run_id} is recorded in {folder / RECORD}, but {LATEST} cannot point at it: {said_of(error)}",
            exit_code=1,
        )
    return None


def write_page(record: Record, folder: Path) -> UserError | None:
    """Write a run's page beside its record; returns why there is none."""
    try:
        make_report(record, folder)
    except UserError as error:
        return UserError(
            f"run {record.run_id} is recorded in {folder / RECORD}, but it has no page: {error}; "
            f"`compare report {shlex.quote(str(folder))}` makes it again",
            exit_code=1,
        )
    return None


def show(record: Record, folder: Path, console: Console, *, page: bool) -> None:
    """Print the comparison of a run that was published in a folder, and where its page is, if it has one."""
    print_comparison(record, console)
    if page:
        place = folder.parent / LATEST if succeeded(record) else folder
        console.print(f"\nReport: {os.path.relpath(place / REPORT)}", soft_wrap=True)
