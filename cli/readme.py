"""`make readme`: the README's figures, and the picture of the sides, from the templates, the prices and a kept run.

What it writes into README.md stands between `<!-- name -->` and `<!-- end of name -->`; a test holds the files to it.
"""

import re
import tempfile
from pathlib import Path

from assembly.template import REPOSITORY, Assembly, app_context, synthesise
from comparison import summary
from comparison.cost.lines import SHARED, Estimate, Money
from comparison.cost.prices import PriceBook
from comparison.cost.runtime import RuntimeModel
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from comparison.report.diagram import diagram
from record.schema import Record, load
from sides import DEFAULT, SERVICES, SIDES

README, PICTURE, MEASURED = (REPOSITORY / name for name in ("README.md", "docs/sides.svg", "docs/measured.json"))


def files() -> dict[Path, str]:
    """Return what the files have to hold.

    Raises:
        UserError: the kept run, the prices or a template cannot be read.
    """
    record = load(MEASURED)
    every, default = _templates(tuple(SIDES)), _templates(DEFAULT)
    parts = {"answer": answer(record, every.estimate), "costs": costs(default.estimate)}
    readme = re.sub(
        r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)",
        lambda found: found[1] + parts[found[2]] + found[3],
        README.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    return {README: readme, PICTURE: every.picture}


class _Templates:
    """The templates of some sides: what they cost, and their picture."""

    def __init__(self, assembly: Assembly) -> None:
        sides = [name for name in SIDES if any(stack.endswith(f"-{name}") for stack in assembly.templates)]
        self.picture = diagram(assembly, sides)
        self.estimate = estimate(assembly, Usage(), PriceBook.load(), RuntimeModel.load(), "us-east-1")


def _templates(sides: tuple[str, ...]) -> _Templates:
    with tempfile.TemporaryDirectory() as folder:
        return _Templates(synthesise(Path(folder), app_context({"sides": ",".join(sides)})))


def answer(record: Record, priced: Estimate) -> str:
    """Return the table that answers: a column a side, a row for each thing that was measured or priced."""
    usage, names = priced.usage, list(record.sides)
    pairs = {pair.second: pair for pair in record.agreement}
    month, idle = priced.totals(serving=False), priced.totals(serving=True)
    rows = {
        "service": [SERVICES[record.sides[name].service] for name in names],
        "engine": [record.sides[name].engine for name in names],
        "features, row for row (1)": [
            f"{summary.count(summary.features_rows(record))} rows",
            *("equal" if pairs[name].features_equal else "**not equal**" for name in names[1:]),
        ],
        "test AUC (1)": [summary.score(summary.metric(record.sides[name].metrics, "auc")) for name in names],
        **{
            f"{stage}, engine time on one laptop (1)": [
                summary.seconds(found.seconds) if (found := record.sides[name].stage(stage)) else "" for name in names
            ]
            for stage in ("prepare", "train")
        },
        f"a month of {_runs(usage)}, US dollars (2)": [_money(month[name].month) for name in names],
        "an idle hour as deployed, US dollars (2)": [_money(idle[name].idle_hour) for name in names],
    }
    titles = [summary.TITLES[name] for name in names]
    lines = [["", *titles], ["---"] * (len(names) + 1), *([label, *cells] for label, cells in rows.items())]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machine = record.machine
    on = f"{machine.cpus} cores, {summary.size(machine.memory_bytes)} of memory" if machine else "an account"
    when = f"{record.started:%d %B %Y}" if record.started else "a day that was not recorded"
    return (
        f"{table}\n\n"
        f"1. Measured on one machine ({on}), {when}, {record.dataset.events or 0:,} log events, by `make compare "
        f"SIDES=all`; the best achievable AUC on this data is {summary.score(record.limits.auc)}. These are seconds of "
        "the engines, not of the cloud.\n"
        "2. An estimate from the templates and list prices of us-east-1, with work as measured on a laptop: `make "
        f"cost`. A run is of {usage.events_per_run:,.0f} events, without real-time serving; the idle hour is of what "
        "the default settings keep open: SageMaker's endpoint, and EMR's cluster until it ends itself.\n"
    )


def costs(priced: Estimate) -> str:
    """Return the sentence of what is paid while nothing runs."""
    idle = {party: totals.idle_hour.usd for party, totals in priced.totals(serving=True).items()}
    together, shared = sum(idle.values()), idle[SHARED]
    ended = together - idle["emr"]
    return (
        f"About {together:.2f} US dollars an hour with an idle cluster, {ended:.2f} once it has ended itself (after an "
        f"hour without work), {shared:.2f}\nafter the time to live; us-east-1, list prices, "
        "[itemised with their sources](docs/deploy.md#what-it-costs).\n"
    )


def _runs(usage: Usage) -> str:
    return "a run a day" if usage.runs_per_day == 1 else f"{usage.runs_per_day:g} runs a day"


def _money(sum_: Money) -> str:
    return f"{sum_.usd:,.2f}" if sum_.complete else f"at least {sum_.usd:,.2f}"


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
