"""The settings, checked before any construct exists.

Every setting has a dotted name (``emr.core.instance_type``) and is given in cdk.json's context or on the command line
as ``cdk synth -c emr.core.instance_type=m5.2xlarge``; the command line wins, as always with the CDK CLI. Sizes are in
GiB, times in the unit that the name ends with.
"""

import difflib
import functools
import ipaddress
import json
import re
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from common.command import InputError
from common.hyperparameters import HYPERPARAMETERS
from sides import DEFAULT, SIDES
from stacks import instances
from stacks.instances import family

DATASETS = Path(__file__).resolve().parents[1] / "workloads" / "datasets"

# Context keys of the CDK itself: feature flags, look-up caches, CLI options.
_CDK_CONTEXT = re.compile(r"^(@|aws:|aws-cdk:|cdk:|cli-telemetry$|tree-metadata$|acknowledged-issue-numbers$)|.+:.+=")


@functools.cache
def _instance_types(service: str, shape: str) -> frozenset[str]:
    """The instance types in botocore's own model of a service: the ones that its API accepts."""
    # Here, since the defaults need no check and a synthesis no wait for it.
    import botocore.loaders

    model = botocore.loaders.Loader().load_service_model(service, "service-2")
    return frozenset(model["shapes"][shape]["enum"])


def _nearest(value: str, allowed: frozenset[str] | set[str]) -> str:
    # SageMaker's name of EC2's type is nearer than another type's.
    near = [name for name in [f"ml.{value}"] if name in allowed] or difflib.get_close_matches(
        value, sorted(allowed), n=1, cutoff=0.6
    )
    return f"; did you mean {near[0]}?" if near else ""


def _known(service: str, shape: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        allowed = _instance_types(service, shape)
        if value not in allowed:
            raise ValueError(f"is not an instance type of {what}{_nearest(value, allowed)}")
        return value

    return AfterValidator(check)


def _usable(value: str) -> str:
    """Image, wheels and scripts are for x86 processors, and nothing here uses a GPU or another accelerator."""
    known = family(value)
    if known is None:
        raise ValueError(
            "is of a family that is not in stacks/instance_families.json, so its processor is not known "
            "(make instances reads the families again)"
        )
    if not known.x86:
        raise ValueError("is an Arm instance type; the image and the published wheels are for x86_64")
    if known.accelerator:
        raise ValueError("has a GPU or another accelerator, which nothing here uses: every side works on the processor")
    return value


def _emr_node(value: str) -> str:
    """EMR 7.x does not start below xlarge sizes."""
    if not value.endswith("xlarge"):
        raise ValueError("is smaller than the sizes EMR runs on; use xlarge or larger")
    if value not in instances.sizes():
        raise ValueError(
            "is not in stacks/node_sizes.csv, which has what EMR 7 runs and executors must fit into "
            "(make instances reads it again)"
        )
    return value


def _spark_host(value: str) -> str:
    """The executors of an instance are made to fit its memory."""
    if value.removeprefix("ml.") not in instances.sizes():
        raise ValueError(
            "is not in stacks/node_sizes.csv, which has the sizes, xlarge and larger, that executors must fit into "
            "(make instances reads it again)"
        )
    return value


def _whole(value: object) -> object:
    """A whole number or a text of plain digits: pydantic also takes ``1_0``, ``true`` and digits of other scripts."""
    if isinstance(value, bool | float) or (isinstance(value, str) and not re.fullmatch(r"-?[0-9]+", value)):
        raise ValueError("must be a whole number (integer), in plain digits")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]

# RFC 1918. A network of ours may lie beside others of its kind, never over addresses of the internet.
_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _private_network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"is not a network: {error}; for instance 10.42.0.0/20") from error
    if str(network) != value:
        raise ValueError(f"is written {network}")
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(f"is not private; allowed are parts of {', '.join(map(str, _PRIVATE))}")
    if not 16 <= network.prefixlen <= 22:
        raise ValueError(f"has {network.num_addresses} addresses; allowed are /16 to /22")
    return value


