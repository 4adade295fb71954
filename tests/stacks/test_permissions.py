"""Least privilege, proven: each role may do what its jobs call, and nothing else (``calls`` derives the calls)."""

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from assembly.template import ACCOUNT, app_context
from local.services import machine_name
from stacks.settings import Settings
from tests.stacks.calls import (
    EMR_ALLOCATION_STRATEGY,
    EMR_CLUSTER,
    EMR_LEFT_OUT,
    TRUSTED,
    WITHOUT_RESOURCE,
    Calls,
    Resource,
    Statement,
    Templates,
    evaluated,
    findings,
    statements,
)
from tests.stacks.conftest import ALL, Synthesised, slow_others
from tests.stacks.reference import ANYTHING, matches, overlap, resource_kinds, works_on
from tests.stacks.source_code import CodeError, module_actions, s3_copies

Make = Callable[[str], Calls]


@pytest.fixture(scope="module")
def make(once: Callable[[str], Synthesised]) -> Make:
    """The calls of a configuration, derived once."""

    @cache
    def made(name: str) -> Calls:
        assembly = once(name).assembly
        chosen = Settings.from_context(app_context(ALL[name]))
        templates = Templates(assembly.templates, assembly.folder)
        return Calls(templates, session_manager=chosen.network.session_manager)

    return made


@pytest.fixture(params=slow_others(ALL))
def calls(request: pytest.FixtureRequest, make: Make) -> Calls:
    return make(request.param)


def roles(calls: Calls) -> list[tuple[Resource, list[Statement]]]:
    """Every role with what it may do."""
    found = [(role, statements(calls.templates, role)) for role in calls.templates.of("AWS::IAM::Role")]
    assert len(found) > 20
    return found


def stack(role: Resource) -> str:
    """What a role's stack is: network, data, a side's name, comparison."""
    return machine_name(role.stack)


def deployed(calls: Calls) -> set[str]:
    """What the stacks are."""
    return {machine_name(name) for name in calls.templates.templates}


def test_every_role_may_do_what_its_jobs_call_and_nothing_else(calls: Calls) -> None:
    assert sorted(findings(calls)) == []


