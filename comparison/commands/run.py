"""``compare run``: both pipelines on this machine."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from comparison.commands import bad_input, settings_of
from comparison.record import Record, save
from comparison.report import write_report
from comparison.table import print_comparison


def run(
    events: Annotated[int | None, typer.Option(help="Log events to generate; default 200000.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run; default: the time.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the app, as with cdk -c: key=value. Repeatable.")
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(help="A folder with the raw tables of a dataset of your own, instead of generated ones."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("build/compare"),
) -> None:
    """Run both pipelines on this machine, from the templates that `cdk deploy` would deploy.

    Example: compare run --events 50000 --set hyperparameters.max_depth=6
    """
    # Here, since a command that only reads records needs neither Spark nor moto.
    from comparison.template import SynthesisError
    from local.progress import Progress
    from local.run import Options, RunError
    from local.run import run as run_locally
    from local.services import SetupError
    from stacks.settings import SettingsError

    settings = settings_of(setting or [])
    if events is not None:
        settings["dataset.events"] = str(events)
    name = run_id or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    options = Options(name, settings, output.resolve(), raw)
    try:
        result = run_locally(options, Progress())
        publish(result.record, result.folder)
    except (RunError, SettingsError, SynthesisError) as error:
        bad_input(str(error))
    except SetupError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted: every job was stopped, nothing of this run is left.")
        raise typer.Exit(130) from None
    if all(side.status == "succeeded" for _, side in result.record.both()):
        raise typer.Exit(0)
    raise typer.Exit(2 if result.bad_input else 1)


def publish(record: Record, folder: Path) -> None:
    """Write a run's record and page, point ``latest`` at it, and print the comparison."""
    write_report(record, folder / "report.html")
    save(record, folder / "comparison.json")
    latest = folder.parent / f".latest-{os.getpid()}"
    latest.symlink_to(folder.name)
    latest.replace(folder.parent / "latest")
    print_comparison(record, Console(highlight=False))
    shown = folder.parent / "latest" / "report.html"
    typer.echo(f"\nReport: {os.path.relpath(shown)}")
