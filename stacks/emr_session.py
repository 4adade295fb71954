"""The cluster that a run of the pipeline works on: the persistent one where it still is, one of its own otherwise."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.states import Task, task_state

# The name that Step Functions gives to failed calls of EMR, throttling included (github.com/aws/aws-cdk/issues/13735).
ERRORS = ("EMR.AmazonElasticMapReduceException",)

# A cluster is ready for steps, on its way to that, or else it is gone (API_ClusterStatus).
_READY = ("WAITING", "RUNNING")
_STARTING = ("STARTING", "BOOTSTRAPPING")


class ClusterSession:
    """Opens and closes a run's cluster.

    A persistent cluster ends itself when it is idle, so a run may find it gone; then, and where there is no persistent
    one, the run starts a cluster of the same definition and ends it afterwards. Its id is at ``$.cluster.id``.
    """

    minutes = 30

    def __init__(self, project: str, described: Mapping[str, Any], persistent: str | None) -> None:
        """``persistent`` is the persistent cluster's id, None without one."""
        self._project = project
        self._described = described
        self._persistent = persistent

    def opening(self, scope: Construct, failed: sfn.State) -> sfn.Chain:
        """Find or start the cluster and wait until it takes steps."""
        look = self._look(scope)
        start = self._start(scope)
        start.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        start.next(look)
        gone = sfn.Pass(scope, "cluster ended", parameters={"Cause.$": "$.look.Cause"}, result_path="$.error")
        gone.next(failed)
        # One cluster a run: a second would most likely end like the first.
        give_up = sfn.Choice(scope, "is the lost cluster our own").when(_own(), gone).otherwise(start)
        look.add_catch(give_up, errors=["States.ALL"], result_path="$.look")
        wait = sfn.Wait(scope, "wait for the cluster", time=sfn.WaitTime.duration(Duration.seconds(30)))
        wait.next(look)
        ready = sfn.Pass(scope, "cluster is ready")
        look.next(
            sfn.Choice(scope, "is the cluster ready")
            .when(_state_is(_READY), ready)
            .when(_state_is(_STARTING), wait)
            .otherwise(give_up)
        )
        first: sfn.State = start
        if self._persistent is not None:
            known = sfn.Result.from_object({"id": self._persistent, "own": False})
            first = sfn.Pass(scope, "persistent cluster", result=known, result_path="$.cluster").next(look).start_state
        return sfn.Chain.custom(first, [ready], ready)

    def closing(self, scope: Construct) -> sfn.Chain:
        """End the run's own cluster; on a shared one, cancel the step of a stage that failed, if it still runs."""
        closed = sfn.Pass(scope, "session is closed")
        end = Task("elasticmapreduce:terminateCluster", {"ClusterId.$": "$.cluster.id"}, ERRORS)
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
        """A step's name, one for run and stage: ``stage`` is a name or a path."""
        arguments = "$.run_id, $.failed.stage" if stage.startswith("$") else "$.run_id"
        last = "{}" if stage.startswith("$") else stage
        return f"States.Format('{self._project}-{{}}-{last}', {arguments})"

    def _look(self, scope: Construct) -> sfn.CustomState:
        result = {"state.$": "$.Cluster.Status.State", "Cause.$": "States.JsonToString($.Cluster.Status)"}
        task = Task("aws-sdk:emr:describeCluster", {"ClusterId.$": "$.cluster.id"}, (), result, "look")
        return task_state(scope, "look at the cluster", task)

    def _start(self, scope: Construct) -> sfn.CustomState:
        result = {"id.$": "$.ClusterId", "own": True}
        task = Task("elasticmapreduce:createCluster", self._described, ERRORS, result, "cluster")
        return task_state(scope, "start a cluster", task)

    def _cancel(self, scope: Construct, following: sfn.State) -> sfn.State:
        """A step that ran out of the state's time still runs; its id is known to EMR only, so it is found by name."""
        steps = {"ClusterId.$": "$.cluster.id", "StepStates": ["PENDING", "RUNNING"]}
        find = task_state(scope, "find steps", Task("aws-sdk:emr:listSteps", steps, (), {"list.$": "$.Steps"}, "steps"))
        find.add_catch(following, errors=["States.ALL"], result_path="$.ignored")
        cancel = task_state(
            scope,
            "cancel step",
            Task("elasticmapreduce:cancelStep", {"ClusterId.$": "$.cluster", "StepId.$": "$.id"}, ERRORS),
        )
        others = sfn.Pass(scope, "leave step")
        cancel.add_catch(others, errors=["States.ALL"], result_path="$.ignored")
        ours = sfn.Condition.string_equals_json_path("$.name", "$.failed")
        each = sfn.Map(
            scope,
            "each step",
            items_path="$.steps.list",
            item_selector={
                "cluster.$": "$.cluster.id",
                "failed.$": self.step_name("$.failed.stage"),
                "id.$": "$$.Map.Item.Value.Id",
                "name.$": "$$.Map.Item.Value.Name",
            },
            result_path=sfn.JsonPath.DISCARD,
        )
        each.item_processor(sfn.Choice(scope, "is it ours").when(ours, cancel).otherwise(others))
        each.add_catch(following, errors=["States.ALL"], result_path="$.ignored")
        each.next(following)
        find.next(each)
        return find


def _own() -> sfn.Condition:
    return sfn.Condition.and_(
        sfn.Condition.is_present("$.cluster.own"), sfn.Condition.boolean_equals("$.cluster.own", True)
    )


def _state_is(states: tuple[str, ...]) -> sfn.Condition:
    return sfn.Condition.or_(*[sfn.Condition.string_equals("$.look.state", state) for state in states])
