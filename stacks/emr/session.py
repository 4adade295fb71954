"""The cluster that a run of the pipeline works on: the persistent one where it still is, one of its own otherwise."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.shared.states import Task, cancel_named, look_again, run_name, task_state

# The name that Step Functions gives to failed calls of its own integration with EMR, throttling included
# (github.com/aws/aws-cdk/issues/13735).
INTEGRATION_ERRORS = ("EMR.AmazonElasticMapReduceException",)

# Calls by the AWS SDK fail by other names: <service>.<error>, always with Exception at its end
# (step-functions/latest/dg/supported-services-awssdk.html). The errors that EMR's API names are InternalServerError,
# InternalServerException and InvalidRequestException; any other, so throttling ("Rate exceeded"), is the SDK's
# EmrException (github.com/gchq/sleeper/issues/4381; all read 2026-11-27).
SDK_ERRORS = (
    "Emr.EmrException",
    "Emr.InternalServerException",
    "Emr.InternalServerErrorException",
    "Emr.ThrottlingException",
)
# A cluster that EMR no longer knows, months after its end: "Cluster id 'j-...' is not valid."
_REFUSED = "Emr.InvalidRequestException"
_UNKNOWN = "*is not valid*"

# A cluster is ready for steps, on its way to that, or on its way out or gone (API_ClusterStatus).
_READY = ("WAITING", "RUNNING")
_STARTING = ("STARTING", "BOOTSTRAPPING")
_ENDED = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")

_START_MINUTES = 30

START_CLUSTER = "start a cluster"
"""The state that starts a run's own cluster: its parameters are the definition of every cluster of this side."""


