"""The command line that every workload script has: one line per mistake, exit code 2 when the input is at fault."""

import argparse
import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

BAD_INPUT = 2
"""Exit code for input that the caller has to correct; a second try with the same input cannot succeed."""

SAGEMAKER_OUTPUT = Path("/opt/ml/output")
"""Where a SageMaker container leaves a message that Describe{Processing,Training}Job then shows (read 2026-11-22)."""


class InputError(Exception):
    """Input that a person has to correct. The message names the place, the value found and what is allowed."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InputError where argparse would print the usage and exit."""

    def __init__(self, description: str | None) -> None:
        """Take a script's docstring; abbreviations are off because `--seed` must never mean a later `--seed_x`."""
        super().__init__(
            description=description, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of exiting."""
        raise InputError(message)


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a script's main with the process's arguments; turn InputError into one line on stderr and exit code 2."""
    try:
        main(None)
    except InputError as problem:
        raise SystemExit(failed(problem)) from None


def failed(problem: Exception) -> int:
    """Say why a program fails, in its log and to SageMaker, where it runs there; returns the exit code.

    Describe{Processing,Training}Job shows what is said here instead of the exit code; 1 KB is what the service keeps.
    """
    if isinstance(problem, InputError):
        line, code = f"error: {one_line(str(problem))}", BAD_INPUT
        print(line, file=sys.stderr)
    else:
        line, code = f"{type(problem).__name__}: {problem}", 1
        traceback.print_exception(problem)
    if SAGEMAKER_OUTPUT.is_dir():
        for name in ("message", "failure"):
            with contextlib.suppress(OSError):
                (SAGEMAKER_OUTPUT / name).write_text(line[:1000], "utf-8")
    return code


def one_line(text: str) -> str:
    """Join the lines of a message; engines draw theirs over several."""
    return " ".join(text.split())
