"""What the jobs of every role call, derived from what is deployed: templates, definitions, functions' code, scripts.

Nothing here looks at the code that writes the policies. A call is an IAM action and, where it can be told, the ARN
that it is made on, with ``*`` for the parts that are known at run time only. What AWS needs without any code of ours
showing it is in tables, by feature, each with its source. All sources were read on 2026-11-22; those marked "archived"
are AWS's own copies of June 2023 on GitHub (awsdocs), "SAR" is the Service Authorization Reference.
"""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assembly.template import ACCOUNT, REGION, Assembly
from sides import SERVICES
from stacks.shared.layout import RECORD_STATE
from tests.stacks.reference import ANYTHING, below, matches, named, overlap, resource_kinds, works_on
from tests.stacks.source_code import (
    client_actions,
    module_actions,
    operation_actions,
    published_options,
    resource_modules,
    s3_copies,
)

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"

# The templates.

_ARNS = {
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
}


def stack_id(stack: str) -> str:
    """A stack's ARN."""
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/id"


@dataclass(frozen=True)
class Resource:
    """A resource of a template, its properties resolved."""

    stack: str
    kind: str
    name: str
    path: str
    properties: dict[str, Any]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return _ARNS[self.kind].format(self.name)


class Templates(Assembly):
    """The templates of all stacks with their references resolved.

    A resource without a name of its own is called ``<stack>.<logical id>``, so each name stands for one resource.
    """

    def __init__(self, templates: Mapping[str, dict[str, Any]], folder: Path) -> None:
        """``folder`` is the cloud assembly's; the templates are its own, or changed ones."""
        super().__init__(folder)
        self.templates = dict(templates)
        self.all_resources = [
            Resource(
                stack,
                resource["Type"],
                self._name(stack, logical_id),
                resource.get("Metadata", {}).get("aws:cdk:path", f"{stack}/{logical_id}").removesuffix("/Resource"),
                self.properties(stack, logical_id),
            )
            for stack, template in templates.items()
            for logical_id, resource in template["Resources"].items()
        ]

    def of(self, kind: str, stack: str | None = None) -> list[Resource]:
        """All resources of a kind, or those of a stack."""
        return [each for each in self.all_resources if each.kind == kind and stack in (None, each.stack)]

    def find(self, kind: str, name: str) -> Resource:
        """The resource of a kind and name."""
        (found,) = [each for each in self.of(kind) if each.name == name]
        return found

    def by_arn(self, kind: str, arn: str) -> Resource:
        """The resource of a kind and ARN."""
        (found,) = [each for each in self.of(kind) if each.arn == arn]
        return found

    def output(self, name: str) -> str:
        """The value of the only output of this name."""
        (value,) = [
            self.resolve(stack, template["Outputs"][name]["Value"])
            for stack, template in self.templates.items()
            if name in template.get("Outputs", {})
        ]
        return str(value)

    def _ref(self, stack: str, name: str) -> Any:
        return stack_id(stack) if name == "AWS::StackId" else super()._ref(stack, name)

    def _attribute(self, stack: str, logical_id: str, attribute: str) -> str:
        name = self._name(stack, logical_id)
        if attribute == "Arn" and self._type(stack, logical_id) in _ARNS:
            return self._arn(stack, logical_id)
        return name if attribute == "Name" else f"{name}.{attribute}"

    def _arn(self, stack: str, logical_id: str) -> str:
        return _ARNS[self._type(stack, logical_id)].format(self._name(stack, logical_id))

    def _name(self, stack: str, logical_id: str) -> str:
        resource = self.templates[stack]["Resources"][logical_id]
        given = resource.get("Properties", {}).get(f"{resource['Type'].split('::')[-1]}Name")
        return f"{stack}.{logical_id}" if given is None else str(self.resolve(stack, given))


# What the policies allow.


@dataclass(frozen=True)
class Statement:
    """A statement of a role's policy that allows something."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: dict[str, Any] = field(default_factory=dict)

    @property
    def passed_to(self) -> str:
        """The one service that the statement's condition lets a role be passed to, or nothing."""
        found = self.conditions.get("StringEquals", {}).get("iam:PassedToService", "")
        return found if isinstance(found, str) else ""


def statements(templates: Templates, role: Resource) -> list[Statement]:
    """All that a role's policies allow. ValueError about what this cannot judge, and so must not be there."""
    if role.properties.get("ManagedPolicyArns"):
        raise ValueError(f"{role.path}: managed policies {role.properties['ManagedPolicyArns']}")
    policies = [policy["PolicyDocument"] for policy in role.properties.get("Policies", [])]
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        if templates.of(kind):
            raise ValueError(f"{templates.of(kind)[0].path}: a {kind}")
    policies += [
        policy.properties["PolicyDocument"]
        for policy in templates.of("AWS::IAM::Policy")
        if role.name in policy.properties["Roles"]
    ]
    found = []
    for statement in (statement for policy in policies for statement in policy["Statement"]):
        if statement["Effect"] != "Allow" or not {"Action", "Resource"} <= statement.keys():
            raise ValueError(f"{role.path}: {statement}")
        found.append(
            Statement(
                tuple(_listed(statement["Action"])),
                tuple(_listed(statement["Resource"])),
                statement.get("Condition", {}),
            )
        )
    return found


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


# State machines.


