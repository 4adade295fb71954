"""Row 5: what scales by itself on each side, and a simulation of both policies under the same load."""

from comparison.claims.base import SIMULATED, TEMPLATES, Evidence, Finding, Measure, measure, number
from comparison.claims.scaling import Simulation, endpoint_policy, simulate
from comparison.claims.templates import SideTemplate
from comparison.summary import NOT_MEASURED
from record.schema import STAGES

_LOST = ("lost capacity, so slower answers", "work that waits")
"""What unmet load means on each side: not the same, so the two numbers are not to be weighed against each other."""


def scalability(evidence: Evidence) -> Finding:
    """Confirmed if the endpoint scales by itself and the cluster does not; with a condition if both do."""
    sagemaker, emr = (evidence.templates[side] for side, _ in evidence.record.both())
    load = simulate(evidence.templates)
    policy, nodes = endpoint_policy(sagemaker), emr.nodes
    serverless = bool(sagemaker.of_type("AWS::SageMaker::EndpointConfig")) and policy is None
    scales = [
        serverless or (policy is not None and policy.maximum > policy.minimum),
        bool(nodes and nodes[1] > nodes[0]),
    ]
    # Of the endpoint: least and largest number, target, two pauses.
    by_hand = [5 if policy and scales[0] else 1 if policy else 0, _limits(emr)]
    stages = [0, len(STAGES) if scales[1] else 0]
    if policy is None:
        between = "0 and its concurrency (serverless)" if serverless else "no endpoint"
        decides = "the service" if serverless else "nothing"
    else:
        between = f"{policy.minimum} and {policy.maximum} instances"
        decides = (
            f"{number(policy.target, 'requests a minute for each')}; pauses: out {policy.scale_out_seconds} s, in "
            f"{policy.scale_in_seconds} s"
            if scales[0]
            else "nothing"
        )
    target_at = sagemaker.place("AWS::ApplicationAutoScaling::ScalingPolicy")
    measures = (
        Measure(
            "Scales by itself between",
            between,
            f"{nodes[0]} and {nodes[1]} nodes" if nodes else "no cluster",
            TEMPLATES,
            sagemaker.place("AWS::ApplicationAutoScaling::ScalableTarget"),
        ),
        Measure(
            "What decides", decides, "the service, by YARN's metrics" if scales[1] else "nothing", TEMPLATES, target_at
        ),
        measure("Numbers of the policy chosen by hand", map(number, by_hand), TEMPLATES, target_at),
        measure(
            "Pipeline stages that scale by themselves", (f"{each} of 4" for each in stages), TEMPLATES, emr.machine
        ),
        *(
            Measure(
                label,
                _of(load.sagemaker, attribute, unit),
                _of(load.emr, attribute, unit),
                SIMULATED,
                "comparison/claims/scaling.py",
            )
            for label, attribute, unit in (
                ("Until the first machine more, at the first unmet load", "reaction_minutes", "min"),
                (
                    f"Unmet minutes of a day with a peak (endpoint: {_LOST[0]}; cluster: {_LOST[1]})",
                    "unmet_minutes",
                    "min",
                ),
                ("Instance hours of that day", "instance_hours", "h"),
            )
        ),
    )
    words = ["scales by itself" if each else "does not scale by itself" for each in scales]
    counted = (
        f"On SageMaker the endpoint {words[0]}, and {stages[0]} of 4 stages do: a job's number of machines is fixed. "
        f"On EMR the cluster {words[1]}, for {stages[1]} of 4 stages."
    )
    simulated = "".join(
        f" Simulated, the {what} leaves {each.unmet_minutes} minutes of a day unmet, in {each.instance_hours:.1f} "
        "instance hours."
        for what, each in (("endpoint", load.sagemaker), ("cluster", load.emr))
        if each
    )
    if simulated:
        simulated += f" Unmet means {_LOST[0]} for the endpoint, and {_LOST[1]} for the cluster."
    if not scales[0]:
        return Finding(measures, "not confirmed here", counted + simulated, "scaling")
    if scales[1]:
        more = f" Both have limits chosen by hand: {by_hand[0]} numbers for the endpoint, {by_hand[1]} for the cluster."
        return Finding(measures, "confirmed with a condition", counted + more + simulated, "scaling")
    return Finding(measures, "confirmed", counted + simulated, "scaling")


def _limits(template: SideTemplate) -> int:
    """Numbers of units that the cluster's policy holds."""
    policy = (template.cluster or {}).get("ManagedScalingPolicy", {"ComputeLimits": {}})
    return sum(1 for name in policy["ComputeLimits"] if name.endswith("Units"))


def _of(side: Simulation | None, attribute: str, unit: str) -> str:
    return NOT_MEASURED if side is None else number(getattr(side, attribute), unit)
