"""``compare push`` and ``compare pull``: records in the bucket, so that a team shares them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.collect import PROJECT, Profile, Project, Region
from cli.run import write_page
from cli.terminal import said_of, say_error
from record.errors import UserError
from record.files import check_writable
from record.runs.folders import OUTPUT, RECORD, REPORT, check_output, run_folder
from record.schema import load
from record.text import one_line as fit

EPILOG = (
    "Exit codes: 0 well; 1 a run was fetched, but no page of it can be made; 2 no such run or bucket, no permission, "
    "or another record is there, which then stays."
)

Bucket = Annotated[str | None, typer.Option(help="The bucket; default: that of the deployed project.")]


def push(
    run_id: Annotated[str, typer.Argument(help="The run's id, below the output folder.")],
    bucket: Bucket = None,
    project: Project = PROJECT,
    region: Region = None,
    profile: Profile = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Where it was written, for machines.")] = False,
) -> None:
    """Write a run to s3://BUCKET/runs/RUN_ID/: its record, its page, its templates and rule reports.

    A record there stays unless this one says all that it says, and more: `compare collect` of the same run, for
    instance.

    Example: compare push 20261122-093000 --bucket our-runs
    """
    from record.clients import use
    from record.runs.deployed import one_line
    from record.runs.sharing import push as push_run

    folder = run_folder(output, run_id)
    if not (folder / RECORD).exists():
        raise UserError(f"no run {run_id!r} below {output}")
    with one_line():
        use(profile, region)
        location = push_run(folder, _bucket(bucket, project))
    typer.echo(json.dumps({"location": location}) if as_json else location)


def pull(
    run_id: Annotated[str | None, typer.Argument(help="The run's id; default: all runs that are not here.")] = None,
    bucket: Bucket = None,
    project: Project = PROJECT,
    region: Region = None,
    profile: Profile = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
    as_json: Annotated[bool, typer.Option("--json", help="The folders that were written, for machines.")] = False,
) -> None:
    """Fetch a run from s3://BUCKET/runs/RUN_ID/, or all that are not here yet.

    Examples: compare pull first --bucket our-runs

    compare pull --profile sandbox
    """
    from record.clients import use
    from record.runs.deployed import one_line
    from record.runs.sharing import pull as pull_run
    from record.runs.sharing import shared_runs

    failed = 0
    written: list[str] = []
    check_output(output)
    check_writable(output)
    with one_line():
        use(profile, region)
        of = _bucket(bucket, project)
        ids = shared_runs(of) if run_id is None else []
        missing = [each for each in ids if not (output / each / RECORD).exists()] if run_id is None else [run_id]
    for each in missing:
        try:
            with one_line():
                folder = pull_run(each, of, output)
            written.append(str(folder))
            if not as_json:
                typer.echo(fit(str(folder)))
            without_page = None if (folder / REPORT).exists() else write_page(load(folder / RECORD), folder)
            if without_page:
                raise without_page
        except (UserError, OSError) as error:
            # One that cannot be read, or shown, does not keep the others away.
            failed = max(failed, error.exit_code if isinstance(error, UserError) else 2)
            say_error(said_of(error) if isinstance(error, OSError) else str(error))
    if as_json:
        typer.echo(json.dumps({"folders": written}, indent=2))
    if failed:
        raise typer.Exit(failed)
    if not missing and not as_json:
        typer.echo("Nothing new.")


def _bucket(bucket: str | None, project: str) -> str:
    from record.runs.deployed import bucket as deployed_bucket

    return bucket or deployed_bucket(project)
