"""The SageMaker side: the pipeline's jobs, and the endpoint that serves the trained model."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.network.stack import NetworkStack
from stacks.sagemaker.endpoint import Endpoint, endpoint_role
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, stop_executions
from stacks.shared.execution import execution
from stacks.shared.layout import CODE, OUTPUTS, RUNS, run_location
from stacks.shared.pipeline import Pipeline, StageRun
from stacks.shared.sagemaker.jobs import CHANNELS, ERRORS, PROCESSING, SageMakerJobs
from stacks.shared.states import Task
from stacks.shared.time_to_live import delete_after

SIDE = "sagemaker"


class SageMakerStack(Stack):
    """How each stage runs on SageMaker, and what serves."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on SageMaker, and its endpoint")
        self.settings = settings
        self.data = data
        self.resources = CustomResources(self, "CustomResources", key=data.key)
        self.name = f"{settings.project}-{SIDE}"
        self.jobs = SageMakerJobs(
            self,
            "Jobs",
            settings,
            network=network,
            resources=self.resources,
            tags=settings.tags(expires=True),
            endpoints=[settings.project],
            log_groups=[Endpoint.log_group_name(settings.project)],
            list_buckets=data.listed_buckets,
            read=[data.raw_objects, data.objects(CODE), data.objects(f"{RUNS}/*/{SIDE}")],
            write=[data.objects(f"{RUNS}/*/{SIDE}")],
        )
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
            model="$.train.model",
            permissions=self._permissions(),
            stage_minutes=settings.stage_minutes,
            key=data.key,
        )
        data.alerts.machine_alarm(self.pipeline.machine)
        # The pipeline's first run, so that one deployment ends with a trained model behind the endpoint. It runs again
        # whenever a request of the pipeline or the raw data changes.
        first_run = execution(self.resources, "FirstRun", machine=self.pipeline.machine, run={"raw": data.dataset.raw})
        first_run.node.add_dependency(self.jobs, self.jobs.leftovers)
        # SageMaker frees an endpoint's network interfaces and grants with its role, for minutes after its deletion: the
        # clean-up waits for that, and the role goes after it (API_DeleteEndpoint, read 2026-11-22).
        role = endpoint_role(self, "EndpointRole", settings, data)
        self.jobs.leftovers.node.add_dependency(role)
        self.endpoint = Endpoint(
            self,
            "Endpoint",
            settings,
            jobs=self.jobs,
            data=data,
            role=role,
            model_data=first_run.get_att_string("model"),
        )
        self.endpoint.node.add_dependency(self.jobs, self.jobs.leftovers)
        stop_executions(
            self.resources, "StopExecutions", [self.pipeline.machine], before=[self.jobs.leftovers, self.endpoint]
        )
        last = [self.jobs.security_group, self.jobs.role, role]
        delete_after(settings.time_to_live_hours, self.resources, data.alerts, last)

    def _prepare(self) -> StageRun:
        tables = self.data.dataset.definition.tables
        raw = {f"raw/{table.location}".rstrip("/"): f"States.Format('{{}}{table.location}', $.raw)" for table in tables}
        return self._processing(
            "prepare",
            inputs=raw,
            arguments={"raw": f"{PROCESSING}/input/raw", "output": f"{PROCESSING}/output/features"},
            outputs={"features": self._run("prepare")},
        )

    def _train(self) -> StageRun:
        chosen = self.settings.sagemaker.train
        request = self.jobs.training(
            "train",
            instance_type=chosen.instance_type,
            volume_gb=chosen.volume_gb,
            program="train.py",
            hyperparameters={
                "dataset": f"{CHANNELS}/code/{self._dataset}",
                **self.settings.hyperparameter_texts,
            },
            channels={
                "code": f"{self.data.code}/workloads/",
                "train": self._run("prepare", "train/"),
                "validation": self._run("prepare", "validation/"),
            },
            output=self._run("train"),
        )
        return self.jobs.trained("train", request)

    def _evaluate(self) -> StageRun:
        truth = self.data.dataset.definition.truth
        inputs = {
            "features/validation": self._run("prepare", "validation/"),
            "features/test": self._run("prepare", "test/"),
            "model": "$.train.model",
        }
        arguments = {"features": f"{PROCESSING}/input/features", "model": f"{PROCESSING}/input/model"}
        if truth is not None:
            inputs["truth"] = f"States.Format('{{}}{truth}', $.raw)"
            arguments["truth"] = f"{PROCESSING}/input/truth"
        return self._processing(
            "evaluate",
            inputs=inputs,
            arguments={**arguments, "output": f"{PROCESSING}/output/evaluation"},
            outputs={"evaluation": self._run("evaluate")},
        )

    def _score(self) -> StageRun:
        """Batch Transform wants a model resource; it is made for the job and goes with it."""
        chosen = self.settings.sagemaker.score
        model_name = f"States.Format('{self.settings.project}-{{}}-model', $.run_id)"
        create = {
            "ModelName.$": model_name,
            "ExecutionRoleArn": self.jobs.role.role_arn,
            "PrimaryContainer": {
                "Image": self.jobs.image,
                "ModelDataUrl.$": "$.train.model",
                "Environment": self.jobs.serving_environment("score.py"),
            },
            "VpcConfig": self.jobs.vpc_config(),
            "Tags": self.jobs.tags,
        }
        request = self.jobs.transform(
            "score",
            model_name=model_name,
            instance_type=chosen.instance_type,
            instance_count=chosen.instance_count,
            records=self._run("prepare", "score-csv/"),
            output=self._run("score"),
        )
        return StageRun(
            Task("sagemaker:createTransformJob.sync", request, ERRORS),
            before={"create model": Task("sagemaker:createModel", create, ERRORS)},
            stop={"stop score": self.jobs.stop("score", "TransformJob")},
            after={"delete model": Task("aws-sdk:sagemaker:deleteModel", {"ModelName.$": model_name}, ())},
        )

    def _processing(
        self, stage: str, *, inputs: dict[str, str], arguments: dict[str, str], outputs: dict[str, str]
    ) -> StageRun:
        """A Processing job that installs the published wheels and runs the stage's script."""
        chosen = getattr(self.settings.sagemaker, stage)
        request = self.jobs.processing(
            stage,
            instance_type=chosen.instance_type,
            volume_gb=chosen.volume_gb,
            entrypoint=["python3", f"{PROCESSING}/input/code/sagemaker/run.py"],
            arguments=[
                f"{stage}.py",
                f"--dataset={PROCESSING}/input/code/{self._dataset}",
                *[f"--{name}={value}" for name, value in arguments.items()],
            ],
            inputs={"code": f"{self.data.code}/workloads/", "wheels": f"{self.data.code}/wheels/{SIDE}/", **inputs},
            outputs=outputs,
        )
        return StageRun(
            Task("sagemaker:createProcessingJob.sync", request, ERRORS),
            stop={f"stop {stage}": self.jobs.stop(stage, "ProcessingJob")},
        )

    def _run(self, stage: str, below: str = "") -> str:
        """Where a stage's output of the running execution lies."""
        return run_location(self.data.bucket.bucket_name, SIDE, f"{OUTPUTS[stage]}/{below}")

    @property
    def _dataset(self) -> str:
        return f"datasets/{self.settings.dataset.name}"

    def _permissions(self) -> list[iam.PolicyStatement]:
        jobs = {"ProcessingJob": "processing-job", "TrainingJob": "training-job", "TransformJob": "transform-job"}
        models = iam.PolicyStatement(
            actions=["sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:AddTags"],
            resources=[self.jobs.arn("model")],
        )
        return [*self.jobs.permissions(jobs), models]
