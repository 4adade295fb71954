"""SageMaker jobs as requests: what a Task state sends, and the role that the jobs run as.

Field names are the API's (API_CreateProcessingJob, API_CreateTrainingJob, API_CreateTransformJob; botocore 1.44.5).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.images import XGBOOST_IMAGE, xgboost_image
from stacks.states import allow, wait_permission

PROCESSING = "/opt/ml/processing"
CHANNELS = "/opt/ml/input/data"

# Names that Step Functions gives to failed calls of SageMaker: API failures and throttling
# (docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html, archived copy of 2023, read 2026-11-22).
ERRORS = ("SageMaker.AmazonSageMakerException",)

# Families whose local NVMe disks their hardware encrypts; a key for them is refused
# (API_ResourceConfig, VolumeKmsKeyId; read 2026-11-22).
_NVME = ("g4dn", "g5", "g6", "g6e", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "trn1", "trn1n", "inf2")


def volume_key(instance_type: str, key: kms.IKey) -> str | None:
    """The key for an instance's storage volume, or None where the instance type takes none."""
    family = instance_type.removeprefix("ml.").split(".")[0]
    return None if family in _NVME or family.rstrip("n").endswith("d") else key.key_arn


class SageMakerJobs(Construct):
    """What the jobs of a stack have in common: role, image, network, key. Its methods write the requests."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        vpc: ec2.IVpc,
        key: kms.IKey,
        minutes: int,
        list_buckets: Sequence[str],
        read: Sequence[str],
        write: Sequence[str],
    ) -> None:
        """``list_buckets``, ``read`` and ``write`` are the ARNs of the buckets and objects that the jobs may use."""
        super().__init__(scope, construct_id)
        self.project = project
        self.vpc = vpc
        self.key = key
        self.minutes = minutes
        self.image = xgboost_image(self)
        self.security_group = self._security_group()
        self.role = self._role(list_buckets, read, write)

    def name(self, stage: str) -> str:
        """A job's name: unique for run, stage and attempt, since a retry may not use a name again."""
        return f"States.Format('{self.project}-{{}}-{stage}-{{}}', $.run_id, $$.State.RetryCount)"

    def processing(
        self,
        stage: str,
        *,
        instance_type: str,
        volume_gb: int,
        entrypoint: Sequence[str],
        arguments: Sequence[str],
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        instance_count: int = 1,
    ) -> dict[str, Any]:
        """A CreateProcessingJob request; inputs and outputs map folders below /opt/ml/processing to S3 locations."""
        return {
            "ProcessingJobName.$": self.name(stage),
            "RoleArn": self.role.role_arn,
            "AppSpecification": {
                "ImageUri": self.image,
                "ContainerEntrypoint": list(entrypoint),
                "ContainerArguments": list(arguments),
            },
            "ProcessingInputs": [
                {
                    "InputName": folder.replace("/", "-"),
                    "S3Input": {
                        **_either("S3Uri", location),
                        "LocalPath": f"{PROCESSING}/input/{folder}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                        "S3CompressionType": "None",
                    },
                }
                for folder, location in inputs.items()
            ],
            "ProcessingOutputConfig": {
                "KmsKeyId": self.key.key_arn,
                "Outputs": [
                    {
                        "OutputName": folder,
                        "S3Output": {
                            **_either("S3Uri", location),
                            "LocalPath": f"{PROCESSING}/output/{folder}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for folder, location in outputs.items()
                ],
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": instance_type,
                    "InstanceCount": instance_count,
                    "VolumeSizeInGB": volume_gb,
                    **_optional("VolumeKmsKeyId", volume_key(instance_type, self.key)),
                }
            },
            "NetworkConfig": {"EnableInterContainerTrafficEncryption": True, "VpcConfig": self.vpc_config()},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.minutes * 60},
            "Environment": {"PYTHONPATH": f"{PROCESSING}/input/code"},
        }

    def training(
        self,
        stage: str,
        *,
        instance_type: str,
        volume_gb: int,
        program: str,
        hyperparameters: Mapping[str, str],
        channels: Mapping[str, str],
        output: str,
    ) -> dict[str, Any]:
        """A CreateTrainingJob request in the image's script mode; channels map names to S3 locations."""
        return {
            "TrainingJobName.$": self.name(stage),
            "RoleArn": self.role.role_arn,
            "AlgorithmSpecification": {"TrainingImage": self.image, "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": program,
                "sagemaker_submit_directory": f"{CHANNELS}/code/sagemaker",
                **hyperparameters,
            },
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            **_either("S3Uri", location),
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
                for channel, location in channels.items()
            ],
            "OutputDataConfig": {**_either("S3OutputPath", output), "KmsKeyId": self.key.key_arn},
            "ResourceConfig": {
                "InstanceType": instance_type,
                "InstanceCount": 1,
                "VolumeSizeInGB": volume_gb,
                **_optional("VolumeKmsKeyId", volume_key(instance_type, self.key)),
            },
            "VpcConfig": self.vpc_config(),
            "EnableInterContainerTrafficEncryption": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": self.minutes * 60},
            "Environment": {"PYTHONPATH": f"{CHANNELS}/code", **_NO_PACKAGE_INDEX},
        }

    def transform(
        self,
        stage: str,
        *,
        model_name: str,
        instance_type: str,
        instance_count: int,
        records: str,
        output: str,
    ) -> dict[str, Any]:
        """A CreateTransformJob request over CSV records ``entity,feature,...`` that writes ``entity,prediction``."""
        return {
            "TransformJobName.$": self.name(stage),
            "ModelName.$": model_name,
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", **_either("S3Uri", records)}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            # The model sees the features only; the entity is joined to its prediction again.
            "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            "TransformOutput": {
                **_either("S3OutputPath", output),
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "KmsKeyId": self.key.key_arn,
            },
            "TransformResources": {
                "InstanceType": instance_type,
                "InstanceCount": instance_count,
                **_optional("VolumeKmsKeyId", volume_key(instance_type, self.key)),
            },
        }

    def serving_environment(self, program: str) -> dict[str, str]:
        """The environment of the model server: which script in the model's own archive answers requests."""
        return {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", **_NO_PACKAGE_INDEX}

    def vpc_config(self) -> dict[str, list[str]]:
        """The private subnets and the jobs' security group."""
        return {
            "SecurityGroupIds": [self.security_group.security_group_id],
            "Subnets": [subnet.subnet_id for subnet in self.vpc.isolated_subnets],
        }

    def permissions(self, jobs: Mapping[str, str]) -> list[iam.PolicyStatement]:
        """What a state machine needs to run these jobs, given as API name to ARN name.

        For instance ``{"ProcessingJob": "processing-job"}``.
        """
        statements = [
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
            # ListTags of Step Functions' own look-up has no resource-level form for jobs that do not exist yet.
            iam.PolicyStatement(actions=["sagemaker:ListTags"], resources=["*"]),
        ]
        for job, resource in jobs.items():
            statements.append(
                iam.PolicyStatement(
                    actions=[
                        f"sagemaker:Create{job}",
                        f"sagemaker:Describe{job}",
                        f"sagemaker:Stop{job}",
                        "sagemaker:AddTags",
                    ],
                    resources=[self.arn(resource)],
                )
            )
            statements.append(wait_permission(self, f"StepFunctionsGetEventsForSageMaker{job}sRule"))
        return statements

    def arn(self, resource: str) -> str:
        """The ARN pattern of this project's jobs or models."""
        return Stack.of(self).format_arn(
            service="sagemaker",
            resource=resource,
            resource_name=f"{self.project}-*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )

    def _security_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=self.vpc, description="SageMaker jobs of side by side", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3, through the gateway endpoint")
        # Encrypted traffic between the containers of a job: IKE and ESP
        # (docs.aws.amazon.com/sagemaker/latest/dg/train-encrypt.html, read 2026-11-22).
        esp = ec2.Port(protocol=ec2.Protocol.ESP, string_representation="ESP")
        for port in (ec2.Port.udp(500), esp):
            group.add_ingress_rule(group, port, "Encrypted traffic between containers")
            group.add_egress_rule(group, port, "Encrypted traffic between containers")
        return group

    def _role(self, list_buckets: Sequence[str], read: Sequence[str], write: Sequence[str]) -> iam.Role:
        """What the jobs may do.

        Source: docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (archived copy of 2023, 2026-11-22).
        """
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        allow(role, ["s3:GetObject"], *read, *write)
        allow(role, ["s3:PutObject", "s3:AbortMultipartUpload"], *write)
        allow(role, ["s3:ListBucket"], *list_buckets)
        allow(
            role,
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant"],
            self.key.key_arn,
        )
        allow(
            role,
            ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            Stack.of(self).format_arn(
                service="ecr", account="*", resource="repository", resource_name=XGBOOST_IMAGE.split(":")[0]
            ),
        )
        logs = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name="/aws/sagemaker/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        allow(
            role, ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], logs
        )
        # No resource-level permissions exist for these
        # (docs.aws.amazon.com/service-authorization: Amazon ECR, CloudWatch, EC2; read 2026-11-22).
        allow(role, ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"], "*")
        allow(
            role,
            [
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            "*",
        )
        return role


# Script mode installs the script's folder with pip, which would look for build tools on a package index that the
# subnets cannot reach; pip reads 0 as "no isolation", so the image's own setuptools build it.
_NO_PACKAGE_INDEX = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}


def _either(field: str, value: str) -> dict[str, str]:
    """A request's field, as a path where the value is computed from the state's input."""
    computed = value.startswith(("States.", "$."))
    return {f"{field}.$" if computed else field: value}


def _optional(field: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {field: value}
