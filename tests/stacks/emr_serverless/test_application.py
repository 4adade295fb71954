"""The application and its job runs: what is asked for, and in which order everything goes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.emr_serverless.service import _parameters, _worker
from stacks.shared.layout import STAGES
from tests.stacks.conftest import Synthesised, synthesise
from tests.stacks.test_deletion import Order, referenced

SIDE = "emr-serverless"
NAMES = [f"{SIDE} alone", pytest.param("emr serverless", marks=pytest.mark.slow)]


@pytest.fixture(params=NAMES)
def app(request: pytest.FixtureRequest, once: Callable[[str], Synthesised]) -> Synthesised:
    return once(request.param)


@pytest.fixture
def order(app: Synthesised) -> Order:
    return Order(app.templates()[SIDE])


def application(app: Synthesised) -> dict[str, Any]:
    return app.assembly.only("AWS::EMRServerless::Application")


def requests(app: Synthesised) -> dict[str, dict[str, Any]]:
    machine = next(states for arn, states in app.assembly.state_machines().items() if arn.endswith(SIDE))["States"]
    return {stage: machine[stage]["Parameters"] for stage in STAGES}


def properties(request: dict[str, Any]) -> dict[str, str]:
    return _parameters(request["JobDriver"]["SparkSubmit"]["SparkSubmitParameters"])[1]


def test_application_is_private_encrypted_and_stops_by_itself(app: Synthesised) -> None:
    made = application(app)
    key = made["MonitoringConfiguration"]["S3MonitoringConfiguration"]["EncryptionKeyArn"]
    assert key == made["MonitoringConfiguration"]["ManagedPersistenceMonitoringConfiguration"]["EncryptionKeyArn"]
    assert made["AutoStopConfiguration"]["Enabled"]
    assert "InitialCapacity" not in made
    assert len(made["NetworkConfiguration"]["SubnetIds"]) == 2
    for request in requests(app).values():
        assert request["ConfigurationOverrides"]["DiskEncryptionConfiguration"]["EncryptionKeyArn"] == key
        assert properties(request)["spark.ssl.internode.enabled"] == "true"


def test_a_change_waits_for_the_pipeline_that_uses_the_application(app: Synthesised) -> None:
    template = app.templates()[SIDE]
    waits = [each["Properties"] for each in template["Resources"].values() if "StateMachineArn" in each["Properties"]]
    stack = next(name for name, found in app.assembly.templates.items() if found is template)
    arns = [app.assembly.resolve(stack, each["StateMachineArn"]) for each in waits]
    assert arns == [arn for arn in app.assembly.state_machines() if arn.endswith(SIDE)]


def test_group_lets_in_its_own_members_only(order: Order) -> None:
    (group,) = order.of_type("AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in order.resources[group]["Properties"]
    for rule in order.of_type("AWS::EC2::SecurityGroupIngress"):
        assert referenced(order.resources[rule]["Properties"]["SourceSecurityGroupId"]) == {group}


def test_all_workers_of_a_job_fit_into_the_application(app: Synthesised) -> None:
    capacity = application(app)["MaximumCapacity"]
    for request in requests(app).values():
        given = properties(request)
        count = int(given["spark.executor.instances"])
        workers = [_worker(given, "driver"), *[_worker(given, "executor")] * count]
        vcpus, memory = (sum(worker[index] for worker in workers) for index in (0, 1))
        assert vcpus <= int(capacity["Cpu"].removesuffix(" vCPU"))
        assert memory <= int(capacity["Memory"].removesuffix(" GB"))


def test_as_many_executors_as_train_together(app: Synthesised) -> None:
    """The program sets their number once more (`common.spark.together`)."""
    train = requests(app)["train"]
    given = properties(train)
    assert (
        f"'--workers={given['spark.executor.instances']}'" in train["JobDriver"]["SparkSubmit"]["EntryPointArguments.$"]
    )
    assert {properties(request)["spark.dynamicAllocation.enabled"] for request in requests(app).values()} == {"false"}


def test_driver_and_executors_find_the_packages_of_the_archive(app: Synthesised) -> None:
    for request in requests(app).values():
        given = properties(request)
        archive, _, folder = given["spark.archives"].partition("#")
        assert archive.endswith("/packages/emr.zip")
        for where in ("spark.emr-serverless.driverEnv", "spark.executorEnv"):
            assert given[f"{where}.PYTHONPATH"] == f"./{folder}"
            assert given[f"{where}.PYSPARK_PYTHON"] == "/usr/bin/python3.11"


def test_parameters_are_one_text_that_no_shell_needs_to_read(app: Synthesised) -> None:
    for request in requests(app).values():
        assert not set("'\"\\$`") & set(request["JobDriver"]["SparkSubmit"]["SparkSubmitParameters"])


def test_a_job_run_ends_before_its_state_gives_it_up(app: Synthesised) -> None:
    machine = next(states for arn, states in app.assembly.state_machines().items() if arn.endswith(SIDE))["States"]
    for stage in STAGES:
        minutes = machine[stage]["TimeoutSeconds"] / 60
        assert machine[stage]["Parameters"]["ExecutionTimeoutMinutes"] == minutes - 5 >= 5


def test_archive_is_published_where_a_side_needs_it_only(app: Synthesised, once: Callable[[str], Synthesised]) -> None:
    def commands(synthesised: Synthesised) -> str:
        return str(synthesised.assembly.only("AWS::CodeBuild::Project")["Source"]["BuildSpec"])

    assert 'bash archives.sh \\"$ARCHIVES\\"' in commands(app)
    assert "archives.sh" not in commands(once("default"))


def test_key_serves_this_accounts_applications_where_there_is_one_only(
    app: Synthesised, once: Callable[[str], Synthesised]
) -> None:
    def policy(synthesised: Synthesised) -> list[dict[str, Any]]:
        statements = synthesised.assembly.only("AWS::KMS::Key")["KeyPolicy"]["Statement"]
        return [each for each in statements if each["Principal"].get("Service") == "emr-serverless.amazonaws.com"]

    (statement,) = policy(app)
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    source = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    assert source == "arn:aws:emr-serverless:us-east-1:123456789012:/applications/*"
    assert policy(once("default")) == []


# The order: executions, job runs, application, interfaces, group.


def resource(order: Order, name: str) -> str:
    assert order.resources[name]["Type"] == "Custom::StoppedApplication"
    return name


def test_everything_is_stopped_before_the_application_goes(order: Order) -> None:
    (stop,) = order.of_type("Custom::StopExecutions")
    (made,) = order.of_type("AWS::EMRServerless::Application")
    stopping = resource(order, "StopApplication")
    assert stopping in order.needs(stop)
    assert made in order.needs(stopping)
    # Job runs that are cancelled may still write: their role and its rights stay until then.
    roles = {name for name in order.of_type("AWS::IAM::Role", "AWS::IAM::Policy") if name.startswith("JobRole")}
    assert len(roles) == 2
    assert roles <= order.needs(stopping)


def test_interfaces_go_after_the_application_and_before_the_group(order: Order) -> None:
    (made,) = order.of_type("AWS::EMRServerless::Application")
    leftovers = resource(order, "Leftovers")
    assert leftovers in order.needs(made)
    groups = order.of_type("AWS::EC2::SecurityGroup")
    assert groups <= order.needs(leftovers)
    assert referenced(order.resources[leftovers]["Properties"]["SecurityGroupIds"]) == groups


def test_application_and_what_stops_it_have_one_name(order: Order) -> None:
    (made,) = order.of_type("AWS::EMRServerless::Application")
    names = [order.resources[each]["Properties"]["ApplicationName"] for each in ("Leftovers", "StopApplication")]
    assert names == [order.resources[made]["Properties"]["Name"]] * 2


def test_time_to_live_goes_when_everything_that_costs_money_is_gone(order: Order) -> None:
    (schedule,) = order.of_type("AWS::Scheduler::Schedule")
    costly = order.of_type("AWS::EMRServerless::Application", "Custom::StoppedApplication", "AWS::EC2::SecurityGroup")
    assert len(costly) == 4
    assert [each for each in costly if schedule not in order.needs(each)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"emr_serverless.idle_minutes": 16},
        {"emr_serverless.maximum_vcpus": 32},
        {"emr.release": "emr-7.13.0"},
        {"owner": "somebody@example.com"},
        {"time_to_live_hours": 0},
    ],
)
def test_whatever_changes_the_application_stops_it_before(
    change: dict[str, Any], once: Callable[[str], Synthesised], tmp_path: Path
) -> None:
    """CloudFormation changes no started application, not even its tags."""
    before = Order(once(f"{SIDE} alone").templates()[SIDE])
    after = Order(synthesise("changed", {"sides": SIDE, **change}, tmp_path).templates()[SIDE])
    assert before.resources["Application"] != after.resources["Application"]
    definitions = {each.resources["Leftovers"]["Properties"]["Definition"] for each in (before, after)}
    assert len(definitions) == 2


@pytest.mark.slow
def test_another_time_to_live_leaves_the_application_alone(once: Callable[[str], Synthesised], tmp_path: Path) -> None:
    before = once(f"{SIDE} alone").templates()[SIDE]["Resources"]
    after = synthesise("longer", {"sides": SIDE, "time_to_live_hours": 13}, tmp_path).templates()[SIDE]["Resources"]
    for name in ("Application", "Leftovers", "StopApplication"):
        assert json.dumps(before[name]) == json.dumps(after[name])
