"""The EMR side: the cluster, and the pipeline's steps on it."""

from aws_cdk import Aws, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_emr as emr
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data_stack import DataStack
from stacks.emr_security_groups import EmrSecurityGroups
from stacks.layout import CODE, LOGS, OUTPUTS, RUNS, run_location
from stacks.network_stack import NetworkStack
from stacks.pipeline import Pipeline, StageRun
from stacks.settings import NodeSettings, Settings
from stacks.states import Task, allow, wait_permission

SIDE = "emr"

# The name that Step Functions gives to failed calls of EMR, throttling included (github.com/aws/aws-cdk/issues/13735).
ERRORS = ("EMR.AmazonElasticMapReduceException",)


class EmrStack(Stack):
    """How each stage runs on EMR, and the cluster that runs it."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on EMR, and its cluster")
        self.settings = settings
        self.data = data
        self.cluster = self._cluster(network.vpc)
        self.pipeline = Pipeline(
            self,
            "Pipeline",
            name=f"{settings.project}-{SIDE}",
            stages={
                "prepare": self._prepare(),
                "train": self._train(),
                "evaluate": self._evaluate(),
                "score": self._score(),
            },
            model=self._run("train"),
            permissions=self._permissions(),
            stage_minutes=settings.stage_minutes,
            key=data.key,
        )

    def _prepare(self) -> StageRun:
        return self._step("prepare", {"raw": "$.raw", "output": self._run("prepare")})

    def _train(self) -> StageRun:
        return self._step(
            "train",
            {
                "features": self._run("prepare"),
                "output": self._run("train"),
                "workers": str(self.settings.emr.minimum),
                **self.settings.hyperparameter_texts,
            },
        )

    def _evaluate(self) -> StageRun:
        truth = self.data.dataset.definition.truth
        return self._step(
            "evaluate",
            {
                "features": self._run("prepare"),
                "model": self._run("train"),
                **({} if truth is None else {"truth": f"States.Format('{{}}{truth}', $.raw)"}),
                "output": self._run("evaluate"),
            },
        )

    def _score(self) -> StageRun:
        return self._step(
            "score",
            {"features": self._run("prepare"), "model": self._run("train"), "output": self._run("score")},
        )

    def _step(self, stage: str, arguments: dict[str, str]) -> StageRun:
        """A Spark step that runs the stage's script."""
        code = self.data.code
        fixed = [
            "spark-submit",
            "--deploy-mode=client",  # the driver's output is the step's log
            f"--py-files={code}/workloads.zip",
            f"{code}/workloads/emr/{stage}.py",
            f"--dataset={code}/workloads/datasets/{self.settings.dataset.name}/",
        ]
        request = {
            "ClusterId": self.cluster.ref,
            "Step": {
                "Name.$": f"States.Format('{self.settings.project}-{{}}-{stage}-{{}}', $.run_id, $$.State.RetryCount)",
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args.$": _arguments(fixed, arguments)},
            },
        }
        return StageRun(Task("elasticmapreduce:addStep.sync", request, ERRORS))

    def _run(self, stage: str, below: str = "") -> str:
        """Where a stage's output of the running execution lies."""
        return run_location(self.data.bucket.bucket_name, SIDE, f"{OUTPUTS[stage]}/{below}")

    def _permissions(self) -> list[iam.PolicyStatement]:
        cluster = self.format_arn(service="elasticmapreduce", resource="cluster", resource_name=self.cluster.ref)
        actions = ["AddJobFlowSteps", "DescribeStep", "CancelSteps"]
        return [
            iam.PolicyStatement(actions=[f"elasticmapreduce:{action}" for action in actions], resources=[cluster]),
            wait_permission(self, "StepFunctionsGetEventForEMRAddJobFlowStepsRule"),
        ]

    def _cluster(self, vpc: ec2.IVpc) -> emr.CfnCluster:
        chosen = self.settings.emr
        groups = EmrSecurityGroups(self, "SecurityGroups", vpc=vpc)
        service_role = self._service_role()
        node_role, profile = self._node_role()
        service_role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[node_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            )
        )
        cluster = emr.CfnCluster(
            self,
            "Cluster",
            name=f"{self.settings.project}-{SIDE}",
            release_label=chosen.release,
            applications=[emr.CfnCluster.ApplicationProperty(name=name) for name in ("Spark", "Hadoop", "Hive")],
            service_role=service_role.role_arn,
            job_flow_role=profile.ref,
            security_configuration=self._security_configuration().ref,
            log_uri=f"s3://{self.data.bucket.bucket_name}/{LOGS}/{SIDE}/",
            log_encryption_kms_key_id=self.data.key.key_arn,
            ebs_root_volume_size=30,
            scale_down_behavior="TERMINATE_AT_TASK_COMPLETION",
            step_concurrency_level=1,
            visible_to_all_users=True,
            instances=emr.CfnCluster.JobFlowInstancesConfigProperty(
                master_instance_group=_instance_group("primary", chosen.primary, 1),
                core_instance_group=_instance_group("core", chosen.core, chosen.minimum),
                ec2_subnet_id=vpc.isolated_subnets[0].subnet_id,
                emr_managed_master_security_group=groups.primary.security_group_id,
                emr_managed_slave_security_group=groups.nodes.security_group_id,
                service_access_security_group=groups.service.security_group_id,
                keep_job_flow_alive_when_no_steps=True,
                termination_protected=False,
            ),
            managed_scaling_policy=emr.CfnCluster.ManagedScalingPolicyProperty(
                compute_limits=emr.CfnCluster.ComputeLimitsProperty(
                    unit_type="Instances",
                    minimum_capacity_units=chosen.minimum,
                    maximum_capacity_units=chosen.maximum,
                )
            ),
            auto_termination_policy=emr.CfnCluster.AutoTerminationPolicyProperty(idle_timeout=chosen.idle_minutes * 60),
            bootstrap_actions=[
                emr.CfnCluster.BootstrapActionConfigProperty(
                    name="Install the wheels",
                    script_bootstrap_action=emr.CfnCluster.ScriptBootstrapActionConfigProperty(
                        path=f"{self.data.code}/workloads/emr/bootstrap.sh", args=[f"{self.data.code}/wheels/{SIDE}/"]
                    ),
                )
            ],
            configurations=_configurations(),
        )
        # EMR's service policy acts on clusters, and passes on to instances and volumes, this tag only.
        Tags.of(cluster).add("for-use-with-amazon-emr-managed-policies", "true")
        cluster.node.add_dependency(groups, service_role, node_role, self.data.published)
        return cluster

    def _security_configuration(self) -> emr.CfnSecurityConfiguration:
        """Encryption at rest with our key, encryption in transit, and IMDSv2.

        Source: docs.aws.amazon.com/emr/latest/ManagementGuide/emr-create-security-configuration.html (2026-11-22).
        """
        key = self.data.key.key_arn
        return emr.CfnSecurityConfiguration(
            self,
            "SecurityConfiguration",
            security_configuration={
                "EncryptionConfiguration": {
                    "EnableAtRestEncryption": True,
                    "EnableInTransitEncryption": True,
                    "AtRestEncryptionConfiguration": {
                        "S3EncryptionConfiguration": {"EncryptionMode": "SSE-KMS", "AwsKmsKey": key},
                        "LocalDiskEncryptionConfiguration": {
                            "EncryptionKeyProviderType": "AwsKms",
                            "AwsKmsKey": key,
                            "EnableEbsEncryption": True,
                        },
                    },
                    "InTransitEncryptionConfiguration": {
                        "TLSCertificateConfiguration": {"CertificateProviderType": "EMR"}
                    },
                },
                "InstanceMetadataServiceConfiguration": {
                    "MinimumInstanceMetadataServiceVersion": 2,
                    "HttpPutResponseHopLimit": 1,
                },
            },
        )

    def _service_role(self) -> iam.Role:
        """What EMR itself does in the account: start, tag and stop the cluster's instances."""
        role = iam.Role(
            self,
            "ServiceRole",
            assumed_by=iam.ServicePrincipal(
                "elasticmapreduce.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": self.format_arn(service="elasticmapreduce", resource="*")},
                },
            ),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonEMRServicePolicy_v2")],
        )
        allow(role, _KEY_USE, self.data.key.key_arn)
        return role

    def _node_role(self) -> tuple[iam.Role, iam.CfnInstanceProfile]:
        """What the cluster's instances, and so the steps, may do."""
        bucket = self.data.bucket
        role = iam.Role(self, "NodeRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        runs = bucket.arn_for_objects(f"{RUNS}/*/{SIDE}/*")
        logs = bucket.arn_for_objects(f"{LOGS}/{SIDE}/*")
        allow(role, ["s3:GetObject"], self.data.raw_objects, bucket.arn_for_objects(f"{CODE}/*"), runs)
        allow(role, ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], runs, logs)
        # Spark's committer removes its own temporary files.
        allow(role, ["s3:DeleteObject"], runs)
        allow(role, ["s3:ListBucket", "s3:ListBucketMultipartUploads"], *self.data.listed_buckets)
        allow(role, _KEY_USE, self.data.key.key_arn)
        # EMR finds the profile's role by the profile's name
        # (ManagementGuide/emr-iam-role-for-ec2.html, archived copy, 2026-11-22).
        profile = iam.CfnInstanceProfile(
            self, "InstanceProfile", roles=[role.role_name], instance_profile_name=role.role_name
        )
        return role, profile


_KEY_USE = (
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
    "kms:DescribeKey",
    "kms:CreateGrant",
)


def _instance_group(name: str, node: NodeSettings, count: int) -> emr.CfnCluster.InstanceGroupConfigProperty:
    return emr.CfnCluster.InstanceGroupConfigProperty(
        name=name,
        instance_count=count,
        instance_type=node.instance_type,
        market="ON_DEMAND",
        ebs_configuration=emr.CfnCluster.EbsConfigurationProperty(
            ebs_block_device_configs=[
                emr.CfnCluster.EbsBlockDeviceConfigProperty(
                    volume_specification=emr.CfnCluster.VolumeSpecificationProperty(
                        size_in_gb=node.volume_gb, volume_type="gp3"
                    ),
                    volumes_per_instance=1,
                )
            ]
        ),
    )


def _configurations() -> list[emr.CfnCluster.ConfigurationProperty]:
    python = {"PYSPARK_PYTHON": "/usr/bin/python3.11", "PYSPARK_DRIVER_PYTHON": "/usr/bin/python3.11"}
    return [
        emr.CfnCluster.ConfigurationProperty(
            classification="spark-env",
            configuration_properties={},
            configurations=[
                emr.CfnCluster.ConfigurationProperty(classification="export", configuration_properties=python)
            ],
        ),
        emr.CfnCluster.ConfigurationProperty(
            classification="spark-defaults",
            configuration_properties={"spark.sql.session.timeZone": "UTC"},
        ),
    ]


def _arguments(fixed: list[str], arguments: dict[str, str]) -> str:
    """A step's arguments as one intrinsic function: fixed texts, then ``--name=value`` with values of the execution."""
    parts = [f"'{text}'" for text in fixed]
    for name, value in arguments.items():
        computed = value.startswith(("States.", "$."))
        parts.append(f"States.Format('--{name}={{}}', {value})" if computed else f"'--{name}={value}'")
    return f"States.Array({', '.join(parts)})"
