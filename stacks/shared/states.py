"""State machines and their calls of services, as every stack here makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.shared.layout import RUN_ID_ALLOWED, RUN_ID_LENGTH, RUNS
from stacks.shared.rules import acknowledge_wildcards


@dataclass(frozen=True)
class Task:
    """A call of a service: ``action`` as in ``sagemaker:createProcessingJob.sync``, and what of its result is kept.

    What is kept lies at ``$.<path>``, by default at the state's name. What a state computes of its input, in parameters
    and result, is an ``sfn.JsonPath``.
    ``errors`` are the service's own error names that are worth another try: API failures and throttling. A job that
    ran and failed (``States.TaskFailed``) is never tried again, it would fail on the same data again.
    """

    action: str
    parameters: Mapping[str, Any]
    errors: Sequence[str]
    result: Mapping[str, Any] | None = None
    path: str | None = None


def task_state(scope: Construct, name: str, task: Task, minutes: int | None = None) -> sfn.CustomState:
    """The Task state of a call, with retries; ``minutes`` bounds a job that is waited for."""
    state: dict[str, Any] = {
        "Type": "Task",
        "Resource": f"arn:{Aws.PARTITION}:states:::{task.action}",
        "Parameters": sfn.FieldUtils.render_object(task.parameters),
    }
    if minutes is not None:
        state["TimeoutSeconds"] = minutes * 60
    if task.result is None:
        state["ResultPath"] = sfn.JsonPath.DISCARD
    else:
        state |= {
            "ResultSelector": sfn.FieldUtils.render_object(task.result),
            "ResultPath": f"${json_path_field(task.path or name)}",
        }
    custom = sfn.CustomState(scope, name, state_json=state)
    custom.add_retry(
        errors=[*task.errors, "ThrottlingException"], interval=Duration.seconds(5), backoff_rate=2, max_attempts=4
    )
    return custom


def run_location(bucket: str, side: str, below: str = "") -> str:
    """The S3 URI where one side of a run writes, as a state computes it from its ``run_id``."""
    return sfn.JsonPath.format(f"s3://{bucket}/{RUNS}/{{}}/{side}/{below}", sfn.JsonPath.string_at("$.run_id"))


def json_path_field(name: str) -> str:
    """A field in a path: ``.name``, or ``['a-name']``, since a hyphen needs brackets.

    Source: step-functions/latest/dg/amazon-states-language-paths.html (read 2026-11-27).
    """
    return f".{name}" if name.isidentifier() else f"['{name}']"


# An execution has 25,000 events at most (step-functions/latest/dg/service-quotas.html, read 2026-11-27), and a look
# with the wait before it makes 13: what may take longer is looked at less often.
_LOOK_SECONDS = 30
_LOOKS = 1000


def look_again(
    scope: Construct,
    what: str,
    *,
    look: sfn.IChainable,
    looks: str,
    minutes: int,
    slow: str,
    give_up: sfn.IChainable,
) -> sfn.Choice:
    """The states that wait before another look at ``what``, and give up after so many minutes.

    ``looks`` is the path of what counts them, ``{"count": 0}`` before the first. ``slow`` is a path of what is known of
    the wait's reason, for the cause at ``$.error`` with which they go to ``give_up``.
    """
    seconds = max(_LOOK_SECONDS, -(-minutes * 60 // _LOOKS))
    late = sfn.Pass(
        scope,
        f"{what} is too slow",
        parameters={
            "Cause": sfn.JsonPath.format(f"not ready after {minutes} minutes: {{}}", sfn.JsonPath.string_at(slow))
        },
        result_path="$.error",
    )
    late.next(give_up)
    wait = sfn.Wait(scope, f"wait for {what}", time=sfn.WaitTime.duration(Duration.seconds(seconds)))
    counted = sfn.Pass(
        scope,
        f"count the looks at {what}",
        parameters={"count": sfn.JsonPath.math_add(sfn.JsonPath.number_at(f"{looks}.count"), 1)},
        result_path=looks,
    )
    wait.next(counted).next(look)
    in_time = sfn.Condition.number_less_than(f"{looks}.count", minutes * 60 // seconds)
    return sfn.Choice(scope, f"is there time for {what}").when(in_time, wait).otherwise(late)


def cancel_named(
    scope: Construct,
    what: str,
    *,
    find: Task,
    found: str,
    name: str,
    more: Mapping[str, str],
    cancel: Task,
    next_state: sfn.State,
) -> sfn.State:
    """The states that cancel what has a name, where only the service knows its id; they never fail.

    ``find`` lists what is active, ``found`` is the path of the list, whose items have an ``Id`` and a ``Name``. Those
    called ``name`` are cancelled by ``cancel``, whose input has the item's ``id`` and ``more``.
    """
    finding = task_state(scope, f"find {what}s", find)
    finding.add_catch(next_state, errors=["States.ALL"], result_path="$.ignored")
    cancelling = task_state(scope, f"cancel {what}", cancel)
    others = sfn.Pass(scope, f"leave {what}")
    cancelling.add_catch(others, errors=["States.ALL"], result_path="$.ignored")
    ours = sfn.Condition.string_equals_json_path("$.name", "$.failed")
    each = sfn.Map(
        scope,
        f"each {what}",
        items_path=found,
        item_selector={
            **more,
            "failed": name,
            "id": sfn.JsonPath.string_at("$$.Map.Item.Value.Id"),
            "name": sfn.JsonPath.string_at("$$.Map.Item.Value.Name"),
        },
        result_path=sfn.JsonPath.DISCARD,
    )
    each.item_processor(sfn.Choice(scope, "is it ours").when(ours, cancelling).otherwise(others))
    each.add_catch(next_state, errors=["States.ALL"], result_path="$.ignored")
    each.next(next_state)
    finding.next(each)
    return finding


def run_name(project: str, stage: str) -> str:
    """The name of a stage's job, one for run and stage: ``stage`` is a name, or what a state computes one of."""
    run_id = sfn.JsonPath.string_at("$.run_id")
    if sfn.JsonPath.is_encoded_json_path(stage):
        return sfn.JsonPath.format(f"{project}-{{}}-{{}}", run_id, stage)
    return sfn.JsonPath.format(f"{project}-{{}}-{stage}", run_id)