PrivateNetwork = Annotated[str, AfterValidator(_private_network)]

_Usable = AfterValidator(_usable)
ProcessingInstance = Annotated[str, _known("sagemaker", "ProcessingInstanceType", "SageMaker Processing"), _Usable]
SparkInstance = Annotated[ProcessingInstance, AfterValidator(_spark_host)]
TrainingInstance = Annotated[str, _known("sagemaker", "TrainingInstanceType", "SageMaker Training"), _Usable]
TransformInstance = Annotated[str, _known("sagemaker", "TransformInstanceType", "SageMaker Batch Transform"), _Usable]
EndpointInstance = Annotated[str, _known("sagemaker", "ProductionVariantInstanceType", "SageMaker Hosting"), _Usable]
EmrInstance = Annotated[str, _known("ec2", "InstanceType", "EC2"), _Usable, AfterValidator(_emr_node)]


# EMR 7 holds Spark 3.5, Hadoop, Hive and Python 3.11. emr-spark-8 has no Hive; releases before 7 have no Python 3.11.
def _release(value: str) -> str:
    if not re.fullmatch(r"emr-7\.[0-9]+\.[0-9]+", value, re.ASCII):
        raise ValueError("must be one of EMR 7, like emr-7.14.0")
    return value


EmrRelease = Annotated[str, AfterValidator(_release)]


