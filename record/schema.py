"""The run record: everything that one run of its sides leaves behind, as one JSON file.

A record holds what was measured and what the definitions say. Sums, pass marks and verdicts are computed from it when
it is shown (`comparison.summary`). `None` always means "not measured", never zero.

    record = load(Path("comparison.json"))
    save(record, Path("copy.json"))

`python -m record.schema` prints the reference in docs/record.md.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from record.errors import UserError
from record.files import read_json, write_text
from record.text import clean_json, one_line

SCHEMA_VERSION = 3

StageName = Literal["prepare", "train", "evaluate", "score"]
Outcome = Literal["succeeded", "failed"]

STAGES: tuple[StageName, ...] = ("prepare", "train", "evaluate", "score")

RUN_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
"""A run's id becomes a folder, a prefix in S3 and the name of an execution, which has up to 80 characters
(StartExecution in botocore 1.44.5, 2026-11-22); what else it may be is checked where a run starts
(stacks.shared.layout)."""


def _utc(value: datetime) -> datetime:
    """A time of our time, so that whoever adds seconds to it stays within the calendar."""
    if not _YEARS[0] <= value.year <= _YEARS[1]:
        raise ValueError(f"Input should be a time in the years {_YEARS[0]} to {_YEARS[1]}")
    return value.astimezone(UTC)


_YEARS = (1970, 2199)

UtcDatetime = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, StringConstraints(min_length=1)]
# A side's name becomes a folder and the end of a state machine's name.
SideName = Annotated[str, StringConstraints(pattern=r"^[a-z](-?[a-z0-9]){0,30}$")]
RunId = Annotated[str, StringConstraints(pattern=rf"^{RUN_ID}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# The bounds are far above what can be measured, and low enough to be summed, rounded and shown.
Seconds = Annotated[FiniteFloat, Field(ge=0, le=1e9)]
NonNegative = Annotated[FiniteFloat, Field(ge=0, le=1e15)]
Count = Annotated[int, Field(ge=0, le=2**53)]
AtLeastOne = Annotated[int, Field(ge=1, le=2**53)]
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


class RecordError(UserError):
    """A record cannot be read. The text is one line naming the file, the field and what is expected there."""


class ShownModel(BaseModel):
    """Fields of a file that anybody may have written, fit to be shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _fit_to_be_shown(cls, value: Any) -> Any:
        """Log lines and messages are anybody's: what a terminal or a page would obey is spelled out."""
        return clean_json(value)


class Machine(ShownModel):
    """The machine a local run measured. Its seconds are engine seconds on this machine, never cloud time."""

    cpus: AtLeastOne = Field(description="CPU cores the run may use")
    memory_bytes: AtLeastOne = Field(description="physical memory, bytes")
    platform: Text = Field(description="operating system, architecture and Python")


class Dataset(ShownModel):
    """The raw data that all sides read."""

    name: Text = Field(description="folder name below `workloads/datasets/`")
    events: Count | None = Field(
        default=None, description="log events asked of the generator; null when it was not generated"
    )
    rows: dict[str, Count] = Field(default_factory=dict, description="raw rows (for text: lines) by table")
    bytes: Count | None = Field(default=None, description="size of the raw data as stored, bytes")


class Instances(ShownModel):
    """Machines of one type that a stage's definition asks for in the cloud; a local run starts none of them."""

    type: Text = Field(
        description="instance type, e.g. `ml.m5.xlarge` or `m5.xlarge`, or the size of a worker, e.g. `4 vCPU, 16 GB`"
    )
    count: AtLeastOne = Field(description="how many of them")


class Utilization(ShownModel):
    """What EMR Serverless bills for a stage's workers, from the moment in which each was ready; a minute at least."""

    vcpu_hours: NonNegative = Field(description="hours of vCPUs")
    memory_gb_hours: NonNegative = Field(description="hours of GB of memory")
    storage_gb_hours: NonNegative = Field(description="hours of GB of storage beyond the 20 GB that a worker has free")


