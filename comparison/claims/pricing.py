"""Claim 9: what is billed on each side, and for what when nothing runs."""

from collections.abc import Mapping

from comparison.claims.base import Evidence, Measured, Reason, Service, Value, Verdict, join, service
from comparison.cost.lines import Driver, Estimate, Money, drivers, idle_drivers
from comparison.summary import TITLES, percent
from record.schema import SideName

_MACHINES: dict[Service, tuple[str, ...]] = {"sagemaker": ("sagemaker/",), "emr": ("ec2/", "emr/", "ebs/")}
"""Instances with their disks: those of SageMaker are among its own items, those of a cluster are volumes of EBS."""
_DATA = ("sagemaker/data-in", "sagemaker/data-out")
"""Items of SageMaker's that are no machines: what goes to an endpoint, and comes back."""
_OF_MACHINES = 0.9
"""From this share of a month's cost on, a side is paid by its machines."""


def measure(evidence: Evidence) -> Measured:
    """Collect what is billed, and what machines with their disks are of it."""
    cost = evidence.cost
    if cost is None:
        return evidence.measured({"month": evidence.run("Cost of a month", None, "list price", "#cost", unit="USD")})
    month, idle = drivers(cost.usage, cost.parameters), idle_drivers(cost.usage, cost.parameters)
    totals, missing = cost.totals(), cost.missing()
    dates = sorted({str(line.price.date) for line in cost.lines if line.price and line.side in evidence.sides})
    origin = f"list price, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}" if dates else "list price"
    estimated = f"estimate by {origin}"
    return evidence.measured(
        {
            "machines": evidence.each(
                "Machines and their disks, billed as", lambda side: _items(cost, side), origin, "#cost"
            ),
            "unpriced": evidence.each(
                "Of these, without a known price",
                lambda side: tuple(item for item in _items(cost, side) if item in missing),
                origin,
                "#cost",
            ),
            "besides": evidence.each("Billed besides", lambda side: _others(cost, side), origin, "#cost"),
            "run": evidence.each("One run more", lambda side: _money(totals[side].run), estimated, "#cost", unit="USD"),
            "idle": evidence.each(
                "An hour in which nothing runs",
                lambda side: _money(totals[side].idle_hour),
                estimated,
                "#cost",
                unit="USD",
            ),
            "idle_machines": evidence.each(
                "Of that, machines and their disks",
                lambda side: _machines_usd(cost, side, idle),
                estimated,
                "#cost",
                unit="USD",
            ),
            "month": evidence.each(
                "A month of the usage", lambda side: _money(totals[side].month), estimated, "#cost", unit="USD"
            ),
            "share": evidence.each(
                "Of that, machines and their disks",
                lambda side: _share(cost, side, month),
                estimated,
                "#cost",
                unit="share",
            ),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds if machines are billed as claimed, make nearly all of a month, and SageMaker's cost nothing idle."""
    if "machines" not in measured.figures:
        return Verdict("not measured", reasons=(Reason("no prices", measured.sides),))
    ml, data = measured.of("sagemaker"), measured.of("emr")
    unlike = [
        side
        for side in ml
        if not measured.names("machines", side) or {"ec2", "emr"} & set(measured.names("besides", side))
    ]
    unlike += [
        side for side in data if not (ec2 := _below(measured, side, "ec2/")) or ec2 != _below(measured, side, "emr/")
    ]
    if unlike:
        return Verdict("does not hold", reasons=(Reason("billed otherwise", tuple(unlike)),))
    unpriced = tuple(
        Reason("no price", (side,), names) for side in measured.sides if (names := measured.names("unpriced", side))
    )
    if unpriced:
        return Verdict("not measured", reasons=unpriced)
    conditions = []
    if idle := tuple(side for side in ml if measured.number("idle_machines", side)):
        conditions.append(Reason("machines cost while idle", idle))
    for side in measured.sides:
        share = measured.number("share", side)
        if share is not None and share < _OF_MACHINES:
            conditions.append(Reason("other services cost", (side,)))
    return Verdict("holds with a condition" if conditions else "holds", reasons=tuple(conditions))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say what is billed, and under which condition it is the machines."""
    if verdict.reason("no prices"):
        return "No prices were put on the templates."
    ml, data = measured.of("sagemaker"), measured.of("emr")
    pairs = ", ".join(
        [
            *(
                f"{TITLES[side]} bills EC2 instances ({join(_below(measured, side, 'ec2/'))}) and an EMR charge on "
                f"each ({join(_below(measured, side, 'emr/'))})"
                for side in data
            ),
            *(f"{TITLES[side]} {len(measured.names('machines', side))} items of its own" for side in ml),
        ]
    )
    if verdict.reason("billed otherwise"):
        return f"{pairs}."
    if verdict.reason("no price"):
        missing = join(sorted({name for reason in verdict.reasons for name in reason.names}))
        return f"{pairs}. But the price of {missing} is not known."
    shares = join([f"{measured.shown('share', side)} of a month on {TITLES[side]}" for side in measured.sides])
    text = f"{pairs}; machines with their disks make {shares}."
    if verdict.outcome == "holds":
        return f"{text} Without a task SageMaker's machines cost nothing."
    conditions = []
    for reason in verdict.reasons:
        if reason.code == "machines cost while idle":
            conditions += [
                f"{TITLES[side]}'s endpoint costs {measured.shown('idle_machines', side)} an hour without a single task"
                for side in reason.sides
            ]
            conditions += [f"{TITLES[side]}'s cluster {measured.shown('idle_machines', side)} an hour" for side in data]
        else:
            conditions += [
                f"other services take {percent(1 - (measured.number('share', side) or 0))} of the month on "
                f"{TITLES[side]}"
                for side in reason.sides
            ]
    return f"{text} But {join(conditions)}."


def _below(measured: Measured, side: SideName, prefix: str) -> list[str]:
    return [item.removeprefix(prefix) for item in measured.names("machines", side) if item.startswith(prefix)]


def _money(sum_: Money) -> Value:
    """A sum; as text where it is a lower bound."""
    return sum_.usd if sum_.complete else f"{sum_} USD"


def _items(cost: Estimate, side: SideName) -> tuple[str, ...]:
    machines = _MACHINES[service(side)]
    items = {line.item for line in cost.lines if line.side == side and line.item.startswith(machines)}
    return tuple(sorted(items.difference(_DATA)))


def _others(cost: Estimate, side: SideName) -> tuple[str, ...]:
    """The services that a side is billed for besides its machines, and what else SageMaker bills."""
    rest = {line.item for line in cost.lines if line.side == side}.difference(_items(cost, side))
    return tuple(sorted({item if item in _DATA else item.split("/")[0] for item in rest}))


def _machines_usd(cost: Estimate, side: SideName, values: Mapping[Driver, float]) -> float:
    items = _items(cost, side)
    return sum(line.amount(values) or 0.0 for line in cost.lines if line.side == side and line.item in items)


def _share(cost: Estimate, side: SideName, month: Mapping[Driver, float]) -> float | None:
    total = sum(line.amount(month) or 0.0 for line in cost.lines if line.side == side)
    return _machines_usd(cost, side, month) / total if total else None
