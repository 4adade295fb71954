"""The command line: ``compare`` (``python -m cli``)."""

import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli import collect, cost, diff, prices, report, run, runs, share
from cli.terminal import said_of, say_error
from common.command import BAD_INPUT, InputError
from local.signals import Interrupted
from record.errors import UserError


class _Guarded(TyperGroup):
    """The group of commands: whatever goes wrong is one line on standard error and an exit code, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *arguments: Any, **named: Any) -> NoReturn:
        """Run the command that the arguments ask for, and end with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            _check_given(given)
            code = super().main(given or ["--help"], *arguments, **(named | {"standalone_mode": False}))
        except TyperException as error:
            # "Invalid value for '--events': ..." says no more than "--events: ...".
            say_error(re.sub(r"^Invalid value for '([^']+)'", r"\1", " ".join(error.format_message().split())))
            code = error.exit_code
        except UserError as error:
            say_error(str(error))
            code = error.exit_code
        except InputError as error:
            say_error(str(error))
            code = BAD_INPUT
        except OSError as error:
            say_error(said_of(error))
            code = 2
        except ModuleNotFoundError as error:
            say_error(f"package {error.name}: is not installed in {sys.prefix}; `make compare` installs it")
            code = 2
        except MemoryError:
            say_error("there is not enough memory for what was asked")
            code = 1
        # Nobody who stopped reading (`| head`) comes here: that ends with 1, and without a word.
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; the signal that ended it decides the exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise UserError("interrupted", error.exit_code if isinstance(error, Interrupted) else 130) from error


def _check_given(arguments: Sequence[str]) -> None:
    """Refuse what no option and no argument may be: an empty path is the working directory, and an empty id anything.

    Raises:
        UserError: one is empty, or is no text in this machine's encoding.
    """
    for before, each in zip(["", *arguments], arguments, strict=False):
        name, separator, value = each.partition("=")
        if not each or (name.startswith("--") and separator and not value):
            option = name if separator else before
            raise UserError(f"{option if option.startswith('-') else 'an argument'}: is empty; a value is needed")
        if re.search("[\ud800-\udfff\0]", each):
            raise UserError(f"{each!r}: is no text in UTF-8")


app = typer.Typer(
    cls=_Guarded,
    help="Run the pipelines of SageMaker and EMR side by side and compare them.",
    pretty_exceptions_enable=False,
)


@app.callback()
def _main() -> None:
    """Run the pipelines of SageMaker and EMR side by side and compare them."""


app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=cost.EPILOG)(cost.cost)
app.command(epilog=report.EPILOG)(report.report)
app.command(epilog=runs.EPILOG)(runs.runs)
app.command(epilog=diff.EPILOG)(diff.diff)
app.command(epilog=collect.EPILOG)(collect.collect)
app.command(epilog=share.EPILOG)(share.push)
app.command(epilog=share.EPILOG)(share.pull)
app.command(epilog=prices.EPILOG)(prices.prices)