class Stage(ShownModel):
    """One stage of one side."""

    name: StageName = Field(description="the same four names, in the same order, on every side")
    status: Literal["succeeded", "failed", "skipped"] = Field(
        description="`skipped`: never started, because an earlier stage failed"
    )
    started: UtcDatetime | None = Field(default=None, description="when it started, UTC; null when skipped")
    seconds: Seconds | None = Field(
        default=None,
        description="wall-clock seconds from start to end of the state. where=local: this machine's engine seconds, "
        "never cloud time; where=aws: as in the state machine's history, so with the time the service takes to start; "
        "of EMR up to the end that the step's own timeline has, which Step Functions notices minutes later",
    )
    instances: tuple[Instances, ...] = Field(
        default=(), description="what the definition asks for in the cloud, also in a local run"
    )
    billable_seconds: NonNegative | None = Field(
        default=None,
        description="seconds that the service bills for the stage, as its Describe call reports them: SageMaker, a "
        "job's billable seconds or its start to end, for each of its instances; EMR, the step's start to end on its "
        "cluster; EMR Serverless, the duration of the job run. where=aws only",
    )
    utilization: Utilization | None = Field(
        default=None, description="what EMR Serverless bills, in place of instances' seconds. where=aws only"
    )
    cpu_percent: NonNegative | None = Field(
        default=None,
        description="mean of CloudWatch's CPUUtilization while a SageMaker job ran, percent: 100 for each CPU in full "
        "use; of its first instance. where=aws only",
    )
    memory_percent: NonNegative | None = Field(
        default=None, description="mean of its MemoryUtilization, percent of the instance's memory; as `cpu_percent`"
    )
    rows_in: Count | None = Field(default=None, description="rows read, from the stage's stats.json")
    rows_out: Count | None = Field(default=None, description="rows written, from the stage's stats.json")
    bytes_out: Count | None = Field(default=None, description="size of everything below the stage's output, bytes")

    @model_validator(mode="after")
    def _skipped_has_no_time(self) -> Self:
        if self.status == "skipped" and (self.started is not None or self.seconds is not None):
            raise ValueError("a skipped stage has no `started` and no `seconds`")
        return self


class SideError(ShownModel):
    """Why a side failed."""

    stage: StageName | None = Field(
        default=None, description="the stage that failed; null when the side failed outside of one"
    )
    message: Text = Field(description="the stage's own error message, or the service's")
    log: Text | None = Field(
        default=None, description="where the log is: a path (local) or a log group and stream (aws)"
    )
    log_tail: tuple[str, ...] = Field(
        default=(), description="last lines of that log, oldest first; where=aws only, and empty when it was not read"
    )


class CalibrationBin(ShownModel):
    """One bin of predicted probability: what was promised and what happened."""

    bin: Count = Field(description="number of the bin, from 0")
    rows: Count = Field(description="rows in it")
    mean_probability: Fraction = Field(description="mean predicted probability")
    positive_rate: Fraction = Field(description="share of rows whose label is 1")


class RocPoint(ShownModel):
    """One point of a ROC curve: what a threshold on the probability catches."""

    false_positive_rate: Fraction = Field(description="share of the rows with label 0 that are caught")
    true_positive_rate: Fraction = Field(description="share of the rows with label 1 that are caught")


class Metrics(ShownModel):
    """How well a model predicts one split; the same object as in evaluation.json."""

    rows: Count = Field(description="rows in the split")
    positives: Count = Field(description="rows whose label is 1")
    auc: Fraction = Field(description="area under the ROC curve; 0.5 is chance, higher is better")
    # A sum of many fractions: rounding may take a perfect model a last digit above 1.
    average_precision: NonNegative = Field(description="area under the precision-recall curve; higher is better")
    log_loss: NonNegative = Field(description="mean negative log likelihood, nats; lower is better")
    brier: Fraction = Field(description="mean squared error of the probability; lower is better")
    calibration: tuple[CalibrationBin, ...] = Field(default=(), description="by bin of predicted probability")
    roc: tuple[RocPoint, ...] = Field(
        default=(), description="points of the ROC curve from (0, 0) to (1, 1), at most 102; empty when not measured"
    )


class Load(ShownModel):
    """The endpoint under load: so many clients at once, each sending its next request when the last is answered."""

    clients: AtLeastOne = Field(description="clients at once")
    requests: AtLeastOne = Field(description="requests sent, one row each")
    failures: Count = Field(description="requests without a right answer")
    seconds: Seconds = Field(description="from the first request to the last answer; where=local: on this machine")
    p50_milliseconds: NonNegative = Field(description="median time of one request, milliseconds")
    p90_milliseconds: NonNegative = Field(description="90 of 100 requests took no longer, milliseconds")
    p99_milliseconds: NonNegative = Field(description="99 of 100 requests took no longer, milliseconds")


