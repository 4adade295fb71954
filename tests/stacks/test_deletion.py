"""What `cdk destroy` meets: the order of deletion, what is kept, and what each clean-up is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.network.stack import DELETE_DATA
from tests.stacks.conftest import Synthesised, synthesise

SIDES = ("sagemaker", "emr")


def referenced(value: Any) -> set[str]:
    """The logical ids that a value refers to."""
    if isinstance(value, list):
        return set().union(*map(referenced, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    if "Ref" in value:
        return {value["Ref"]}
    if "Fn::GetAtt" in value:
        return {value["Fn::GetAtt"][0]}
    return set().union(*map(referenced, value.values())) if value else set()


class Order:
    """What a stack's resources depend on, directly and through others. Deletion goes from the dependent ones on."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.resources: dict[str, dict[str, Any]] = template["Resources"]

    def of_type(self, *types: str) -> set[str]:
        return {name for name, resource in self.resources.items() if resource["Type"] in types}

    def needs(self, name: str) -> set[str]:
        """Everything that is created before this resource, and deleted after it."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            resource = self.resources[waiting.pop()]
            after = resource.get("DependsOn", [])
            direct = referenced(resource.get("Properties", {})) | {*([after] if isinstance(after, str) else after)}
            new = (direct & self.resources.keys()) - found
            found |= new
            waiting += new
        return found


def test_executions_are_stopped_before_anything_that_they_use_goes(synthesised: Synthesised) -> None:
    for name in (*SIDES, "comparison"):
        order = Order(synthesised.templates()[name])
        (stop,) = order.of_type("Custom::StopExecutions")
        kinds = ("AWS::EMR::Cluster", "AWS::SageMaker::Endpoint", "Custom::EmrLeftovers", "Custom::SageMakerLeftovers")
        machines = {
            machine
            for machine in order.of_type("AWS::StepFunctions::StateMachine")
            if "StateMachineName" in order.resources[machine]["Properties"]
        }
        assert order.of_type(*kinds) | machines <= order.needs(stop)


def test_clusters_end_before_their_leftovers_are_removed_and_those_before_the_groups(synthesised: Synthesised) -> None:
    order = Order(synthesised.templates()["emr"])
    (leftovers,) = order.of_type("Custom::EmrLeftovers")
    for cluster in order.of_type("AWS::EMR::Cluster"):
        assert leftovers in order.needs(cluster)
    used = order.of_type(
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EMR::SecurityConfiguration",
        "AWS::IAM::InstanceProfile",
    )
    assert len(used) > 20
    assert used <= order.needs(leftovers)
    # With what they may do: a role without its policy could end nothing.
    needed = order.needs(leftovers)
    for policy in order.of_type("AWS::IAM::Policy"):
        roles = referenced(order.resources[policy]["Properties"]["Roles"])
        if any(role.startswith(("ServiceRole", "NodeRole")) for role in roles):
            assert policy in needed


def test_endpoint_goes_before_the_leftovers_of_its_network(synthesised: Synthesised) -> None:
    order = Order(synthesised.templates()["sagemaker"])
    (leftovers,) = order.of_type("Custom::SageMakerLeftovers")
    (endpoint,) = order.of_type("AWS::SageMaker::Endpoint")
    assert leftovers in order.needs(endpoint)
    assert order.of_type("AWS::EC2::SecurityGroup") <= order.needs(leftovers)


def test_endpoint_s_role_may_clear_up_until_the_clean_up_has_seen_the_end_of_it(
    synthesised: Synthesised, other: Synthesised
) -> None:
    for app in (synthesised, other):
        order = Order(app.templates()["sagemaker"])
        (leftovers,) = order.of_type("Custom::SageMakerLeftovers")
        (endpoint,) = (order.resources[name]["Properties"] for name in order.of_type("AWS::SageMaker::Endpoint"))
        assert order.resources[leftovers]["Properties"]["Endpoints"] == [endpoint["EndpointName"]]
        (model,) = order.of_type("AWS::SageMaker::Model")
        (role,) = referenced(order.resources[model]["Properties"]["ExecutionRoleArn"])
        policies = {
            policy
            for policy in order.of_type("AWS::IAM::Policy")
            if role in referenced(order.resources[policy]["Properties"]["Roles"])
        }
        assert policies
        assert {role, *policies} <= order.needs(leftovers)


def test_generator_goes_before_the_leftovers_of_its_network(synthesised: Synthesised) -> None:
    order = Order(synthesised.templates()["data"])
    for leftovers in order.of_type("Custom::SageMakerLeftovers"):
        assert leftovers in order.needs("Generated")
        assert order.of_type("AWS::EC2::SecurityGroup") <= order.needs(leftovers)


def test_every_custom_resource_keeps_its_permissions_until_it_is_gone(synthesised: Synthesised) -> None:
    checked = 0
    for template in synthesised.templates().values():
        order = Order(template)
        for name, resource in order.resources.items():
            if resource["Type"].startswith("Custom::"):
                # The functions, their role, and the policy that was made for this resource.
                needs = order.needs(name)
                own = [policy for policy in order.of_type("AWS::IAM::Policy") if policy.startswith(f"{name}Policy")]
                assert set(own) <= needs
                assert any(other.startswith("CustomResourcesRole") for other in needs)
                checked += 1
    assert checked >= 7


def test_clean_up_is_told_every_group_that_interfaces_may_use(synthesised: Synthesised) -> None:
    for name in ("data", *SIDES):
        order = Order(synthesised.templates()[name])
        told: set[str] = set()
        for leftovers in order.of_type("Custom::EmrLeftovers", "Custom::SageMakerLeftovers"):
            told |= referenced(order.resources[leftovers]["Properties"]["SecurityGroupIds"])
        assert told == order.of_type("AWS::EC2::SecurityGroup")


def test_everything_but_the_data_goes_with_its_stack(synthesised: Synthesised) -> None:
    kept = {
        (name, resource["Type"])
        for name, template in synthesised.templates().items()
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    data = {("data", "AWS::S3::Bucket"), ("network", "AWS::KMS::Key")}
    assert kept == (data if synthesised.name == "default" else set())


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{"data.deletable": True}, {DELETE_DATA: True}, {DELETE_DATA: "false"}])
def test_one_key_alone_keeps_the_data_and_a_warning_says_so(keys: dict[str, Any], tmp_path: Path) -> None:
    templates = synthesise("one key", keys, tmp_path).templates()
    order = Order(templates["data"])
    assert not order.of_type("Custom::Objects")
    assert {order.resources[bucket]["DeletionPolicy"] for bucket in order.of_type("AWS::S3::Bucket")} == {"Retain"}
    # What the CDK prints comes out of this file. Its own process prints, at any later moment.
    metadata = json.loads((tmp_path / "side-by-side-network.metadata.json").read_text())
    warnings = [each["data"] for entries in metadata.values() for each in entries if each["type"] == "aws:cdk:warning"]
    assert any(warning.startswith("cdk destroy keeps the data") for warning in warnings), warnings


def test_both_keys_empty_each_bucket_before_it_goes_and_the_access_logs_last(synthesised: Synthesised) -> None:
    order = Order(synthesised.templates()["data"])
    emptied = order.of_type("Custom::Objects")
    if synthesised.name == "default":
        assert not emptied
        return
    buckets = {name: next(iter(referenced(order.resources[name]["Properties"]["BucketName"]))) for name in emptied}
    assert set(buckets.values()) == order.of_type("AWS::S3::Bucket")
    assert all(bucket in order.needs(name) for name, bucket in buckets.items())
    logs = next(name for name, bucket in buckets.items() if bucket.startswith("AccessLogs"))
    data = next(bucket for bucket in buckets.values() if not bucket.startswith("AccessLogs"))
    assert logs in order.needs(data)


def test_sides_delete_themselves_and_nothing_holds_them_back(synthesised: Synthesised) -> None:
    templates = synthesised.templates()
    hours = {"default": "12", "changed": "48"}[synthesised.name]
    for name, template in templates.items():
        order = Order(template)
        schedules = order.of_type("AWS::Scheduler::Schedule")
        assert len(schedules) == (1 if name in SIDES else 0)
        if name in SIDES:
            (schedule,) = (order.resources[each]["Properties"] for each in schedules)
            (life,) = order.of_type("Custom::TimeToLive")
            assert str(order.resources[life]["Properties"]["Hours"]) == hours
            # From then on once an hour, since CloudFormation may refuse; what it refuses is heard of.
            assert schedule["StartDate"] == {"Fn::GetAtt": [life, "Expires"]}
            assert schedule["ScheduleExpression"] == "rate(60 minutes)"
            assert referenced(schedule["Target"]["Input"]) == {"AWS::StackId"}
            (queue,) = order.of_type("AWS::SQS::Queue")
            assert schedule["Target"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
            assert any(
                queue in referenced(order.resources[alarm]["Properties"].get("Dimensions", []))
                for alarm in order.of_type("AWS::CloudWatch::Alarm")
            )
            # Nobody imports from a stack that may be gone tomorrow.
            assert not [output for output in template["Outputs"].values() if "Export" in output]


def test_the_schedule_goes_when_everything_that_costs_money_is_gone(synthesised: Synthesised) -> None:
    """A deletion that failed is asked for again."""
    kinds = (
        *("AWS::EMR::Cluster", "AWS::SageMaker::Endpoint", "Custom::EmrLeftovers", "Custom::SageMakerLeftovers"),
        *("AWS::EC2::SecurityGroup", "AWS::EMR::SecurityConfiguration", "AWS::IAM::InstanceProfile"),
    )
    for name in SIDES:
        order = Order(synthesised.templates()[name])
        (schedule,) = order.of_type("AWS::Scheduler::Schedule")
        costly = order.of_type(*kinds)
        assert len(costly) >= 3
        assert [each for each in costly if schedule not in order.needs(each)] == []


@pytest.mark.slow
def test_more_time_to_live_changes_nothing_else(synthesised: Synthesised, tmp_path: Path) -> None:
    """No job, endpoint or cluster is made anew because somebody needs an hour more."""
    if synthesised.name != "default":
        return
    for name, template in synthesise("longer", {"time_to_live_hours": 13}, tmp_path).templates().items():
        before = synthesised.templates()[name]["Resources"]
        assert template["Resources"].keys() == before.keys()
        changed = {before[each]["Type"] for each, resource in template["Resources"].items() if resource != before[each]}
        # The comparison records the settings of a run.
        recorded = {"AWS::StepFunctions::StateMachine"} if name == "comparison" else set()
        assert changed == ({"Custom::TimeToLive", "AWS::Scheduler::Schedule"} if name in SIDES else recorded), name


def test_time_to_live_of_nothing_is_none(other: Synthesised) -> None:
    if other.name == "serverless and transient":
        assert not [
            resource
            for template in other.templates().values()
            for resource in template["Resources"].values()
            if resource["Type"] in ("AWS::Scheduler::Schedule", "Custom::TimeToLive")
        ]


def test_only_what_people_address_by_name_has_one(synthesised: Synthesised) -> None:
    """A fixed name forbids replacing a resource, and a second deployment of a project in the region."""
    named = {
        resource["Type"]
        for template in synthesised.templates().values()
        for resource in template["Resources"].values()
        for field, value in resource.get("Properties", {}).items()
        if field in ("Name", f"{resource['Type'].split('::')[-1]}Name") and isinstance(value, str)
    }
    assert named - {"AWS::IAM::Policy"} == {  # an inline policy's name is its role's affair
        "AWS::EMR::Cluster",  # a label, not unique
        "AWS::Logs::LogGroup",  # where a service writes to, and the dashboard looks
        "AWS::SageMaker::Endpoint",
        "AWS::StepFunctions::StateMachine",
    }
