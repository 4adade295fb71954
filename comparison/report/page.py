"""The page of a run: one HTML file that opens anywhere, without a network.

    write_report(load(Path("comparison.json")), Path("report.html"))

The words and pass marks come from `comparison.summary`, the layout from `templates/`, the charts from Plotly; the chart
library is put into the page from the npm package that package.json pins.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io
from markupsafe import Markup

from comparison import summary
from comparison.claims.scaling import ASSUMPTIONS
from comparison.cost.break_even import served_sides
from comparison.report import charts
from comparison.report.cost_section import AXES, origin_of_run
from comparison.report.data import ReportData
from comparison.report.jinja import TEMPLATES, templates
from comparison.report.reproduce import command
from record.errors import UserError
from record.files import read_text, write_text
from record.schema import Record, RocPoint, SideName

CHART_LIBRARY = Path(__file__).parents[2] / "node_modules" / "plotly.js-basic-dist-min" / "plotly-basic.min.js"


_SECTIONS = ("timeline", "cost", "claims", "stages", "models", "agreement", "serve", "security", "made")
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def chart_library() -> str:
    """The text of the chart library. Raises UserError when it is not installed, or damaged."""
    try:
        text = read_text(CHART_LIBRARY)
    except UserError as error:
        raise UserError(f"{error}; it is the page's chart library: `npm ci` installs it, and so does `make`") from error
    if not text.strip():
        raise UserError(f"{CHART_LIBRARY}: is empty; it is the page's chart library: `npm ci` installs it")
    return text


def write_report(record: Record, path: Path, data: ReportData | None = None) -> None:
    """Write the page of a run, atomically; without data it is what the record alone says.

    Raises:
        UserError: the chart library is not installed.
        OSError: the folder cannot be written to.
    """
    library = chart_library()
    # Both colour schemes travel in the page, which switches between them: the charts cannot read CSS.
    found = data or ReportData()
    drawn: dict[str, Callable[[dict[str, str]], go.Figure | None]] = {
        "timeline": partial(charts.timeline, record),
        "roc": partial(charts.roc, record),
        "calibration": partial(charts.calibration, record),
    }
    cost = found.cost
    if cost:
        drawn["break_even"] = partial(charts.break_even, cost)
    if found.day:
        drawn["scaling"] = partial(charts.scaling, found.day)
    figures = {
        name: {theme: _plain(figure(colours)) for theme, colours in charts.THEMES.items()}
        for name, figure in drawn.items()
    }
    environment = templates()
    environment.filters |= {
        "count": summary.count,
        "seconds": summary.seconds,
        "size": summary.size,
        "score": summary.score,
        "difference": summary.difference,
        "instances": summary.instances,
        "milliseconds": summary.milliseconds,
        "rate": summary.rate,
        "dollars": summary.dollars,
        "value": lambda value: value if isinstance(value, str) else json.dumps(value),
    }
    page = environment.get_template("report.html.j2").render(
        record=record,
        summary=summary,
        conclusion=_conclusion(record, found),
        checks=summary.matrix(record),
        stages=summary.order(record),
        rejected=summary.rejected(record),
        metrics=_metrics(record),
        measured="measured here" if record.where == "local" else "measured in the account",
        figures=figures,
        utilised=[
            (name, stage)
            for name, side in record.sides.items()
            for stage in side.stages
            if stage.cpu_percent is not None or stage.memory_percent is not None
        ],
        roc_table=_roc_table(record),
        command=command(record),
        sections=_SECTIONS,
        claims=found.claims,
        posture=found.posture,
        cost=cost,
        cost_axes=AXES,
        cost_of_run_origin=origin_of_run(record),
        cost_data=_json(cost.data() if cost else None),
        chart_texts={"scaling": (charts.scaling_text(found.day), ASSUMPTIONS)} if found.day else {},
        sides=list(record.sides.items()),
        names=list(record.sides),
        serving=_serving(record, found),
        colours=charts.THEMES,
        timeline_text=charts.timeline_text(record),
        css=_asset("report.css"),
        script=_asset("report.js"),
        library=_inline(library),
        cost_script=_asset("cost.js"),
        charts=_json(figures),
    )
    write_text(path, page)


def _roc_table(record: Record) -> list[tuple[float, list[str]]]:
    """Return how much of label 1 each side's model catches, and the truth, for some shares of label 0."""
    curves = [side.metrics.roc if side.metrics else () for side in record.sides.values()]

    def caught(curve: tuple[RocPoint, ...], share: float) -> float | None:
        return max((p.true_positive_rate for p in curve if p.false_positive_rate <= share), default=None)

    return [
        (share, [summary.percent(caught(curve, share)) for curve in (*curves, record.limits.roc)]) for share in _SHARES
    ]


def _asset(name: str) -> Markup:
    return _inline((TEMPLATES / name).read_text(encoding="utf-8"))


def _inline(text: str) -> Markup:
    """Mark text as safe inside <style> or <script>: our own files and escaped JSON, never a value of the record."""
    if "</script" in text.lower() or "</style" in text.lower():
        raise UserError("an inlined file would end its own element")
    return Markup(text)


def _serving(record: Record, found: ReportData) -> list[SideName]:
    """The sides that bring an endpoint along; without templates, those of SageMaker."""
    if found.cost:
        return served_sides(found.cost.estimate)
    return [name for name, side in record.sides.items() if side.service == "sagemaker"]


def _conclusion(record: Record, found: ReportData) -> summary.Conclusion:
    """The conclusion with what costs and claims add to it, which say nothing of a run that one side did not finish."""
    if any(side.status == "failed" for side in record.sides.values()):
        return summary.conclude(record)
    cost = f"{found.cost.verdict}{summary.engines_differ(record)}" if found.cost else ""
    return summary.conclude(record, cost=cost, claims=found.claims_sentence)


def _json(value: Any) -> Markup:
    return _inline(json.dumps(value).replace("<", "\\u003c"))


def _plain(figure: go.Figure | None) -> Any:
    return None if figure is None else json.loads(plotly.io.to_json(figure, validate=True))


def _metrics(record: Record) -> list[tuple[str, str, list[tuple[str, str, list[str]]]]]:
    """Return the table of metrics: per split (title, size of the split, rows of (label, hint, cells))."""
    table = []
    for title, field in (("Test split", "metrics"), ("Validation split", "validation")):
        both = [getattr(side, field) for side in record.sides.values()]
        of = next((f"{each.rows:,} rows, {each.positives:,} positive" for each in both if each), "")
        rows = []
        for name, (label, hint) in summary.METRICS.items():
            cells = [summary.score(summary.metric(each, name)) for each in both]
            # The truth's metrics are of the test split; there is nothing to say about the other one.
            rows.append(
                (label, hint, [*cells, summary.score(getattr(record.limits, name)) if field == "metrics" else ""])
            )
        table.append((title, of, rows))
    return table