class Traffic(ShownModel):
    """What the endpoint in an account was asked by anybody in some whole hours, as CloudWatch counted it."""

    start: UtcDatetime = Field(description="the first hour's start, UTC")
    hours: AtLeastOne = Field(description="how many hours")
    requests: Count = Field(description="requests that reached the model (Invocations)")
    failures: Count = Field(description="answers 4xx and 5xx (Invocation4XXErrors, Invocation5XXErrors)")
    p50_milliseconds: NonNegative | None = Field(
        default=None, description="median time that the model took for a request (ModelLatency), in the busiest hour"
    )
    p90_milliseconds: NonNegative | None = Field(default=None, description="90 of 100 took no longer, in that hour")
    p99_milliseconds: NonNegative | None = Field(default=None, description="99 of 100 took no longer, in that hour")


class Serve(ShownModel):
    """Smoke test of the real-time endpoint. Only SageMaker brings one; on EMR it is additional setup."""

    status: Literal["succeeded", "failed", "skipped"] = Field(description="`skipped`: it was not tried")
    rows: Count | None = Field(default=None, description="rows sent, one request each")
    p50_milliseconds: NonNegative | None = Field(default=None, description="median time of one request, milliseconds")
    load: tuple[Load, ...] = Field(default=(), description="under load, by number of clients; empty: not measured")
    traffic: Traffic | None = Field(
        default=None, description="what CloudWatch counted; where=aws, and only where it was asked for"
    )
    message: Text | None = Field(default=None, description="why it failed")


class Cluster(ShownModel):
    """The EMR cluster that a run in an account used, and what of its machines the run occupied."""

    id: Text = Field(description="cluster id, `j-...`")
    own: bool = Field(description="started by this run, and so all of it is the run's; else it was shared")
    instance_seconds: dict[str, NonNegative] = Field(
        default_factory=dict,
        description="seconds of all instances by type within the run (own: their whole lives), from ListInstances",
    )
    spot_seconds: dict[str, NonNegative] = Field(
        default_factory=dict, description="those of `instance_seconds` that were Spot instances"
    )


class Side(ShownModel):
    """One side's run of the pipeline: a service with an engine."""

    title: Text = Field(description="its name for people, e.g. `SageMaker`")
    service: Text = Field(description="the service that ran it: `sagemaker`, `emr`, `emr-serverless`")
    engine: Text = Field(description="what computed: `single node` or `Spark`")
    status: Outcome = Field(description="whether the side's state machine ended well")
    error: SideError | None = Field(default=None, description="why it failed; null when it succeeded")
    started: UtcDatetime | None = Field(default=None, description="when its execution started, UTC")
    seconds: Seconds | None = Field(
        default=None,
        description="wall-clock seconds of its whole execution: the stages and what lies around them, such as the "
        "start of a cluster. As with a stage's seconds: where=local, this machine's",
    )
    stages: tuple[Stage, ...] = Field(
        default=(), description="in the order of the pipeline; empty when the side never started"
    )
    rejected: dict[str, dict[str, Count]] | None = Field(
        default=None, description="rejected lines of `prepare`: table, reason, number of lines"
    )
    metrics: Metrics | None = Field(default=None, description="on the test split")
    validation: Metrics | None = Field(default=None, description="on the validation split, which training watched")
    serve: Serve | None = Field(default=None, description="endpoint smoke test, of a side that has an endpoint")
    cluster: Cluster | None = Field(
        default=None, description="the cluster of a run in an account, of a side that has one"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.status == "failed") != (self.error is not None):
            raise ValueError("a failed side has an `error`, a succeeded one has none")
        if [stage.name for stage in self.stages] != [
            name for name in STAGES if any(s.name == name for s in self.stages)
        ]:
            raise ValueError(f"stages come once each, in the order {', '.join(STAGES)}")
        return self

    def stage(self, name: StageName) -> Stage | None:
        """Return the stage of that name, None when the record has none."""
        return next((stage for stage in self.stages if stage.name == name), None)


class Limits(ShownModel):
    """What is best achievable: the metrics of the true probabilities on the test split. Null without a truth."""

    auc: Fraction | None = Field(default=None, description="best achievable AUC")
    average_precision: NonNegative | None = Field(default=None, description="best achievable average precision")
    log_loss: NonNegative | None = Field(default=None, description="best achievable log loss, nats")
    brier: Fraction | None = Field(default=None, description="best achievable Brier score")
    roc: tuple[RocPoint, ...] = Field(default=(), description="best achievable ROC curve; empty when not measured")

    @classmethod
    def of(cls, attainable: Metrics | None) -> Self:
        """Take the limits from `attainable` of evaluation.json, which is null without a truth."""
        return cls() if attainable is None else cls(**attainable.model_dump(include=set(cls.model_fields)))


