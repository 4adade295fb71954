"""Files of ours: read within limits, whoever wrote them, and written whole or not at all."""

import json
import math
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from record.errors import UserError

MAX_BYTES = 64 << 20
"""Far above any file that is read as a whole: records and templates have some hundred kB, a price file some MB."""

_MAX_DEPTH = 100
_MAX_INTEGER = 2**63 - 1


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file: never of a pipe or device, which may have no end, and never more than ``limit``.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    try:
        # Not blocking, since to open a pipe that nobody writes to would never end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UserError(f"{path}: cannot be read: is not a regular file")
        with open(handle, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}") from error
    finally:
        os.close(handle)
    if content is None:  # of the kernel's files, some are a pipe in truth, with nothing in it now
        raise UserError(f"{path}: cannot be read: is not a regular file")
    if len(content) > limit:
        raise UserError(f"{path}: is larger than {limit >> 20} MiB, the most that is read")
    return content


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """The content of a text file. Raises UserError, also where it is not UTF-8."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read: byte {error.start} is not UTF-8") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file as the standard has it (RFC 8259): no NaN, no name twice, nothing after it.

    Numbers are finite and integers have up to 64 bits; nesting ends at a depth of 100.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    text = read_text(path)
    if text.lstrip()[:1] == "<":
        # A proxy's answer in the place of a file, most often.
        raise UserError(f"{path}: not JSON: begins with {text.lstrip()[:40]!r}, as HTML does")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=float, parse_int=_integer)
        _check_values(value)
        # A lone surrogate, "\ud800", is no text: it could not be written again.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _Unfit as error:
        raise UserError(f"{path}: {error}") from error
    except UnicodeEncodeError as error:
        raise UserError(f"{path}: not JSON: {error.object[error.start]!r} is half a character") from error
    except RecursionError as error:
        raise UserError(f"{path}: not JSON, or cut off: nested deeper than {_MAX_DEPTH} levels") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON, or cut off: {error}") from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{_short(name)} comes twice in one object")
        found[name] = value
    return found


def _integer(text: str) -> float:
    # Longer ones are not even converted: that takes time that grows with the square of their length.
    if len(text) > len(str(_MAX_INTEGER)) + 1 or abs(value := int(text)) > _MAX_INTEGER:
        return math.copysign(math.inf, -1 if text[0] == "-" else 1)
    return value


class _Unfit(Exception):
    """A value that is JSON to Python only."""


def _check_values(value: Any, *place: object) -> None:
    if len(place) > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, float) and not math.isfinite(value):
        where = ".".join(str(part) for part in place) or "value"
        raise _Unfit(f"{where}: Input should be a finite number of up to 64 bits")
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_values(item, *place, name)


def _short(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else f"{text[:57]}...")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old one or the new one, never half of one; folders are made.

    Raises:
        OSError: it cannot be written; nothing is left of the attempt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # Bytes, since a text that cannot be encoded must fail before a file is there.
        temporary.write_bytes(text.encode("utf-8"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Make sure that files can be made in a folder, or in the nearest one above that is there; leaves nothing.

    Raises:
        OSError: they cannot, or it cannot become a folder; names the place.
    """
    missing = []
    there = folder.absolute()
    while not there.exists():
        missing.append(there)
        there = there.parent
    made: list[Path] = []
    try:
        for each in reversed(missing):
            each.mkdir()
            made.append(each)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        # The file that was tried has a name that says nothing to anybody.
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir()
