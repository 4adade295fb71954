"""The command line: ``compare`` (``python -m comparison``)."""

import typer

from comparison.commands.run import run

app = typer.Typer(
    help="Run the SageMaker and the EMR pipeline side by side and compare them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _main() -> None:
    """Run the SageMaker and the EMR pipeline side by side and compare them."""


app.command(epilog="Exit codes: 0 both sides succeeded, 1 a side failed, 2 bad input, 130 interrupted.")(run)