class CrossScoring(ShownModel):
    """Each side's model on the other side's features, compared with that model on its own side's features."""

    first_model_on_second_features: NonNegative = Field(description="largest absolute difference of a probability")
    second_model_on_first_features: NonNegative = Field(description="largest absolute difference of a probability")


class Agreement(ShownModel):
    """How far another side agrees with the first one; null fields were not measured."""

    first: SideName = Field(description="the first side of the record")
    second: SideName = Field(description="the side that is compared with it")
    features_equal: bool | None = Field(
        default=None, description="every feature table is equal, row for row and value for value"
    )
    features_rows: Count | None = Field(default=None, description="rows compared for that, over all splits")
    auc_difference: Fraction | None = Field(default=None, description="absolute difference of the two test AUC")
    predictions_max_difference: Fraction | None = Field(
        default=None,
        description="largest absolute difference of the two sides' probabilities for one entity of split `score`",
    )
    cross_scoring_max_difference: CrossScoring | None = Field(default=None, description="see CrossScoring")
    rejected_equal: bool | None = Field(
        default=None, description="the sides rejected the same number of lines for each table and reason"
    )


class Record(ShownModel):
    """One run of one side or more, over the same raw data."""

    schema_version: Literal[3] = Field(
        description="version of this schema; a reader refuses a newer one and brings an older one up to this"
    )
    run_id: RunId = Field(description="name of the run, as in the S3 prefix `runs/<run id>/`")
    repeat_of: RunId | None = Field(
        default=None, description="the name that one `run --repeat` gave to all of its runs; null for a single run"
    )
    where: Literal["local", "aws"] = Field(
        description="`local`: the definitions were executed on one machine; `aws`: in an account"
    )
    region: Text | None = Field(default=None, description="AWS region of a run in an account, e.g. `us-east-1`")
    machine: Machine | None = Field(
        default=None, description="the machine that was measured; where=local only, and always there"
    )
    dataset: Dataset = Field(description="the raw data")
    sides: dict[SideName, Side] = Field(
        min_length=1,
        description="what each side did, in the order of the run; one that never started has status failed and no "
        "stages",
    )
    limits: Limits = Field(default_factory=Limits, description="what is best achievable on this dataset")
    agreement: tuple[Agreement, ...] = Field(
        default=(), description="each other side compared with the first, in their order; empty when there is one side"
    )
    versions: dict[str, str] = Field(default_factory=dict, description="package (or service release) and its version")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="settings and hyper-parameters of the run")
    definitions: dict[SideName, Sha256] = Field(
        default_factory=dict, description="SHA-256 of the state machine definition that was executed, by side"
    )

    @model_validator(mode="after")
    def _machine_is_local(self) -> Self:
        if (self.where == "local") != (self.machine is not None):
            raise ValueError("`machine` is there when `where` is local, and only then")
        return self

    @model_validator(mode="after")
    def _sides_are_there(self) -> Self:
        first, *others = self.sides
        pairs = [(pair.first, pair.second) for pair in self.agreement]
        if pairs and pairs != [(first, other) for other in others]:
            raise ValueError("`agreement` compares each other side with the first, in their order")
        if unknown := [name for name in self.definitions if name not in self.sides]:
            raise ValueError(f"`definitions` has {unknown[0]!r}, which is no side of the run")
        return self

    @property
    def started(self) -> datetime | None:
        """When the first stage of any side started (UTC), None when none did."""
        times = [stage.started for side in self.sides.values() for stage in side.stages if stage.started]
        return min(times, default=None)


def load(path: Path) -> Record:
    """Read a record.

    Raises:
        RecordError: the file is missing, truncated, no JSON, of a newer schema or invalid; one line.
    """
    try:
        data = read_json(path)
    except UserError as error:
        raise RecordError(f"{one_line(str(error))}; expected a run record") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is int and version > SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema_version: {version} is newer than this program reads; "
            f"expected {SCHEMA_VERSION} or older, or a newer program"
        )
    if type(version) is int and version in (1, 2):
        data = _upgraded(data)
    try:
        # Strict, so that "3" is not silently taken for 3; JSON mode, so that times and lists may be what JSON has.
        return Record.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        field = ".".join(str(part) for part in first["loc"]) or "record"
        given = (
            "" if first["type"] in {"missing", "extra_forbidden", "value_error"} else f", not {_short(first['input'])}"
        )
        more = f" (and {len(others)} more)" if others else ""
        expected = "is not a field of this schema" if first["type"] == "extra_forbidden" else first["msg"]
        expected = expected.removeprefix("Value error, ")
        raise RecordError(one_line(f"{path}: {_cut(field)}: {expected}{given}{more}")) from error


