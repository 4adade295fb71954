"""The charts of the page, as Plotly figures: each a function of a record and of a scheme's colours."""

from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from comparison import summary
from comparison.claims.base import service
from comparison.claims.scaling import SimulatedDay, Simulation
from comparison.report.cost_section import AXES, CostSection
from record.schema import Record, Side, SideName
from sides import SIDES

# Okabe and Ito's colour-blind-safe hues, each made dark (light) enough for a contrast of 3:1 on a light (dark) page.
# Every bar is also labelled, every curve has its own marker and dash: no colour carries a meaning alone. The sides' are
# the registry's.
THEMES: dict[str, dict[str, str]] = {
    "light": {
        "prepare": "#0072b2",
        "train": "#b86e00",
        "evaluate": "#00805e",
        "score": "#a8487f",
        **{side.name: side.colours[0] for side in SIDES.values()},
        "text": "#1b2330",
        "muted": "#566173",
        "grid": "#e3e7ec",
        "failed": "#b3261e",
    },
    "dark": {
        "prepare": "#56b4e9",
        "train": "#e69f00",
        "evaluate": "#2bb58c",
        "score": "#d98cb8",
        **{side.name: side.colours[1] for side in SIDES.values()},
        "text": "#e8ebf0",
        "muted": "#a2acba",
        "grid": "#2c3440",
        "failed": "#ff8a80",
    },
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# By the place of a side in its run. Large and hollow under small and solid: equal curves are all visible.
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = (("circle", 7), ("square-open", 13), ("diamond-open", 18), ("triangle-up-open", 22), ("cross-open", 26))
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


_LEAST_START = 1.0  # seconds before the first stage that are worth a bar: the start of a cluster


def colour(colours: dict[str, str], side: SideName) -> str:
    """Return a side's colour in a scheme; that of muted text for one that this checkout does not have."""
    return colours.get(side, colours["muted"])


def _offsets(side: Side) -> dict[str, float]:
    """Return when each stage started, in seconds after the side's execution (or where unknown its first stage)."""
    first = side.started or min((stage.started for stage in side.stages if stage.started), default=None)
    return {s.name: (s.started - first).total_seconds() for s in side.stages if s.started and first}


def timeline(record: Record, colours: dict[str, str]) -> go.Figure | None:
    """Draw one bar for each measured stage, each side starting at 0, one row for each stage."""
    figure = go.Figure()
    ticks: dict[float, str] = {}
    end = 0.0
    row = 0.0
    for name, side in record.sides.items():
        total = summary.total_seconds(side)
        title = f"<b>{summary.TITLES[name]}</b> ({side.engine})  {summary.seconds(total)} in all"
        # yshift keeps the side's name clear of its first bar whatever the height.
        figure.add_annotation(
            x=0, y=row, text=title, xanchor="left", showarrow=False, font={"size": 14, "color": colours["text"]}
        )
        offsets = _offsets(side)
        before = min(offsets.values(), default=0.0)
        if before >= _LEAST_START:
            row += 1
            ticks[row] = "start"
            end = max(end, before)
            figure.add_bar(
                x=[before],
                base=[0],
                y=[row],
                orientation="h",
                width=0.72,
                marker={"color": colours["muted"], "cornerradius": 3},
                text=[summary.seconds(before)],
                textposition="outside",
                textfont={"color": colours["text"], "size": 13},
                cliponaxis=False,
                name=f"{summary.TITLES[name]}: before the first stage",
                hovertemplate=f"%{{fullData.name}}<br>{summary.seconds(before)}<extra></extra>",
            )
        for stage in side.stages:
            row += 1
            failed = stage.status == "failed"
            ticks[row] = f'<span style="color:{colours["failed"]}">✕ {stage.name}</span>' if failed else stage.name
            if stage.seconds is None:
                text = "skipped" if stage.status == "skipped" else summary.NOT_MEASURED
                figure.add_annotation(
                    x=0, y=row, text=text, xanchor="left", showarrow=False, font={"size": 13, "color": colours["muted"]}
                )
                continue
            start = offsets.get(stage.name, 0.0)
            end = max(end, start + stage.seconds)
            label = summary.seconds(stage.seconds)
            figure.add_bar(
                x=[stage.seconds],
                base=[start],
                y=[row],
                orientation="h",
                width=0.72,
                marker={
                    "color": colours[stage.name],
                    "cornerradius": 3,
                    "pattern": {"shape": "/" if failed else "", "fgcolor": colours["failed"], "fillmode": "overlay"},
                    "line": {"width": 2 if failed else 0, "color": colours["failed"]},
                },
                text=[label],
                textposition="outside",
                textfont={"color": colours["failed"] if failed else colours["text"], "size": 13},
                cliponaxis=False,
                name=f"{summary.TITLES[name]}: {stage.name}",
                hovertemplate=f"%{{fullData.name}}<br>{label}, starting at {start:.2f} s<extra></extra>",
            )
        row += 1.35
    if not figure.data:
        return None
    figure.update_layout(
        **_layout(colours),
        height=70 + 28 * round(row),
        margin={"l": 74, "r": 16, "t": 8, "b": 48},
        showlegend=False,
        barmode="overlay",
        xaxis=_axis(colours, title="seconds, each side from its own start", range=[0, end * 1.18]),
        yaxis=_axis(
            colours, range=[row - 0.7, -0.6], tickvals=list(ticks), ticktext=list(ticks.values()), showgrid=False
        ),
    )
    return figure


def timeline_text(record: Record) -> str:
    """Say what the timeline shows, for those who cannot see it."""
    sides = []
    for name, side in record.sides.items():
        parts = [
            f"{stage.name} {summary.seconds(stage.seconds)}{' until it failed' if stage.status == 'failed' else ''}"
            for stage in side.stages
            if stage.seconds is not None
        ]
        sides.append(f"{summary.TITLES[name]} ({side.engine}): {', '.join(parts) or summary.NOT_MEASURED}")
    return f"Timeline of the stages, each side starting at zero. {'. '.join(sides)}."


def calibration(record: Record, colours: dict[str, str]) -> go.Figure | None:
    """Draw predicted probability against what happened, on the test split, for every side."""
    figure = go.Figure()
    top = 0.0
    for rank, (name, side) in reversed(list(enumerate(record.sides.items()))):
        bins = [each for each in side.metrics.calibration if each.rows] if side.metrics else []
        if not bins:
            continue
        x, y = [each.mean_probability for each in bins], [each.positive_rate for each in bins]
        top = max(top, *x, *y)
        symbol, marker_size = _SYMBOLS[rank % len(_SYMBOLS)]
        figure.add_scatter(
            x=x,
            y=y,
            customdata=[each.rows for each in bins],
            mode="lines+markers",
            name=summary.TITLES[name],
            legendrank=rank,
            line={"color": colour(colours, name), "width": 2, "dash": _DASHES[rank % len(_DASHES)]},
            marker={"symbol": symbol, "size": marker_size, "line": {"width": 2}},
            hovertemplate="predicted %{x:.3f}<br>happened %{y:.3f}<br>%{customdata:,} rows"
            "<extra>%{fullData.name}</extra>",
        )
    if not figure.data:
        return None
    top = min(1.0, top * 1.08) or 1.0
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        name="perfectly calibrated",
        line={"color": colours["muted"], "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.update_layout(
        **_layout(colours),
        height=440,
        margin={"l": 56, "r": 12, "t": 40, "b": 52},
        legend=_LEGEND,
        xaxis=_axis(colours, title="mean predicted probability of the bin", range=[0, top]),
        yaxis=_axis(colours, title="share of rows whose label is 1", range=[0, top]),
    )
    return figure


def roc(record: Record, colours: dict[str, str]) -> go.Figure | None:
    """Draw what each threshold catches of the two labels on the test split, and what is the best achievable."""
    figure = go.Figure()
    # Wide under narrow and dashed: equal curves are all visible.
    drawn = []
    for rank, (name, side) in enumerate(record.sides.items()):
        if side.metrics and side.metrics.roc:
            width = max(2, 3 * (len(record.sides) - rank) - 1)
            drawn.append((side.title, side.metrics.roc, colour(colours, name), width, _DASHES[rank % len(_DASHES)]))
    if not drawn:
        return None
    if record.limits.roc:
        drawn.insert(0, ("best achievable", record.limits.roc, colours["muted"], 2, "dot"))
    for title, points, shade, width, dash in drawn:
        figure.add_scatter(
            x=[point.false_positive_rate for point in points],
            y=[point.true_positive_rate for point in points],
            mode="lines",
            name=title,
            line={"color": shade, "width": width, "dash": dash},
            opacity=0.45 if width > 2 else 1,
            hovertemplate="catches %{y:.1%}<br>with %{x:.1%} of the others<extra>%{fullData.name}</extra>",
        )
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="chance",
        line={"color": colours["grid"], "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_layout(
        **_layout(colours),
        height=440,
        margin={"l": 56, "r": 12, "t": 40, "b": 52},
        legend=_LEGEND,
        xaxis=_axis(colours, title="share of the rows with label 0 that are caught", range=[0, 1]),
        yaxis=_axis(colours, title="share of the rows with label 1 that are caught", range=[0, 1.01]),
    )
    return figure


def break_even(section: CostSection, colours: dict[str, str]) -> go.Figure:
    """Draw the cost of a month along one input, and where the use is on each line; the page redraws it in JavaScript.

    First the lines, then the points, in the order of the sides.
    """
    curve, usage = section.curve, section.estimate.usage
    figure = go.Figure()
    for i, side in enumerate(section.estimate.sides):
        figure.add_scatter(
            x=[point[0] for point in curve.points],
            y=[point[i + 1] for point in curve.points],
            mode="lines",
            name=summary.TITLES[side],
            line={"color": colour(colours, side), "width": 3, "dash": _DASHES[i % len(_DASHES)]},
            hovertemplate="%{x:,.4~g}: %{y:$,.2f} a month<extra>%{fullData.name}</extra>",
        )
    for i, side in enumerate(section.estimate.sides):
        figure.add_scatter(
            x=[getattr(usage, curve.along)],
            y=[section.estimate.month(side, serving=curve.serving).usd],
            mode="markers",
            name=f"{summary.TITLES[side]} at your use",
            showlegend=False,
            marker={
                "color": colour(colours, side),
                "size": 12,
                "symbol": _SYMBOLS[i % len(_SYMBOLS)][0].removesuffix("-open"),
            },
            hovertemplate="your use: %{y:$,.2f} a month<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(
        **_layout(colours),
        height=420,
        margin={"l": 72, "r": 16, "t": 40, "b": 52},
        legend=_LEGEND,
        xaxis=_axis(colours, title=AXES[curve.along], range=[0, curve.points[-1][0]]),
        yaxis=_axis(colours, title="US dollars a month", rangemode="tozero", tickformat=",.0f"),
    )
    return figure


def scaling(day: SimulatedDay, colours: dict[str, str]) -> go.Figure | None:
    """Draw a simulated day: the load, and the instances that each side has for it."""
    figure = go.Figure()
    sides = _simulated(day)
    if not sides:
        return None
    hours = [minute / 60 for minute in range(len(day.demand))]
    figure.add_scatter(
        x=hours,
        y=list(day.demand),
        mode="lines",
        name="load, in instances",
        line={"color": colours["muted"], "width": 1},
        fill="tozeroy",
        hoverinfo="skip",
    )
    for (side, made), dash in zip(sides, cycle(_DASHES), strict=False):
        figure.add_scatter(
            x=hours,
            y=list(made.instances),
            mode="lines",
            name=f"{summary.TITLES[side]}: {'endpoint instances' if service(side) == 'sagemaker' else 'cluster nodes'}",
            line={
                "color": colour(colours, side),
                "width": 2,
                "shape": "hv",
                "dash": dash,
            },
            hovertemplate="%{x:.1f} h: %{y}<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(
        **_layout(colours),
        height=360,
        margin={"l": 48, "r": 12, "t": 64, "b": 48},
        legend=_LEGEND,
        xaxis=_axis(colours, title="hour of a simulated day", range=[0, 24], dtick=4),
        yaxis=_axis(colours, title="instances", rangemode="tozero"),
    )
    return figure


def scaling_text(day: SimulatedDay) -> str:
    """Say what the chart of a simulated day shows, for those who cannot see it."""
    parts = [
        f"{summary.TITLES[side]}: {min(made.instances)} to {max(made.instances)} instances, "
        f"{made.instance_hours:.1f} instance hours, load unmet in {made.unmet_minutes} minutes"
        for side, made in _simulated(day)
    ]
    return f"Instances over a simulated day with a peak at noon. {'. '.join(parts)}."


def _simulated(day: SimulatedDay) -> list[tuple[SideName, Simulation]]:
    return [(side, made) for side, made in day.sides.items() if made]


def _layout(colours: dict[str, str]) -> dict[str, Any]:
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": colours["text"]},
        "dragmode": False,  # a finger on the chart scrolls the page
        "autosize": True,
    }


def _axis(colours: dict[str, str], title: str = "", **settings: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 13, "color": colours["muted"]}},
        "gridcolor": colours["grid"],
        "linecolor": colours["grid"],
        "tickcolor": colours["grid"],
        "tickfont": {"color": colours["muted"], "size": 13},
        "zeroline": False,
        "fixedrange": True,
        **settings,
    }