def state_machine(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    start: sfn.IChainable,
    minutes: int,
    key: kms.IKey,
    permissions: Sequence[iam.PolicyStatement],
) -> sfn.StateMachine:
    """A Standard state machine with its log, traced, allowed to do just ``permissions``.

    Its input holds a ``run_id``, from which names and S3 locations are made: the first state checks it.
    """
    machine = sfn.StateMachine(
        scope,
        construct_id,
        state_machine_name=name,
        definition_body=sfn.DefinitionBody.from_chainable(_checked(scope, start)),
        timeout=Duration.minutes(minutes),
        tracing_enabled=True,
        logs=sfn.LogOptions(
            destination=log_group(scope, f"{construct_id}Log", key, state_machine_log_name(name)),
            level=sfn.LogLevel.ALL,
        ),
    )
    for statement in permissions:
        machine.add_to_role_policy(statement)
    acknowledge_wildcards(
        machine,
        "Jobs and executions get their names at run time, with the project's in them or as a tag; log delivery, traces "
        "and Step Functions' look at tags have no resource-level permissions.",
    )
    return machine


# As layout.RUN_ID has it. JSONPath knows neither patterns nor lengths, and a state may use JSONata although its machine
# does not (docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html, JSONata 2.0.6; read 2026-11-27).
# The characters are checked apart, since in Java `$` also matches before a line's end that ends the text.
_RUN_ID = "$states.input.run_id"
_WELL_FORMED = (
    # A path into an array of objects finds what is in them: the input itself must be one object.
    f"$type($states.input) = 'object' and $type({_RUN_ID}) = 'string' ? $length({_RUN_ID}) <= {RUN_ID_LENGTH} "
    f"and {_RUN_ID} != 'latest' "
    f"and $not($contains({_RUN_ID}, /[^a-z0-9-]/)) and $contains({_RUN_ID}, /^[a-z0-9](.*[a-z0-9])?$/) : false"
)


def _checked(scope: Construct, start: sfn.IChainable) -> sfn.IChainable:
    """The machine's states after a first one that ends an execution whose run id is not well-formed.

    Such an id could lead out of the run's own prefix, be refused as a job's name halfway through, or, with capitals
    and spaces, name something else to each service.
    """
    given = f"$substring($string({_RUN_ID}), 0, 100)"
    refused = sfn.Fail.jsonata(
        scope,
        "run id refused",
        error="RunIdRefused",
        cause=f"{{% 'run_id ' & {given} & \": {RUN_ID_ALLOWED}\" %}}",
    )
    return (
        sfn.Choice.jsonata(scope, "is the run id well-formed")
        .when(sfn.Condition.jsonata(f"{{% {_WELL_FORMED} %}}"), start)
        .otherwise(refused)
    )


def state_machine_log_name(name: str) -> str:
    """The name of a state machine's log group.

    With this prefix the group needs no entry in the account's policy for log delivery, which has little room
    (docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html, read 2026-11-22).
    """
    return f"/aws/vendedlogs/states/{name}"


def log_group(scope: Construct, construct_id: str, key: kms.IKey, name: str | None = None) -> logs.LogGroup:
    """A log group that goes with its stack, encrypted with our key."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays.ONE_MONTH,
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )


def wait_permission(scope: Construct, rule: str) -> iam.PolicyStatement:
    """Permission for a ``.sync`` call to learn of its job's end: Step Functions' own EventBridge rule."""
    arn = Stack.of(scope).format_arn(
        service="events", resource="rule", resource_name=rule, arn_format=ArnFormat.SLASH_RESOURCE_NAME
    )
    return iam.PolicyStatement(actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"], resources=[arn])


def allow(role: iam.Role, actions: Sequence[str], *resources: str) -> None:
    """Allow a role to do these actions on these resources."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