class ClusterSession:
    """Opens and closes a run's cluster.

    A persistent cluster ends itself when it is idle, so a run may find it gone; then, and where there is no persistent
    one, the run starts a cluster of the same definition and ends it afterwards. Its id is at ``$.cluster.id``.

    The calls are the API's own, by the AWS SDK: Step Functions' integration takes fields of RunJobFlow by a list of its
    own, which it does not publish, and refuses others (a definition with LogEncryptionKmsKeyId for one).
    """

    def __init__(
        self, project: str, described: Mapping[str, Any], persistent: str | None, spot_minutes: int = 0
    ) -> None:
        """``persistent`` is the persistent cluster's id, None without one; Spot capacity is waited for so long."""
        self._project = project
        self._described = described
        self._persistent = persistent
        self._start_minutes = _START_MINUTES + spot_minutes
        # The persistent cluster may be waited for, and end, before the run's own is.
        self.minutes = self._start_minutes * (1 if persistent is None else 2)

    def opening(self, scope: Construct, failed: sfn.State) -> sfn.Chain:
        """Find or start the cluster and wait until it takes steps."""
        look = self._look(scope)
        start = self._start(scope)
        start.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        start.next(look)
        gone = sfn.Pass(
            scope, "cluster ended", parameters={"Cause": sfn.JsonPath.string_at("$.look.Cause")}, result_path="$.error"
        )
        gone.next(failed)
        # One cluster a run: a second would most likely end like the first.
        give_up = sfn.Choice(scope, "is the lost cluster our own").when(_own(), gone).otherwise(start)
        # Only a cluster that is gone is replaced: whatever else keeps a look from succeeding would hide the next one
        # too, which would be paid for.
        refused = sfn.Choice(scope, "is the cluster unknown")
        refused.when(sfn.Condition.string_matches("$.look.Cause", _UNKNOWN), give_up).otherwise(gone)
        look.add_catch(refused, errors=[_REFUSED], result_path="$.look")
        look.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        patience = look_again(
            scope,
            "the cluster",
            look=look,
            looks="$.cluster.looks",
            minutes=self._start_minutes,
            slow="$.look.Cause",
            give_up=failed,
        )
        ready = sfn.Pass(scope, "cluster is ready")
        look.next(
            sfn.Choice(scope, "is the cluster ready")
            .when(_state_is(_READY), ready)
            .when(_state_is(_STARTING), patience)
            .when(_state_is(_ENDED), give_up)
            .otherwise(gone)
        )
        first: sfn.State = start
        if self._persistent is not None:
            known = sfn.Result.from_object({"id": self._persistent, "own": False, "looks": {"count": 0}})
            first = sfn.Pass(scope, "persistent cluster", result=known, result_path="$.cluster").next(look).start_state
        return sfn.Chain.custom(first, [ready], ready)

    def closing(self, scope: Construct) -> sfn.Chain:
        """End the run's own cluster; on a shared one, cancel the step of a stage that failed, if it still runs."""
        closed = sfn.Pass(scope, "session is closed")
        end = Task(
            "aws-sdk:emr:terminateJobFlows",
            {"JobFlowIds": sfn.JsonPath.array(sfn.JsonPath.string_at("$.cluster.id"))},
            SDK_ERRORS,
        )
        end_cluster = task_state(scope, "end cluster", end)
        end_cluster.add_catch(closed, errors=["States.ALL"], result_path="$.ignored")
        end_cluster.next(closed)
        stage_failed = sfn.Condition.and_(
            sfn.Condition.is_present("$.failed"), sfn.Condition.is_present("$.cluster.id")
        )
        cancel = self._cancel(scope, closed)
        start = (
            sfn.Choice(scope, "is the cluster our own")
            .when(_own(), end_cluster)
            .when(stage_failed, cancel)
            .otherwise(closed)
        )
        return sfn.Chain.custom(start, [closed], closed)

    def step_name(self, stage: str) -> str:
        """A step's name (see `run_name`)."""
        return run_name(self._project, stage)

    def _look(self, scope: Construct) -> sfn.CustomState:
        result = {
            "state": sfn.JsonPath.string_at("$.Cluster.Status.State"),
            "Cause": sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$.Cluster.Status")),
        }
        request = {"ClusterId": sfn.JsonPath.string_at("$.cluster.id")}
        task = Task("aws-sdk:emr:describeCluster", request, SDK_ERRORS, result, "look")
        return task_state(scope, "look at the cluster", task)

    def _start(self, scope: Construct) -> sfn.CustomState:
        result = {"id": sfn.JsonPath.string_at("$.JobFlowId"), "own": True, "looks": {"count": 0}}
        task = Task("aws-sdk:emr:runJobFlow", self._described, SDK_ERRORS, result, "cluster")
        return task_state(scope, START_CLUSTER, task)

    def _cancel(self, scope: Construct, next_state: sfn.State) -> sfn.State:
        """A step that ran out of the state's time still runs; its id is known to EMR only, so it is found by name."""
        cluster = sfn.JsonPath.string_at("$.cluster.id")
        active = {"ClusterId": cluster, "StepStates": ["PENDING", "RUNNING"]}
        step = {
            "ClusterId": sfn.JsonPath.string_at("$.cluster"),
            "StepIds": sfn.JsonPath.array(sfn.JsonPath.string_at("$.id")),
        }
        steps = {"list": sfn.JsonPath.string_at("$.Steps")}
        return cancel_named(
            scope,
            "step",
            find=Task("aws-sdk:emr:listSteps", active, SDK_ERRORS, steps, "steps"),
            found="$.steps.list",
            name=self.step_name(sfn.JsonPath.string_at("$.failed.stage")),
            more={"cluster": cluster},
            cancel=Task("aws-sdk:emr:cancelSteps", step, SDK_ERRORS),
            next_state=next_state,
        )


def _own() -> sfn.Condition:
    return sfn.Condition.and_(
        sfn.Condition.is_present("$.cluster.own"), sfn.Condition.boolean_equals("$.cluster.own", True)
    )


def _state_is(states: tuple[str, ...]) -> sfn.Condition:
    return sfn.Condition.or_(*[sfn.Condition.string_equals("$.look.state", state) for state in states])
