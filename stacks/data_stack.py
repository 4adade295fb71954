"""What both sides share: the bucket with its key, the published workloads, the raw dataset and its Glue tables."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, Aws, CfnOutput, Duration, IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.dataset import RawDataset
from stacks.execution import Execution
from stacks.layout import CODE, RAW, code_prefix
from stacks.network_stack import NetworkStack
from stacks.sagemaker_jobs import ERRORS, PROCESSING, SageMakerJobs
from stacks.settings import Settings
from stacks.states import Task, log_group, state_machine, task_state, wait_permission

WORKLOADS = Path(__file__).resolve().parents[1] / "workloads"

# SQL types of a dataset's definition that Glue calls otherwise.
_GLUE_TYPES = {
    "VARCHAR": "string",
    "BLOB": "binary",
    "BOOLEAN": "boolean",
    "DOUBLE": "double",
    "BIGINT": "bigint",
    "INTEGER": "int",
}


class DataStack(Stack):
    """One bucket with one key; the code in it, the raw data in it."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack) -> None:
        super().__init__(scope, construct_id, description="Side by side: what both pipelines read")
        self.settings = settings
        self.key = self._key()
        self.bucket = self._bucket()
        self.dataset = RawDataset(settings, self.bucket.bucket_name)
        self.raw_objects = f"arn:{Aws.PARTITION}:s3:::{self.dataset.raw.removeprefix('s3://')}*"
        self.listed_buckets = [self.bucket.bucket_arn]
        if not self.dataset.generated:
            self.listed_buckets.append(f"arn:{Aws.PARTITION}:s3:::{self.dataset.raw.split('/')[2]}")
        self.code = self._publish()
        self._tables()
        if self.dataset.generated:
            self._generate(network)
        CfnOutput(self, "Raw", value=self.dataset.raw, description="The raw tables: the comparison's input `raw`")

    def _key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description=f"{self.settings.project}: data, disks and logs of both pipelines",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        log_groups = self.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfThisAccount",
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],  # in a key's own policy, "*" is the key
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            )
        )
        return key

    def _bucket(self) -> s3.Bucket:
        access_logs = s3.Bucket(
            self,
            "AccessLogs",
            # S3 delivers access logs only to buckets with its own keys
            # (docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html, read 2026-11-22).
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
            removal_policy=RemovalPolicy.RETAIN,
        )
        return s3.Bucket(
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
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _publish(self) -> str:
        """Publish the workloads and their wheels below code/<hash>/; returns that S3 URI.

        The subnets have no way to a package index, so a CodeBuild project fetches the wheels once, by their hashes,
        and puts them beside the code.
        """
        asset = assets.Asset(
            self, "Workloads", path=str(WORKLOADS), exclude=["**/__pycache__", "**/*.pyc"], ignore_mode=IgnoreMode.GIT
        )
        code = code_prefix(self.bucket.bucket_name, asset.asset_hash)
        project = codebuild.Project(
            self,
            "Publish",
            description="Puts the workloads and their wheels into the bucket",
            source=codebuild.Source.s3(bucket=asset.bucket, path=asset.s3_object_key),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.AMAZON_LINUX_2023_5, compute_type=codebuild.ComputeType.SMALL
            ),
            build_spec=codebuild.BuildSpec.from_object(
                {"version": "0.2", "phases": {"build": {"commands": ['bash publish.sh "$TARGET"']}}}
            ),
            encryption_key=self.key,
            timeout=Duration.minutes(20),
            logging=codebuild.LoggingOptions(
                cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group(self, "PublishLog", self.key))
            ),
        )
        project.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[self.bucket.arn_for_objects(f"{CODE}/*")])
        )
        task = Task(
            action="codebuild:startBuild.sync",
            parameters={
                "ProjectName": project.project_name,
                "EnvironmentVariablesOverride": [{"Name": "TARGET", "Value": code, "Type": "PLAINTEXT"}],
            },
            errors=("CodeBuild.AWSCodeBuildException",),
        )
        machine = state_machine(
            self,
            "PublishMachine",
            name=f"{self.settings.project}-publish",
            start=task_state(self, "publish", task, self.settings.stage_minutes),
            minutes=self.settings.stage_minutes,
            key=self.key,
            permissions=[
                iam.PolicyStatement(
                    actions=["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGetBuilds"],
                    resources=[project.project_arn],
                ),
                wait_permission(self, "StepFunctionsGetEventForCodeBuildStartBuildRule"),
            ],
        )
        self.published = Execution(self, "Published", machine=machine, key=self.key, run={"code": code})
        return code

    def _tables(self) -> None:
        """The raw tables in the Glue catalog, for whoever wants to look at them with Athena, Hive or Spark SQL."""
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=f"{self.settings.project.replace('-', '_')}_{self.settings.dataset.name}",
                description=self.dataset.definition.description,
            ),
        )
        for table in self.dataset.definition.tables:
            self._table(database, table.name, table.format, self.dataset.raw + table.location, table.columns)

    def _table(
        self, database: glue.CfnDatabase, name: str, table_format: str, location: str, columns: Mapping[str, str]
    ) -> None:
        text = table_format == "text"
        hive = "org.apache.hadoop.hive.ql.io"
        columns = {"line": "STRING"} if text else columns
        table = glue.CfnTable(
            self,
            f"Table{name.capitalize()}",
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "text" if text else "parquet"},
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column, type=_GLUE_TYPES.get(sql_type, sql_type.lower()))
                        for column, sql_type in columns.items()
                    ],
                    input_format="org.apache.hadoop.mapred.TextInputFormat"
                    if text
                    else f"{hive}.parquet.MapredParquetInputFormat",
                    output_format=f"{hive}.HiveIgnoreKeyTextOutputFormat"
                    if text
                    else f"{hive}.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
                        if text
                        else f"{hive}.parquet.serde.ParquetHiveSerDe",
                        # One column a line: the separator is a byte that no log line holds.
                        parameters={"field.delim": "\u0001"} if text else {},
                    ),
                ),
            ),
        )
        table.add_dependency(database)

    def _generate(self, network: NetworkStack) -> None:
        """Generate the dataset in the account, before anything reads it: nothing travels through the laptop."""
        chosen = self.settings.dataset
        jobs = SageMakerJobs(
            self,
            "Generator",
            project=self.settings.project,
            vpc=network.vpc,
            key=self.key,
            minutes=self.settings.stage_minutes,
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
        task = Task(action="sagemaker:createProcessingJob.sync", parameters=request, errors=ERRORS)
        machine = state_machine(
            self,
            "GenerateMachine",
            name=f"{self.settings.project}-generate",
            start=task_state(self, "generate", task, self.settings.stage_minutes),
            minutes=self.settings.stage_minutes,
            key=self.key,
            permissions=jobs.permissions({"ProcessingJob": "processing-job"}),
        )
        self.generated = Execution(self, "Generated", machine=machine, key=self.key, run={"raw": self.dataset.raw})
        self.generated.node.add_dependency(self.published)
