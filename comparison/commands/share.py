"""``compare push`` and ``compare pull``: records in the bucket, so that a team shares them."""

from pathlib import Path
from typing import Annotated

import typer

from comparison.commands import bad_input
from comparison.commands.collect import PROJECT, Profile, Project, Region
from comparison.commands.run import PageError, write_page
from comparison.record import RecordError, load
from comparison.runs import OUTPUT, RECORD, REPORT, RunsError, run_folder

EPILOG = "Exit codes: 0 well; 2 no such run or bucket, no permission, or another record is there, which then stays."

Bucket = Annotated[str | None, typer.Option(help="The bucket; default: that of the deployed project.")]


def push(
    run_id: Annotated[str, typer.Argument(help="The run's id, below the output folder.")],
    bucket: Bucket = None,
    project: Project = PROJECT,
    region: Region = None,
    profile: Profile = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
) -> None:
    """Write a run to s3://BUCKET/runs/RUN_ID/: its record, its page, its templates and rule reports.

    A record there stays unless this one says all that it says, and more: `compare collect` of the same run, for
    instance.

    Example: compare push 20261122-093000 --bucket our-runs
    """
    from comparison.clients import use
    from comparison.deployed import AccountError, one_line
    from comparison.share import push as push_run

    try:
        folder = run_folder(output, run_id)
        if not (folder / RECORD).exists():
            bad_input(f"no run {run_id!r} below {output}")
        with one_line():
            use(profile, region)
            typer.echo(push_run(folder, _bucket(bucket, project)))
    except (AccountError, RecordError, RunsError) as error:
        bad_input(str(error))


def pull(
    run_id: Annotated[str | None, typer.Argument(help="The run's id; default: all runs that are not here.")] = None,
    bucket: Bucket = None,
    project: Project = PROJECT,
    region: Region = None,
    profile: Profile = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = OUTPUT,
) -> None:
    """Fetch a run from s3://BUCKET/runs/RUN_ID/, or all that are not here yet.

    Examples: compare pull first --bucket our-runs

    compare pull --profile sandbox
    """
    from comparison.clients import use
    from comparison.deployed import AccountError, one_line
    from comparison.share import pull as pull_run
    from comparison.share import shared_runs

    failed = False
    try:
        with one_line():
            use(profile, region)
            of = _bucket(bucket, project)
            missing = (
                [run_id] if run_id else [each for each in shared_runs(of) if not (output / each / RECORD).exists()]
            )
        for each in missing:
            try:
                with one_line():
                    folder = pull_run(each, of, output)
                if not (folder / REPORT).exists():
                    write_page(load(folder / RECORD), folder)
                typer.echo(folder)
            except (AccountError, PageError, RecordError, RunsError) as error:
                # One that cannot be read does not keep the others away.
                failed = True
                typer.echo(f"error: {error}", err=True)
    except AccountError as error:
        bad_input(str(error))
    if failed:
        raise typer.Exit(2)
    if not missing:
        typer.echo("Nothing new.")


def _bucket(bucket: str | None, project: str) -> str:
    from comparison.deployed import bucket as deployed_bucket

    return bucket or deployed_bucket(project)
