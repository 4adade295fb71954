"""The commands of ``compare``, one a module; what they share is here.

Exit codes of all of them: 0 well, 1 a side failed or a limit was exceeded, 2 bad input, and 128 and the signal's number
when one ended it: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
"""

import re
from contextlib import suppress
from typing import Any

import typer
from rich.console import Console

from record.errors import UserError
from record.text import one_line


def say_error(message: str) -> None:
    """One line on standard error, if anybody listens there."""
    with suppress(OSError, ValueError):
        typer.echo(f"error: {one_line(message)}", err=True)


def said_of(error: OSError) -> str:
    """An error of the system in a line: the place, and what is wrong with it."""
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"


def terminal(*, stderr: bool = False) -> Console:
    """Where results are shown: what is printed is text, never markup, whoever wrote it."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def settings_of(texts: list[str]) -> dict[str, str]:
    """The settings of repeated ``--set key=value`` options."""
    settings: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise UserError(f"--set {text!r}: must be key=value")
        if key in settings:
            raise UserError(f"--set {key}: is given twice, {settings[key]!r} and {value!r}; once is allowed")
        settings[key] = value
    return settings


def whole(least: int, most: int) -> Any:
    """A parser of an option's whole number: ASCII digits and nothing else, as a reader of the command takes it."""

    def parse(text: str) -> int:
        # A default comes as it is.
        if isinstance(text, int):
            return text
        if not re.fullmatch("[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise typer.BadParameter(f"{text!r}: must be a whole number from {least} to {most}")
        return int(text)

    return parse


def amount(text: str) -> float:
    """A parser of an option's amount: a decimal number from 0, of ASCII digits."""
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text):
        raise typer.BadParameter(f"{text!r}: must be a finite number from 0, such as 500 or 0.5")
    return float(text)
