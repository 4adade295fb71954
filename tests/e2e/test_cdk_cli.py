"""A deployment's life with the real CDK CLI: bootstrapped, deployed, changed, destroyed, and one that fails.

The account is moto's (``account.py`` says what it adds). Nothing here proves that AWS would take a property: moto
validates none, and does not make every resource. It proves that the app, the CLI, the assets, the exports between the
stacks, the order of the resources and our handlers fit together. All sides are deployed. The tests of this file follow
one deployment, in the order of the file.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from assembly.template import ACCOUNT, REGION, Assembly
from common.hyperparameters import HYPERPARAMETERS
from sides import SIDES, side_named
from tests.e2e.account import Account, Request, account

# What moto wants of the CLI: it has no change sets that fit, and parameters of its own for a first deployment.
pytestmark = pytest.mark.full

DEPLOY = ("--context=sides=all", "--all", "--method=direct", "--no-previous-parameters", "--require-approval=never")
CHANGES = (
    "--context=sagemaker.endpoint.maximum=6",
    f"--context=hyperparameters.max_depth={HYPERPARAMETERS['max_depth'].default + 1}",
)

DELETABLE = ("--context=data.deletable=true", "--context=@side-by-side/delete-data=true")

NOT_MADE = "(not made)"

# What can be listed in an account, and by which field it is known: (service, operation, list, field, arguments).
LISTED: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", {}),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", {}),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId", {}),
    ("ec2", "describe_subnets", "Subnets", "SubnetId", {}),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", {}),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId", {}),
    ("emr", "list_clusters", "Clusters", "Id", {"ClusterStates": ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]}),
    ("events", "list_rules", "Rules", "Name", {}),
    ("glue", "get_databases", "DatabaseList", "Name", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName", {}),
    ("iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    ("iam", "list_roles", "Roles", "RoleName", {}),
    ("kms", "list_keys", "Keys", "KeyId", {}),
    ("lambda", "list_functions", "Functions", "FunctionName", {}),
    ("lambda", "list_layers", "Layers", "LayerName", {}),
    ("logs", "describe_log_groups", "logGroups", "logGroupName", {}),
    ("s3", "list_buckets", "Buckets", "Name", {}),
    ("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", {}),
    ("sagemaker", "list_endpoints", "Endpoints", "EndpointName", {}),
    ("sagemaker", "list_models", "Models", "ModelName", {}),
    ("scheduler", "list_schedules", "Schedules", "Name", {}),
    ("sns", "list_topics", "Topics", "TopicArn", {}),
    ("sqs", "list_queues", "QueueUrls", "", {}),
    ("stepfunctions", "list_state_machines", "stateMachines", "name", {}),
]


@dataclass(frozen=True)
class Resource:
    """A resource of a template, and what was made of it."""

    stack: str
    logical_id: str
    type: str
    physical_id: str
    definition: Mapping[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.definition.get("Properties", {})
        return properties


@dataclass(frozen=True)
class Deployed:
    """The account after a deployment."""

    account: Account
    assembly: Assembly
    requests: list[Request]
    """What the custom resources' handlers were asked by this deployment."""
    before: set[tuple[str, str]]
    """What the account held before the first deployment."""
    kept: frozenset[str] = frozenset()
    """What the templates say must outlive their stack."""

    def resources(self, resource_type: str = r".+") -> list[Resource]:
        """The resources of a type, which may be a pattern; there must be some."""
        client = self.account.client("cloudformation")
        found = []
        for stack, template in self.assembly.templates.items():
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
            listed = [each for page in pages for each in page["StackResourceSummaries"]]
            physical = {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in listed}
            found += [
                Resource(stack, logical_id, definition["Type"], physical.get(logical_id, NOT_MADE), definition)
                for logical_id, definition in template["Resources"].items()
                if re.fullmatch(resource_type, definition["Type"]) and "Condition" not in definition
            ]
        assert found, resource_type
        return found

    def statuses(self) -> dict[str, str]:
        """Every stack's status, without the deleted ones."""
        stacks = self.account.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in stacks}


def held(opened: Account) -> set[tuple[str, str]]:
    """Everything that can be listed in the account, with the operation that lists it."""
    found: set[tuple[str, str]] = set()
    for service, operation, key, name, arguments in LISTED:
        client = opened.client(service)
        pages = (
            client.get_paginator(operation).paginate(**arguments)
            if client.can_paginate(operation)
            else [getattr(client, operation)(**arguments)]
        )
        for each in (each for page in pages for each in page.get(key, [])):
            # A deleted VPC endpoint is listed for some time, as in AWS.
            if operation != "describe_vpc_endpoints" or each["State"] != "deleted":
                found.add((operation, each[name] if name else each))
    return found