def tasks(states: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every Task state, those in branches and in maps included."""
    for state in states.values():
        if state["Type"] == "Task":
            yield state
        for nested in [
            *state.get("Branches", []),
            *[state[key] for key in ("ItemProcessor", "Iterator") if key in state],
        ]:
            yield from tasks(nested["States"])


_TOKEN = re.compile(r"\s*(States\.\w+\(|'(?:[^'\\]|\\.)*'|\$[^\s,()]*|-?[\d.]+|[(),])")


def evaluated(value: Any, paths: Mapping[str, str]) -> Any:
    """A request as it is sent: ``paths`` are known values of the state's input, any other is ``*``."""
    if isinstance(value, list):
        return [evaluated(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    request = {}
    for key, item in value.items():
        if key.endswith(".$"):
            texts = _evaluate(_TOKEN.findall(item), paths)
            request[key[:-2]] = texts if item.startswith("States.Array(") else texts[0]
        else:
            request[key] = evaluated(item, paths)
    return request


def _evaluate(tokens: list[str], paths: Mapping[str, str]) -> list[str]:
    """The texts that an expression of Step Functions gives; takes its tokens off the list."""
    token = tokens.pop(0)
    if token.startswith("'"):
        return [re.sub(r"\\(.)", r"\1", token[1:-1])]
    if not token.startswith("States."):
        return [paths.get(token, "*") if token.startswith("$") else token]
    arguments: list[str] = []
    while tokens[0] != ")":
        if tokens[0] == ",":
            tokens.pop(0)
        else:
            arguments += _evaluate(tokens, paths)
    tokens.pop(0)
    if token == "States.Format(":
        text, *values = arguments
        for each in values:
            text = text.replace("{}", each, 1)
        return [text]
    return arguments if token == "States.Array(" else ["*"]


# Optimised integrations: what Step Functions calls, and the rule by which a .sync call learns of its job's end.
# Sources: docs.aws.amazon.com/step-functions/latest/dg: sagemaker-iam, emr-iam, codebuild-iam, stepfunctions-iam
# (archived); the Processing rule's name is as community code has it, AWS shows none.
_INTEGRATIONS: dict[str, tuple[list[str], str | None]] = {
    "codebuild:startBuild.sync": (
        named("codebuild", "StartBuild StopBuild BatchGetBuilds"),
        "StepFunctionsGetEventForCodeBuildStartBuildRule",
    ),
    "elasticmapreduce:addStep.sync": (
        named("elasticmapreduce", "AddJobFlowSteps DescribeStep CancelSteps"),
        "StepFunctionsGetEventForEMRAddJobFlowStepsRule",
    ),
    # step-functions/latest/dg/connect-emr-serverless.html (as quoted 2026-11-28).
    "emr-serverless:startJobRun.sync": (
        named("emr-serverless", "StartJobRun GetJobRun CancelJobRun"),
        "StepFunctionsGetEventsForEMRServerlessJobRule",
    ),
    "lambda:invoke": (named("lambda", "InvokeFunction"), None),
    "sagemaker:createModel": (named("sagemaker", "CreateModel"), None),
    **{
        f"sagemaker:create{job}.sync": (
            named("sagemaker", f"Create{job} Describe{job} Stop{job}"),
            f"StepFunctionsGetEventsForSageMaker{job}sRule",
        )
        for job in ("ProcessingJob", "TransformJob")
    },
    "states:startExecution.sync:2": (
        named("states", "StartExecution DescribeExecution StopExecution"),
        "StepFunctionsGetEventsForStepFunctionsExecutionRule",
    ),
}
# EMR makes it with the first cluster of an account, as the one who starts that
# (emr/latest/ManagementGuide/using-service-linked-roles-cleanup.html, archived).
_EMR_CLEANUP = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup"
)
_RULE_ACTIONS = named("events", "PutTargets PutRule DescribeRule")

# Fields of requests that name a role, and who receives it (SAR, operations of SageMaker and EMR: iam:PassedToService).
_ROLE_FIELDS = {
    "RoleArn": "sagemaker.amazonaws.com",
    "ExecutionRoleArn": "sagemaker.amazonaws.com",
    "ServiceRole": "elasticmapreduce.amazonaws.com",
    "JobFlowRole": "ec2.amazonaws.com",
}

# What starts a job run must be allowed to use the keys that its request names
# (emr/latest/EMR-Serverless-UserGuide/disk-encryption-cmk.html, as quoted 2026-11-28).
_SUBMITTER_KEY = named("kms", "Decrypt DescribeKey GenerateDataKey")

_SAGEMAKER_NAMES = {
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "TransformJobName": "transform-job",
    "ModelName": "model",
}

# docs.aws.amazon.com/step-functions/latest/dg: cw-logs.html, xray-iam.html (archived).
_MACHINE_LOG = named(
    "logs",
    "CreateLogDelivery DeleteLogDelivery DescribeLogGroups DescribeResourcePolicies GetLogDelivery ListLogDeliveries "
    "PutResourcePolicy UpdateLogDelivery",
)
_MACHINE_TRACE = named("xray", "PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets")
# The provider framework's own machine may also write to streams, which nobody can change
# (aws-cdk-lib 2.275.0, custom-resources/lib/provider-framework/waiter-state-machine.js).
_WAITER_LOG = [*_MACHINE_LOG, *named("logs", "CreateLogStream PutLogEvents")]


# SageMaker: what every job, model and endpoint needs of its role, and what fields of its request add
# (docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, archived: the sections about CreateProcessingJob,
# CreateTrainingJob and CreateModel).
_CONTAINER = [
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    *named("logs", "CreateLogStream DescribeLogStreams PutLogEvents"),
]
# Jobs share a group, which is there once the first of the account has run; an endpoint's own is in the template.
_JOB_LOG = named("logs", "CreateLogGroup")
_IMAGE = named("ecr", "BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage")
_MAKE_INTERFACES = named(
    "ec2",
    "CreateNetworkInterface CreateNetworkInterfacePermission DeleteNetworkInterface DeleteNetworkInterfacePermission",
)
_NETWORK = [
    *_MAKE_INTERFACES,
    *named("ec2", "DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeVpcs"),
]
# sagemaker/latest/dg/host-vpc.html (archived): "you must add" this one too for models in a VPC behind an endpoint;
# batch-vpc.html (archived) does not have it.
_HOSTED_NETWORK = ["ec2:DescribeVpcEndpoints"]
# sagemaker/latest/dg/deployment-guardrails-configuration.html (archived).
_ROLLBACK = ["cloudwatch:DescribeAlarms"]
# An output's key (sagemaker-roles.html), beside what S3 asks for.
_OUTPUT_KEY = ["kms:Encrypt"]
# A storage volume's key: sagemaker-roles.html for jobs; for an endpoint the role that its model names
# (API_CreateEndpointConfig, KmsKeyId; API_DeleteEndpoint: SageMaker retires the grants).
_VOLUME_KEY = ["kms:CreateGrant", "kms:DescribeKey"]

# S3 with our key (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: uploads in parts decrypt).
_OBJECT_KEYS = {
    "s3:GetObject": ["kms:Decrypt"],
    "s3:GetObjectVersion": ["kms:Decrypt"],
    "s3:PutObject": ["kms:GenerateDataKey", "kms:Decrypt"],
}

# EMR's service role: what AWS's own policy for it has for what each cluster of ours does. AWS documents most features
# by that policy's statements only (AmazonEMRServicePolicy_v2, version 6; emr/latest/ManagementGuide/emr-iam-role.html).
EMR_CLUSTER = [
    # instances in our subnets
    *named("ec2", "RunInstances ModifyInstanceAttribute TerminateInstances"),
    # the interface by which EMR reaches nodes in a private subnet (emr-man-sec-groups.html)
    *named("ec2", "CreateNetworkInterface DeleteNetworkInterface"),
    # the cluster's tags on what EMR makes for it (emr-managed-iam-policies.html)
    *named("ec2", "CreateTags DeleteTags"),
    # rules that EMR misses in the groups that it is given (emr-man-sec-groups.html)
    *named("ec2", "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress"),
    *named("ec2", "RevokeSecurityGroupEgress RevokeSecurityGroupIngress"),
    # a look at the account, the network, the image, the instances and their volumes
    *named("ec2", "DescribeAccountAttributes DescribeDhcpOptions DescribeNetworkAcls DescribeNetworkInterfaces"),
    *named("ec2", "DescribeRouteTables DescribeSecurityGroups DescribeSubnets"),
    *named("ec2", "DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs"),
    *named(
        "ec2", "DescribeImages DescribeInstances DescribeInstanceTypeOfferings DescribeVolumes DescribeVolumeStatus"
    ),
    # what EMR may look at, whatever the cluster holds: a description that it is refused could end the cluster
    *named("ec2", "DescribeCapacityReservations DescribeLaunchTemplates DescribePlacementGroups"),
]
# Additional for fleets with an allocation strategy (emr-instance-fleet.html, "Required IAM permissions to use an
# allocation strategy", archived).
EMR_ALLOCATION_STRATEGY = named(
    "ec2",
    "CreateFleet CreateLaunchTemplate CreateLaunchTemplateVersion DeleteLaunchTemplate",
)
# What AWS's policy allows and no cluster of ours needs, by the reason.
EMR_LEFT_OUT = {
    "the groups are ours": named("ec2", "CreateSecurityGroup"),
    "one primary node takes no placement group (emr-plan-ha-placementgroup.html, archived)": named(
        "ec2", "CreatePlacementGroup DeletePlacementGroup"
    ),
    "no capacity reservation is asked for (emr-instance-fleet.html, archived)": [
        "resource-groups:ListGroupResources",
    ],
    "EMR's own endpoint, emr-service-vpce, is of releases 8 and later (emr-man-sec-groups.html)": named(
        "ec2", "CreateVpcEndpoint ModifyVpcEndpoint"
    ),
    "managed scaling does without (emr-iam-role-automatic-scaling.html, archived)": [
        *named("application-autoscaling", "DeleteScalingPolicy DeregisterScalableTarget DescribeScalableTargets"),
        *named("application-autoscaling", "DescribeScalingPolicies PutScalingPolicy RegisterScalableTarget"),
        *named("cloudwatch", "DeleteAlarms DescribeAlarms PutMetricAlarm"),
    ],
}
# A role that is a "key user" (emr-encryption-enable.html, archived; the KMS Developer Guide's key-policies says what a
# key user may do). EMR takes symmetric keys only, so no key pairs.
_KEY_USER = named(
    "kms",
    "Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo",
)
# EMR's nodes read and write by S3A (Hadoop, hadoop-aws/assumed_roles.md: permissions, and its example of a folder that
# is written to; emr-iam-role-for-ec2.html, archived, has them too). On the folder's objects, and on the bucket.
_S3A_READ = (named("s3", "GetObject"), named("s3", "ListBucket"))
_S3A_WRITE = (
    named("s3", "GetObject PutObject DeleteObject AbortMultipartUpload ListMultipartUploadParts"),
    named("s3", "ListBucket ListBucketMultipartUploads"),
)
# A shell on a node (docs.aws.amazon.com/systems-manager: getting-started-create-iam-instance-profile.html).
_SESSION_MANAGER = [
    "ssm:UpdateInstanceInformation",
    *named("ssmmessages", "CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel"),
]
# The CDK's role for flow logs (aws-cdk-lib 2.275.0, aws-ec2/lib/vpc-flow-logs.js); the VPC User Guide's
# flow-logs-iam-role.html has two more, for a group that is not there yet.
_FLOW_LOG = named("logs", "CreateLogStream DescribeLogStreams PutLogEvents")

# Actions on * that do have resource-level permissions, by the kind of user, each with why it is asked for like this.
_SAGEMAKER_ANYWHERE = dict.fromkeys(
    _MAKE_INTERFACES, "SageMaker takes no resources or conditions here (sagemaker-roles.html)"
)
WITHOUT_RESOURCE = {
    "EMR": {"ec2:DescribeVpcAttribute": "AWS's own policy has it so (AmazonEMRServicePolicy_v2)"},
    "job": _SAGEMAKER_ANYWHERE,
    "endpoint": _SAGEMAKER_ANYWHERE,
    "machine": {
        "logs:CreateLogStream": "the provider framework's own machine (waiter-state-machine.js)",
        "logs:PutLogEvents": "the same",
        "sagemaker:ListTags": "Step Functions' look at tags (sagemaker-iam.html)",
    },
    "nodes": {"ssm:UpdateInstanceInformation": "the agent's policy (getting-started-create-iam-instance-profile.html)"},
}


@dataclass(frozen=True)
class Call:
    """A call that a role needs: an IAM action, why, the ARN's pattern; of PassRole who receives the role."""

    action: str
    why: str
    resource: str = ANYTHING
    receiver: str = ""


class Calls:
    """The calls of every role, by the role's ARN; who uses the role, keys of ``TRUSTED``.

    And the tags by which permissions tell what gets its id at run time: of clusters, of applications and job runs.
    """

    def __init__(self, templates: Templates, *, session_manager: bool) -> None:
        """Whether somebody may open a shell on a node is the one thing that no template shows."""
        self.templates = templates
        self.by_role: dict[str, set[Call]] = defaultdict(set)
        self.users: dict[str, set[str]] = defaultdict(set)
        self.cluster_tags: list[dict[str, str]] = []
        self.application_tags: list[dict[str, str]] = []
        self._session_manager = session_manager
        self._raw = templates.output("Raw")
        self._keys = {bucket.name: _bucket_key(bucket) for bucket in templates.of("AWS::S3::Bucket")}
        of: dict[str, Callable[[Resource], None]] = {
            "AWS::CodeBuild::Project": self._project,
            "AWS::EC2::FlowLog": self._flow_log,
            "AWS::EMRServerless::Application": self._application,
            "AWS::EMR::Cluster": lambda cluster: self._cluster(cluster.properties, cluster.path),
            "AWS::Lambda::Function": self._function,
            "AWS::SageMaker::Model": self._endpoint_model,
            "AWS::Scheduler::Schedule": self._schedule,
            "AWS::StepFunctions::StateMachine": self._machine,
        }
        for resource in templates.all_resources:
            if resource.kind in of:
                of[resource.kind](resource)

    def _add(self, role: str, user: str, why: str, actions: Sequence[str], resource: str = ANYTHING) -> None:
        self.users[role].add(user)
        self.by_role[role] |= {Call(action, why, resource) for action in actions}

    def _pass(self, role: str, why: str, passed: str, receiver: str) -> None:
        self.by_role[role].add(Call("iam:PassRole", why, passed, receiver))

    def _objects(self, role: str, user: str, why: str, actions: Sequence[str], location: str) -> None:
        """Actions on the objects at an S3 location, and what they do with the bucket's key."""
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._add(role, user, why, actions, f"arn:aws:s3:::{bucket}/{key}")
        for action in actions:
            if self._keys.get(bucket) is not None:
                self._add(role, user, f"{why}, the bucket's key", _OBJECT_KEYS.get(action, []), str(self._keys[bucket]))

    def _bucket(self, role: str, user: str, why: str, actions: Sequence[str], location: str) -> None:
        """Actions on the bucket of an S3 location."""
        self._add(role, user, why, actions, f"arn:aws:s3:::{location.removeprefix('s3://').split('/')[0]}")

    # State machines, and what they start.

    def _machine(self, machine: Resource) -> None:
        role, definition = machine.properties["RoleArn"], json.loads(machine.properties["DefinitionString"])
        if machine.properties.get("LoggingConfiguration", {}).get("Level", "OFF") != "OFF":
            waits = any(task["Resource"].split(":")[2] == "lambda" for task in tasks(definition["States"]))
            self._add(role, "machine", "its log", _WAITER_LOG if waits else _MACHINE_LOG)
        if machine.properties.get("TracingConfiguration", {}).get("Enabled"):
            self._add(role, "machine", "its traces", _MACHINE_TRACE)
        paths = self._paths(definition)
        models: dict[str, str] = {}
        for task in tasks(definition["States"]):
            request = evaluated(task.get("Parameters", {}), paths)
            integration = task["Resource"].partition(":states:::")[2]
            if task["Resource"].split(":")[2] == "lambda":
                self._invoke(role, "machine", task["Resource"])
            elif integration.startswith("aws-sdk:"):
                actions = _sdk_actions(integration)
                target = _target(integration.split(":")[1], request, actions[0])
                self._add(role, "machine", integration, actions, target)
                if integration == "aws-sdk:emr:runJobFlow":
                    # SAR, operations of EMR: RunJobFlow asks for AddTags and PassRole besides, and for no policy's own
                    # action; a new cluster has no ARN.
                    self._add(role, "machine", f"{integration}'s tags", ["elasticmapreduce:AddTags"])
                    self._add(role, "machine", integration, ["iam:CreateServiceLinkedRole"], _EMR_CLEANUP)
                    self._roles(role, integration, request)
                    self._cluster(request, f"{machine.path}, {integration}")
                if integration == "aws-sdk:sagemaker:createTrainingJob":
                    # SAR, operations of SageMaker: CreateTrainingJob asks for AddTags and PassRole besides.
                    self._add(role, "machine", f"{integration}'s tags", ["sagemaker:AddTags"], target)
                    self._roles(role, integration, request)
                    self._sagemaker(request["RoleArn"], "job", f"{machine.path}, {integration}", request)
            else:
                self._integration(role, integration, request)
                self._started(machine, integration, request, models)

    def _paths(self, definition: Mapping[str, Any]) -> dict[str, str]:
        """What is known of an execution's state: the raw data's place, and where a trained model lies."""
        paths = {"$.raw": self._raw}
        states = definition["States"]
        for state in states.values():
            for name, selected in (state.get("Parameters", {}) if state["Type"] == "Pass" else {}).items():
                if str(selected).endswith(".job.ModelArtifacts.S3ModelArtifacts"):
                    trained = states[selected.split(".")[1]]["Parameters"]
                    output = evaluated(trained, paths)["OutputDataConfig"]["S3OutputPath"]
                    paths[f"{state['ResultPath']}.{name.removesuffix('.$')}"] = f"{output}*"
        return paths

    def _integration(self, role: str, integration: str, request: Mapping[str, Any]) -> None:
        """What Step Functions itself calls for a state."""
        actions, rule = _INTEGRATIONS[integration]
        service = integration.split(":")[0]
        for action in actions:
            self._add(role, "machine", integration, [action], _target(service, request, action))
        if rule is not None:
            arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"
            self._add(role, "machine", f"{integration}'s end", _RULE_ACTIONS, arn)
        if "Tags" in request:
            # SAR: of EMR Serverless it is another, on what is made.
            tagging = "emr-serverless:TagResource" if service == "emr-serverless" else f"{service}:AddTags"
            self._add(role, "machine", f"{integration}'s tags", [tagging], _target(service, request, tagging))
            if service == "emr-serverless":  # on which of the two is not documented
                self._add(role, "machine", f"{integration}'s tags", [tagging], _target(service, request))
        if service == "emr-serverless":
            for key in {value for path, value in _leaves(request) if path.endswith("EncryptionKeyArn")}:
                self._add(role, "machine", f"{integration}'s key", _SUBMITTER_KEY, key)
        if service == "sagemaker":
            self._add(role, "machine", "Step Functions' look at tags", ["sagemaker:ListTags"])
        self._roles(role, integration, request)

    def _roles(self, role: str, integration: str, request: Mapping[str, Any]) -> None:
        """The roles that a request hands over."""
        for name, receiver in _ROLE_FIELDS.items():
            if name in request:
                to = TRUSTED["job run"] if integration.startswith("emr-serverless:") else receiver
                self._pass(role, f"{integration}, {name}", self._role(name, request[name]), to)

    def _role(self, name: str, given: str) -> str:
        """The ARN of the role that a field names."""
        if name != "JobFlowRole":
            return given
        (role,) = self.templates.find("AWS::IAM::InstanceProfile", given).properties["Roles"]
        return self.templates.find("AWS::IAM::Role", role).arn

    def _started(self, machine: Resource, integration: str, request: dict[str, Any], models: dict[str, str]) -> None:
        """What runs because of a state, with a role of its own."""
        why = f"{machine.path}, {integration}"
        match integration.split(":")[0], integration.split(":")[1].split(".")[0]:
            case "sagemaker", "createTransformJob":
                self._sagemaker(models[request["ModelName"]], "job", why, request)
            case "sagemaker", "createModel":
                models[request["ModelName"]] = request["ExecutionRoleArn"]
                self._sagemaker(request["ExecutionRoleArn"], "job", why, request)
            case "sagemaker", _:
                self._sagemaker(request["RoleArn"], "job", why, request)
            case "elasticmapreduce", "addStep":
                for definition in self._clusters(machine):
                    nodes = self._role("JobFlowRole", definition["JobFlowRole"])
                    self._spark(nodes, "nodes", why, request["Step"]["HadoopJarStep"]["Args"])
            case "emr-serverless", "startJobRun":
                self._job_run(why, request)

    # SageMaker.

    def _sagemaker(self, role: str, user: str, why: str, request: Mapping[str, Any]) -> None:
        """What a job or model needs of its role, from the fields of its request."""
        self._add(role, user, why, _CONTAINER if user == "endpoint" else [*_CONTAINER, *_JOB_LOG])
        for path, value in _leaves(request):
            where = f"{why}, {path}"
            if re.search(r"\b(S3Input|S3DataSource)\.S3Uri$", path):
                self._objects(role, user, where, ["s3:GetObject"], below(value))
                self._bucket(role, user, where, ["s3:ListBucket"], value)
            elif re.search(r"\bS3Output\.S3Uri$|\bS3OutputPath$", path):
                self._objects(role, user, where, ["s3:PutObject", "s3:AbortMultipartUpload"], below(value))
            elif path.endswith("ModelDataUrl"):
                self._objects(role, user, where, ["s3:GetObject"], value)
            elif re.search(r"\b(ImageUri|TrainingImage|Image)$", path):
                account, repository = value.split(".")[0], value.partition("/")[2].split(":")[0]
                self._add(role, user, where, _IMAGE, f"arn:aws:ecr:{REGION}:{account}:repository/{repository}")
            elif path.endswith("VolumeKmsKeyId"):
                self._add(role, user, where, _VOLUME_KEY, value)
            elif path.endswith("KmsKeyId"):
                self._add(role, user, where, [*_OUTPUT_KEY, *_OBJECT_KEYS["s3:PutObject"]], value)
            elif "VpcConfig." in path:
                self._add(role, user, f"{why}, VpcConfig", _NETWORK)
            elif str(value).startswith("s3://"):
                raise ValueError(f"{where}: what is done with {value}?")
        application = request.get("AppSpecification", {})
        if any(each.endswith("/spark/submit.py") for each in application.get("ContainerEntrypoint", [])):
            self._spark(role, user, why, application["ContainerArguments"])

    def _endpoint_model(self, model: Resource) -> None:
        """A model that an endpoint serves."""
        role = model.properties["ExecutionRoleArn"]
        container = model.properties["PrimaryContainer"]
        location = self._attribute(container["ModelDataUrl"])
        properties = {**model.properties, "PrimaryContainer": {**container, "ModelDataUrl": location}}
        self._sagemaker(role, "endpoint", model.path, properties)
        for config in self.templates.of("AWS::SageMaker::EndpointConfig"):
            if f"{model.name}.ModelName" in [each["ModelName"] for each in config.properties["ProductionVariants"]]:
                self._endpoint(role, config, in_network="VpcConfig" in model.properties)

    def _endpoint(self, role: str, config: Resource, *, in_network: bool) -> None:
        if in_network:
            self._add(role, "endpoint", f"{config.path}, hosting in a VPC", _HOSTED_NETWORK)
        if "KmsKeyId" in config.properties:
            self._add(role, "endpoint", f"{config.path}, KmsKeyId", _VOLUME_KEY, config.properties["KmsKeyId"])
        capture = config.properties.get("DataCaptureConfig")
        if capture is not None and capture["EnableCapture"]:
            self._objects(role, "endpoint", "capture", ["s3:PutObject"], below(capture["DestinationS3Uri"]))
            self._add(role, "endpoint", "capture, KmsKeyId", _OBJECT_KEYS["s3:PutObject"], capture["KmsKeyId"])
        for endpoint in self.templates.of("AWS::SageMaker::Endpoint"):
            if endpoint.properties["EndpointConfigName"] == f"{config.name}.EndpointConfigName":
                rollback = endpoint.properties.get("DeploymentConfig", {}).get("AutoRollbackConfiguration")
                self._add(role, "endpoint", f"{endpoint.path}, rollback", _ROLLBACK if rollback else [])

    def _attribute(self, value: str) -> str:
        """An attribute of a Custom::Execution, from the end of its machine; every other value as it is."""
        name, _, attribute = value.rpartition(".")
        if name not in [each.name for each in self.templates.of("Custom::Execution")]:
            return value
        machine = self.templates.find("Custom::Execution", name).properties["StateMachineArn"]
        found = self.templates.by_arn("AWS::StepFunctions::StateMachine", machine)
        definition = json.loads(found.properties["DefinitionString"])
        (end,) = [
            state
            for state in definition["States"].values()
            if state.get("End") and f"{attribute}.$" in state.get("Parameters", {})
        ]
        return str(evaluated(end["Parameters"], self._paths(definition))[attribute])

    # EMR.

    def _clusters(self, machine: Resource) -> list[dict[str, Any]]:
        """The definitions of the clusters that a machine's steps run on: its stack's, and those that it starts."""
        definition = json.loads(machine.properties["DefinitionString"])
        return [each.properties for each in self.templates.of("AWS::EMR::Cluster", machine.stack)] + [
            evaluated(task["Parameters"], {})
            for task in tasks(definition["States"])
            if task["Resource"].endswith("aws-sdk:emr:runJobFlow")
        ]

    def _cluster(self, definition: Mapping[str, Any], why: str) -> None:
        """What EMR and the nodes need for a cluster, whoever starts it: both definitions have the same fields."""
        service, nodes = definition["ServiceRole"], self._role("JobFlowRole", definition["JobFlowRole"])
        self.cluster_tags.append({tag["Key"]: tag["Value"] for tag in definition["Tags"]})
        self._add(service, "EMR", why, EMR_CLUSTER)
        if "AllocationStrategy" in json.dumps(definition["Instances"]):
            self._add(service, "EMR", f"{why}, AllocationStrategy", EMR_ALLOCATION_STRATEGY)
        self._pass(service, f"{why}, JobFlowRole", nodes, "ec2.amazonaws.com")
        self._encryption(definition, service, nodes)
        self._objects(nodes, "nodes", f"{why}, LogUri", ["s3:PutObject"], below(definition["LogUri"]))
        for action in definition["BootstrapActions"]:
            script = action["ScriptBootstrapAction"]
            self._objects(nodes, "nodes", f"{why}, bootstrap", ["s3:GetObject"], script["Path"])
            text = (WORKLOADS / script["Path"].partition("/workloads/")[2]).read_text()
            for source, _local in s3_copies(text, script["Args"]):
                self._objects(nodes, "nodes", "bootstrap's aws s3 cp", ["s3:GetObject"], source)
                self._bucket(nodes, "nodes", "bootstrap's aws s3 cp", ["s3:ListBucket"], source)
        if self._session_manager:
            self._add(nodes, "nodes", "a shell by Session Manager", _SESSION_MANAGER)

    def _encryption(self, definition: Mapping[str, Any], service: str, nodes: str) -> None:
        """Who uses which key: S3, disks and volumes (the security configuration), logs."""
        found = self.templates.find("AWS::EMR::SecurityConfiguration", definition["SecurityConfiguration"])
        encryption = found.properties["SecurityConfiguration"]["EncryptionConfiguration"]
        certificates = encryption["InTransitEncryptionConfiguration"]["TLSCertificateConfiguration"]
        if certificates["CertificateProviderType"] == "PEM":
            # "downloads artifacts to each node" (emr-encryption-enable.html, archived)
            self._objects(nodes, "nodes", f"{found.path}, certificates", ["s3:GetObject"], certificates["S3Object"])
        rest = encryption["AtRestEncryptionConfiguration"]
        disks = rest["LocalDiskEncryptionConfiguration"]
        for name, used in (("S3", rest["S3EncryptionConfiguration"]), ("disks", disks)):
            self._add(nodes, "nodes", f"{found.path}, {name}", _KEY_USER, used["AwsKmsKey"])
        if disks["EnableEbsEncryption"]:
            actions = [*_KEY_USER, "kms:CreateGrant"]
            self._add(service, "EMR", f"{found.path}, EnableEbsEncryption", actions, disks["AwsKmsKey"])
        # emr-plan-debugging.html (archived)
        for role, user, action in ((nodes, "nodes", "kms:GenerateDataKey"), (service, "EMR", "kms:DescribeKey")):
            self._add(role, user, "LogEncryptionKmsKeyId", [action], definition["LogEncryptionKmsKeyId"])

    def _spark(self, role: str, user: str, why: str, arguments: Sequence[str]) -> None:
        """What a Spark job reads and writes: the S3 locations among spark-submit's arguments."""
        (script,) = [
            argument for argument in arguments if re.match(r"(s3://.*/workloads|/.*/code)/spark/\w+\.py$", argument)
        ]
        written = published_options(Path(script).stem)
        for argument in arguments:
            name, _, location = argument.removeprefix("--").rpartition("=")
            if not location.startswith("s3://"):
                continue
            on_objects, on_bucket = _S3A_WRITE if name in written else _S3A_READ
            whole = location if re.search(r"\.(py|zip)$", location) else below(location)
            self._objects(role, user, f"{why} {name}", on_objects, whole)
            self._bucket(role, user, f"{why} {name}", on_bucket, location)

    # EMR Serverless.

    def _job_run(self, why: str, request: Mapping[str, Any]) -> None:
        """What a job run's role needs: code and packages, the data, and the logs of its workers."""
        role, driver = request["ExecutionRoleArn"], request["JobDriver"]["SparkSubmit"]
        self.application_tags.append(request["Tags"])
        parameters = [word.partition("#")[0] for word in driver["SparkSubmitParameters"].split()]
        self._spark(role, "job run", why, [*parameters, driver["EntryPoint"], *driver["EntryPointArguments"]])
        for path, value in _leaves(request["ConfigurationOverrides"]):
            if path.endswith("LogUri"):
                self._objects(role, "job run", f"{why}, LogUri", ["s3:PutObject"], below(value))

    def _application(self, application: Resource) -> None:
        """An application does nothing by itself; it has tags."""
        self.application_tags.append({tag["Key"]: tag["Value"] for tag in application.properties["Tags"]})

    # Functions, builds, schedules, flow logs.

    def _function(self, function: Resource) -> None:
        role, folder = function.properties["Role"], self.templates.asset(function.properties["Code"]["S3Key"])
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{function.properties['LoggingConfig']['LogGroup']}:*"
        self._add(role, "function", "its log", ["logs:CreateLogStream", "logs:PutLogEvents"], group)
        if (folder / "framework.js").is_file():
            self._framework(role, function)
            return
        if (folder / "record").is_dir():
            self._collector(role, function, folder / "record")
            return
        modules = resource_modules(folder)
        for resource in self.templates.all_resources:
            if resource.stack == function.stack and resource.kind.startswith("Custom::"):
                module = modules[resource.kind]
                for action in module_actions(folder, module, ("on_event", "is_complete")):
                    for aim in _aim(action, resource):
                        self._add(role, "function", f"{module}.py for {resource.path}", [action], aim)

    def _collector(self, role: str, function: Resource, package: Path) -> None:
        """The function that records a run: its calls on the buckets, the sides' executions, their jobs and clusters."""
        runs = function.properties["Environment"]["Variables"]["RUNS"]
        deployed = self._deployed()
        machines = [side["state_machine"] for side in deployed]
        others = SERVICES.keys() - {side["service"] for side in deployed}
        for module in sorted(package.glob("*.py")):
            # It asks the deployed sides' services only.
            if module.stem in {"clients", *(service.replace("-", "_") for service in others)}:
                continue
            for action in sorted(client_actions(ast.parse(module.read_text()), module.name)):
                match action:
                    case "s3:ListBucket":
                        for location in (runs, self._raw):
                            self._bucket(role, "function", module.name, [action], location)
                    case "s3:PutObject":
                        self._objects(role, "function", module.name, [action], f"{runs}/*/comparison.json")
                    case "s3:GetObject":
                        self._objects(role, "function", module.name, [action], f"{runs}/*")
                    case _ if action.startswith("sagemaker:"):
                        for job in self._jobs(machines, action):
                            self._add(role, "function", module.name, [action], job)
                    case _ if action.startswith("emr-serverless:"):
                        self._add(role, "function", module.name, [action], _target("emr-serverless", {}, action))
                    case _ if action.startswith("elasticmapreduce:"):
                        if any(self._runs_steps(machine) for machine in machines):
                            self._add(role, "function", module.name, [action])
                    case _:
                        for machine in machines:
                            self._add(role, "function", module.name, [action], _executions(machine))

    def _deployed(self) -> list[dict[str, str]]:
        """The sides, as the comparison tells the function of them."""
        for resource in self.templates.all_resources:
            if resource.kind == "AWS::StepFunctions::StateMachine":
                state = json.loads(resource.properties["DefinitionString"])["States"].get(RECORD_STATE, {})
                if payload := state.get("Parameters", {}).get("Payload"):
                    return list(json.loads(payload["deployed"]).values())
        raise LookupError("no state records the runs")

    def _jobs(self, machines: Iterable[str], action: str) -> Iterator[str]:
        """The ARNs of the SageMaker jobs that these machines start, as far as an action works on them."""
        for machine in machines:
            found = self.templates.by_arn("AWS::StepFunctions::StateMachine", machine)
            for task in tasks(json.loads(found.properties["DefinitionString"])["States"]):
                job = _target("sagemaker", evaluated(task.get("Parameters", {}), {}))
                if job != ANYTHING and works_on(action, job):
                    yield job

    def _runs_steps(self, machine: str) -> bool:
        """True if a state machine adds steps to a cluster."""
        found = self.templates.by_arn("AWS::StepFunctions::StateMachine", machine)
        states = json.loads(found.properties["DefinitionString"])["States"]
        return any(":elasticmapreduce:addStep" in task["Resource"] for task in tasks(states))

    def _framework(self, role: str, function: Resource) -> None:
        """The provider framework's own functions: they call ours, and wait for them until they are active.

        aws-cdk-lib 2.275.0, custom-resources/lib/provider-framework/runtime/outbound.js and provider.js.
        """
        for name, value in function.properties["Environment"]["Variables"].items():
            if name == "WAITER_STATE_MACHINE_ARN":
                self._add(role, "function", name, ["states:StartExecution"], value)
            else:
                self._invoke(role, "function", value)
                self._add(role, "function", name, ["lambda:GetFunction"], value)

    def _invoke(self, role: str, user: str, function: str) -> None:
        """The CDK allows every version of a function beside the function itself (its grantInvoke)."""
        for arn in (function, f"{function}:*"):
            self._add(role, user, "calls a function", ["lambda:InvokeFunction"], arn)

    def _project(self, project: Resource) -> None:
        """A build: its source, its log, and what its commands copy.

        codebuild/latest/userguide/setting-up-service-role.html (archived) for the source and the log; the AWS CLI
        uploads large files in parts, and aborts an upload that fails (awscli, s3transfer/tasks.py).
        """
        role, source = project.properties["ServiceRole"], project.properties["Source"]
        group = project.properties["LogsConfig"]["CloudWatchLogs"]["GroupName"]
        logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
        self._add(role, "build", "its log", ["logs:CreateLogStream", "logs:PutLogEvents"], logs)
        location = f"s3://{source['Location']}"
        self._objects(role, "build", "its source", ["s3:GetObject", "s3:GetObjectVersion"], location)
        self._bucket(role, "build", "its source", ["s3:ListBucket", "s3:GetBucketLocation"], location)
        # The bootstrap's bucket may be encrypted with a key of the account's, which no template names.
        self._add(role, "build", "its source's key", ["kms:Decrypt"], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*")
        for command in json.loads(source["BuildSpec"])["phases"]["build"]["commands"]:
            script, argument = re.fullmatch(r'bash (\S+) "\$(\w+)"', command).groups()  # type: ignore[union-attr]
            for target in self._build_arguments(project, argument):
                for origin, destination in s3_copies((WORKLOADS / script).read_text(), [target]):
                    why = f"{script}'s aws s3 cp"
                    if origin.startswith("s3://"):
                        self._objects(role, "build", why, ["s3:GetObject"], origin)
                        self._bucket(role, "build", why, ["s3:ListBucket"], origin)
                    else:
                        actions = ["s3:PutObject", "s3:AbortMultipartUpload"]
                        self._objects(role, "build", why, actions, destination)

    def _build_arguments(self, project: Resource, variable: str) -> list[str]:
        """The values of an environment variable with which machines start a project."""
        return [
            setting["Value"]
            for machine in self.templates.of("AWS::StepFunctions::StateMachine")
            for task in tasks(json.loads(machine.properties["DefinitionString"])["States"])
            if task.get("Parameters", {}).get("ProjectName") == project.name
            for setting in task["Parameters"]["EnvironmentVariablesOverride"]
            if setting["Name"] == variable
        ]

    def _schedule(self, schedule: Resource) -> None:
        target = schedule.properties["Target"]
        actions = _sdk_actions(target["Arn"].partition(":scheduler:::")[2])
        self._add(target["RoleArn"], "schedule", target["Arn"], actions, json.loads(target["Input"])["StackName"])
        # scheduler/latest/UserGuide/configuring-schedule-dlq.html, "Set up execution role permissions" (2026-11-27).
        self._add(target["RoleArn"], "schedule", "refused", ["sqs:SendMessage"], target["DeadLetterConfig"]["Arn"])

    def _flow_log(self, flow_log: Resource) -> None:
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{flow_log.properties['LogGroupName']}:*"
        self._add(flow_log.properties["DeliverLogsPermissionArn"], "flow log", flow_log.path, _FLOW_LOG, group)


# Who may take on the role of each kind of user, and nobody else.
TRUSTED = {
    "build": "codebuild.amazonaws.com",
    "EMR": "elasticmapreduce.amazonaws.com",
    "endpoint": "sagemaker.amazonaws.com",
    "flow log": "vpc-flow-logs.amazonaws.com",
    "function": "lambda.amazonaws.com",
    "job": "sagemaker.amazonaws.com",
    "job run": "emr-serverless.amazonaws.com",
    "machine": "states.amazonaws.com",
    "nodes": "ec2.amazonaws.com",
    "schedule": "scheduler.amazonaws.com",
}


def _bucket_key(bucket: Resource) -> str | None:
    """The key of ours that a bucket's objects are encrypted with, if it is one."""
    (rule,) = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    key = rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    return None if key is None else str(key)


def _sdk_actions(name: str) -> tuple[str, ...]:
    """The IAM actions of a call named ``aws-sdk:<service>:<operation>``; by botocore's name of the service."""
    _, service, operation = name.split(":")
    service = {"emrserverless": "emr-serverless"}.get(service, service)
    return operation_actions(service, f"{operation[0].upper()}{operation[1:]}")


def _executions(machine: str) -> str:
    """All executions of a machine."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:*"


def _aim(action: str, resource: Resource) -> list[str]:
    """What a custom resource's call is made on: what its properties name, or its own stack."""
    kinds, properties = resource_kinds(action), resource.properties
    if action.startswith("cloudformation:"):
        return [stack_id(resource.stack)]
    if action.startswith("states:"):
        machines = [*properties.get("StateMachineArns", []), properties.get("StateMachineArn")]
        return [each if "statemachine" in kinds else _executions(each) for each in machines if each is not None]
    if action.startswith("s3:"):
        bucket = f"arn:aws:s3:::{properties['BucketName']}"
        return [bucket if "bucket" in kinds else f"{bucket}/*"]
    if action == "sagemaker:DescribeEndpoint":
        return [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{each}" for each in properties["Endpoints"]]
    if action == "logs:DeleteLogGroup":
        groups = [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{each}" for each in properties["LogGroups"]]
        return [*groups, *(f"{group}:*" for group in groups)]
    if "security-group" in kinds:
        return [f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{each}" for each in properties["SecurityGroupIds"]]
    return [ANYTHING]


# SAR, actions of EMR Serverless; of tags those that are given to what StartJobRun makes.
_ON_JOB_RUNS = named("emr-serverless", "CancelJobRun GetJobRun TagResource")


def _target(service: str, request: Mapping[str, Any], action: str = "") -> str:
    """The ARN of what a state's request is about."""
    match service:
        case "sagemaker":
            for name, kind in _SAGEMAKER_NAMES.items():
                if name in request:
                    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{request[name]}"
        case "emr-serverless" | "emrserverless":
            application = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{request.get('ApplicationId', '*')}"
            return f"{application}/jobruns/*" if action in _ON_JOB_RUNS else application
        case "codebuild":
            return f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{request['ProjectName']}"
        case "lambda":
            return str(request["FunctionName"])
        case "states":
            machine = str(request["StateMachineArn"])
            return machine if action == "states:StartExecution" else _executions(machine)
    return ANYTHING


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a request with the names that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    else:
        yield path, value


# The comparison.


def findings(calls: Calls) -> set[str]:
    """What roles lack, and what they may do although nothing of theirs does it."""
    return {
        f"{role.path} {finding}"
        for role in calls.templates.of("AWS::IAM::Role")
        for allowed in [statements(calls.templates, role)]
        for finding in (*_lacks(calls.by_role[role.arn], allowed), *_unused(calls.by_role[role.arn], allowed))
    }


def _lacks(calls: set[Call], allowed: Sequence[Statement]) -> Iterator[str]:
    for call in calls:
        if not any(
            call.action in statement.actions and call.receiver == statement.passed_to and _covers(resource, call)
            for statement in allowed
            for resource in statement.resources
        ):
            receiver = f" to {call.receiver}" if call.receiver else ""
            yield f"lacks {call.action} on {call.resource}{receiver}: {call.why}"


def _covers(resource: str, call: Call) -> bool:
    return works_on(call.action, resource) and (call.resource == ANYTHING or matches(resource, call.resource))


def _unused(calls: set[Call], allowed: Sequence[Statement]) -> Iterator[str]:
    for statement in allowed:
        for action in statement.actions:
            wanted = [call for call in calls if (call.action, call.receiver) == (action, statement.passed_to)]
            without = [
                resource
                for resource in statement.resources
                if works_on(action, resource)
                and not any(
                    ANYTHING in (call.resource, resource) or overlap(resource, call.resource) for call in wanted
                )
            ]
            if without:
                yield f"may do {action} on {', '.join(without)}, which nothing does"