def _listed(value: object) -> object:
    """A list may be given as one text, as the command line needs it: ``-c network.subnet_ids=subnet-1,subnet-2``."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _sides(value: object) -> object:
    """The names of some sides, as a list or as one text with commas; ``all`` are all of them."""
    names = list(SIDES) if value == "all" else value.split(",") if isinstance(value, str) else value
    known = list(SIDES)  # a list: names out of cdk.json may be anything, also what has no hash
    if not isinstance(names, list | tuple) or not names or any(name not in known for name in names):
        wrong = "must name sides"
    elif len(set(names)) < len(names):
        wrong = "must name each side once"
    else:
        return tuple(names)
    raise ValueError(f"{wrong}; allowed are {', '.join(known)}, one or more with commas between them, or all")


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Range(_Group):
    """A number of instances, at least and at the most."""

    minimum: Whole = Field(1, ge=1)
    maximum: Whole = Field(4, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> "_Range":
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class DatasetSettings(_Group):
    """The dataset that every pipeline reads."""

    name: str = Field("webshop", description="a folder below workloads/datasets")
    location: str | None = Field(
        None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/ ]+/)*$",
        description="where a dataset of your own lies, s3://bucket/prefix/ (docs/dataset.md); none: it is generated",
    )
    events: Whole = Field(200_000, ge=1_000, le=10_000_000_000, description="log events to generate")
    seed: Whole = Field(7, ge=0, le=2**31 - 1, description="seed of the generator")
    instance_type: ProcessingInstance = Field("ml.m5.xlarge", description="where the generator runs")
    instance_count: Whole = Field(1, ge=1, le=20)
    volume_gb: Whole = Field(50, ge=1, le=16_384)


class DataSettings(_Group):
    """The data, when the stacks are destroyed."""

    deletable: bool = Field(
        False,
        description="the first of two keys: the data goes with its stack if this is set and the context holds "
        "@side-by-side/delete-data=true as well; otherwise the buckets and their key are kept",
    )


class NetworkSettings(_Group):
    """The private network of the jobs, the endpoint and the cluster."""

    cidr: PrivateNetwork = "10.42.0.0/20"
    nat: bool = Field(False, description="a way out to the internet; none is needed")
    session_manager: bool = Field(False, description="the endpoints that Session Manager needs for a shell on a node")
    vpc_id: str | None = Field(None, pattern=r"^vpc-[0-9a-f]{8,17}$", description="a network of your own")
    subnet_ids: Annotated[
        tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...], BeforeValidator(_listed)
    ] = Field((), description="its private subnets, two or more, in different zones, with a way to S3 and KMS")

    @model_validator(mode="after")
    def _own(self) -> "NetworkSettings":
        if (self.vpc_id is None) != (not self.subnet_ids):
            raise ValueError("vpc_id and subnet_ids go together")
        if self.vpc_id is not None and len(set(self.subnet_ids)) < 2:
            raise ValueError(f"subnet_ids={','.join(self.subnet_ids)}: an endpoint needs two, in different zones")
        fields = type(self).model_fields
        ours = [name for name in ("cidr", "nat", "session_manager") if getattr(self, name) != fields[name].default]
        if self.vpc_id is not None and ours:
            raise ValueError(f"{', '.join(ours)}: not with a network of your own (vpc_id)")
        return self


class AlertSettings(_Group):
    """Alerts of failures and costs."""

    email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="none: only the SNS topic")
    monthly_budget_usd: Whole = Field(
        100, ge=0, le=1_000_000, description="of the whole account; alerts at 50, 80 and 100 percent; 0: no budget"
    )


class ProcessingSettings(_Group):
    """The instances of a Processing job."""

    instance_type: ProcessingInstance = "ml.m5.xlarge"
    volume_gb: Whole = Field(30, ge=1, le=16_384)


class TrainingSettings(ProcessingSettings):
    """The instances of a Training job."""

    instance_type: TrainingInstance = "ml.m5.xlarge"
    instance_count: Whole = Field(1, ge=1, le=100, description="which train together, each on a share of the rows")


class TransformSettings(_Group):
    """The instances of a Batch Transform job."""

    instance_type: TransformInstance = "ml.m5.xlarge"
    instance_count: Whole = Field(1, ge=1, le=100)


class EndpointSettings(_Range):
    """The endpoint: instances with autoscaling, or serverless."""

    mode: Literal["real-time", "serverless"] = "real-time"
    instance_type: EndpointInstance = "ml.m5.large"
    minimum: Whole = Field(1, ge=1, le=100, description="instances")
    maximum: Whole = Field(4, ge=1, le=100, description="instances; the same as minimum: no autoscaling")
    invocations_per_instance: Whole = Field(1_000, ge=1, le=1_000_000, description="target a minute")
    scale_in_seconds: Whole = Field(300, ge=0, le=3_600, description="pause after instances went")
    scale_out_seconds: Whole = Field(60, ge=0, le=3_600, description="pause after instances came")
    memory_mb: Whole = Field(2048, ge=1024, le=6144, multiple_of=1024, description="of a serverless endpoint")
    concurrency: Whole = Field(5, ge=1, le=200, description="requests at once of a serverless endpoint")
    latency_ms: Whole = Field(
        500, ge=1, le=60_000, description="slower than this is an alarm, and a new model rolls back"
    )
    capture_percent: Whole = Field(0, ge=0, le=100, description="of the requests that are kept below capture/")

    @model_validator(mode="after")
    def _captured(self) -> "EndpointSettings":
        if self.mode == "serverless" and self.capture_percent:
            raise ValueError(f"capture_percent={self.capture_percent}: a serverless endpoint captures nothing")
        return self


class JobSettings(_Group):
    """The jobs of a side on SageMaker, stage by stage."""

    prepare: ProcessingSettings = ProcessingSettings()
    train: TrainingSettings = TrainingSettings()
    evaluate: ProcessingSettings = ProcessingSettings()
    score: TransformSettings = TransformSettings()


class SageMakerSettings(JobSettings):
    """The SageMaker side: its jobs, and its endpoint."""

    endpoint: EndpointSettings = EndpointSettings()


class SparkProcessingSettings(ProcessingSettings):
    """The instances of a Processing job, which are a cluster of Spark for its time."""

    instance_type: SparkInstance = "ml.m5.xlarge"
    instance_count: Whole = Field(2, ge=1, le=100, description="the first is the driver's as well")


class ManyTrainingSettings(TrainingSettings):
    """The instances of a Training job, several unless told otherwise."""

    instance_count: Whole = Field(2, ge=1, le=100, description="which train together, each on a share of the rows")


class SageMakerSparkSettings(JobSettings):
    """The side of Spark on SageMaker: its jobs, each on several instances."""

    prepare: SparkProcessingSettings = SparkProcessingSettings()
    train: ManyTrainingSettings = ManyTrainingSettings()
    evaluate: SparkProcessingSettings = SparkProcessingSettings()
    # Batch Transform hands out whole files, of which there is one until some million values.
    score: TransformSettings = TransformSettings()


class NodeSettings(_Group):
    """One node of the cluster, or a group of them."""

    instance_type: EmrInstance = "m5.xlarge"
    volume_gb: Whole = Field(64, ge=10, le=16_384)
    alternatives: Annotated[tuple[EmrInstance, ...], BeforeValidator(_listed)] = Field(
        (), max_length=29, description="other types that an instance fleet may take"
    )


class TaskSettings(NodeSettings):
    """Nodes that only compute: they hold no data, so losing one loses no more than its running tasks."""

    count: Whole = Field(0, ge=0, le=1_000, description="to start with; 0: no task nodes, core nodes scale instead")
    spot: bool = Field(False, description="Spot capacity first, on-demand when there is none (instance fleets)")
    spot_minutes: Whole = Field(10, ge=5, le=1_440, description="how long Spot capacity is waited for")


class EmrSettings(_Range):
    """The EMR side."""

    release: EmrRelease = "emr-7.14.0"
    mode: Literal["persistent", "transient"] = Field(
        "persistent", description="one cluster that ends when idle, or one for every run"
    )
    provisioning: Literal["groups", "fleets"] = Field("groups", description="instance groups or instance fleets")
    certificates: Literal["emr", "pem"] = Field(
        "emr", description="of the traffic between nodes: EMR's own, or one that the publishing build makes"
    )
    primary: NodeSettings = NodeSettings()
    core: NodeSettings = NodeSettings()
    task: TaskSettings = TaskSettings()
    minimum: Whole = Field(1, ge=1, le=1_000, description="core nodes, and nodes beside the primary at least")
    maximum: Whole = Field(4, ge=1, le=1_000, description="nodes beside the primary")
    idle_minutes: Whole = Field(60, ge=1, le=10_080, description="the cluster ends itself after this time without work")

    @property
    def worker_types(self) -> set[str]:
        """The instance types that executors may run on."""
        groups = (self.core, *((self.task,) if self.task.count else ()))
        return {each for group in groups for each in (group.instance_type, *group.alternatives)}

    @model_validator(mode="after")
    def _possible(self) -> "EmrSettings":
        if self.minimum + self.task.count > self.maximum:
            raise ValueError(
                f"minimum {self.minimum} and task.count {self.task.count} are together above maximum {self.maximum}"
            )
        if self.provisioning == "groups":
            for name in ("primary", "core", "task"):
                if getattr(self, name).alternatives:
                    raise ValueError(f"{name}.alternatives: only with provisioning=fleets")
            if self.task.spot:
                raise ValueError("task.spot=true: falls back to on-demand only with provisioning=fleets")
        if self.task.spot and not self.task.count:
            raise ValueError("task.spot=true: there are no task nodes, task.count is 0")
        return self


# By its vCPUs the memory that a worker may have, in GB
# (docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html, as quoted 2026-11-28).
WORKERS: dict[int, Sequence[int]] = {
    1: range(2, 9),
    2: range(4, 17),
    4: range(8, 31),
    8: range(16, 61, 4),
    16: range(32, 121, 8),
    32: (60, 120, 244),
}


JOB_RUN_MINUTES, JOB_RUN_MARGIN = 5, 5
"""The least that a job run of EMR Serverless may have (moto 5.2.5), and by how much it ends before its state gives up.

