"""A laptop run: the app is synthesised, and what its templates hold is executed."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from comparison.posture import PostureError, check
from comparison.record import Record
from comparison.reproduce import OWN_DATA
from comparison.template import app_context, synthesise
from local import environments
from local.build import WHEELS
from local.jobs import JOBS
from local.progress import Progress
from local.result import build_record
from local.s3 import LocalS3
from local.services import Services
from local.states import engine
from stacks.layout import RUN_ID, RUN_ID_ALLOWED
from stacks.settings import Settings


class RunError(Exception):
    """A run cannot start; one line for people."""


@dataclass(frozen=True)
class Options:
    """What a laptop run is asked for; ``settings`` are the app's, by dotted name."""

    run_id: str
    settings: Mapping[str, str]
    output: Path
    raw: Path | None = None


@dataclass(frozen=True)
class Result:
    """A run that came to its end: ``folder`` holds all that it wrote and the templates, but not yet the record."""

    record: Record
    folder: Path
    bad_input: bool
    """The jobs that failed did so because of what they were given, not by a fault."""


def run(options: Options, progress: Progress) -> Result:
    """Run both pipelines.

    A side that failed is in the record. Raises RunError, SettingsError, SynthesisError or SetupError when no side was
    run; then, and when it is interrupted, no folder is left behind.
    """
    if not RUN_ID.match(options.run_id):
        raise RunError(f"run id {options.run_id!r}: {RUN_ID_ALLOWED}")
    _check_installation()
    overrides: dict[str, object] = dict(options.settings)
    if options.raw is not None:
        if not options.raw.is_dir():
            raise RunError(f"raw data {options.raw}: no such folder")
        overrides["dataset.location"] = OWN_DATA
    context = app_context(overrides)
    settings = Settings.from_context(context)
    with _folder(options.output / options.run_id) as folder:
        work = folder / ".work"
        s3 = LocalS3(folder / "s3")
        if options.raw is not None:
            own = s3.path(OWN_DATA)
            own.parent.mkdir(parents=True)
            own.symlink_to(options.raw.resolve(), target_is_directory=True)
        with progress.step("app", "synth"):
            assembly = synthesise(work / "cdk.out", context)
        services = Services(assembly, s3, folder / "logs", work, progress)
        with engine(services.answer, services.definitions) as machines:
            services.machines = machines
            services.prepare_account()
            services.compare(options.run_id)
            record = build_record(options.run_id, services, settings)
        # After the stages, whose times it must not disturb; a run without the rules' report is a run all the same.
        with suppress(PostureError), progress.step("app", "rules"):
            check(context, folder)
        assembly.copy_templates(folder / "templates")
        shutil.rmtree(work)
        return Result(record, folder, services.bad_input)


def _check_installation() -> None:
    """Raise RunError when something is missing that `make` puts there, and that is needed minutes later only."""
    try:
        for name in environments.DEFAULT:
            environments.environment(name)
    except environments.EnvironmentMissing as missing:
        raise RunError(str(missing)) from None
    if not WHEELS.is_dir():
        raise RunError(f"{WHEELS}: the wheels that are published are not there; run `make .venv/installed`")


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """The run's folder, locked while it runs and gone if the run does not come to an end."""
    if (folder / "comparison.json").exists():
        raise RunError(
            f"run id {folder.name!r} is already used: {folder} holds its result; choose another or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"run id {folder.name!r} is running in {folder}") from None
        try:
            # What a killed run left behind is nobody's result.
            for leftover in folder.iterdir():
                if leftover.name != ".lock":
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            (folder / "logs").mkdir()
            JOBS.resume()
            yield folder
            (folder / ".lock").unlink()
        except BaseException:
            JOBS.stop_all()
            shutil.rmtree(folder, ignore_errors=True)
            raise
