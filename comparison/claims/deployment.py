"""Row 8: what serves a model on each side, and how fast it answered."""

from comparison.claims.base import TEMPLATES, Evidence, Finding, Measure, join, listed, measure, number
from comparison.claims.templates import SideTemplate
from comparison.summary import NOT_MEASURED, milliseconds

_SERVING = (
    "AWS::SageMaker::",
    "AWS::ApplicationAutoScaling::",
    "AWS::ECS::",
    "AWS::EKS::",
    "AWS::ApiGateway",
    "AWS::AppRunner::",
)
"""Resource types that a stack here holds for no other reason than to serve."""


def deployment(evidence: Evidence) -> Finding:
    """Confirmed if SageMaker's endpoint answers every request and EMR's stack holds nothing that serves."""
    record = evidence.record
    templates = evidence.templates
    serving = [_serving(templates[name]) for name, _ in record.both()]
    serve = record.sides.sagemaker.serve
    load = max(serve.load, key=lambda each: each.clients) if serve and serve.load else None
    tried = serve is not None and serve.status != "skipped"
    rates = [number(evidence.rate(name, "score"), "rows/s") for name, _ in record.both()]
    none = "no endpoint"

    def under_load(value: str | None) -> str:
        return NOT_MEASURED if value is None else value

    clients = f"{load.clients} clients" if load else "load"
    measures = (
        measure(
            "Types of resources for serving in real time",
            map(listed, serving),
            TEMPLATES,
            templates["sagemaker"].place("AWS::SageMaker::Endpoint"),
        ),
        measure(
            "Of these, the other side has nothing like",
            (number(len(set(mine) - set(other)), "types") for mine, other in (serving, (serving[1], serving[0]))),
            TEMPLATES,
            templates["emr"].stack,
        ),
        Measure(
            "One request, median",
            milliseconds(serve.p50_milliseconds if serve else None),
            none,
            evidence.measured,
            "#serve",
        ),
        Measure(
            f"Median, 90 and 99 of 100, {clients}",
            under_load(
                f"{load.p50_milliseconds:.1f}, {load.p90_milliseconds:.1f}, {load.p99_milliseconds:.1f} ms"
                if load
                else None
            ),
            none,
            evidence.measured,
            "#serve",
        ),
        Measure(
            f"Right answers a second, {clients}",
            number((load.requests - load.failures) / load.seconds if load and load.seconds else None, "requests/s"),
            none,
            evidence.measured,
            "#serve",
        ),
        Measure(
            "Without a right answer under load",
            number(sum(each.failures for each in serve.load) if serve and serve.load else None, "requests"),
            none,
            evidence.measured,
            "#serve",
        ),
        measure("Batch: rows a second, score", rates, evidence.measured, "#stages"),
    )
    if not serving[0]:
        return Finding(measures, "not confirmed here", "SageMaker's stack holds nothing that serves a model.")
    if not tried or serve is None:
        return Finding(
            measures, "not measured", f"{len(serving[0])} types of resources serve on SageMaker, but no run asked them."
        )
    if serve.status == "failed":
        return Finding(
            measures,
            "not confirmed here",
            f"SageMaker's endpoint did not answer: {serve.message or 'no reason given'}.",
        )
    median = milliseconds(serve.p50_milliseconds)
    sent = f"SageMaker's endpoint answered {number(serve.rows, 'rows')} ({median} each, median)"
    if load:
        failures = sum(each.failures for each in serve.load)
        asked = sum(each.requests for each in serve.load)
        sent += f" and {asked - failures:,} of {asked:,} requests under load"
    adds = f"EMR's stack holds {join(serving[1]) if serving[1] else 'nothing'} that serves"
    if serving[1]:
        return Finding(measures, "not confirmed here", f"{sent}; {adds}: no more setup is needed there.")
    adds += f": nothing like the {len(serving[0])} types of resources that SageMaker's template has for that"
    if not load:
        return Finding(measures, "confirmed with a condition", f"{sent}; under load it was not measured. {adds}.")
    if failures:
        return Finding(measures, "confirmed with a condition", f"{sent}: {failures:,} had no right answer. {adds}.")
    return Finding(measures, "confirmed", f"{sent}. {adds}.")


def _serving(template: SideTemplate) -> list[str]:
    return sorted(name.removeprefix("AWS::") for name in template.types if name.startswith(_SERVING))