def run(opened: Account, command: str, *arguments: str, **options: Path) -> str:
    """What the CLI prints when it succeeds."""
    result = opened.cdk(command, *arguments, **options)
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


@pytest.fixture(scope="module")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("account")) as opened:
        # In a folder without an app: the account is bootstrapped as it is named.
        run(opened, "bootstrap", f"aws://{ACCOUNT}/{REGION}", cwd=opened.folder)
        yield opened


@pytest.fixture(scope="module")
def deployed(bootstrapped: Account) -> Deployed:
    before = held(bootstrapped)
    folder = bootstrapped.folder / "first"
    run(bootstrapped, "deploy", *DEPLOY, f"--output={folder}")
    return Deployed(bootstrapped, Assembly(folder), bootstrapped.providers.take(), before)


@pytest.fixture(scope="module")
def changed(deployed: Deployed) -> Deployed:
    folder = deployed.account.folder / "second"
    run(deployed.account, "deploy", *DEPLOY, *CHANGES, f"--output={folder}")
    return replace(deployed, assembly=Assembly(folder), requests=deployed.account.providers.take())


@pytest.fixture(scope="module")
def destroyed(changed: Deployed) -> Deployed:
    kept = frozenset(
        each.physical_id for each in changed.resources() if each.definition.get("DeletionPolicy") == "Retain"
    )
    run(changed.account, "destroy", "--all", "--force", f"--app={changed.assembly.folder}")
    return replace(changed, requests=changed.account.providers.take(), kept=kept)


@dataclass(frozen=True)
class Failed:
    """A deployment that failed."""

    account: Account
    folder: Path
    output: str
    requests: list[Request]
    left: set[str]
    """What was not there before it."""


@pytest.fixture(scope="module")
def failed(destroyed: Deployed) -> Failed:
    """An execution that the deployment waits for fails; the data is deletable this time."""
    opened = destroyed.account
    folder = opened.folder / "deletable"
    before = held(opened)
    opened.failing["-publish"] = "the package index is on fire"
    result = opened.cdk("deploy", *DEPLOY, *DELETABLE, f"--output={folder}")
    opened.failing.clear()
    assert result.returncode == 1, result.stdout[-4000:]
    left = {name for _, name in held(opened) - before}
    return Failed(opened, folder, result.stdout, opened.providers.take(), left)


@pytest.fixture(scope="module")
def repeated(failed: Failed) -> Deployed:
    """The failed deployment again, now that it can succeed."""
    run(failed.account, "deploy", *DEPLOY, f"--app={failed.folder}")
    return Deployed(failed.account, Assembly(failed.folder), failed.account.providers.take(), set())


def test_bootstrapped_account_deploys_every_stack(deployed: Deployed) -> None:
    wanted = dict.fromkeys([*deployed.assembly.templates, "CDKToolkit"], "CREATE_COMPLETE")
    assert deployed.statuses() == wanted


def test_every_resource_is_made(deployed: Deployed) -> None:
    assert [each for each in deployed.resources() if each.physical_id == NOT_MADE] == []


def test_assets_arrive_whole(deployed: Deployed) -> None:
    s3 = deployed.account.client("s3")
    assets = [
        (deployed.assembly.folder / asset["source"]["path"], destination)
        for manifest in deployed.assembly.folder.glob("*.assets.json")
        for asset in json.loads(manifest.read_text())["files"].values()
        for destination in asset["destinations"].values()
    ]
    folders = [path for path, _ in assets if path.is_dir()]
    assert len(folders) < len(assets)
    for path, destination in assets:
        bucket = destination["bucketName"].replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
        content = s3.get_object(Bucket=bucket, Key=destination["objectKey"])["Body"].read()
        if path.is_dir():
            files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == files
        else:
            assert content == path.read_bytes()
    assert any((path / "publish.sh").is_file() for path in folders)


def test_stacks_import_what_others_export(deployed: Deployed) -> None:
    exports = deployed.account.client("cloudformation").get_paginator("list_exports").paginate()
    values = {export["Name"]: export["Value"] for page in exports for export in page["Exports"]}
    wanted = re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(deployed.assembly.templates))
    assert wanted
    assert [name for name in wanted if not values.get(name)] == []


