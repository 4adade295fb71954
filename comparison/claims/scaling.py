"""How sides scale under the same load: a simulation of the policies that the templates hold, minute by minute.

    day = simulate(evidence.templates)
    day.sides["emr"].instances[600], day.sides["emr"].unmet_minutes, day.sides["emr"].instance_hours

Nothing here was measured. What AWS documents is in the constants below with its source, what had to be assumed says so;
`ASSUMPTIONS` repeats both for readers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comparison.claims.templates import SideTemplate
from record.schema import SideName

MINUTES = 24 * 60

HIGH_DATAPOINTS = 3
LOW_DATAPOINTS = 15
LOW_SHARE = 0.9
"""The alarms that target tracking makes for SageMakerVariantInvocationsPerInstance: above the target for 3 datapoints
within 3 minutes, below 0.9 of it for 15 within 15 minutes (as seen in an account by the asker of
repost.aws/questions/QUf450Wsd9RROGGOIwaolN9w, read 2026-11-22)."""

ENDPOINT_START_MINUTES = 5
"""Assumed: until another instance of an endpoint serves. AWS gives no number; a course says 3 to 5 minutes for all of a
scale-out (theneuralbase.com/aws-sagemaker, endpoint-auto-scaling-for-cost, read 2026-11-22)."""

NODE_START_MINUTES = 6
"""From the request to a running node: "5-6 mins" in AWS's own example
(github.com/aws/aws-emr-best-practices 056b216, features/managed_scaling, BP 4.1.2, read 2026-11-22)."""

NODE_RELEASE_MINUTES = 5
"""Assumed: a node goes when it was not needed for so long. AWS documents no number; YARN drains it first
(ManagementGuide/emr-scaledown-behavior.html, read 2026-11-22)."""

REQUESTS_A_UNIT = 1_000
"""Assumed: the load of one node's minute of pipeline work is set equal to so many requests to the endpoint."""

ASSUMPTIONS = (
    f"One unit of load is {REQUESTS_A_UNIT:,} requests to the endpoint, or one minute of work for one node. Assumed, "
    "so that every side gets the same load.",
    f"Endpoint: instances are asked for when requests for each instance were above the target for {HIGH_DATAPOINTS} "
    f"minutes, and given back when they were below {LOW_SHARE:.0%} of it for {LOW_DATAPOINTS}: the alarms that target "
    "tracking makes. A new one serves "
    f"{ENDPOINT_START_MINUTES} minutes later (assumed); pauses between changes are the template's.",
    "Endpoint: requests above the target are unmet, which in an account may mean slower responses, not lost ones.",
    "Cluster: managed scaling looks every 5 to 10 seconds at metrics of a minute, here once a minute, and asks for as "
    f"many nodes as the waiting work takes. A new one runs {NODE_START_MINUTES} minutes later (AWS's example: 5 to 6).",
    f"Cluster: a node goes when it was not needed for {NODE_RELEASE_MINUTES} minutes (assumed). Work that waits is "
    "done later, and is unmet meanwhile. The primary node is not counted.",
)


@dataclass(frozen=True)
class TargetTracking:
    """An endpoint's policy: instances between two numbers, so many requests a minute for each."""

    minimum: int
    maximum: int
    target: float
    scale_out_seconds: int = 0
    scale_in_seconds: int = 0


@dataclass(frozen=True)
class ManagedScaling:
    """A cluster's policy: nodes beside the primary between two numbers."""

    minimum: int
    maximum: int


@dataclass(frozen=True)
class Simulation:
    """The response of one side to a load: by minute the running instances, and the load that waits or is too much."""

    instances: tuple[int, ...]
    unmet: tuple[float, ...]

    @property
    def unmet_minutes(self) -> int:
        """Minutes in which not all of the load was met."""
        return sum(1 for each in self.unmet if each > 0)

    @property
    def instance_hours(self) -> float:
        """Hours of running instances; those that are starting are not counted."""
        return sum(self.instances) / 60

    @property
    def reaction_minutes(self) -> int | None:
        """Minutes from the first unmet load to the first additional instance; None when neither happened."""
        start = next((minute for minute, each in enumerate(self.unmet) if each > 0), None)
        if start is None:
            return None
        more = (
            minute for minute in range(start, len(self.instances)) if self.instances[minute] > self.instances[start]
        )
        end = next(more, None)
        return None if end is None else end - start


@dataclass(frozen=True)
class SimulatedDay:
    """A day of load in units by minute, and what each side does with it; None where nothing is there to scale."""

    demand: tuple[float, ...]
    sides: Mapping[SideName, Simulation | None]


