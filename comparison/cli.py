"""The command line: ``compare`` (``python -m comparison``)."""

import typer

from comparison.commands import collect, cost, diff, prices, report, run, runs, share

app = typer.Typer(
    help="Run the SageMaker and the EMR pipeline side by side and compare them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _main() -> None:
    """Run the SageMaker and the EMR pipeline side by side and compare them."""


app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=cost.EPILOG)(cost.cost)
app.command(epilog=report.EPILOG)(report.report)
app.command(epilog=runs.EPILOG)(runs.runs)
app.command(epilog=diff.EPILOG)(diff.diff)
app.command(epilog=collect.EPILOG)(collect.collect)
app.command(epilog=share.EPILOG)(share.push)
app.command(epilog=share.EPILOG)(share.pull)
app.command(epilog=prices.EPILOG)(prices.prices)
