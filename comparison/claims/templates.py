"""One side's template, asked for what the claims count."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from assembly.template import Assembly
from record.emr import CLUSTER_CALLS
from record.errors import UserError
from record.schema import STAGES, SideName, StageName

_CLUSTER_ACTIONS = {call.rpartition(":")[2] for call in CLUSTER_CALLS}

# Spellings of one service: in resource types, in IAM actions and in the resources of states.
_SERVICES = {
    "applicationautoscaling": "application-autoscaling",
    "elasticmapreduce": "emr",
    "monitoring": "cloudwatch",
    "stepfunctions": "states",
}


class SideTemplate:
    """The stack of a side and its state machine.

    Raises UserError when the assembly holds no stack or no state machine of that side, or that lacks a stage.
    """

    def __init__(self, assembly: Assembly, side: SideName) -> None:
        stacks = [name for name in assembly.templates if name.endswith(f"-{side}")]
        if len(stacks) != 1:
            raise UserError(f"{assembly.folder}: {len(stacks)} stacks *-{side}, one is needed")
        self.stack = stacks[0]
        self.resources: Mapping[str, Mapping[str, Any]] = assembly.templates[self.stack]["Resources"]
        machines = [d for arn, d in assembly.state_machines().items() if arn.endswith(f"-{side}")]
        if len(machines) != 1:
            raise UserError(f"{assembly.folder}: {len(machines)} state machines *-{side}, one is needed")
        self.definition: Mapping[str, Any] = machines[0]

    def of_type(self, resource_type: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Logical id and unresolved properties of every resource of a type."""
        return [
            (name, resource.get("Properties", {}))
            for name, resource in self.resources.items()
            if resource["Type"] == resource_type
        ]

    def place(self, resource_type: str) -> str:
        """Where the first resource of a type is: stack and logical id; the stack alone when there is none."""
        found = self.of_type(resource_type)
        return f"{self.stack} {found[0][0]}" if found else self.stack

    @property
    def machine(self) -> str:
        """Where the state machine is: stack and logical id."""
        named = (name for name, p in self.of_type("AWS::StepFunctions::StateMachine") if "StateMachineName" in p)
        return f"{self.stack} {next(named)}"

    @cached_property
    def types(self) -> Counter[str]:
        """How many resources of each type the stack holds."""
        return Counter(resource["Type"] for resource in self.resources.values())

    @cached_property
    def states(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Name and definition of every state, also inside of Map and Parallel."""
        return list(_states(self.definition))

    @cached_property
    def calls(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """The call of each Task (`createTrainingJob.sync`) and its parameters, by the state's name."""
        return {
            name: (state["Resource"].rpartition(":")[2].removesuffix(".sync"), state.get("Parameters", {}))
            for name, state in self.states
            if state["Type"] == "Task"
        }

    def request(self, stage: StageName) -> tuple[str, Mapping[str, Any]]:
        """The call of a stage, and its parameters."""
        if stage not in self.calls:
            raise UserError(f"{self.machine}: no task {stage}")
        return self.calls[stage]

    @property
    def actions(self) -> list[str]:
        """The calls of the four stages, each once, in their order."""
        return list(dict.fromkeys(self.request(stage)[0] for stage in STAGES))

    @cached_property
    def statements(self) -> list[Mapping[str, Any]]:
        """Every statement of every IAM policy in the stack."""
        documents = [p["PolicyDocument"] for _, p in self.of_type("AWS::IAM::Policy")]
        documents += [p["PolicyDocument"] for _, p in self.of_type("AWS::IAM::ManagedPolicy")]
        for _, role in self.of_type("AWS::IAM::Role"):
            documents += [policy["PolicyDocument"] for policy in role.get("Policies", ())]
        return [statement for document in documents for statement in _listed(document["Statement"])]

    @property
    def iam_actions(self) -> set[str]:
        """Every distinct action that the statements allow or deny."""
        return {action for statement in self.statements for action in _listed(statement.get("Action", []))}

    @property
    def services(self) -> set[str]:
        """AWS services wired in: of resource types, of the states' calls, of IAM actions."""
        types = {name.split("::")[1] for name in self.types if name.startswith("AWS::")}
        calls = {_service(state["Resource"]) for _, state in self.states if state["Type"] == "Task"}
        actions = {action.split(":")[0] for action in self.iam_actions}
        return {_SERVICES.get(name.lower(), name.lower()) for name in types | calls | actions}

    @cached_property
    def cluster(self) -> Mapping[str, Any] | None:
        """The cluster as the definition asks for it; None where none is started."""
        return next((p for action, p in self.calls.values() if action in _CLUSTER_ACTIONS), None)

    @property
    def nodes(self) -> tuple[int, int] | None:
        """Least and largest number of nodes beside the primary, as managed scaling may choose; None: no cluster."""
        if self.cluster is None:
            return None
        if policy := self.cluster.get("ManagedScalingPolicy"):
            limits = policy["ComputeLimits"]
            return limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
        instances = self.cluster["Instances"]
        count = sum(_nodes(m) for m in instances.get("InstanceGroups", instances.get("InstanceFleets", ())))
        return count, count

    @property
    def steps(self) -> list[str]:
        """The program that each stage's step starts on a cluster: `spark-submit`, `hive-script`."""
        return [program for stage in STAGES if (program := _program(self.request(stage)[1]))]

    @property
    def images(self) -> list[str]:
        """Container images of the stages and of what serves, name and version, each once."""
        texts = re.findall(r"dkr\.ecr\.[^/]+/([\w./-]+:[\w.-]+)", json.dumps(self.definition))
        return list(dict.fromkeys(texts))


def _states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        inner = [*state.get("Branches", ()), *(state[key] for key in ("ItemProcessor", "Iterator") if key in state)]
        for each in inner:
            yield from _states(each)


def _service(resource: str) -> str:
    """The service that a Task calls: arn:aws:states:::sagemaker:createModel, ...:::aws-sdk:emr:listSteps."""
    parts = resource.split(":::")[-1].split(":")
    return parts[1] if parts[0] == "aws-sdk" else parts[0]


def _nodes(member: Mapping[str, Any]) -> int:
    if "MASTER" in (member.get("InstanceRole"), member.get("InstanceFleetType")):
        return 0
    counts = ("InstanceCount", "TargetOnDemandCapacity", "TargetSpotCapacity")
    return sum(member.get(count, 0) for count in counts)


def _program(parameters: Mapping[str, Any]) -> str | None:
    step = parameters.get("Step", {}).get("HadoopJarStep", {})
    if "Args" in step:
        return str(step["Args"][0])
    found = re.match(r"States\.Array\('([^']+)'", step.get("Args.$", ""))
    return found[1] if found else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
