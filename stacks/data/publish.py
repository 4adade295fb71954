"""The published workloads: code and wheels in the bucket, where the jobs find them."""

from pathlib import Path

from aws_cdk import Aws, Duration, IgnoreMode, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources
from stacks.shared.execution import execution
from stacks.shared.layout import CERTIFICATES, CODE, certificates_prefix, code_prefix
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.states import Task, allow, log_group, state_machine, task_state, wait_permission

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"


class Publish(Construct):
    """Puts the workloads and their wheels below ``code/<hash>/`` (``location``) when the stack is deployed.

    The subnets have no way to a package index, so a CodeBuild project fetches the wheels once, by their hashes, and
    puts them beside the code. ``done`` is the resource that stands for it. Where clusters shall not use EMR's own
    certificates, the build makes one, once for each version (``certificates``): apart from the code, which more roles
    may read. Where a side's jobs cannot install the wheels, the build packs them into an archive, too.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: Settings,
        *,
        bucket: s3.Bucket,
        key: kms.IKey,
        resources: CustomResources,
    ) -> None:
        super().__init__(scope, construct_id)
        asset = assets.Asset(
            self,
            "Workloads",
            path=str(WORKLOADS),
            exclude=["**/__pycache__", "**/*.pyc", "**/.*_cache"],
            ignore_mode=IgnoreMode.GIT,
        )
        self.location = code_prefix(bucket.bucket_name, asset.asset_hash)
        self.certificates = certificates_prefix(bucket.bucket_name, asset.asset_hash)
        scripts = {"publish.sh": ("TARGET", self.location)}
        if settings.own_certificates:
            scripts["certificates.sh"] = ("CERTIFICATES", self.certificates)
        if settings.packed_packages:
            scripts["archives.sh"] = ("ARCHIVES", self.location)
        commands = [f'bash {script} "${name}"' for script, (name, _) in scripts.items()]
        project = self._project(asset, bucket, key, commands, certificates=settings.own_certificates)
        task = Task(
            action="codebuild:startBuild.sync",
            parameters={
                "ProjectName": project.project_name,
                "EnvironmentVariablesOverride": [
                    {"Name": name, "Value": value, "Type": "PLAINTEXT"} for name, value in scripts.values()
                ],
            },
            errors=("CodeBuild.AWSCodeBuildException",),
        )
        machine = state_machine(
            self,
            "Machine",
            name=f"{settings.project}-publish",
            start=task_state(self, "publish", task, settings.stage_minutes),
            minutes=settings.stage_minutes,
            key=key,
            permissions=[
                iam.PolicyStatement(
                    actions=["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGetBuilds"],
                    resources=[project.project_arn],
                ),
                wait_permission(self, "StepFunctionsGetEventForCodeBuildStartBuildRule"),
            ],
        )
        self.done = execution(resources, "Published", state_machine=machine, run={"code": self.location})

    def _project(
        self, asset: assets.Asset, bucket: s3.Bucket, key: kms.IKey, commands: list[str], *, certificates: bool
    ) -> codebuild.Project:
        log = log_group(self, "Log", key)
        role = iam.Role(
            self,
            "Role",
            # For this account's projects only (codebuild/latest/userguide/setting-up-service-role.html,
            # read 2026-11-27).
            assumed_by=iam.ServicePrincipal(
                "codebuild.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
        )
        # Without the CDK's own grants, which would also allow reports and reading everything that the CLI uploaded.
        project = codebuild.Project(
            self,
            "Project",
            description="Puts the workloads and their wheels into the bucket",
            role=role.without_policy_updates(),
            source=codebuild.Source.s3(bucket=asset.bucket, path=asset.s3_object_key),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.AMAZON_LINUX_2023_5, compute_type=codebuild.ComputeType.SMALL
            ),
            build_spec=codebuild.BuildSpec.from_object({"version": "0.2", "phases": {"build": {"commands": commands}}}),
            encryption_key=key,
            timeout=Duration.minutes(20),
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log)),
        )
        allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], log.log_group_arn)
        allow(role, ["s3:GetObject", "s3:GetObjectVersion"], asset.bucket.arn_for_objects(asset.s3_object_key))
        allow(role, ["s3:ListBucket", "s3:GetBucketLocation"], asset.bucket.bucket_arn)
        role.add_to_policy(self._source_key(asset))
        allow(role, ["s3:PutObject", "s3:AbortMultipartUpload"], bucket.arn_for_objects(f"{CODE}/*"))
        allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], key.key_arn)
        if certificates:  # their script first looks for those of an earlier build
            made = bucket.arn_for_objects(f"{CERTIFICATES}/*")
            allow(role, ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], made)
            allow(role, ["s3:ListBucket"], bucket.bucket_arn)
        acknowledge_wildcards(
            role,
            "The log streams of one group, the objects below one prefix; the bootstrap's key, whose name no template "
            "knows, for what S3 decrypts of the bootstrap's own bucket.",
        )
        project.node.add_dependency(role)
        return project

    def _source_key(self, asset: assets.Asset) -> iam.PolicyStatement:
        """Decrypt the source where the account was bootstrapped with a key of its own, whichever that is.

        S3 names the object as the encryption context, or the bucket where it has a bucket key
        (AmazonS3/latest/userguide/UsingKMSEncryption.html, read 2026-11-27).
        """
        stack = Stack.of(self)
        return iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[stack.format_arn(service="kms", resource="key", resource_name="*")],
            conditions={
                "StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.{Aws.URL_SUFFIX}"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": f"{asset.bucket.bucket_arn}*"},
            },
        )
