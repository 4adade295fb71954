"""The pipeline: one state machine shape for every service.

A service supplies how each stage runs there (``StageRun``), and what must be open while they run (``Session``). The
order, the time limits, the clean-up and the states that name a failed stage are the same on every side, and are here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.shared.layout import STAGES
from stacks.shared.states import Task, look_again, state_machine, task_state


@dataclass(frozen=True)
class Watch:
    """The watch of a job whose creation does not wait for its end.

    ``look`` is the call that describes it, ``status`` and ``slow`` are where its answer says how the job stands and
    what it is busy with. At the status ``done`` the stage goes on, with ``result`` kept as its own; at one of
    ``failed`` it fails. ``exists`` is the error of a job that is there already: an earlier try to create it was
    accepted after all.
    """

    look: Task
    status: str
    slow: str
    done: str
    failed: Sequence[str]
    result: Mapping[str, str]
    exists: str


@dataclass(frozen=True)
class StageRun:
    """The run of a stage on a service.

    The job, and how it is watched where its call does not wait; calls before it; calls that make sure that a failed job
    no longer runs; calls after it, made also when the job failed.
    """

    job: Task
    watch: Watch | None = None
    before: Mapping[str, Task] = field(default_factory=dict)
    stop: Mapping[str, Task] = field(default_factory=dict)
    after: Mapping[str, Task] = field(default_factory=dict)


class Stages(Protocol):
    """The stages on a service."""

    @property
    def model(self) -> str:
        """The location of the trained model, as states compute it."""

    def prepare(self) -> StageRun:
        """From the raw tables to the features."""

    def train(self) -> StageRun:
        """From the features to the model."""

    def evaluate(self) -> StageRun:
        """From features and model to the metrics."""

    def score(self) -> StageRun:
        """From features and model to every customer's prediction."""


class Session(Protocol):
    """A session that is open while the stages run, a cluster for instance."""

    minutes: int
    """The time that opening may take."""

    def opening(self, scope: Construct, failed: sfn.State) -> sfn.Chain | None:
        """The states before the first stage; those that fail go to ``failed`` with their error at ``$.error``.

        None: there are none.
        """

    def closing(self, scope: Construct) -> sfn.Chain:
        """The states after the last stage, and after a failure (then there is ``$.failed``); they never fail."""


class Pipeline(Construct):
    """The stages prepare, train, evaluate, score as a Step Functions state machine.

    Input: ``{"run_id": ..., "raw": "s3://.../"}``. Output: ``{"run_id": ..., "model": ...}``. A failed stage ends the
    execution with the error ``<Stage>Failed`` and the service's cause, once everything that it started is stopped.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stages: Stages,
        permissions: Sequence[iam.PolicyStatement],
        stage_minutes: int,
        key: kms.IKey,
        session: Session | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        closing = self._end(stages.model, session)
        next_state: sfn.State = closing
        for stage in reversed(STAGES):
            run: StageRun = getattr(stages, stage)()
            next_state = self._stage(stage, run, next_state, closing, stage_minutes)
        if session is not None:
            opening = session.opening(self, self._failed("session", closing))
            if opening is not None:
                opening.next(next_state)
                next_state = opening.start_state
        self.state_machine = state_machine(
            self,
            "StateMachine",
            name=name,
            start=next_state,
            minutes=stage_minutes * len(STAGES) + (session.minutes if session else 0),
            key=key,
            permissions=permissions,
        )

    def _end(self, model: str, session: Session | None) -> sfn.State:
        """Close the session, then end: well, or as the failed stage says. Returns the first state of it."""
        done = sfn.Pass(self, "done", parameters={"run_id": sfn.JsonPath.string_at("$.run_id"), "model": model})
        failed = sfn.Fail(self, "failed", error_path="$.failed.error", cause_path="$.failed.cause")
        end = sfn.Choice(self, "did a stage fail").when(sfn.Condition.is_present("$.failed"), failed).otherwise(done)
        if session is None:
            return end
        closing = session.closing(self)
        closing.next(end)
        return closing.start_state

    def _failed(self, stage: str, closing: sfn.State) -> sfn.State:
        """Name what failed, for the end of the execution."""
        failure = {
            "stage": stage,
            "error": f"{stage.capitalize()}Failed",
            "cause": sfn.JsonPath.string_at("$.error.Cause"),
        }
        return sfn.Pass(self, f"{stage} failed", parameters=failure, result_path="$.failed").next(closing).start_state

    def _stage(self, stage: str, run: StageRun, next_state: sfn.State, closing: sfn.State, minutes: int) -> sfn.State:
        """The states of one stage, chained to what follows; returns the first of them."""
        failed = self._failed(stage, closing)
        job = task_state(self, stage, run.job, minutes)
        cleaned = self._calls({**run.stop, **_renamed(run.after, " of a failure")}, failed)
        ended = self._calls(run.after, next_state)
        if run.watch is not None:
            ended = self._watch(stage, run.watch, ended, cleaned, minutes)
            job.add_catch(ended, errors=[run.watch.exists], result_path="$.ignored")
        job.add_catch(cleaned, errors=["States.ALL"], result_path="$.error")
        job.next(ended)
        first: sfn.State = job
        for name, task in reversed(list(run.before.items())):
            call = task_state(self, name, task)
            call.add_catch(failed, errors=["States.ALL"], result_path="$.error")
            call.next(first)
            first = call
        return first

    def _watch(self, stage: str, watch: Watch, next_state: sfn.State, failed: sfn.State, minutes: int) -> sfn.State:
        """Look at a job until it has ended; returns the first of the states. One that fails leaves its answer whole."""
        look = task_state(self, f"look at {stage}", watch.look)
        look.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        answer = f"$.{watch.look.path}"
        kept = sfn.Pass(self, f"{stage} has ended", parameters=dict(watch.result), result_path=f"$.{stage}")
        kept.next(next_state)
        cause = {"Cause": sfn.JsonPath.json_to_string(sfn.JsonPath.object_at(f"{answer}.job"))}
        bad = sfn.Pass(self, f"{stage} has not ended well", parameters=cause, result_path="$.error")
        bad.next(failed)
        counter = "$.looks"
        patience = look_again(self, stage, look=look, looks=counter, minutes=minutes, slow=watch.slow, give_up=failed)
        badly = [sfn.Condition.string_equals(watch.status, status) for status in watch.failed]
        look.next(
            sfn.Choice(self, f"has {stage} ended")
            .when(sfn.Condition.string_equals(watch.status, watch.done), kept)
            .when(sfn.Condition.or_(*badly), bad)
            .otherwise(patience)
        )
        first = sfn.Pass(self, f"watch {stage}", result=sfn.Result.from_object({"count": 0}), result_path=counter)
        first.next(look)
        return first

    def _calls(self, calls: Mapping[str, Task], next_state: sfn.State) -> sfn.State:
        """Calls in a row; one that fails does not stop the pipeline."""
        for name, task in reversed(list(calls.items())):
            call = task_state(self, name, task)
            call.add_catch(next_state, errors=["States.ALL"], result_path="$.ignored")
            call.next(next_state)
            next_state = call
        return next_state


def _renamed(calls: Mapping[str, Task], suffix: str) -> dict[str, Task]:
    return {f"{name}{suffix}": task for name, task in calls.items()}
