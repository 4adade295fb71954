"""A laptop run: the app is synthesised, and what its templates hold is executed."""

import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from assembly.posture import checking
from assembly.template import synthesise
from comparison.report.reproduce import OWN_DATA
from local import processes, signals
from local.jobs import JOBS, STOP_SECONDS
from local.preflight import Options, check
from local.progress import Progress
from local.result import build_record
from local.s3 import LocalS3
from local.services import Services
from local.states import engine
from record.errors import UserError
from record.runs.folders import check_unused
from record.schema import Record
from stacks.settings import Settings


@dataclass(frozen=True)
class Result:
    """A run that came to its end: ``folder`` holds all that it wrote and the templates, but not yet the record."""

    record: Record
    folder: Path
    bad_input: bool
    """The jobs that failed did so because of what they were given, not by a fault."""


@contextmanager
def run(options: Options, progress: Progress) -> Iterator[Result]:
    """Run the pipelines; the caller writes what else belongs into the run's folder, and on leaving the run is over.

    A side that failed is in the record. Raises UserError or InputError before anything has run,
    SetupError when no side could be run, and OSError when this machine failed; then, and when it or the caller is
    interrupted or fails, no folder is left behind.
    """
    checked = check(options)
    with _folder(options.output / options.run_id) as folder:
        yield _run(options, checked, folder, progress)


def _run(options: Options, checked: tuple[dict[str, object], Settings], folder: Path, progress: Progress) -> Result:
    context, settings = checked
    work = folder / ".work"
    s3 = LocalS3(folder / "s3")
    if options.raw is not None:
        own = s3.path(OWN_DATA)
        own.parent.mkdir(parents=True)
        own.symlink_to(options.raw.resolve(), target_is_directory=True)
    with checking(context, folder) as check_rules:
        with progress.step("app", "synth"):
            assembly = synthesise(work / "cdk.out", context)
            assembly.copy_templates(folder / "templates")
        # Before the stages, whose times it must not disturb; a run without the rules' report is a run all the same.
        with suppress(UserError, OSError), progress.step("app", "rules"):
            check_rules()
    services = Services(assembly, s3, folder / "logs", work, progress)
    with engine(services.answer, services.definitions) as machines:
        services.machines = machines
        services.prepare_account()
        services.compare(options.run_id)
        record = build_record(options.run_id, services, settings)
    return Result(record, folder, services.bad_input)


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """The run's folder, locked while it runs and gone if the run does not come to an end, with all its processes."""
    check_unused(folder)
    above = [each for each in folder.parents if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(f"run id {folder.name!r} is running in {folder}") from None
            with _removed_on_failure(folder, above), _temporary(folder / ".work" / "tmp"):
                yield folder
                # The record is written: what cannot be removed any more is no reason to lose it.
                _remove(folder / ".work")
                (folder / ".lock").unlink()
    except BaseException:
        for each in above:
            with suppress(OSError):  # not empty: somebody else's
                each.rmdir()
        raise


@contextmanager
def _removed_on_failure(folder: Path, above: Sequence[Path]) -> Iterator[None]:
    """Every process of the run ended, and its folder gone, if the run does not come to its end, even by SIGKILL."""
    mark = uuid.uuid4().hex
    os.environ[processes.MARK] = mark
    watcher = processes.watch(mark, folder, above)
    try:
        # What a killed run left behind is nobody's result.
        for leftover in folder.iterdir():
            if leftover.name != ".lock":
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        (folder / "logs").mkdir()
        JOBS.resume()
        yield
    except BaseException:
        JOBS.stop_all()
        processes.end_marked(mark, STOP_SECONDS, signals.hurried, but=[watcher.pid])
        _remove(folder)
        raise
    finally:
        del os.environ[processes.MARK]
        processes.unwatch(watcher)


def _remove(folder: Path) -> None:
    """Remove a folder into which a thread that does not know yet may still write a last file."""
    deadline = time.monotonic() + STOP_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        for each, _, _ in os.walk(folder):
            with suppress(OSError):  # a job may have made it read-only
                os.chmod(each, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files of this process and of those that it starts lie in the run's folder, and go with it.

    Whatever the machine's own place for them is like: it may be full, not writable, or memory.
    """
    before, chosen = os.environ.get("TMPDIR"), tempfile.tempdir
    folder.mkdir(parents=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = chosen
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