def test_every_role_is_used_and_trusts_the_service_that_uses_it_alone(calls: Calls) -> None:
    for role, _ in roles(calls):
        (statement,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        (service,) = {TRUSTED[user] for user in calls.users[role.arn]}
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole"), role.path
        assert statement["Principal"] == {"Service": service}, role.path
        # Services that act for whoever asks them are trusted for this account's requests only.
        if service in (
            "codebuild.amazonaws.com",
            "emr-serverless.amazonaws.com",
            "sagemaker.amazonaws.com",
            "scheduler.amazonaws.com",
        ):
            assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, role.path


def test_every_action_is_named_in_full(calls: Calls) -> None:
    for role, allowed in roles(calls):
        for action in (action for statement in allowed for action in statement.actions):
            assert not set("*?") & set(action), f"{role.path}: {action}"
            resource_kinds(action)  # raises where AWS knows no such action


def test_every_statement_is_about_resources_that_its_actions_work_on(calls: Calls) -> None:
    wrong = []
    for role, allowed in roles(calls):
        for statement in allowed:
            for action in statement.actions:
                if not any(works_on(action, resource) for resource in statement.resources):
                    wrong.append(f"{role.path}: {action} on {', '.join(statement.resources)}")
            for resource in statement.resources:
                if not any(works_on(action, resource) for action in statement.actions):
                    wrong.append(f"{role.path}: {', '.join(statement.actions)} on {resource}")
    assert wrong == []


# Conditions without which a statement on * would be too wide.
SCOPES = {"aws:RequestTag/project", "cloudwatch:namespace"}


def test_all_resources_are_allowed_only_where_none_can_be_named(calls: Calls) -> None:
    for role, allowed in roles(calls):
        reasons = {action for user in calls.users[role.arn] for action in WITHOUT_RESOURCE.get(user, {})}
        for statement in allowed:
            if ANYTHING in statement.resources and not SCOPES & condition_keys(statement):
                named = {action for action in statement.actions if resource_kinds(action)}
                assert named <= reasons, f"{role.path}: {sorted(named - reasons)} on *"


def test_every_reason_for_all_resources_is_one() -> None:
    assert all(resource_kinds(action) for reasons in WITHOUT_RESOURCE.values() for action in reasons)


def test_objects_are_written_only_where_the_role_s_jobs_write(calls: Calls) -> None:
    """Below a side's own part of a run; a side's logs and captures; the generator its own dataset; nobody else raw/."""
    places = {
        ("data", "build"): ["code/", "certificates/"],
        ("data", "job"): [calls.templates.output("Raw").split("/", 3)[3]],
        ("emr", "nodes"): ["runs/*/emr/", "logs/emr/"],
        ("emr-serverless", "job run"): ["runs/*/emr-serverless/", "logs/emr-serverless/"],
        ("sagemaker", "endpoint"): ["capture/"],
        ("sagemaker", "job"): ["runs/*/sagemaker/"],
        ("sagemaker-spark", "job"): ["runs/*/sagemaker-spark/"],
    }
    written = set()
    for role, allowed in roles(calls):
        (user,) = calls.users[role.arn]
        permitted = {f"{bucket}/{place}*" for bucket in buckets(calls) for place in places.get((stack(role), user), [])}
        if user == "function":
            # To delete the data with its stack is what its two keys ask for: only then there is such a resource.
            emptied = [each for each in calls.templates.of("Custom::Objects") if each.stack == role.stack]
            permitted = {f"arn:aws:s3:::{each.properties['BucketName']}/*" for each in emptied}
            # The collector writes one file of a run.
            if role.path.endswith("/Collector/Role"):
                permitted = {f"{bucket}/runs/*/comparison.json" for bucket in buckets(calls)}
        for statement in allowed:
            if any(action.startswith(("s3:Put", "s3:Delete", "s3:Abort")) for action in statement.actions):
                assert set(statement.resources) <= permitted, role.path
                written.add((stack(role), user))
    wanted = {
        ("data", "build"),
        ("emr", "nodes"),
        ("emr-serverless", "job run"),
        ("sagemaker", "job"),
        ("sagemaker-spark", "job"),
    }
    assert {each for each in wanted if each[0] in deployed(calls)} <= written


def buckets(calls: Calls) -> list[str]:
    return [bucket.arn for bucket in calls.templates.of("AWS::S3::Bucket")]


def test_roles_are_passed_one_at_a_time_to_one_service(calls: Calls) -> None:
    arns = {role.arn for role, _ in roles(calls)}
    passed = []
    for role, allowed in roles(calls):
        for statement in (each for each in allowed if "iam:PassRole" in each.actions):
            assert statement.actions == ("iam:PassRole",), role.path
            (given,) = statement.resources
            assert given in arns, role.path
            assert statement.conditions == {"StringEquals": {"iam:PassedToService": statement.passed_to}}, role.path
            assert statement.passed_to in TRUSTED.values(), role.path
            passed.append(given)
    # Of each side the roles that its state machine hands over, and EMR.
    least = {"sagemaker": 1, "sagemaker-spark": 1, "emr": 3, "emr-serverless": 1}
    assert len(passed) >= sum(least.get(name, 0) for name in deployed(calls))


def condition_keys(statement: Statement) -> set[str]:
    return {key for values in statement.conditions.values() for key in values}


# Keys that are not about tags, each with the actions that know it (Service Authorization Reference, 2026-11-22).
CONDITIONS = {
    "cloudwatch:namespace": {"cloudwatch:PutMetricData"},
    "ec2:CreateAction": {"ec2:CreateTags"},
    "ec2:Vpc": {"ec2:DeleteNetworkInterface"},
    "iam:AWSServiceName": {"iam:CreateServiceLinkedRole"},
    "iam:PassedToService": {"iam:PassRole"},
    "kms:EncryptionContext:aws:s3:arn": {"kms:Decrypt"},
    "kms:GrantIsForAWSResource": {"kms:CreateGrant"},
    "kms:ViaService": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
}


def test_conditions_are_ones_that_hold(calls: Calls) -> None:
    """A condition on a key that a request does not have would allow nothing."""
    for role, allowed in roles(calls):
        for statement in allowed:
            for key, value in ((key, value) for test in statement.conditions.values() for key, value in test.items()):
                kind, _, tag = key.partition("/")
                if kind in ("aws:RequestTag", "aws:ResourceTag"):
                    # Of applications and job runs; of clusters, which EMR gives to all that it makes for one.
                    serverless = statement.actions[0].startswith("emr-serverless:")
                    known = calls.application_tags if serverless else calls.cluster_tags
                    assert known, role.path
                    assert all(tags.get(tag) == value for tags in known), f"{role.path}: {key}"
                else:
                    assert set(statement.actions) <= CONDITIONS[key], f"{role.path}: {key}"


def emr_policy() -> set[str]:
    """The actions of AWS's own policy for EMR's service role, but for the roles that it passes, which are not ours."""
    document = json.loads(aws_managed_policies_data)["AmazonEMRServicePolicy_v2"]["Document"]
    listed = [each["Action"] for each in document["Statement"]]
    return {action for each in listed for action in ([each] if isinstance(each, str) else each)} - {"iam:PassRole"}


def test_what_emr_does_and_what_is_left_out_are_together_awss_own_policy() -> None:
    done = {*EMR_CLUSTER, *EMR_ALLOCATION_STRATEGY}
    left_out = {action for actions in EMR_LEFT_OUT.values() for action in actions}
    assert done | left_out == emr_policy()
    assert not done & left_out


def test_emr_s_service_role_keeps_within_awss_own_policy(calls: Calls) -> None:
    found = [allowed for role, allowed in roles(calls) if calls.users[role.arn] == {"EMR"}]
    if "emr" not in deployed(calls):
        assert found == []
        return
    (allowed,) = found
    actions = {action for statement in allowed for action in statement.actions}
    others = actions - emr_policy() - {"iam:PassRole"}
    assert others
    assert all(action.startswith("kms:") for action in others)


# That all this can fail: a change, and what is found then and was not found before.


Change = Callable[[dict[str, dict[str, Any]]], None]
Difference = Callable[[Change], tuple[set[str], set[str]]]


@pytest.fixture(scope="module")
def difference(make: Make) -> Difference:
    """What is found only after a change of the default configuration's templates, and what only before it."""
    templates = make("default").templates
    before = findings(make("default"))

    def found(change: Change) -> tuple[set[str], set[str]]:
        raw = copy.deepcopy(dict(templates.templates))
        change(raw)
        after = findings(Calls(Templates(raw, templates.folder), session_manager=False))
        return after - before, before - after

    return found


def policies(raw: dict[str, dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """The policies of the role at a construct path."""
    resources = raw[path.split("/")[0]]["Resources"]
    (name,) = [key for key, value in resources.items() if value["Metadata"]["aws:cdk:path"] == f"{path}/Resource"]
    return [
        each["Properties"]["PolicyDocument"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": name} in each["Properties"]["Roles"]
    ]


def without(path: str, action: str) -> Change:
    def change(raw: dict[str, dict[str, Any]]) -> None:
        for document in policies(raw, path):
            for statement in document["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                statement["Action"] = [each for each in actions if each != action]

    return change


def replaced(path: str, text: str, other: str) -> Change:
    def change(raw: dict[str, dict[str, Any]]) -> None:
        for document in policies(raw, path):
            changed = json.loads(json.dumps(document["Statement"]).replace(text, other))
            assert changed != document["Statement"]
            document["Statement"] = changed

    return change


NEEDED = {
    "side-by-side-comparison/Collector/Role": "elasticmapreduce:ListInstances",
    "side-by-side-comparison/StateMachine/Role": "states:StartExecution",
    "side-by-side-data/CustomResources/FrameworkOnEventRole": "lambda:GetFunction",
    "side-by-side-data/CustomResources/Provider/waiter-state-machine/Role": "lambda:InvokeFunction",
    "side-by-side-data/GenerateMachine/Role": "sagemaker:AddTags",
    "side-by-side-data/Generator/Role": "s3:PutObject",
    "side-by-side-data/Publish/Machine/Role": "codebuild:StopBuild",
    "side-by-side-data/Publish/Role": "s3:GetObjectVersion",
    "side-by-side-emr/CustomResources/Role": "ec2:RevokeSecurityGroupEgress",
    "side-by-side-emr/NodeRole": "s3:DeleteObject",
    "side-by-side-emr/Pipeline/StateMachine/Role": "elasticmapreduce:CancelSteps",
    "side-by-side-emr/ServiceRole": "kms:CreateGrant",
    "side-by-side-emr/TimeToLive/Role": "cloudformation:DeleteStack",
    "side-by-side-network/Vpc/FlowLog/IAMRole": "logs:PutLogEvents",
    "side-by-side-sagemaker/CustomResources/Role": "sagemaker:ListModels",
    "side-by-side-sagemaker/EndpointRole": "cloudwatch:DescribeAlarms",
    "side-by-side-sagemaker/Jobs/Role": "s3:AbortMultipartUpload",
    "side-by-side-sagemaker/Pipeline/StateMachine/Role": "sagemaker:StopTrainingJob",
}


@pytest.mark.parametrize("path", NEEDED)
def test_an_action_that_is_taken_away_is_found(path: str, difference: Difference) -> None:
    found, gone = difference(without(path, NEEDED[path]))
    assert found
    assert all(finding.startswith(f"{path} lacks {NEEDED[path]} on ") for finding in found)
    assert gone == set()


@pytest.mark.parametrize("path", NEEDED)
def test_an_action_that_nothing_calls_is_found(path: str, difference: Difference) -> None:
    def change(raw: dict[str, dict[str, Any]]) -> None:
        statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
        policies(raw, path)[0]["Statement"].append(statement)

    found, gone = difference(change)
    assert (found, gone) == ({f"{path} may do dynamodb:GetItem on *, which nothing does"}, set())


def test_a_wrong_place_is_found(difference: Difference) -> None:
    path = "side-by-side-sagemaker/Jobs/Role"
    found, _ = difference(replaced(path, "/runs/*/sagemaker/*", "/runs/*/emr/*"))
    assert {finding.split(" on ")[0] for finding in found} == {
        f"{path} lacks s3:{action}" for action in ("AbortMultipartUpload", "GetObject", "PutObject")
    }


def test_volumes_keys_are_granted_without_a_condition_that_sagemaker_may_not_meet(calls: Calls) -> None:
    for role, allowed in roles(calls):
        if calls.users[role.arn] <= {"job", "endpoint"}:
            granting = [statement for statement in allowed if "kms:CreateGrant" in statement.actions]
            assert all(statement.conditions == {} and "key/" in statement.resources[0] for statement in granting)


def test_a_role_that_is_passed_to_another_service_is_found(difference: Difference) -> None:
    path = "side-by-side-data/GenerateMachine/Role"
    found, _ = difference(replaced(path, "sagemaker.amazonaws.com", "lambda.amazonaws.com"))
    lacking, allowed = sorted(found)
    assert lacking.startswith(f"{path} lacks iam:PassRole on ")
    assert "to sagemaker.amazonaws.com" in lacking
    assert allowed.startswith(f"{path} may do iam:PassRole on ")


def test_a_call_that_a_definition_gains_and_one_that_it_loses_are_found(difference: Difference) -> None:
    def change(raw: dict[str, dict[str, Any]]) -> None:
        template = json.dumps(raw["side-by-side-emr"])
        raw["side-by-side-emr"] = json.loads(template.replace("aws-sdk:emr:listSteps", "aws-sdk:emr:listInstances"))

    path = "side-by-side-emr/Pipeline/StateMachine/Role"
    found, gone = difference(change)
    lacking, allowed = sorted(found)
    assert lacking.startswith(f"{path} lacks elasticmapreduce:ListInstances on ")
    assert allowed.startswith(f"{path} may do elasticmapreduce:ListSteps on ")
    assert gone == set()


def test_a_managed_policy_is_refused(difference: Difference) -> None:
    def change(raw: dict[str, dict[str, Any]]) -> None:
        role = next(each for each in raw["side-by-side-emr"]["Resources"].values() if each["Type"] == "AWS::IAM::Role")
        role["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]

    with pytest.raises(ValueError, match="managed policies"):
        difference(change)


# The readers.


def test_calls_are_read_from_functions_and_from_what_they_use(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        'from clients import client\n\ndef pages():\n    return client("emr").get_paginator("list_clusters")\n'
        '\ndef unused():\n    client("emr").terminate_job_flows(JobFlowIds=[])\n'
    )
    (tmp_path / "main.py").write_text(
        "import json\nimport other\nfrom clients import client\nfrom other import unused\n"
        '\ndef begin():\n    client("s3").delete_objects(Bucket="b", Delete={})\n    other.pages()\n    TABLE["a"]()\n'
        '\nTABLE = {"a": lambda: client("emr").get_waiter("cluster_running").wait(ClusterId="j-1")}\n'
        "\ndef end():\n    unused()\n"
    )
    begun = {"elasticmapreduce:DescribeCluster", "elasticmapreduce:ListClusters", "s3:DeleteObject"}
    assert module_actions(tmp_path, "main", ("begin",)) == begun | {"s3:DeleteObjectVersion"}
    assert module_actions(tmp_path, "main", ("end",)) == {"elasticmapreduce:TerminateJobFlows"}


@pytest.mark.parametrize(
    "code",
    [
        'jobs = client("sagemaker")\njobs.list_models()',
        'client("sagemaker").list_nothing()',
        "client(service).list_models()",
        'boto3.client("sagemaker").list_models()',
    ],
)
def test_calls_that_cannot_be_read_are_refused(code: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(code)
    with pytest.raises(CodeError):
        module_actions(tmp_path, "main", ())


def test_an_operation_without_an_action_of_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text('def begin():\n    client("s3").list_objects(Bucket="b")\n')
    with pytest.raises(KeyError, match="listobjects"):
        module_actions(tmp_path, "main", ("begin",))


def test_copies_are_read_from_a_script() -> None:
    script = (
        'target=$1\nbuild=$(mktemp -d)\naws s3 cp --only-show-errors --recursive "$build" "$target"  # aws is here\n'
    )
    assert s3_copies(script, ["s3://bucket/code/1"]) == [("local/*", "s3://bucket/code/1/*")]
    with pytest.raises(CodeError):
        s3_copies("aws s3 sync . s3://bucket/", [])


def test_requests_are_evaluated_with_what_is_known() -> None:
    request = {
        "S3Uri.$": "States.Format('{}logs/', $.raw)",
        "Name.$": "States.Format('it\\'s-{}-{}', $.run_id, States.Format('{}', $$.Execution.Name))",
        "Args.$": "States.Array('a, b', States.Format('--output={}', $.raw))",
        "Nested": [{"Other.$": "$.train.model"}],
    }
    assert evaluated(request, {"$.raw": "s3://bucket/raw/"}) == {
        "S3Uri": "s3://bucket/raw/logs/",
        "Name": "it's-*-*",
        "Args": ["a, b", "--output=s3://bucket/raw/"],
        "Nested": [{"Other": "*"}],
    }


@pytest.mark.parametrize(
    ("one", "other", "within", "common"),
    [
        ("b/runs/*/emr/*", "b/runs/*/emr/model/*", True, True),
        ("b/runs/*/emr/*", "b/runs/*/sagemaker/model/*", False, True),
        ("b/code/*", "b/raw/*", False, False),
        ("b/*", "b/raw/x", True, True),
        ("b/raw/x", "b/*", False, True),
        ("*-a", "*-b", False, False),
        ("b", "b", True, True),
    ],
)
def test_patterns_of_arns(one: str, other: str, within: bool, common: bool) -> None:
    assert (matches(one, other), overlap(one, other)) == (within, common)
