"""Row 9: what is billed on each side, and for what when nothing runs."""

from collections.abc import Mapping

from comparison.claims.base import Evidence, Finding, Measure, join, listed
from comparison.cost.lines import Driver, Estimate, drivers, idle_drivers, usd
from comparison.summary import NOT_MEASURED, TITLES, percent
from record.schema import SIDES, SideName

_MACHINES: dict[SideName, tuple[str, ...]] = {"sagemaker": ("sagemaker/",), "emr": ("ec2/", "emr/", "ebs/")}
"""Instances with their disks: those of SageMaker are among its own items, those of a cluster are volumes of EBS."""
_DATA = ("sagemaker/data-in", "sagemaker/data-out")
"""Items of SageMaker's that are no machines: what goes to an endpoint, and comes back."""
_OF_MACHINES = 0.9
"""From this share of a month's cost on, a side is paid by its machines."""


def pricing(evidence: Evidence) -> Finding:
    """Confirmed if machines are billed as claimed, make nearly all of a month, and SageMaker's cost nothing idle."""
    cost = evidence.cost
    if cost is None:
        nothing = Measure("Cost of a month", NOT_MEASURED, NOT_MEASURED, "list price", "#cost")
        return Finding((nothing,), "not measured", "No prices were put on the templates.")
    month, idle = drivers(cost.usage, cost.parameters), idle_drivers(cost.usage, cost.parameters)
    totals = cost.totals()
    items = {side: _items(cost, side) for side in SIDES}
    others = {side: _others(cost, side) for side in SIDES}
    shares = {side: _share(cost, side, month) for side in SIDES}
    standing = {side: _machines_usd(cost, side, idle) for side in SIDES}
    dates = sorted({str(line.price.date) for line in cost.lines if line.price and line.side in SIDES})
    origin = f"list price, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}" if dates else "list price"
    estimated = f"estimate by {origin}"

    def row(label: str, values: Mapping[SideName, object], how: str) -> Measure:
        return Measure(label, str(values["sagemaker"]), str(values["emr"]), how, "#cost")

    measures = (
        row("Machines and their disks, billed as", {side: listed(items[side]) for side in SIDES}, origin),
        row("Billed besides", {side: listed(others[side]) for side in SIDES}, origin),
        row("One run more, USD", {side: totals[side].run for side in SIDES}, estimated),
        row("An hour in which nothing runs, USD", {side: totals[side].idle_hour for side in SIDES}, estimated),
        row("Of that, machines and their disks, USD", {side: usd(standing[side]) for side in SIDES}, estimated),
        row("A month of the usage, USD", {side: totals[side].month for side in SIDES}, estimated),
        row("Of that, machines and their disks", {side: percent(shares[side]) for side in SIDES}, estimated),
    )
    ec2 = {item.removeprefix("ec2/") for item in items["emr"] if item.startswith("ec2/")}
    charged = {item.removeprefix("emr/") for item in items["emr"] if item.startswith("emr/")}
    foreign = [
        item
        for item in (line.item for line in cost.lines if line.side == "sagemaker")
        if item.startswith(("ec2/", "emr/"))
    ]
    pairs = (
        f"EMR bills EC2 instances ({join(sorted(ec2))}) and an EMR charge on each ({join(sorted(charged))}), SageMaker "
        f"{len(items['sagemaker'])} items of its own"
    )
    if not items["sagemaker"] or foreign or not ec2 or ec2 != charged:
        return Finding(measures, "not confirmed here", f"{pairs}.")
    missing = [item for item in cost.missing() if item in {*items["sagemaker"], *items["emr"]}]
    if missing:
        return Finding(measures, "not measured", f"{pairs}. But the price of {join(missing)} is not known.")
    made = (
        f"machines with their disks make {percent(shares['sagemaker'])} of a month on SageMaker and "
        f"{percent(shares['emr'])} on EMR"
    )
    conditions = []
    if standing["sagemaker"]:
        conditions.append(
            f"SageMaker's endpoint costs {usd(standing['sagemaker'])} USD an hour without a single task, EMR's cluster "
            f"{usd(standing['emr'])}"
        )
    rest = {side: 1 - share for side, share in shares.items() if share is not None and share < _OF_MACHINES}
    conditions += [
        f"other services take {percent(share)} of the month on {TITLES[side]}" for side, share in rest.items()
    ]
    if conditions:
        return Finding(measures, "confirmed with a condition", f"{pairs}; {made}. But {join(conditions)}.")
    return Finding(measures, "confirmed", f"{pairs}; {made}. Without a task SageMaker's machines cost nothing.")


def _items(cost: Estimate, side: SideName) -> list[str]:
    items = {line.item for line in cost.lines if line.side == side and line.item.startswith(_MACHINES[side])}
    return sorted(items.difference(_DATA))


def _others(cost: Estimate, side: SideName) -> list[str]:
    """The services that a side is billed for besides its machines, and what else SageMaker bills."""
    rest = {line.item for line in cost.lines if line.side == side} - set(_items(cost, side))
    return sorted({item if item in _DATA else item.split("/")[0] for item in rest})


def _machines_usd(cost: Estimate, side: SideName, values: Mapping[Driver, float]) -> float:
    items = _items(cost, side)
    return sum(line.amount(values) or 0.0 for line in cost.lines if line.side == side and line.item in items)


def _share(cost: Estimate, side: SideName, month: Mapping[Driver, float]) -> float | None:
    total = sum(line.amount(month) or 0.0 for line in cost.lines if line.side == side)
    return _machines_usd(cost, side, month) / total if total else None
