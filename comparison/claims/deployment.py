"""Claim 8: what serves a model on each side, and how fast it responds."""

from collections.abc import Callable

from comparison.claims.base import TEMPLATES, Evidence, Figure, Measured, Reason, Value, Verdict, join, titles
from comparison.claims.templates import SideTemplate
from comparison.summary import TITLES
from record.schema import Load, SideName

_SERVING = (
    "AWS::SageMaker::",
    "AWS::ApplicationAutoScaling::",
    "AWS::ECS::",
    "AWS::EKS::",
    "AWS::ApiGateway",
    "AWS::AppRunner::",
)
"""Resource types that a stack here holds for no other reason than to serve."""
_NONE = "no endpoint"
_RESPONDED = "responded"


def measure(evidence: Evidence) -> Measured:
    """Collect the resource types that serve, and what the endpoint did with single requests and under load."""
    templates, sides = evidence.templates, evidence.sides
    serving = {side: _serving(template) for side, template in templates.items()}
    tried = {name: side.serve for name, side in sides.items() if side.serve is not None}
    loads = {side: serve.load for side, serve in tried.items()}
    clients = max((each.clients for load in loads.values() for each in load), default=None)
    under = f"{clients} clients" if clients else "load"

    def alone(side: SideName) -> Value:
        others = {kind for other, kinds in serving.items() if other != side for kind in kinds}
        return len(set(serving[side]) - others)

    def of_endpoint(label: str, value: Callable[[SideName], Value], unit: str = "") -> Figure:
        def shown(side: SideName) -> Value:
            return _NONE if not serving[side] and side not in tried else value(side)

        return evidence.each(label, shown, evidence.origin, "#serve", unit=unit)

    def of_load(label: str, value: Callable[[Load], float | None], unit: str) -> Figure:
        def largest(side: SideName) -> Value:
            load = max(loads.get(side, ()), key=lambda each: each.clients, default=None)
            return value(load) if load else None

        return of_endpoint(label, largest, unit)

    def total(label: str, value: Callable[[Load], int], unit: str) -> Figure:
        return of_endpoint(label, lambda side: sum(map(value, loads[side])) if loads.get(side) else None, unit)

    def response(side: SideName) -> Value:
        serve = tried.get(side)
        if serve is None or serve.status == "skipped":
            return None
        return _RESPONDED if serve.status == "succeeded" else serve.message or "no reason given"

    return evidence.measured(
        {
            "serving": evidence.each(
                "Types of resources for serving in real time",
                lambda side: serving[side],
                TEMPLATES,
                evidence.template("sagemaker").place("AWS::SageMaker::Endpoint"),
            ),
            "alone": evidence.each(
                "Of these, on no other side", alone, TEMPLATES, evidence.template("emr").stack, unit="types"
            ),
            "response": of_endpoint("The endpoint responded, or why it did not", response),
            "rows": of_endpoint("Single requests", lambda side: tried[side].rows if side in tried else None, "rows"),
            "median": of_endpoint(
                "One request, median",
                lambda side: tried[side].p50_milliseconds if side in tried else None,
                "ms",
            ),
            "load_p50": of_load(f"Median, {under}", lambda load: load.p50_milliseconds, "ms"),
            "load_p90": of_load(f"90 of 100 within, {under}", lambda load: load.p90_milliseconds, "ms"),
            "load_p99": of_load(f"99 of 100 within, {under}", lambda load: load.p99_milliseconds, "ms"),
            "load_rate": of_load(
                f"Right responses a second, {under}",
                lambda load: (load.requests - load.failures) / load.seconds if load.seconds else None,
                "requests/s",
            ),
            "asked": total("Requests under load", lambda load: load.requests, "requests"),
            "failures": total("Of these, without a right response", lambda load: load.failures, "requests"),
            "rate_score": evidence.each(
                "Batch: rows a second, score",
                lambda side: evidence.rate(side, "score"),
                evidence.origin,
                "#stages",
                unit="rows/s",
            ),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds if SageMaker's endpoint responds to every request and EMR's stack holds nothing that serves."""
    favours, data = _servers(measured), measured.of("emr")
    if bare := tuple(side for side in favours if not measured.names("serving", side)):
        return Verdict("does not hold", favours, (Reason("nothing serves", bare),))
    if untried := tuple(side for side in favours if not measured.known("response", side)):
        return Verdict("not measured", favours, (Reason("not asked", untried),))
    if silent := tuple(side for side in favours if measured.text("response", side) != _RESPONDED):
        return Verdict("does not hold", favours, (Reason("does not respond", silent),))
    if serving := tuple(side for side in data if measured.names("serving", side)):
        return Verdict("does not hold", favours, (Reason("serves as well", serving),))
    if unmeasured := tuple(side for side in favours if not measured.known("asked", side)):
        return Verdict("holds with a condition", favours, (Reason("no load", unmeasured),))
    if failing := tuple(side for side in favours if measured.number("failures", side)):
        return Verdict("holds with a condition", favours, (Reason("failures under load", failing),))
    return Verdict("holds", favours)


def _servers(measured: Measured) -> tuple[SideName, ...]:
    """SageMaker's sides that hold something that serves: one is enough, and none at all is what fails the claim."""
    ml = measured.of("sagemaker")
    return tuple(side for side in ml if measured.names("serving", side)) or ml


def word(measured: Measured, verdict: Verdict) -> str:
    """Say what the endpoint did, and what the stacks hold to serve."""
    ml, data = _servers(measured), measured.of("emr")
    if bare := verdict.reason("nothing serves"):
        return f"The stack of {titles(bare.sides)} holds nothing that serves a model."
    types = " and ".join(f"{len(measured.names('serving', side))} types of resources" for side in ml)
    if verdict.reason("not asked"):
        return f"{types} serve on {titles(ml)}, but no run asked them."
    if silent := verdict.reason("does not respond"):
        return " ".join(
            f"{TITLES[side]}'s endpoint did not respond: {measured.text('response', side)}." for side in silent.sides
        )
    sent = "; ".join(_sent(measured, side) for side in ml)
    if serving := verdict.reason("serves as well"):
        held = join([kind for side in serving.sides for kind in measured.names("serving", side)])
        return f"{sent}; the stack of {titles(serving.sides)} holds {held} that serves: no more setup is needed there."
    holds = (
        f"The stack of {titles(data)} holds nothing that serves: nothing like the {types} that the template of "
        f"{titles(ml)} has for that."
    )
    if verdict.reason("no load"):
        return f"{sent}; under load it was not measured. {holds}"
    if failing := verdict.reason("failures under load"):
        failed = sum(measured.number("failures", side) or 0 for side in failing.sides)
        return f"{sent}: {failed:,.0f} had no right response. {holds}"
    return f"{sent}. {holds}"


def _sent(measured: Measured, side: SideName) -> str:
    text = f"{TITLES[side]}'s endpoint responded to {measured.shown('rows', side)} ({measured.shown('median', side)} "
    text += "each, median)"
    asked = measured.number("asked", side)
    if asked is None:
        return text
    right = asked - (measured.number("failures", side) or 0)
    return f"{text} and to {right:,.0f} of {asked:,.0f} requests under load"


def _serving(template: SideTemplate) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix("AWS::") for name in template.types if name.startswith(_SERVING)))