The state counts from its call, the service perhaps from the start only, which takes one to three minutes, and after the
end all workers are cancelled.
"""


class EmrServerlessSettings(_Group):
    """The EMR Serverless side; its release is EMR's. A job's driver is a worker like its executors."""

    executors: Whole = Field(1, ge=1, le=1_000, description="workers beside the driver")
    vcpus: Whole = Field(4, description="of a worker")
    memory_gb: Whole = Field(16, description="of a worker, what lies outside of the heap included")
    disk_gb: Whole = Field(20, ge=20, le=200, description="of a worker; 20 are free of charge")
    maximum_vcpus: Whole = Field(16, ge=1, le=100_000, description="of all workers together; a new account has 16")
    maximum_memory_gb: Whole = Field(64, ge=1, le=1_000_000, description="of all workers together")
    idle_minutes: Whole = Field(15, ge=1, le=10_080, description="the application stops after this time without work")

    @model_validator(mode="after")
    def _possible(self) -> "EmrServerlessSettings":
        if self.vcpus not in WORKERS:
            raise ValueError(f"vcpus={self.vcpus}: a worker has {', '.join(map(str, WORKERS))}")
        allowed = WORKERS[self.vcpus]
        if self.memory_gb not in allowed:
            by = f" by {allowed.step}" if isinstance(allowed, range) and allowed.step > 1 else ""
            sizes = f"{allowed[0]} to {allowed[-1]}{by}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
            raise ValueError(f"memory_gb={self.memory_gb}: a worker with vcpus={self.vcpus} has {sizes}")
        for name, each in (("vcpus", self.vcpus), ("memory_gb", self.memory_gb)):
            needed, most = (self.executors + 1) * each, getattr(self, f"maximum_{name}")
            if needed > most:
                raise ValueError(
                    f"maximum_{name}={most}: {self.executors + 1} workers (the driver is one) of {each} take {needed}"
                )
        return self


def _hyperparameters(given: object) -> dict[str, int | float]:
    """All hyper-parameters: given ones checked as the training scripts check them, the rest by default."""
    values = dict(given) if isinstance(given, Mapping) else {}
    checked: dict[str, int | float] = {}
    for name, known in HYPERPARAMETERS.items():
        value = values.get(name, known.default)
        try:
            checked[name] = known.parse(str(value))
        except ArgumentTypeError as error:
            raise ValueError(f"{name}={error}") from error
    return checked


class Settings(_Group):
    """All settings."""

    project: str = Field(
        "side-by-side", pattern=r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$", description="prefix of every name; one a deployment"
    )
    sides: Annotated[tuple[str, ...], BeforeValidator(_sides)] = Field(
        DEFAULT, description="pipelines to deploy and compare, names of sides.py in the order of the report, or all"
    )
    owner: str = Field("unknown", pattern=r"^[\w.@+-]{1,64}$", description="tag on everything")
    time_to_live_hours: Whole = Field(
        12, ge=0, le=8_760, description="after this time the sides delete their stacks; 0: they stay"
    )
    permissions_boundary: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_+=,.@/-]{1,128}$", description="name of a policy that bounds every role here"
    )
    stage_minutes: Whole = Field(50, ge=5, le=12_960, description="a stage that runs longer is stopped, on every side")
    dataset: DatasetSettings = DatasetSettings()
    data: DataSettings = DataSettings()
    alerts: AlertSettings = AlertSettings()
    network: NetworkSettings = NetworkSettings()
    sagemaker: SageMakerSettings = SageMakerSettings()
    sagemaker_spark: SageMakerSparkSettings = SageMakerSparkSettings()
    emr: EmrSettings = EmrSettings()
    emr_serverless: EmrServerlessSettings = EmrServerlessSettings()
    hyperparameters: Annotated[dict[str, int | float], BeforeValidator(_hyperparameters)] = Field(
        default_factory=dict, validate_default=True, description="of every side's training, by XGBoost's names"
    )

    @model_validator(mode="after")
    def _dataset_exists(self) -> "Settings":
        names = sorted(
            folder.name for folder in DATASETS.iterdir() if folder.is_dir() and not folder.name.startswith(("_", "."))
        )
        if self.dataset.name not in names:
            raise ValueError(
                f"dataset.name={self.dataset.name!r} is not a folder of workloads/datasets; allowed: {', '.join(names)}"
            )
        return self

    @model_validator(mode="after")
    def _stages_have_time(self) -> "Settings":
        least = JOB_RUN_MINUTES + JOB_RUN_MARGIN
        if self.packed_packages and self.stage_minutes < least:
            raise ValueError(
                f"stage_minutes={self.stage_minutes}: must be {least} or more where EMR Serverless is a side: its job "
                f"runs have {JOB_RUN_MINUTES} at the least, and end {JOB_RUN_MARGIN} before"
            )
        return self

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> "Settings":
        """Build the settings from the CDK's context; keys of the CDK itself are left alone.

        Raises InputError for the first unknown key (with the nearest valid one) or impossible value.
        """
        known = set(setting_names())
        tree: dict[str, Any] = {}
        for key, value in context.items():
            if _CDK_CONTEXT.search(key):
                continue
            if key not in known:
                raise InputError(
                    f"unknown setting {key}={value!r}{_nearest(key, known)} (all are in stacks/settings.py)"
                )
            *groups, leaf = key.split(".")
            node = tree
            for group in groups:
                node = node.setdefault(group, {})
            node[leaf] = value
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise InputError(_one_line(error)) from error

    def tags(self, *, expires: bool) -> dict[str, str]:
        """The tags of what a stack holds, and of the jobs that it starts; what ``expires`` has a time to live.

        The expiry names the stack's output that holds the moment: nothing here may depend on the clock, and more hours
        must not change jobs, endpoint and cluster, which would all be made anew.
        """
        expiry = "see stack output Expires" if expires and self.time_to_live_hours else "none"
        return {"project": self.project, "owner": self.owner, "expiry": expiry}

    @property
    def own_certificates(self) -> bool:
        """The publishing build makes a certificate for the nodes of clusters."""
        return self.emr.certificates == "pem"

    @property
    def packed_packages(self) -> bool:
        """The publishing build packs the packages of Spark's jobs into an archive: EMR Serverless installs nothing."""
        return any(SIDES[side].service == "emr-serverless" for side in self.sides)

    @property
    def hyperparameter_texts(self) -> dict[str, str]:
        """The hyper-parameters as the jobs are called with them."""
        return {name: str(value) for name, value in self.hyperparameters.items()}

    def flat(self) -> dict[str, object]:
        """Every setting by its dotted name."""
        return dict(_leaves(self))


_LONGEST_SHOWN = 300
"""Characters of a value in a message: more than any allowed value has, but for lists of text."""


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not where:
        return message
    if isinstance(first["input"], dict | BaseModel) and where not in setting_names():
        return f"setting {where}: {message}"
    given = json.dumps(first["input"])
    given = given if len(given) <= _LONGEST_SHOWN else f"{given[:_LONGEST_SHOWN]}..."
    return f"setting {where}={given}: {message[0].lower()}{message[1:]}"


def _leaves(group: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        dotted = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{dotted}.")
        elif isinstance(value, dict):
            yield from ((f"{dotted}.{key}", item) for key, item in value.items())
        else:
            yield dotted, list(value) if isinstance(value, tuple) else value


def setting_names() -> list[str]:
    """The dotted name of every setting, in the order of the model."""
    return [name for name, _ in _leaves(Settings())]