# The two sides that there were before version 3.
_EARLIER = {
    "sagemaker": {"title": "SageMaker", "service": "sagemaker", "engine": "single node"},
    "emr": {"title": "EMR", "service": "emr", "engine": "Spark"},
}
_CROSSED = {
    "sagemaker_model_on_emr_features": "first_model_on_second_features",
    "emr_model_on_sagemaker_features": "second_model_on_first_features",
}


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """A record of version 1 or 2 as one of version 3; what is damaged in it stays so, and is named as it is read.

    Version 2 only added fields. Version 3 has any number of sides, which say what they are, and an agreement a pair.
    """
    data = {**data, "schema_version": SCHEMA_VERSION}
    if isinstance(sides := data.get("sides"), dict):
        # In their order, whatever the file's is.
        ordered = {name: sides[name] for name in (*_EARLIER, *sides) if name in sides}
        data["sides"] = {
            name: {**_EARLIER.get(name, {}), **side} if isinstance(side, dict) else side
            for name, side in ordered.items()
        }
    pair = data.pop("agreement", None)
    if isinstance(pair, dict):
        pair = {"first": "sagemaker", "second": "emr", **pair}
        if isinstance(crossed := pair.get("cross_scoring_max_difference"), dict):
            pair["cross_scoring_max_difference"] = {_CROSSED.get(name, name): value for name, value in crossed.items()}
    if pair is not None:
        data["agreement"] = [pair]
    return data


def save(record: Record, path: Path) -> None:
    """Write a record so that a reader finds the old file or the new one, never half of one.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_text(path, record.model_dump_json(indent=2) + "\n")


def _short(value: object) -> str:
    return _cut(json.dumps(value, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def describe() -> str:
    """Return the reference of the schema as Markdown, the text of docs/record.md."""
    lines = [
        "# The run record",
        "",
        f"One JSON file for one run of all its sides (`comparison.json`), schema version {SCHEMA_VERSION}. Written and",
        "read by `record/schema.py`; this page is printed by `python -m record.schema`.",
        "",
        "A reader refuses unknown fields and newer schema versions, and reads older ones. `null` always means *not",
        "measured*, never zero.",
        "Sums, pass marks and verdicts are not in it: they are computed when it is shown (`comparison/summary.py`).",
    ]
    schema = Record.model_json_schema(mode="serialization")
    # pydantic sorts $defs by name; follow the order of the file, outermost first.
    models = [
        Record,
        Dataset,
        Machine,
        Side,
        SideError,
        Stage,
        Instances,
        Utilization,
        Metrics,
        CalibrationBin,
        RocPoint,
    ]
    for model in [*models, Serve, Load, Traffic, Cluster, Limits, Agreement, CrossScoring]:
        lines += [
            "",
            f"## {model.__name__}",
            "",
            model.__doc__ or "",
            "",
            "| field | type | meaning |",
            "| --- | --- | --- |",
        ]
        fields = schema if model is Record else schema["$defs"][model.__name__]
        for name, field in fields["properties"].items():
            lines.append(f"| `{name}` | {_type_name(field)} | {field.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _type_name(field: dict[str, Any]) -> str:
    """Name a JSON schema type in a few words, e.g. `map of text to integer or null`."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "any JSON value" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type_name(option) for option in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("format") == "date-time":
        return "time, UTC"
    match field.get("type"):
        case "array":
            return f"list of {_type_name(field['items'])}"
        case "object":
            key = _type_name(field["propertyNames"]) if "propertyNames" in field else "text"
            # Of names with a pattern there is one kind of value: `patternProperties` has it by the pattern.
            (values,) = field.get("patternProperties", {"": field.get("additionalProperties")}).values()
            return f"map of {key} to {_type_name(values)}"
        case kind:
            return {"string": "text", "boolean": "true or false", None: "any JSON value"}.get(kind, str(kind))


if __name__ == "__main__":
    print(describe(), end="")
