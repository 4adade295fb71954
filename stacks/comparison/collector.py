"""The function that records a run, which the comparison calls once its sides ended."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, Duration, ILocalBundling
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from sides import SIDES
from stacks.data.stack import DataStack
from stacks.settings import Settings
from stacks.shared.custom_resources import execution_arns
from stacks.shared.functions import acknowledge_function, function_role
from stacks.shared.layout import RUNS
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.sides import side_module
from stacks.shared.states import Task, log_group

_RECORD = Path(__file__).resolve().parents[2] / "record"

# workloads/publish.sh fetches the packages for this Python and processor.
_RUNTIME = lambda_.Runtime.PYTHON_3_14
_ARCHITECTURE = lambda_.Architecture.X86_64

# Lambda's own failures (docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html, 2026-11-22).
_ERRORS = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)


class Collector(Construct):
    """Writes ``comparison.json`` of a run; ``task`` is the call of it."""

    minutes = 15
    """The longest that a function may take: it reads small files, and counts lines of not too many predictions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: Settings,
        *,
        data: DataStack,
        state_machines: Mapping[str, sfn.IStateMachine],
    ) -> None:
        """``state_machines`` are the sides'; by name only, so that nothing here holds a side's stack back."""
        super().__init__(scope, construct_id)
        self._settings = settings
        self._data = data
        self._deployed = {
            name: {
                "title": SIDES[name].title,
                "service": SIDES[name].service,
                "engine": SIDES[name].engine,
                "state_machine": machine.state_machine_arn,
            }
            for name, machine in state_machines.items()
        }
        log = log_group(self, "Log", data.key)
        role = function_role(self, "Role", log)
        policy = iam.Policy(self, "Permissions", statements=self._statements(state_machines), roles=[role])
        acknowledge_wildcards(
            policy, "Runs get their names at run time: their files, executions, jobs, clusters and records."
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description="Records a run of all sides as comparison.json",
            runtime=_RUNTIME,
            architecture=_ARCHITECTURE,
            handler="record.handler.handler",
            code=lambda_.Code.from_asset(
                str(_RECORD),
                asset_hash_type=AssetHashType.OUTPUT,
                # The image is not used: the files are copied.
                bundling=BundlingOptions(image=DockerImage.from_registry("none"), local=_Package()),
            ),
            layers=[self._layer()],
            environment={
                "RUNS": f"s3://{data.bucket.bucket_name}/{RUNS}",
            },
            timeout=Duration.minutes(self.minutes),
            memory_size=1024,
            role=role,
            log_group=log,
        )
        self.function.node.add_dependency(policy)
        acknowledge_function(self.function)

    def task(self) -> Task:
        """The call of the function; needs ``run_id``, ``raw`` and ``sides``, and leaves ``record.location``."""
        dataset = self._data.dataset
        request = {
            "FunctionName": self.function.function_arn,
            "Payload": {
                "run_id": sfn.JsonPath.string_at("$.run_id"),
                "raw": sfn.JsonPath.string_at("$.raw"),
                "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
                "sides": sfn.JsonPath.string_at("$.sides"),
                "dataset": {
                    "name": self._settings.dataset.name,
                    "tables": [table.location for table in dataset.definition.tables],
                    "raw": dataset.raw,
                    **({"events": self._settings.dataset.events} if dataset.generated else {}),
                },
                # As a text, since a definition's own JSON loses what is null.
                "settings": json.dumps(self._settings.flat()),
                # What the record says of each side, in their order, and where its execution is.
                "deployed": json.dumps(self._deployed),
            },
        }
        return Task("lambda:invoke", request, _ERRORS, {"location": sfn.JsonPath.string_at("$.Payload.record")})

    def permission(self) -> iam.PolicyStatement:
        """Permission to make the call, for the state machine."""
        return iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[self.function.function_arn])

    def _layer(self) -> lambda_.LayerVersion:
        """The packages that Lambda's own Python does not hold, as they were published beside the workloads."""
        published = self._data.code.split("/", 3)[3]
        return lambda_.LayerVersion(
            self,
            "Packages",
            description="What the collector imports",
            code=lambda_.Code.from_bucket(self._data.bucket, f"{published}/collector-layer.zip"),
            compatible_runtimes=[_RUNTIME],
            compatible_architectures=[_ARCHITECTURE],
        )

    def _statements(self, state_machines: Mapping[str, sfn.IStateMachine]) -> list[iam.PolicyStatement]:
        data = self._data
        return [
            # Of whole buckets: with a condition on the prefix S3 would answer 403 for a file that is not there.
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=data.listed_buckets),
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[data.objects(RUNS)]),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[f"{data.objects(RUNS)}/comparison.json"]),
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[data.key.key_arn]),
            iam.PolicyStatement(
                actions=["states:GetExecutionHistory", "states:DescribeStateMachineForExecution"],
                resources=[execution_arns(self, f"{self._settings.project}-{side}") for side in state_machines],
            ),
            # What the services bill for. Logs and metrics are read by `compare collect` only, with the caller's own
            # permissions: metrics have no resource-level ones, and a log may say more than belongs beside a record.
            *[
                statement
                for side in self._settings.sides
                for statement in side_module(side, "roles").record_permissions(self, self._settings)
            ],
        ]


@jsii.implements(ILocalBundling)
class _Package:
    """The package ``record``: what the handler imports, without the folder below it."""

    def try_bundle(self, output_dir: str, _options: Any = None, **_named: Any) -> bool:
        package = Path(output_dir) / _RECORD.name
        package.mkdir()
        for module in _RECORD.glob("*.py"):
            shutil.copyfile(module, package / module.name)
        return True
