"""SageMaker jobs as requests: what a Task state sends, and the role that the jobs run as.

Field names are the API's (API_CreateProcessingJob, API_CreateTrainingJob, API_CreateTransformJob; botocore 1.44.5).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.instances import has_local_disks
from stacks.settings import Settings
from stacks.shared.pipeline import StageRun, Watch
from stacks.shared.sagemaker.images import XGBOOST_IMAGE, xgboost_image
from stacks.shared.sagemaker.kinds import JOB_KINDS, MODEL, TRAINING_JOB, JobKind, suffix
from stacks.shared.sagemaker.roles import job_role, project_arn
from stacks.shared.states import Task, wait_permission

PROCESSING = "/opt/ml/processing"
CHANNELS = "/opt/ml/input/data"

# Names that Step Functions gives to failed calls of SageMaker: API failures and throttling, and a quota that is used up
# (docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html, whose example retries both; read 2026-11-28).
INTEGRATION_ERRORS = ("SageMaker.AmazonSageMakerException", "SageMaker.ResourceLimitExceededException")

# Calls by the AWS SDK fail by other names: <service>.<error>, always with Exception at its end
# (step-functions/latest/dg/supported-services-awssdk.html). CreateTrainingJob names ResourceInUse (there is a job of
# this name), ResourceLimitExceeded and ResourceNotFound (botocore 1.44.5); any other, so throttling, is the SDK's
# SageMakerException (public state machines retry it and ResourceLimitExceededException; all read 2026-11-27).
SDK_ERRORS = (
    "SageMaker.SageMakerException",
    "SageMaker.ResourceLimitExceededException",
    "SageMaker.ThrottlingException",
)
_EXISTS = "SageMaker.ResourceInUseException"

# Jobs that are created by the AWS SDK and looked at: Step Functions makes no rule for their end.
_WATCHED = (TRAINING_JOB,)


def run_job(kind: JobKind, request: Mapping[str, Any]) -> Task:
    """Create a job and wait for its end."""
    return Task(f"sagemaker:create{kind.name}.sync", request, INTEGRATION_ERRORS)


def volume_key(instance_type: str, key: kms.IKey) -> str | None:
    """The key for an instance's storage volume, or None where the instance type takes none.

    Disks of the instance's own are encrypted by its hardware, and a type that has them refuses a key
    (API_ResourceConfig, API_ProcessingClusterConfig, API_TransformResources, API_CreateEndpointConfig: VolumeKmsKeyId,
    KmsKeyId; botocore 1.44.5, read 2026-11-27).
    """
    return None if has_local_disks(instance_type) else key.key_arn


class Network(Protocol):
    """The network that the jobs run in, and the key of their disks."""

    @property
    def key(self) -> kms.IKey:
        """The key of disks and outputs."""

    @property
    def vpc(self) -> ec2.IVpc:
        """The network."""

    @property
    def subnet_ids(self) -> list[str]:
        """The subnets, in two zones or more."""


class SageMakerJobs(Construct):
    """The jobs of a stack: the role, image, network, key and tags that they share, and methods that write requests."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: Settings,
        *,
        side: str,
        network: Network,
        tags: Mapping[str, str],
        list_buckets: Sequence[str],
        read: Sequence[str],
        write: Sequence[str],
        talking: bool = False,
        images: Sequence[str] = (XGBOOST_IMAGE,),
    ) -> None:
        """``side`` is whose jobs they are.

        ``list_buckets``, ``read`` and ``write`` are the ARNs of the buckets and objects that the jobs may use,
        ``images`` the images, repository and tag. The instances of a job are ``talking`` to each other if it has
        several that work as one.
        """
        super().__init__(scope, construct_id)
        self.project = settings.project
        self.side = side
        self.vpc = network.vpc
        self.subnet_ids = network.subnet_ids
        self.key = network.key
        self.minutes = settings.stage_minutes
        self.tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.image = xgboost_image(self)
        self.security_group = self._security_group(talking)
        self.role = job_role(
            self, "Role", key=self.key, list_buckets=list_buckets, read=read, write=write, images=images
        )

    def name(self, stage: str) -> str:
        """A job's name: one for run, stage and side, so that a call which is made twice never makes two jobs."""
        return sfn.JsonPath.format(
            f"{self.project}-{{}}-{stage}{suffix(self.side)}", sfn.JsonPath.string_at("$.run_id")
        )

    def stop(self, stage: str, kind: JobKind) -> Task:
        """Stop a stage's job: one that ran out of the state's time still runs, and one that ended refuses it."""
        return Task(f"aws-sdk:sagemaker:stop{kind.name}", {kind.name_field: self.name(stage)}, ())

    def processing(
        self,
        stage: str,
        *,
        instance_type: str,
        volume_gb: int,
        entrypoint: Sequence[str],
        arguments: Sequence[str] | str,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        instance_count: int = 1,
        image: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """A CreateProcessingJob request; inputs and outputs map folders below /opt/ml/processing to S3 locations.

        The image is XGBoost's unless there is another ``image``. Arguments may be what a state computes.
        """
        return {
            "ProcessingJobName": self.name(stage),
            "RoleArn": self.role.role_arn,
            "AppSpecification": {
                "ImageUri": image or self.image,
                "ContainerEntrypoint": list(entrypoint),
                "ContainerArguments": arguments if isinstance(arguments, str) else list(arguments),
            },
            "ProcessingInputs": [
                {
                    "InputName": folder.replace("/", "-"),
                    "S3Input": {
                        "S3Uri": location,
                        "LocalPath": f"{PROCESSING}/input/{folder}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                        "S3CompressionType": "None",
                    },
                }
                for folder, location in inputs.items()
            ],
            **({"ProcessingOutputConfig": self._uploaded(outputs)} if outputs else {}),
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
            "Environment": {"PYTHONPATH": f"{PROCESSING}/input/code", **(environment or {})},
            "Tags": self.tags,
        }

    def _uploaded(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """What a Processing job puts into S3 at its end."""
        return {
            "KmsKeyId": self.key.key_arn,
            "Outputs": [
                {
                    "OutputName": folder,
                    "S3Output": {
                        "S3Uri": location,
                        "LocalPath": f"{PROCESSING}/output/{folder}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for folder, location in outputs.items()
            ],
        }

    def training(
        self,
        stage: str,
        *,
        instance_type: str,
        instance_count: int,
        volume_gb: int,
        program: str,
        hyperparameters: Mapping[str, str],
        channels: Mapping[str, str],
        output: str,
    ) -> dict[str, Any]:
        """A CreateTrainingJob request; ``program`` is a script in the channel ``code``, channels map names to S3.

        It starts as AWS's own SDK starts it for every image, by an entry point within a channel (sagemaker-train
        1.27.0, ModelTrainer; read 2026-11-26): nothing is installed, and the job's own exit code and words are kept.
        """
        return {
            "TrainingJobName": self.name(stage),
            "RoleArn": self.role.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", f"{CHANNELS}/code/single_node/run.py"],
                "ContainerArguments": [program],
            },
            "HyperParameters": dict(hyperparameters),
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": location,
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
                for channel, location in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": output, "KmsKeyId": self.key.key_arn},
            "ResourceConfig": {
                "InstanceType": instance_type,
                "InstanceCount": instance_count,
                "VolumeSizeInGB": volume_gb,
                **_optional("VolumeKmsKeyId", volume_key(instance_type, self.key)),
            },
            "VpcConfig": self.vpc_config(),
            "EnableInterContainerTrafficEncryption": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": self.minutes * 60},
            "Environment": {"PYTHONPATH": f"{CHANNELS}/code"},
            "Tags": self.tags,
        }

    def trained(self, stage: str, request: Mapping[str, Any]) -> StageRun:
        """The run of a training job; its model's location is kept at ``$.<stage>.model``.

        The call is the API's own, by the AWS SDK: nothing shows that Step Functions' integration, which has a list of
        fields of its own, knows ContainerEntrypoint; a definition with a field that it does not know is refused.
        What describes the job is some kB, and all of it is the cause when the job has failed, as the integration's.
        """
        describe = {"TrainingJobName": self.name(stage)}
        return StageRun(
            Task("aws-sdk:sagemaker:createTrainingJob", request, SDK_ERRORS),
            watch=Watch(
                look=Task(
                    "aws-sdk:sagemaker:describeTrainingJob",
                    describe,
                    SDK_ERRORS,
                    {"job": sfn.JsonPath.string_at("$")},
                    stage,
                ),
                status=f"$.{stage}.job.TrainingJobStatus",
                slow=f"$.{stage}.job.SecondaryStatus",
                done="Completed",
                failed=("Failed", "Stopped"),
                result={"model": sfn.JsonPath.string_at(f"$.{stage}.job.ModelArtifacts.S3ModelArtifacts")},
                exists=_EXISTS,
            ),
            stop={f"stop {stage}": self.stop(stage, TRAINING_JOB)},
        )

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
            "TransformJobName": self.name(stage),
            "ModelName": model_name,
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": records}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            # The model sees the features only; the entity is joined to its prediction again.
            "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            "TransformOutput": {
                "S3OutputPath": output,
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "KmsKeyId": self.key.key_arn,
            },
            "TransformResources": {
                "InstanceType": instance_type,
                "InstanceCount": instance_count,
                **_optional("VolumeKmsKeyId", volume_key(instance_type, self.key)),
            },
            "Tags": self.tags,
        }

    def serving_environment(self, program: str) -> dict[str, str]:
        """The environment of the model server: which script in the model's own archive answers requests."""
        return {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", **_NO_PACKAGE_INDEX}

    def vpc_config(self) -> dict[str, list[str]]:
        """The private subnets and the jobs' security group."""
        return {
            "SecurityGroupIds": [self.security_group.security_group_id],
            "Subnets": self.subnet_ids,
        }

    def pipeline_permissions(self) -> list[iam.PolicyStatement]:
        """Permissions of a pipeline's state machine: to run jobs, to make and delete the models of transform jobs."""
        models = iam.PolicyStatement(
            actions=["sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:AddTags"], resources=[self.arn(MODEL)]
        )
        return [*self.permissions(*JOB_KINDS), models]

    def permissions(self, *kinds: JobKind) -> list[iam.PolicyStatement]:
        """Permissions of a state machine that runs jobs of these kinds."""
        statements = [
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
            # ListTags of Step Functions' own look-up has no resource-level form for jobs that do not exist yet.
            iam.PolicyStatement(actions=["sagemaker:ListTags"], resources=["*"]),
        ]
        for kind in kinds:
            statements.append(
                iam.PolicyStatement(
                    actions=[*kind.actions("Create", "Describe", "Stop"), "sagemaker:AddTags"],
                    resources=[self.arn(kind.resource)],
                )
            )
            if kind not in _WATCHED:
                statements.append(wait_permission(self, f"StepFunctionsGetEventsForSageMaker{kind.name}sRule"))
        return statements

    def arn(self, resource: str) -> str:
        """The ARN pattern of this project's jobs or models."""
        return project_arn(self, resource, self.project)

    def _security_group(self, talking: bool) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=self.vpc, description="SageMaker jobs of side by side", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3, through the gateway endpoint")
        # Encrypted traffic between the containers of a job: IKE and ESP
        # (docs.aws.amazon.com/sagemaker/latest/dg/train-encrypt.html, read 2026-11-22).
        esp = ec2.Port(protocol=ec2.Protocol.ESP, string_representation="ESP")
        rules = dict.fromkeys((ec2.Port.udp(500), esp), "Encrypted traffic between containers")
        if talking:
            # XGBoost's tracker listens on a port of its own, its workers and all of Spark on any.
            rules[ec2.Port.all_tcp()] = "Between the instances of a job"
        for port, why in rules.items():
            group.add_ingress_rule(group, port, why)
            group.add_egress_rule(group, port, why)
        return group


# Script mode installs the script's folder with pip, which would look for build tools on a package index that the
# subnets cannot reach; pip reads 0 as "no isolation", so the image's own setuptools build it.
_NO_PACKAGE_INDEX = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}


def _optional(field: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {field: value}