def test_buckets_are_encrypted_as_the_template_says(deployed: Deployed) -> None:
    s3 = deployed.account.client("s3")
    keys = {key["KeyId"] for key in deployed.account.client("kms").list_keys()["Keys"]}
    ours = {key.physical_id for key in deployed.resources("AWS::KMS::Key")}
    algorithms = set()
    for bucket in deployed.resources("AWS::S3::Bucket"):
        (rule,) = s3.get_bucket_encryption(Bucket=bucket.physical_id)["ServerSideEncryptionConfiguration"]["Rules"]
        chosen = rule["ApplyServerSideEncryptionByDefault"]
        (wanted,) = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert chosen["SSEAlgorithm"] == wanted["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        algorithms.add(chosen["SSEAlgorithm"])
        if chosen["SSEAlgorithm"] == "aws:kms":
            assert chosen["KMSMasterKeyID"].split("/")[1] in ours & keys
    assert "aws:kms" in algorithms


def test_keys_rotate(deployed: Deployed) -> None:
    kms = deployed.account.client("kms")
    for key in deployed.resources("AWS::KMS::Key"):
        assert kms.get_key_rotation_status(KeyId=key.physical_id)["KeyRotationEnabled"]


def test_log_groups_forget(deployed: Deployed) -> None:
    logs = deployed.account.client("logs")
    for group in deployed.resources("AWS::Logs::LogGroup"):
        listed = logs.describe_log_groups(logGroupNamePrefix=group.physical_id)["logGroups"]
        (found,) = [each for each in listed if each["logGroupName"] == group.physical_id]
        assert found["retentionInDays"] == group.properties["RetentionInDays"]


def test_roles_hold_their_policies(deployed: Deployed) -> None:
    iam = deployed.account.client("iam")
    roles = {(role.stack, role.logical_id): role.physical_id for role in deployed.resources("AWS::IAM::Role")}
    for policy in deployed.resources("AWS::IAM::Policy"):
        for role in policy.properties["Roles"]:
            name = roles[policy.stack, role["Ref"]]
            document = iam.get_role_policy(RoleName=name, PolicyName=policy.properties["PolicyName"])["PolicyDocument"]
            # Every name and import in it was resolved to something.
            assert len(document["Statement"]) == len(policy.properties["PolicyDocument"]["Statement"])
            assert all(each["Resource"] and each["Action"] for each in document["Statement"])


def test_functions_are_what_the_template_says(deployed: Deployed) -> None:
    client = deployed.account.client("lambda")
    roles = {role["Arn"] for page in _pages(deployed, "iam", "list_roles") for role in page["Roles"]}
    for function in deployed.resources("AWS::Lambda::Function"):
        found = client.get_function(FunctionName=function.physical_id)["Configuration"]
        assert (found["Runtime"], found["Handler"]) == (function.properties["Runtime"], function.properties["Handler"])
        assert found["Role"] in roles
        assert found["CodeSize"]


def test_state_machines_have_definitions_and_roles(deployed: Deployed) -> None:
    client = deployed.account.client("stepfunctions")
    roles = {role["Arn"] for page in _pages(deployed, "iam", "list_roles") for role in page["Roles"]}
    for machine in deployed.resources("AWS::StepFunctions::StateMachine"):
        found = client.describe_state_machine(stateMachineArn=machine.physical_id)
        assert found["name"] == machine.properties.get("StateMachineName", found["name"])
        assert found["roleArn"] in roles
        definition = json.loads(found["definition"])
        assert definition["StartAt"] in definition["States"]


def test_security_groups_let_in_what_the_template_says(deployed: Deployed) -> None:
    ec2 = deployed.account.client("ec2")
    groups = {group["GroupId"]: group["IpPermissions"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    ids = {
        (group.stack, group.logical_id): group.physical_id for group in deployed.resources("AWS::EC2::SecurityGroup")
    }
    for rule in deployed.resources("AWS::EC2::SecurityGroupIngress"):
        target, source = (
            ids[rule.stack, rule.properties[name]["Fn::GetAtt"][0]] for name in ("GroupId", "SourceSecurityGroupId")
        )
        assert [
            permission
            for permission in groups[target]
            if permission["IpProtocol"] == rule.properties["IpProtocol"]
            and permission.get("FromPort", -1) == rule.properties.get("FromPort", -1)
            and permission.get("ToPort", -1) == rule.properties.get("ToPort", -1)
            and source in {pair["GroupId"] for pair in permission["UserIdGroupPairs"]}
        ], rule


def test_each_custom_resource_is_created_once_by_our_handlers(deployed: Deployed) -> None:
    wanted = [Request("Create", each.stack, each.logical_id, each.type) for each in deployed.resources("Custom::.+")]
    assert sorted(deployed.requests) == sorted(wanted)


def test_deployment_waits_for_the_first_model(deployed: Deployed) -> None:
    (model,) = deployed.resources("AWS::SageMaker::Model")
    found = deployed.account.client("sagemaker").describe_model(ModelName=model.physical_id.split("/")[1])
    assert found["PrimaryContainer"]["ModelDataUrl"].endswith("/sagemaker/model/model.tar.gz")


def test_deployed_app_does_not_differ(deployed: Deployed) -> None:
    output = run(deployed.account, "diff", "--all", "--method=template", "--fail", f"--app={deployed.assembly.folder}")
    assert "Number of stacks with differences: 0" in output


def test_changed_settings_update_the_sides_only(changed: Deployed) -> None:
    first = Assembly(changed.account.folder / "first").templates
    differing = {stack for stack, template in changed.assembly.templates.items() if template != first[stack]}
    updated = {stack for stack, status in changed.statuses().items() if status == "UPDATE_COMPLETE"}
    assert updated == differing
    assert set(SIDES) <= {side_named(stack) for stack in updated}
    assert not {"network", "data"} & {stack.rsplit("-", 1)[1] for stack in updated}
    assert set(changed.statuses().values()) == {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def test_changed_hyper_parameters_train_again(changed: Deployed) -> None:
    runs = [request for request in changed.requests if request.resource_type == "Custom::Execution"]
    assert {request.kind for request in runs} == {"Update", "Delete"}
    assert {side_named(request.stack) for request in runs} == {"sagemaker"}


def test_destroyed_stacks_are_gone(destroyed: Deployed) -> None:
    assert destroyed.statuses() == {"CDKToolkit": "CREATE_COMPLETE"}


def test_each_custom_resource_is_deleted_once_by_our_handlers(destroyed: Deployed) -> None:
    wanted = [
        Request("Delete", stack, logical_id, definition["Type"])
        for stack, template in destroyed.assembly.templates.items()
        for logical_id, definition in template["Resources"].items()
        if definition["Type"].startswith("Custom::")
    ]
    assert sorted(destroyed.requests) == sorted(wanted)


def test_destroying_leaves_what_is_retained_and_nothing_else(destroyed: Deployed) -> None:
    # moto 5.2.5 deletes no layer version with its stack; the template leaves its deletion to CloudFormation.
    left = {each for each in held(destroyed.account) - destroyed.before if each[0] != "list_layers"}
    assert {name for _, name in left} == destroyed.kept & {name for _, name in left}
    assert {operation for operation, _ in left} == {"list_buckets", "list_keys"}


def test_failed_execution_fails_the_deployment_with_its_cause(failed: Failed) -> None:
    assert "the package index is on fire" in failed.output
    assert "ROLLBACK_COMPLETE" in failed.output


def test_failed_stack_is_rolled_back(failed: Failed) -> None:
    # The execution that failed has no answered Create, but it was started: its handler is told.
    asked = [request for request in failed.requests if request.resource_type == "Custom::Execution"]
    assert [request.kind for request in asked] == ["Delete"]
    assert [name for name in failed.left if f"{asked[0].stack}-" in name] == []
    assert [name for name in failed.left if "-network-" in name]


def test_failed_deployment_can_be_repeated(repeated: Deployed) -> None:
    assert set(repeated.statuses().values()) == {"CREATE_COMPLETE"}
    assert set(repeated.assembly.templates) <= set(repeated.statuses())


def test_deletable_data_goes_with_its_stack(repeated: Deployed) -> None:
    opened = repeated.account
    s3 = opened.client("s3")
    buckets = {bucket.physical_id for bucket in repeated.resources("AWS::S3::Bucket")}
    for bucket in buckets:
        s3.put_object(Bucket=bucket, Key="runs/1/features/part-0.parquet", Body=b"rows")
    run(opened, "destroy", "--all", "--force", f"--app={repeated.assembly.folder}")
    assert not buckets & {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert {request.kind for request in opened.providers.take()} == {"Delete"}


def _pages(deployed: Deployed, service: str, operation: str) -> Any:
    return deployed.account.client(service).get_paginator(operation).paginate()
