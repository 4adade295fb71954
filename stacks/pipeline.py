"""The pipeline: one state machine shape for both services.

A service supplies how each stage runs there (``StageRun``); the order, the time limits, the clean-up and the state
that names a failed stage are the same on both sides, and are here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.layout import STAGES
from stacks.states import Task, state_machine, task_state


@dataclass(frozen=True)
class StageRun:
    """How a stage runs on a service: the job, calls before it, and calls after it, made also when the job failed."""

    job: Task
    before: Mapping[str, Task] = field(default_factory=dict)
    after: Mapping[str, Task] = field(default_factory=dict)


class Pipeline(Construct):
    """The stages prepare, train, evaluate, score as a Step Functions state machine.

    Input: ``{"run_id": ..., "raw": "s3://.../"}``. Output: ``{"run_id": ..., "model": ...}``. A failed stage ends the
    execution in the state "<stage> failed", with the error ``<Stage>Failed`` and the service's cause.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stages: Mapping[str, StageRun],
        model: str,
        permissions: Sequence[iam.PolicyStatement],
        stage_minutes: int,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        if tuple(stages) != STAGES:
            raise ValueError(f"stages {tuple(stages)}: must be {STAGES}, in this order")
        following: sfn.State = sfn.Pass(self, "done", parameters={"run_id.$": "$.run_id", "model.$": model})
        for stage in reversed(STAGES):
            following = self._stage(stage, stages[stage], following, stage_minutes)
        self.machine = state_machine(
            self,
            "StateMachine",
            name=name,
            start=following,
            minutes=stage_minutes * len(STAGES),
            key=key,
            permissions=permissions,
        )

    def _stage(self, stage: str, run: StageRun, following: sfn.State, minutes: int) -> sfn.State:
        """The states of one stage, chained to what follows; returns the first of them."""
        failed = sfn.Fail(self, f"{stage} failed", error=f"{stage.capitalize()}Failed", cause_path="$.error.Cause")
        job = task_state(self, stage, run.job, minutes)
        job.add_catch(self._after(run, failed, " of a failure"), errors=["States.ALL"], result_path="$.error")
        job.next(self._after(run, following))
        first: sfn.State = job
        for name, task in reversed(list(run.before.items())):
            call = task_state(self, name, task)
            call.add_catch(failed, errors=["States.ALL"], result_path="$.error")
            call.next(first)
            first = call
        return first

    def _after(self, run: StageRun, following: sfn.State, suffix: str = "") -> sfn.State:
        """The calls after a job, in order; one that fails does not stop the pipeline."""
        for name, task in reversed(list(run.after.items())):
            call = task_state(self, f"{name}{suffix}", task)
            call.add_catch(following, errors=["States.ALL"], result_path="$.after")
            call.next(following)
            following = call
        return following
