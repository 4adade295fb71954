"""Claim 5: what scales by itself on each side, and a simulation of every policy under the same load."""

from comparison.claims.base import SIMULATED, TEMPLATES, Evidence, Figure, Measured, Reason, Service, Verdict, number
from comparison.claims.scaling import endpoint_policy, simulate
from comparison.claims.templates import SideTemplate
from comparison.summary import TITLES
from record.schema import STAGES, SideName

_WHAT: dict[Service, str] = {"sagemaker": "endpoint", "emr": "cluster"}
_LOST: dict[Service, str] = {"sagemaker": "lost capacity, so slower responses", "emr": "work that waits"}
"""The meaning of unmet load: not the same, so the numbers of the two are not to be weighed against each other."""
_NOTHING = "nothing to scale"


def measure(evidence: Evidence) -> Measured:
    """Read the policies in the templates, and simulate a day with a peak."""
    templates = evidence.templates
    simulated = simulate(templates).sides
    sagemaker = evidence.template("sagemaker")
    policy = sagemaker.place("AWS::ApplicationAutoScaling::ScalingPolicy")
    lost = "; ".join(f"{_WHAT[name]}: {_LOST[name]}" for name in _WHAT)

    def day(label: str, attribute: str, unit: str) -> Figure:
        return evidence.each(
            label,
            lambda side: getattr(made, attribute) if (made := simulated[side]) else None,
            SIMULATED,
            "comparison/claims/scaling.py",
            unit=unit,
        )

    return evidence.measured(
        {
            "scales": evidence.each(
                "Scales by itself", lambda side: _scales(templates[side]), TEMPLATES, evidence.template("emr").machine
            ),
            "between": evidence.each(
                "Runs between",
                lambda side: _between(templates[side]),
                TEMPLATES,
                sagemaker.place("AWS::ApplicationAutoScaling::ScalableTarget"),
            ),
            "decides": evidence.each("What decides", lambda side: _decides(templates[side]), TEMPLATES, policy),
            "by_hand": evidence.each(
                "Numbers of the policy chosen by hand", lambda side: _by_hand(templates[side]), TEMPLATES, policy
            ),
            "stages": evidence.each(
                "Pipeline stages that scale by themselves, of 4",
                # An endpoint is no stage, and a job's number of machines is fixed.
                lambda side: len(STAGES) if templates[side].cluster and _scales(templates[side]) else 0,
                TEMPLATES,
                evidence.template("emr").machine,
            ),
            "reaction": day("Until the first machine more, at the first unmet load", "reaction_minutes", "min"),
            "unmet": day(f"Unmet minutes of a day with a peak ({lost})", "unmet_minutes", "min"),
            "hours": day("Instance hours of that day", "instance_hours", "h"),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds if the endpoint scales by itself and the cluster does not; with a condition if both do."""
    favours = _scaled(measured, "sagemaker")
    if fixed := tuple(side for side in favours if not measured.flag("scales", side)):
        return Verdict("does not hold", favours, (Reason("does not scale", fixed),))
    if scaling := tuple(side for side in measured.of("emr") if measured.flag("scales", side)):
        return Verdict("holds with a condition", favours, (Reason("scales as well", scaling),))
    return Verdict("holds", favours)


def word(measured: Measured, verdict: Verdict) -> str:
    """Say what scales by itself on each side, and what the simulated policies leave unmet."""
    text = " ".join(_counted(measured, side) for side in measured.sides)
    if verdict.reason("scales as well"):
        hands = [
            f"{measured.shown('by_hand', side)} numbers for the {_what(measured, side)}"
            for side in measured.sides
            if side in (*_scaled(measured, "sagemaker"), *_scaled(measured, "emr"))
        ]
        text += f" {'Both' if len(hands) == 2 else 'All'} have limits chosen by hand: {', '.join(hands)}."
    simulated = [side for side in measured.sides if measured.known("unmet", side)]
    for side in simulated:
        text += (
            f" Simulated, the {_what(measured, side)} leaves {measured.number('unmet', side):.0f} minutes of a day "
            f"unmet, in {measured.number('hours', side):.1f} instance hours."
        )
    if simulated:
        text += f" Unmet means {_LOST['sagemaker']} for an endpoint, and {_LOST['emr']} for a cluster."
    return text


def _counted(measured: Measured, side: SideName) -> str:
    endpoint = side in measured.of("sagemaker")
    scales = "scales by itself" if measured.flag("scales", side) else "does not scale by itself"
    if endpoint and side not in _scaled(measured, "sagemaker"):
        return f"On {TITLES[side]} there is nothing to scale: a job's number of machines is fixed."
    stages = f"{measured.shown('stages', side)} of {len(STAGES)} stages"
    more = f", and {stages} do: a job's number of machines is fixed" if endpoint else f", for {stages}"
    return f"On {TITLES[side]} the {'endpoint' if endpoint else 'cluster'} {scales}{more}."


def _what(measured: Measured, side: SideName) -> str:
    """The name of the thing that scales on a side, and of which side where there are several."""
    name: Service = "sagemaker" if side in measured.of("sagemaker") else "emr"
    return _WHAT[name] if len(_scaled(measured, name)) == 1 else f"{_WHAT[name]} of {TITLES[side]}"


def _scaled(measured: Measured, name: Service) -> tuple[SideName, ...]:
    """The sides of a service with something that may scale; all of them where none has it."""
    sides = measured.of(name)
    return tuple(side for side in sides if measured.text("between", side) != _NOTHING) or sides


def _serverless(template: SideTemplate) -> bool:
    return bool(template.of_type("AWS::SageMaker::EndpointConfig")) and endpoint_policy(template) is None


def _scales(template: SideTemplate) -> bool:
    if nodes := template.nodes:
        return nodes[1] > nodes[0]
    policy = endpoint_policy(template)
    return _serverless(template) or (policy is not None and policy.maximum > policy.minimum)


def _between(template: SideTemplate) -> str:
    if nodes := template.nodes:
        return f"{nodes[0]} and {nodes[1]} nodes"
    if policy := endpoint_policy(template):
        return f"{policy.minimum} and {policy.maximum} instances"
    return "0 and its concurrency (serverless)" if _serverless(template) else _NOTHING


def _decides(template: SideTemplate) -> str:
    if not _scales(template):
        return "nothing"
    if template.nodes:
        return "the service, by YARN's metrics"
    policy = endpoint_policy(template)
    if policy is None:
        return "the service"
    return (
        f"{number(policy.target, 'requests a minute for each')}; pauses: out {policy.scale_out_seconds} s, in "
        f"{policy.scale_in_seconds} s"
    )


def _by_hand(template: SideTemplate) -> int:
    """Numbers that a policy holds: the units of managed scaling; or least, largest, target and two pauses."""
    if template.cluster:
        limits = template.cluster.get("ManagedScalingPolicy", {"ComputeLimits": {}})["ComputeLimits"]
        return sum(1 for name in limits if name.endswith("Units"))
    if endpoint_policy(template) is None:
        return 0
    return 5 if _scales(template) else 1