def day() -> tuple[float, ...]:
    """A day of load, units by minute: a quiet night, a working day, and at noon a peak of 3.5 units for an hour."""

    def units(minute: int) -> float:
        hour = minute / 60
        working = 1.5 * math.sin(math.pi * (hour - 7) / 13) if 7 <= hour <= 20 else 0.0
        # Up within ten minutes, an hour at the top, down within half an hour.
        peak = max(0.0, min(1.0, (minute - 710) / 10, (810 - minute) / 30))
        return round(max(0.3 + working, 3.5 * peak), 3)

    return tuple(units(minute) for minute in range(MINUTES))


def endpoint(policy: TargetTracking, demand: Sequence[float]) -> Simulation:
    """Simulate an endpoint with target tracking; demand in units by minute."""
    running = policy.minimum
    instances: list[int] = []
    unmet: list[float] = []
    needed: list[float] = []  # instances that the minute's requests need, at the target
    high = low = 0
    started: tuple[int, int] | None = None  # the minute in which so many will run
    out_from = in_from = 0  # no scaling out (in) before this minute: cool-down
    for minute, units in enumerate(demand):
        if started and minute >= started[0]:
            running, started = started[1], None
            out_from = minute + math.ceil(policy.scale_out_seconds / 60)
        needed.append(units * REQUESTS_A_UNIT / policy.target)
        instances.append(running)
        unmet.append(max(0.0, needed[-1] - running))
        high = high + 1 if needed[-1] > running else 0
        low = low + 1 if needed[-1] < LOW_SHARE * running else 0
        if started:
            continue  # an endpoint that is being updated takes no other change
        if high >= HIGH_DATAPOINTS and minute >= out_from:
            wanted = min(policy.maximum, math.ceil(needed[-1]))
            if wanted > running:
                started = (minute + 1 + ENDPOINT_START_MINUTES, wanted)
        elif low >= LOW_DATAPOINTS and minute >= in_from:
            # Every one of these minutes was below: the busiest of them says what may go.
            wanted = max(policy.minimum, math.ceil(max(needed[-LOW_DATAPOINTS:])))
            if wanted < running:
                running, low = wanted, 0
                in_from = minute + 1 + math.ceil(policy.scale_in_seconds / 60)
    return Simulation(tuple(instances), tuple(unmet))


def cluster(policy: ManagedScaling, demand: Sequence[float]) -> Simulation:
    """Simulate a cluster with managed scaling; demand in units by minute."""
    running = requested = policy.minimum
    instances: list[int] = []
    unmet: list[float] = []
    wanted: list[int] = []
    starting: list[tuple[int, int]] = []  # the minute in which so many more run
    waiting = 0.0
    for minute, units in enumerate(demand):
        running += sum(nodes for ready, nodes in starting if ready <= minute)
        starting = [(ready, nodes) for ready, nodes in starting if ready > minute]
        work = waiting + units
        # Rounded, so that sums of fractions do not leave a rest that never ends.
        waiting = round(max(0.0, work - running), 6)
        instances.append(running)
        unmet.append(waiting)
        wanted.append(min(policy.maximum, max(policy.minimum, math.ceil(work))))
        if wanted[-1] > requested:
            starting.append((minute + 1 + NODE_START_MINUTES, wanted[-1] - requested))
            requested = wanted[-1]
        elif not starting and (keep := max(wanted[-NODE_RELEASE_MINUTES:])) < running:
            running = requested = keep
    return Simulation(tuple(instances), tuple(unmet))


def endpoint_policy(template: SideTemplate) -> TargetTracking | None:
    """The policy of the template's endpoint; None without an endpoint of instances (serverless has none to count)."""
    configs = template.of_type("AWS::SageMaker::EndpointConfig")
    variant = configs[0][1]["ProductionVariants"][0] if configs else {}
    if "InitialInstanceCount" not in variant:
        return None
    targets = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    policies = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    if not targets or not policies:
        count = variant["InitialInstanceCount"]
        return TargetTracking(count, count, REQUESTS_A_UNIT)
    chosen = policies[0][1]["TargetTrackingScalingPolicyConfiguration"]
    limits = targets[0][1]
    return TargetTracking(
        limits["MinCapacity"],
        limits["MaxCapacity"],
        chosen["TargetValue"],
        # 300 seconds each are AWS's default (API_TargetTrackingScalingPolicyConfiguration, read 2026-11-22).
        chosen.get("ScaleOutCooldown", 300),
        chosen.get("ScaleInCooldown", 300),
    )


def simulate(templates: Mapping[SideName, SideTemplate]) -> SimulatedDay:
    """Put the same day on every side, each with its template's policy."""
    demand = day()
    return SimulatedDay(demand, {side: _simulated(template, demand) for side, template in templates.items()})


def _simulated(template: SideTemplate, demand: Sequence[float]) -> Simulation | None:
    if template.nodes:
        return cluster(ManagedScaling(*template.nodes), demand)
    policy = endpoint_policy(template)
    return endpoint(policy, demand) if policy else None
