"""What a laptop run needs of this machine and of what it was given, looked at before anything starts."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assembly.template import REPOSITORY, app_context
from common.dataset import Dataset
from common.raw import is_data
from comparison.report.page import chart_library
from comparison.report.reproduce import OWN_DATA
from local import environments
from local.build import WHEELS
from local.container import container_mode
from record.errors import UserError
from record.files import check_writable
from stacks.settings import DATASETS, Settings
from stacks.shared.layout import RUN_ID, RUN_ID_ALLOWED

_MIB = 1 << 20
FREE_BYTES = 400 * _MIB
"""What a run of few events needs while it runs: templates, assets, what Spark spills, logs."""
FREE_BYTES_AN_EVENT = 500
SHARED_MEMORY = "/dev/shm"

_MAX_PATH = 3400
"""Below it there are paths of some hundred bytes, and Linux's longest has 4096."""

# A colon ends a folder in PATH, PYTHONPATH and Java's class path, and a line break a line in every file of settings:
# no way of quoting helps, in the shell, in venv or in Spark.
_IMPOSSIBLE = {":": "a colon", "\n": "a line break", "\r": "a line break"}


@dataclass(frozen=True)
class Options:
    """What a laptop run is asked for; ``settings`` are the app's, by dotted name."""

    run_id: str
    settings: Mapping[str, str]
    output: Path
    raw: Path | None = None


def check(options: Options) -> tuple[dict[str, object], Settings]:
    """Look at everything that can be looked at before a run starts; returns the app's context, and the settings in it.

    Raises UserError, or InputError of a setting or of the dataset's definition.
    """
    if not RUN_ID.match(options.run_id):
        raise UserError(f"run id {options.run_id!r}: {RUN_ID_ALLOWED}")
    overrides: dict[str, object] = dict(options.settings)
    if "dataset.location" in overrides:
        raise UserError(
            f"--set dataset.location={overrides['dataset.location']}: names a place in an account; "
            "here own data is read from a folder: --raw FOLDER"
        )
    if options.raw is not None:
        if "dataset.events" in overrides:
            raise UserError(
                f"--raw {options.raw} with --events {overrides['dataset.events']}: own data has as many as it has; "
                "give one of them"
            )
        overrides["dataset.location"] = OWN_DATA
    context = app_context(overrides)
    settings = Settings.from_context(context)
    if options.raw is not None:
        check_raw(options.raw, settings, options.output)
    _check_installation(settings)
    check_machine(options.output, settings)
    return context, settings


def check_machine(output: Path, settings: Settings) -> None:
    """Make sure that a run can come to its end here.

    Raises:
        UserError: it cannot; names the place and what is needed.
    """
    try:
        container_mode()
    except ValueError as error:
        raise UserError(str(error)) from error
    _check_path("the checkout", REPOSITORY)
    _check_path("--output", output)
    try:
        check_writable(output)
    except OSError as error:
        raise UserError(
            f"--output {output}: cannot be written to: {error.strerror}; a folder that can be is needed"
        ) from error
    needed = FREE_BYTES + FREE_BYTES_AN_EVENT * (settings.dataset.events if settings.dataset.location is None else 0)
    free = shutil.disk_usage(_nearest(output)).free
    if free < needed:
        raise UserError(
            f"--output {output}: {free // _MIB} MiB are free there, and about {needed // _MIB} MiB are needed; "
            "free some, run fewer --events, or choose another --output"
        )
    # The locks and arrays of the jobs' processes (multiprocessing) lie there.
    if sys.platform.startswith("linux"):
        if not os.access(SHARED_MEMORY, os.W_OK):
            raise UserError(f"{SHARED_MEMORY}: is not there, or cannot be written to; the jobs share memory in it")
        if (free := shutil.disk_usage(SHARED_MEMORY).free) < _MIB:
            raise UserError(f"{SHARED_MEMORY}: {free >> 10} KiB are free there, and 1 MiB is needed; free some")
    chart_library()


def _check_path(what: str, path: Path) -> None:
    if (size := len(os.fsencode(path.absolute()))) > _MAX_PATH:
        raise UserError(f"{what} {str(path)[:60]!r}...: its path has {size} bytes; up to {_MAX_PATH} are allowed")
    for character, name in _IMPOSSIBLE.items():
        if character in str(path.absolute()):
            raise UserError(f"{what} {str(path)!r}: its path has {name}; any other character is allowed")
    # Spark's scripts split a path at white space and more; in a namespace it is seen at a path of its own.
    if container_mode() == "directory" and (found := re.search(r"[^\w./@+-]", str(path.absolute()), re.ASCII)):
        raise UserError(
            f"{what} {str(path)!r}: its path has {found[0]!r}; allowed without user namespaces are letters, "
            "digits and ./@+-_"
        )


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def check_raw(raw: Path, settings: Settings, output: Path) -> None:
    """Make sure that a folder holds the tables of the chosen dataset: what is in them is for the pipelines to judge.

    Raises:
        UserError: it does not; names the folder, the table and what is allowed.
        InputError: the dataset's definition is at fault.
    """
    tables = Dataset.load(DATASETS / settings.dataset.name).tables
    if not raw.is_dir():
        raise UserError(f"raw data {raw}: no such folder")
    expected = ", ".join(sorted({table.location for table in tables}))
    for table in tables:
        place = raw / table.location
        if output.resolve().is_relative_to(place.resolve()):
            raise UserError(f"--output {output}: is in {place}, which is read: table {table.name}; choose another")
        try:
            # All of them are looked at, not only the first that holds something.
            if not list(_data(place)):
                raise UserError(
                    f"--raw {raw}: table {table.name}: there is no data in {place}; "
                    f"dataset {settings.dataset.name} needs files in {expected}"
                )
        except OSError as error:
            raise UserError(f"--raw {error.filename}: cannot be read: {error.strerror}") from error


def _data(place: Path) -> Iterator[Path]:
    """The files below a table's folder that hold anything.

    Raises:
        UserError: something is there that is no file, or would never end when it is read.
        OSError: a folder cannot be listed, a file not be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    found = {place: place.name} if place.exists() and not place.is_dir() else {}
    for folder, folders, names in os.walk(place, followlinks=True, onerror=refuse if place.is_dir() else None):
        for link in (each for name in folders if (each := Path(folder, name)).is_symlink()):
            if link.resolve() in {above.resolve() for above in link.parents}:
                raise UserError(f"--raw {link}: is a link to a folder that it is in: reading it would not end")
        found |= {(file := Path(folder, name)): file.relative_to(place).as_posix() for name in names}
    for file, name in found.items():
        if not file.exists():
            raise UserError(f"--raw {file}: is a link to what is not there, and cannot be read")
        if not file.is_file():
            raise UserError(f"--raw {file}: is not a regular file, and only those are read")
        if not os.access(file, os.R_OK):
            raise UserError(f"--raw {file}: cannot be read: permission denied")
        if is_data(name, file.stat().st_size):
            yield file


def _check_installation(settings: Settings) -> None:
    """Raise UserError when something is missing that `make` puts there, and that is needed minutes later only."""
    for name in environments.needed(settings.sides):
        environments.environment(name)
    if not WHEELS.is_dir():
        raise UserError(f"{WHEELS}: the wheels that are published are not there; run `make .venv/installed`")
