"""The commands of ``compare``, one a module; what they share is here.

Exit codes of all of them: 0 well, 1 a side failed or a limit was exceeded, 2 bad input, 130 interrupted.
"""

from typing import NoReturn

import typer


def bad_input(message: str) -> NoReturn:
    """End with one line on standard error and exit code 2."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(2)


def settings_of(texts: list[str]) -> dict[str, str]:
    """The settings of repeated ``--set key=value`` options."""
    settings = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            bad_input(f"--set {text!r}: must be key=value")
        settings[key] = value
    return settings
