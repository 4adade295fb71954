"""The runs on a disk: a folder each, below one folder."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from record.errors import UserError
from record.schema import RUN_ID, Record, RecordError, load

OUTPUT = Path("build/compare")
"""Where the commands keep runs, and look for them."""

RECORD = "comparison.json"
REPORT = "report.html"
RULES = "rules.json"
TEMPLATES = "templates"

LATEST = "latest"
"""The link to the newest run, beside the runs."""

_RUN_ID = re.compile(rf"(?!{LATEST}\Z){RUN_ID}")


def run_folder(output: Path, run_id: str) -> Path:
    """The folder of a run.

    Raises:
        UserError: the id is none, or ``output`` is no folder.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UserError(
            f"run id {run_id!r}: allowed are 1 to 80 letters, digits, and . - _ after the first, but not {LATEST!r}"
        )
    check_output(output)
    return output / run_id


def check_output(output: Path) -> None:
    """Make sure that runs may be kept, or looked for, below a folder; it need not be there yet.

    Raises:
        UserError: something else is there, or it cannot be looked at.
    """
    try:
        if not stat.S_ISDIR(output.stat().st_mode):
            raise UserError(f"{output}: is not a folder; runs are kept in one")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}; runs are kept in a folder") from error


def check_unused(folder: Path) -> None:
    """Make sure that there is no record in a run's folder yet.

    Raises:
        UserError: there is one.
    """
    if os.path.lexists(folder / RECORD):
        raise UserError(
            f"run id {folder.name!r} is already used: {folder} holds its result; choose another or remove it"
        )


def records(output: Path) -> Iterator[tuple[str, Record | RecordError]]:
    """Every run below a folder that has a record: the folder's name, and the record or what is wrong with it.

    Raises:
        UserError: it is no folder; one that is not there has no runs.
    """
    check_output(output)
    for folder in sorted(output.iterdir()) if output.is_dir() else []:
        # `latest` is another name of one of them.
        try:
            if (folder / RECORD).is_file() and not folder.is_symlink():
                yield folder.name, load(folder / RECORD)
        except RecordError as error:
            yield folder.name, error
        except OSError as error:  # a folder that may not be looked into
            yield folder.name, RecordError(f"{folder / RECORD}: cannot be read: {error.strerror}")


def find(reference: str, output: Path) -> list[Record]:
    """The runs that a reference names: one by its id, folder or file; all of one `run --repeat` by its name.

    Oldest first. Raises:
        RecordError: the record cannot be read.
        UserError: there is no such run.
    """
    for path in (Path(reference), output / reference):
        if is_file(path):
            return [load(path)]
        if is_file(path / RECORD):
            return [load(path / RECORD)]
    found = repeats(reference, output)
    if not found:
        raise UserError(f"no run {reference!r}: neither a record, nor a run or its repeats below {output}")
    return found


def is_file(path: Path) -> bool:
    """Whether a file is there, for names that may be none: too long a one raises OSError in `Path.is_file`."""
    return os.path.isfile(path)


def repeats(name: str | None, output: Path) -> list[Record]:
    """The runs that one `run --repeat` made under this name, oldest first; damaged ones are left out."""
    found = [record for _, record in records(output) if isinstance(record, Record) and record.repeat_of == name]
    return sorted(found, key=lambda record: (record.started is None, record.started)) if name else []


def succeeded(record: Record) -> bool:
    """Whether all sides ended well: a failed run's numbers are of something else."""
    return all(side.status == "succeeded" for side in record.sides.values())


def extends(new: Record, old: Record) -> bool:
    """Whether a record says all that an older one of the same run says: it may only add what was not measured there."""
    return _adds(new.model_dump(mode="json"), old.model_dump(mode="json"))


def _adds(new: Any, old: Any) -> bool:
    if old is None or old in ([], {}):
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_adds(new.get(key), value) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(new) == len(old) and all(_adds(*pair) for pair in zip(new, old, strict=True))
    return bool(new == old)


def check_place(folder: Path, record: Record) -> None:
    """Make sure that a record may be written into a run's folder.

    Raises:
        UserError: another record is there, or the run is running.
        RecordError: the record there cannot be read.
    """
    if (folder / ".lock").exists():
        raise UserError(f"{folder}: a run of this id is running there")
    if (folder / RECORD).exists() and not extends(record, load(folder / RECORD)):
        raise UserError(f"{folder / RECORD} holds another record; it stays as it is: choose another --output")
