"""The EMR side: the pipeline's steps, and the cluster that runs them."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Aws, Stack
from aws_cdk import aws_emr as emr
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr import spark as emr_spark
from stacks.emr.cluster import cluster, definition
from stacks.emr.roles import EMR_TAG, SIDE, node_role, service_role
from stacks.emr.security_groups import EmrSecurityGroups
from stacks.emr.session import STEP_ERRORS, ClusterSession
from stacks.network.stack import NetworkStack
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, look_at_stack, stop_executions
from stacks.shared.layout import LOGS, OUTPUTS, run_location
from stacks.shared.pipeline import Pipeline, StageRun
from stacks.shared.rules import acknowledge
from stacks.shared.sagemaker.jobs import delete_interfaces
from stacks.shared.states import Task, wait_permission
from stacks.shared.time_to_live import delete_after


class EmrStack(Stack):
    """How each stage runs on EMR, and the cluster that runs it."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on EMR, and its cluster")
        self.settings = settings
        self.data = data
        self.resources = CustomResources(self, "CustomResources", key=data.key)
        self.name = f"{settings.project}-{SIDE}"
        described = self._describe(network)
        persistent = self._persistent_cluster(described) if settings.emr.mode == "persistent" else None
        spot = settings.emr.task.spot_minutes if settings.emr.task.spot else 0
        self.session = ClusterSession(settings.project, described, persistent.ref if persistent else None, spot)
        self.pipeline = Pipeline(
            self,
            "Pipeline",
            name=self.name,
            stages={
                "prepare": self._prepare(),
                "train": self._train(),
                "evaluate": self._evaluate(),
                "score": self._score(),
            },
            model=self._run("train"),
            permissions=self._permissions(persistent),
            stage_minutes=settings.stage_minutes,
            key=data.key,
            session=self.session,
        )
        data.alerts.machine_alarm(self.pipeline.machine)
        stop_executions(
            self.resources,
            "StopExecutions",
            [self.pipeline.machine],
            before=[self.leftovers, *([persistent] if persistent else [])],
        )
        last = [*self.groups.all, self.security_configuration, self.service_role, self.node_role]
        delete_after(settings.time_to_live_hours, self.resources, data.alerts, last)

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
            emr_spark.training_memory(self.settings.emr.worker_types),
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

    def _step(self, stage: str, arguments: dict[str, str], spark: Mapping[str, str] | None = None) -> StageRun:
        """A Spark step that runs the stage's script; ``spark`` replaces settings of the cluster."""
        code = self.data.code
        fixed = [
            "spark-submit",
            "--deploy-mode=client",  # the driver's output is the step's log
            *(f"--conf={name}={value}" for name, value in (spark or {}).items()),
            f"--py-files={code}/workloads.zip",
            f"{code}/workloads/emr/{stage}.py",
            f"--dataset={code}/workloads/datasets/{self.settings.dataset.name}/",
        ]
        request = {
            "ClusterId.$": "$.cluster.id",
            "Step": {
                "Name.$": self.session.step_name(stage),
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args.$": _arguments(fixed, arguments)},
            },
        }
        return StageRun(Task("elasticmapreduce:addStep.sync", request, STEP_ERRORS))

    def _run(self, stage: str, below: str = "") -> str:
        """Where a stage's output of the running execution lies."""
        return run_location(self.data.bucket.bucket_name, SIDE, f"{OUTPUTS[stage]}/{below}")

    def _describe(self, network: NetworkStack) -> dict[str, Any]:
        """The cluster's definition, with the groups, roles and keys that every cluster of it uses."""
        s3 = self.resources.add(
            "S3PrefixList",
            "S3PrefixList",
            {"Name": f"com.amazonaws.{Aws.REGION}.s3"},
            iam.PolicyStatement(actions=["ec2:DescribeManagedPrefixLists"], resources=["*"]),
        )
        groups = self.groups = EmrSecurityGroups(self, "SecurityGroups", vpc=network.vpc, s3=s3.get_att_string("Id"))
        self.security_configuration = self._security_configuration()
        self.node_role, profile = node_role(self, self.data, session_manager=self.settings.network.session_manager)
        self.service_role = service_role(
            self,
            key_arn=self.data.key.key_arn,
            node_role=self.node_role,
            subnet_ids=network.subnet_ids,
            groups=groups.all,
            fleets=self.settings.emr.provisioning == "fleets",
        )
        self.leftovers = self._leftovers(network, groups)
        # What a cluster uses must be there until the last cluster has ended, also one that a run has started.
        self.leftovers.node.add_dependency(
            groups, self.security_configuration, self.service_role, self.node_role, profile, self.data.published
        )
        return definition(
            self,
            self.settings.emr,
            name=self.name,
            subnet_ids=network.subnet_ids,
            security_groups=groups.fields(),
            service_role=self.service_role.role_arn,
            instance_profile=profile.ref,
            security_configuration=self.security_configuration.ref,
            logs=f"s3://{self.data.bucket.bucket_name}/{LOGS}/{SIDE}/",
            key=self.data.key,
            bootstrap={
                "Path": f"{self.data.code}/workloads/emr/bootstrap.sh",
                "Args": [f"{self.data.code}/wheels/{SIDE}/"],
            },
            tags={**self.settings.tags(expires=True), EMR_TAG: "true"},
        )

    def _persistent_cluster(self, described: dict[str, Any]) -> emr.CfnCluster:
        persistent = cluster(self, "Cluster", described)
        persistent.node.add_dependency(self.leftovers)
        encrypted = (
            "It is encrypted, see SecurityConfiguration: the rule looks for the fields outside of "
            "EncryptionConfiguration, where the API has them."
        )
        reasons = {
            "AwsSolutions-EMR4": encrypted,
            "AwsSolutions-EMR5": encrypted,
            "AwsSolutions-EMR6": "Nobody logs in by SSH: there is no key, and Session Manager where set.",
        }
        acknowledge(persistent, reasons)
        return persistent

    def _leftovers(self, network: NetworkStack, groups: EmrSecurityGroups) -> Construct:
        """On deletion: end the clusters that runs started, wait for the network interfaces, revoke all rules.

        EMR may have added rules to the groups, and groups that name each other cannot be deleted
        (github.com/hashicorp/terraform-provider-aws/issues/8285, read 2026-11-22).
        """
        ids = groups.ids()
        return self.resources.add(
            "Leftovers",
            "EmrLeftovers",
            {"ClusterName": self.name, "SecurityGroupIds": ids},
            # Lists have no resource-level permissions (Service Authorization Reference, EMR, EC2; 2026-11-22).
            iam.PolicyStatement(
                actions=[
                    "elasticmapreduce:ListClusters",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroupRules",
                ],
                resources=["*"],
            ),
            self._on_our_clusters("DescribeCluster", "SetTerminationProtection", "TerminateJobFlows"),
            look_at_stack(self),
            delete_interfaces(self, network.vpc),
            iam.PolicyStatement(
                actions=["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
                resources=[
                    self.format_arn(service="ec2", resource="security-group", resource_name=each) for each in ids
                ],
            ),
        )

    def _security_configuration(self) -> emr.CfnSecurityConfiguration:
        """Encryption at rest with our key, encryption in transit, and IMDSv2.

        Source: docs.aws.amazon.com/emr/latest/ManagementGuide/emr-create-security-configuration.html (2026-11-22).
        """
        key = self.data.key.key_arn
        certificates = {"CertificateProviderType": "EMR"}
        if self.settings.emr.certificates == "pem":
            certificates = {"CertificateProviderType": "PEM", "S3Object": f"{self.data.certificates}emr.zip"}
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
                    "InTransitEncryptionConfiguration": {"TLSCertificateConfiguration": certificates},
                },
                "InstanceMetadataServiceConfiguration": {
                    "MinimumInstanceMetadataServiceVersion": 2,
                    "HttpPutResponseHopLimit": 1,
                },
            },
        )

    def _permissions(self, persistent: emr.CfnCluster | None) -> list[iam.PolicyStatement]:
        passed = {self.service_role: "elasticmapreduce.amazonaws.com", self.node_role: "ec2.amazonaws.com"}
        # Once EMR has forgotten the cluster it has no tag: then this look must say that its id is unknown.
        known = [
            iam.PolicyStatement(actions=["elasticmapreduce:DescribeCluster"], resources=[self._cluster_arn(each.ref)])
            for each in (persistent,)
            if each is not None
        ]
        return [
            *known,
            self._on_our_clusters(
                "AddJobFlowSteps", "DescribeStep", "CancelSteps", "ListSteps", "DescribeCluster", "TerminateJobFlows"
            ),
            # A cluster that is not there yet has no ARN; it must get our tag.
            iam.PolicyStatement(
                actions=["elasticmapreduce:RunJobFlow", "elasticmapreduce:AddTags"],
                resources=["*"],
                conditions={"StringEquals": {"aws:RequestTag/project": self.settings.project}},
            ),
            *[
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": service}},
                )
                for role, service in passed.items()
            ],
            # An account's first cluster makes EMR's role that ends instances when its service role no longer can, or
            # fails (github.com/awslabs/aws-emr-launch/pull/4, comment of 2020-11-07;
            # ManagementGuide/using-service-linked-roles.html, archived; read 2026-11-27).
            iam.PolicyStatement(
                actions=["iam:CreateServiceLinkedRole"],
                resources=[
                    self.format_arn(
                        service="iam",
                        region="",
                        resource="role/aws-service-role/elasticmapreduce.amazonaws.com",
                        resource_name="AWSServiceRoleForEMRCleanup",
                    )
                ],
                conditions={"StringEquals": {"iam:AWSServiceName": "elasticmapreduce.amazonaws.com"}},
            ),
            wait_permission(self, "StepFunctionsGetEventForEMRAddJobFlowStepsRule"),
        ]

    def _cluster_arn(self, cluster: str) -> str:
        return self.format_arn(service="elasticmapreduce", resource="cluster", resource_name=cluster)

    def _on_our_clusters(self, *actions: str) -> iam.PolicyStatement:
        """Actions on the clusters that have this project's tag."""
        return iam.PolicyStatement(
            actions=[f"elasticmapreduce:{action}" for action in actions],
            resources=[self._cluster_arn("*")],
            conditions={"StringEquals": {"aws:ResourceTag/project": self.settings.project}},
        )


def _arguments(fixed: list[str], arguments: dict[str, str]) -> str:
    """A step's arguments as one intrinsic function: fixed texts, then ``--name=value`` with values of the execution."""
    parts = [f"'{text}'" for text in fixed]
    for name, value in arguments.items():
        computed = value.startswith(("States.", "$."))
        parts.append(f"States.Format('--{name}={{}}', {value})" if computed else f"'--{name}={value}'")
    return f"States.Array({', '.join(parts)})"
