"""``compare collect``: the record of a run in an account."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cli.run import point_latest, show, write_page
from cli.terminal import terminal, whole
from record.files import check_writable
from record.runs.folders import OUTPUT, RECORD, TEMPLATES, check_place, run_folder
from record.schema import Record, save

EPILOG = (
    "Exit codes: 0 recorded, whatever became of the run; 1 recorded, but without a page; 2 no such run, stack, "
    "permission or credentials, the run has not ended, or another record is in its place: nothing is overwritten."
)

Project = Annotated[str, typer.Option(help="The setting `project` that was deployed.")]
Region = Annotated[str | None, typer.Option(help="The region; default: as the AWS CLI finds it.")]
Profile = Annotated[str | None, typer.Option(help="A profile of the AWS CLI's; default: as it finds it.")]

PROJECT = "side-by-side"
"""The default of the setting (`stacks.settings`)."""


def collect(
    run_id: Annotated[str, typer.Argument(help="The run's id, as it was started with.")],
    project: Project = PROJECT,
    region: Region = None,
    profile: Profile = None,
    endpoint_hours: Annotated[
        int | None,
        typer.Option(
            parser=whole(1, 336), help="Also what the endpoint was asked in so many hours, up to the last full one."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[
        bool, typer.Option("--json", help="The record on standard output, everything else on standard error.")
    ] = False,
) -> None:
    """Record a run in an account, from anywhere with credentials that may read there.

    Beyond what the account's own function records: the last lines of a failed job's log, the jobs' CPU and memory, and
    the templates, unless the stacks have changed since the run.

    Example: compare collect first --region eu-central-1 --profile sandbox
    """
    # Here, since boto3 takes long to load.
    from record.account import collect as collect_run
    from record.clients import use
    from record.runs.deployed import find_run, one_line, with_details, write_templates

    errors = terminal(stderr=True)
    folder = run_folder(output, run_id).absolute()
    check_writable(output)
    with one_line():
        use(profile, region)
        record = with_details(collect_run(find_run(project, run_id), strict=True), project, endpoint_hours)
        check_place(folder, record)
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=f".{run_id}-") as scratch:
            if not write_templates(project, record, Path(scratch) / TEMPLATES):
                errors.print("The stacks are not those of this run any longer: their templates are left out.")
            _place(record, Path(scratch) / TEMPLATES, folder)
    faults = [fault for fault in (write_page(record, folder), point_latest(record, folder)) if fault]
    show(record, folder, errors if as_json else terminal(), page=not faults)
    if as_json:
        typer.echo(record.model_dump_json(indent=2))
    if faults:
        raise faults[0]


def _place(record: Record, templates: Path, folder: Path) -> None:
    """Write the record into the run's folder, and the templates unless it has them: a run's templates do not change."""
    try:
        save(record, folder / RECORD)
    except OSError:
        with suppress(OSError):  # not empty: an older record stays as it is
            folder.rmdir()
        raise
    if templates.is_dir() and not (folder / TEMPLATES).exists():
        shutil.move(templates, folder / TEMPLATES)
