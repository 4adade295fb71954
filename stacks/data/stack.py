"""The data that the sides share: bucket, published workloads, raw dataset with its Glue tables; and the alerts."""

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.data.publish import Publish
from stacks.data.tables import Tables
from stacks.network.stack import NetworkStack, data_deletion_enabled
from stacks.settings import Settings
from stacks.shared.alerts import Alerts
from stacks.shared.custom_resources import CustomResources, look_at_stack
from stacks.shared.dataset import RawDataset
from stacks.shared.execution import execution
from stacks.shared.layout import CODE, LOGS, RAW
from stacks.shared.rules import acknowledge
from stacks.shared.sagemaker.cleanup import clean_up_jobs
from stacks.shared.sagemaker.jobs import PROCESSING, SageMakerJobs, run_job
from stacks.shared.sagemaker.kinds import PROCESSING_JOB, SERVICE
from stacks.shared.states import state_machine, task_state


class DataStack(Stack):
    """One bucket with one key; the code in it, the raw data in it."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack) -> None:
        super().__init__(scope, construct_id, description="Side by side: what every pipeline reads")
        self.settings = settings
        self.key = network.key
        self.resources = CustomResources(self, "CustomResources", key=self.key)
        self.bucket = self._buckets()
        self.dataset = RawDataset(settings, self.bucket.bucket_name)
        # Exported by name, not by reference: the rules' findings are told by these names before references are exports.
        self._bucket_arn = self.export_value(self.bucket.bucket_arn)
        raw = RawDataset(settings, self.export_value(self.bucket.bucket_name)).raw
        self.raw_objects = f"arn:{Aws.PARTITION}:s3:::{raw.removeprefix('s3://')}*"
        self.listed_buckets = [self.bucket.bucket_arn]
        if not self.dataset.generated:
            self.listed_buckets.append(f"arn:{Aws.PARTITION}:s3:::{self.dataset.raw.split('/')[2]}")
        self.alerts = Alerts(self, "Alerts", settings, key=self.key)
        publish = Publish(self, "Publish", settings, bucket=self.bucket, key=self.key, resources=self.resources)
        self.code = publish.location
        self.certificates = publish.certificates
        self.published = publish.done
        Tables(self, "Tables", settings, self.dataset)
        if self.dataset.generated:
            self._generate(network)
        CfnOutput(self, "Raw", value=self.dataset.raw, description="The raw tables: the comparison's input `raw`")

    @property
    def truth(self) -> str | None:
        """Where the dataset's true probabilities lie, below the raw data; None where there are none."""
        return self.dataset.definition.truth

    def objects(self, below: str) -> str:
        """The ARN of the bucket's objects below a prefix, for the policies of other stacks."""
        return f"{self._bucket_arn}/{below}/*"

    def _buckets(self) -> s3.Bucket:
        """The bucket of everything, and the one for its access logs."""
        goes = data_deletion_enabled(self, self.settings)
        removal_policy = RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN
        access_logs = s3.Bucket(
            self,
            "AccessLogs",
            # S3 delivers access logs only to buckets with its own keys
            # (docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html, read 2026-11-22).
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(1))
            ],
            removal_policy=removal_policy,
        )
        bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=access_logs,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    noncurrent_version_expiration=Duration.days(30),
                    # Spark deletes empty objects that stand for folders, which leaves a marker of each.
                    expired_object_delete_marker=True,
                ),
                # Those of clusters and job runs, as long as those in CloudWatch.
                s3.LifecycleRule(
                    prefix=f"{LOGS}/",
                    expiration=Duration.days(30),
                    noncurrent_version_expiration=Duration.days(1),
                ),
            ],
            removal_policy=removal_policy,
        )
        acknowledge(
            access_logs.node.default_child,
            {
                "NIST.800.53.R5-S3DefaultEncryptionKMS": (
                    "S3 delivers access logs only to buckets that it encrypts with its own keys."
                )
            },
        )
        for each in (access_logs, bucket):
            acknowledge(
                each.node.default_child,
                {
                    "NIST.800.53.R5-S3BucketReplicationEnabled": (
                        "A sandbox in one region: the raw data can be generated again, and runs repeated."
                    )
                },
            )
        if goes:
            self._empty_before_deletion("Objects", bucket)
            # The bucket's own deletion is logged as well: its logs go last.
            bucket.node.add_dependency(self._empty_before_deletion("AccessLogObjects", access_logs))
        return bucket

    def _empty_before_deletion(self, construct_id: str, bucket: s3.Bucket) -> Construct:
        emptied = self.resources.add(
            construct_id,
            "Objects",
            {"BucketName": bucket.bucket_name},
            iam.PolicyStatement(
                actions=["s3:ListBucketVersions", "s3:ListBucketMultipartUploads"], resources=[bucket.bucket_arn]
            ),
            look_at_stack(self),
            iam.PolicyStatement(
                actions=["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"],
                resources=[bucket.arn_for_objects("*")],
            ),
        )
        # The bucket alone: the policy of the access logs' bucket names the other one.
        emptied.node.add_dependency(bucket.node.default_child)
        return emptied

    def _generate(self, network: NetworkStack) -> None:
        """Generate the dataset in the account, before anything reads it: nothing travels through the laptop."""
        chosen = self.settings.dataset
        jobs = SageMakerJobs(
            self,
            "Generator",
            self.settings,
            side=SERVICE,
            network=network,
            tags=self.settings.tags(expires=False),
            list_buckets=[self.bucket.bucket_arn],
            read=[self.bucket.arn_for_objects(f"{CODE}/*")],
            write=[self.bucket.arn_for_objects(f"{RAW}/{self.dataset.folder}/*")],
        )
        request = jobs.processing(
            "generate",
            instance_type=chosen.instance_type,
            instance_count=chosen.instance_count,
            volume_gb=chosen.volume_gb,
            entrypoint=["python3", f"{PROCESSING}/input/code/datasets/{chosen.name}/generate.py"],
            arguments=[f"--events={chosen.events}", f"--seed={chosen.seed}", f"--output={PROCESSING}/output/raw"],
            inputs={"code": f"{self.code}/workloads/"},
            outputs={"raw": self.dataset.raw},
        )
        cleanup = clean_up_jobs(self.resources, jobs)
        task = run_job(PROCESSING_JOB, request)
        machine = state_machine(
            self,
            "GenerateMachine",
            name=f"{self.settings.project}-generate",
            start=task_state(self, "generate", task, self.settings.stage_minutes),
            minutes=self.settings.stage_minutes,
            key=self.key,
            permissions=jobs.permissions(PROCESSING_JOB),
        )
        generated = execution(self.resources, "Generated", state_machine=machine, run={"raw": self.dataset.raw})
        generated.node.add_dependency(self.published, jobs, cleanup)
