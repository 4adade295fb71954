"""SageMaker on the laptop: carries out requests to create processing, training and transform jobs, and models.

A request is checked against the service's API model, its container gets the image's environment and a real /opt/ml
(see `container`), its data moves between that and the folder that stands for S3, and the answer has the shape of the
Describe call: only fields that are known here, times in milliseconds since 1970 as Step Functions gives them.

Not the service: instance types, roles and keys, and nginx in front of the model server. What cannot be carried out is
refused with RequestRefused instead of being ignored. Facts: SageMaker developer guide and API reference as of
2026-11-22.
"""

import gzip
import http.client
import json
import os
import re
import shutil
import socket
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from local import environments
from local.container import Container, container_mode, host_names, scratch, together
from local.hosts import Start
from local.jobs import JOBS, JobFailed, RequestRefused, check_request, failure, reason_in, run_logged, running
from local.s3 import LocalS3
from local.sagemaker.spark import host_with_spark, provide
from local.sagemaker.transform import ColumnFilter, RecordRefused, Transform
from local.spark import removing_new_objects
from record.errors import UserError

STARTS_TRAINING = "aws-sdk:sagemaker:createTrainingJob"
"""The call that starts a job and does not wait for it."""

START_SECONDS = 240.0
"""How long a model server may take to answer /ping."""

PINGS = 5
"""How often it may answer /ping with an error: each try loads the model again."""

_SEE_LOGS = "See job logs for more information"
_LOOPBACK = """\
def on_starting(server):
    server.cfg.set("bind", "127.0.0.1:{port}")
"""

MIB = 1024 * 1024
_PROCESSING = "/opt/ml/processing/"
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # never through the machine's proxy


def _nothing_runs(_request: dict[str, Any]) -> dict[str, Any]:
    return {}


class SageMaker:
    """The jobs and models of one laptop run. Job and model names are unique in it, as they are in an account."""

    def __init__(self, s3: LocalS3, logs: Path, work: Path) -> None:
        """Write one log a job below `logs`; `work` holds a job's /opt/ml while it runs."""
        self.s3 = s3
        self.logs = logs.absolute()
        self.work = work.absolute()
        self.models: dict[str, dict[str, Any]] = {}
        self._training_jobs: dict[str, dict[str, Any]] = {}
        self._names: set[str] = set()
        self._lock = threading.Lock()
        self.actions: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "sagemaker:createProcessingJob.sync": self.create_processing_job,
            STARTS_TRAINING: self.create_training_job,
            "aws-sdk:sagemaker:describeTrainingJob": self.describe_training_job,
            "sagemaker:createModel": self.create_model,
            "sagemaker:createTransformJob.sync": self.create_transform_job,
            "aws-sdk:sagemaker:deleteModel": self.delete_model,
            # A job ends before its answer: there is nothing to stop.
            "aws-sdk:sagemaker:stopProcessingJob": _nothing_runs,
            "aws-sdk:sagemaker:stopTrainingJob": _nothing_runs,
            "aws-sdk:sagemaker:stopTransformJob": _nothing_runs,
        }
        """Who carries out which call of a state machine."""

    def create_processing_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a processing job to its end: DescribeProcessingJob's answer.

        Raises RequestRefused (a request the service would refuse) and JobFailed; then nothing is in S3.
        """
        check_request("sagemaker", "CreateProcessingJob", request)
        inputs, outputs = _processing_inputs(request), _processing_outputs(request)
        entrypoint = request["AppSpecification"].get("ContainerEntrypoint")
        if not entrypoint:
            raise RequestRefused("ContainerEntrypoint is missing: the image's own entry point is not on the laptop")
        environment = _environment(request["AppSpecification"]["ImageUri"])
        name = self._new_name("processing job", request["ProcessingJobName"])
        answer = {
            "ProcessingJobName": name,
            "ProcessingJobArn": _arn("processing-job", name),
            "ProcessingStartTime": _now(),
        }
        described = _described(answer, "ProcessingJobStatus", "ProcessingEndTime")
        with scratch(name, self.work) as folder, described, ExitStack() as stack:
            containers = _containers(folder, request["ProcessingResources"]["ClusterConfig"], environment, self.s3)
            command = [*entrypoint, *request["AppSpecification"].get("ContainerArguments", [])]
            if environment.engine == "Spark":
                stack.enter_context(removing_new_objects(self.s3, command))
            for number, container in enumerate(containers):
                for item in inputs:
                    self._download(name, item, container.path(item["LocalPath"]), (number, len(containers)))
                    container.adapt(item["LocalPath"])
                for inside in ("/opt/ml/output", *(output["LocalPath"] for output in outputs)):
                    container.path(inside).mkdir(parents=True, exist_ok=True)
                _write_config(container, "config/processingjobconfig.json", {**answer, **request})
                _write_config(container, "config/resourceconfig.json", _hosts(container, containers))
            # Where another Python stands for the image's, the published wheels have counterparts. A URL: pip splits
            # the variable at white space.
            links = {"PIP_FIND_LINKS": environment.wheels.as_uri()} if environment.wheels else {}
            try:
                self._run(name, containers, command, request, links)
            except JobFailed as failed:
                failed.answer["FailureReason"] = f"AlgorithmError: {_SEE_LOGS}"
                said = _text(_failed_of(containers).root / "output/message")
                _explain(failed, said or f"AlgorithmError: {failed.reason}")
                raise
            finally:
                messages = [_text(container.root / "output/message") for container in containers]
                if any(messages):
                    answer["ExitMessage"] = next(filter(None, messages))
            uploads: list[tuple[str, Path]] = []
            for container in containers:
                for output in outputs:
                    container.restore(output["LocalPath"])
                    uploads += _below(container.path(output["LocalPath"]), output["S3Uri"])
            self.s3.upload(uploads)
        return answer

    def create_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a training job to its end, so that what describes it has ended: DescribeTrainingJob's answer.

        There is no billable time: it is no cloud time. The request's own ContainerEntrypoint, or script mode
        (`sagemaker_program`) through the image's toolkit. Raises RequestRefused and JobFailed; then nothing is in S3.
        """
        check_request("sagemaker", "CreateTrainingJob", request)
        try:
            answer = self._train(request)
        except JobFailed as failed:
            if failed.answer:  # the job was created
                description = {**failed.answer, "FailureReason": failed.reason[:1024]}
                self._training_jobs[request["TrainingJobName"]] = description
            raise
        self._training_jobs[request["TrainingJobName"]] = answer
        return answer

    def describe_training_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """What there is to say of a training job that was created. Raises RequestRefused when there is none."""
        check_request("sagemaker", "DescribeTrainingJob", request)
        if request["TrainingJobName"] not in self._training_jobs:
            raise RequestRefused("Requested resource not found.")
        return self._training_jobs[request["TrainingJobName"]]

    def _train(self, request: Mapping[str, Any]) -> dict[str, Any]:
        channels, command = _channels(request), _training_command(request)
        environment = _environment(request["AlgorithmSpecification"].get("TrainingImage", ""))
        name = self._new_name("training job", request["TrainingJobName"])
        answer: dict[str, Any] = {
            "TrainingJobName": name,
            "TrainingJobArn": _arn("training-job", name),
            "TrainingStartTime": _now(),
        }
        output = f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{name}/output"
        checkpoints = request.get("CheckpointConfig")
        with scratch(name, self.work) as folder, _described(answer, "TrainingJobStatus", "TrainingEndTime"):
            containers = _containers(folder, request["ResourceConfig"], environment, self.s3)
            for number, container in enumerate(containers):
                for channel in channels:
                    into = container.root / "input/data" / channel["ChannelName"]
                    self._download(name, channel["DataSource"]["S3DataSource"], into, (number, len(containers)))
                for inside in ("model", "output/data", "input/data"):
                    (container.root / inside).mkdir(parents=True, exist_ok=True)
                container.adapt("/opt/ml/input/data")
                if checkpoints:
                    saved = container.path(checkpoints.get("LocalPath", "/opt/ml/checkpoints"))
                    self._download(name, checkpoints, saved, required=False)
                _write_config(container, "input/config/hyperparameters.json", request.get("HyperParameters", {}))
                _write_config(container, "input/config/inputdataconfig.json", _input_data_config(request, channels))
                resources = _training_resources(request, _hosts(container, containers))
                _write_config(container, "input/config/resourceconfig.json", resources)
            names = {"TRAINING_JOB_NAME": name, "TRAINING_JOB_ARN": answer["TrainingJobArn"]}
            try:
                self._run(name, containers, command, request, names)
            except JobFailed as failed:
                said = _text(_failed_of(containers).root / "output/failure")
                code = f", exit code: {failed.exit_code}"
                failed.answer["FailureReason"] = f"AlgorithmError: {said}{code}"
                _explain(failed, f"AlgorithmError: {said or failed.reason}{code}")
                raise
            uploads: list[tuple[str, Path]] = []
            for archive, inside in (("model", "model"), ("output", "output/data")):
                merged = _merged(containers, inside, folder / archive)
                if archive == "model" or any(merged.iterdir()):
                    pack(merged, folder / f"{archive}.tar.gz")
                    uploads.append((f"{output}/{archive}.tar.gz", folder / f"{archive}.tar.gz"))
            if checkpoints:
                for container in containers:
                    saved = container.path(checkpoints.get("LocalPath", "/opt/ml/checkpoints"))
                    uploads += _below(saved, checkpoints["S3Uri"])
            self.s3.upload(uploads)
            answer["ModelArtifacts"] = {"S3ModelArtifacts": f"{output}/model.tar.gz"}
        return answer

    def create_model(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remember a model: CreateModel's answer. Raises RequestRefused, as when its artefact is not in S3."""
        check_request("sagemaker", "CreateModel", request)
        name = request["ModelName"]
        with self._lock:
            if name in self.models:
                raise RequestRefused(f'Cannot create already existing model "{_arn("model", name)}"')
            self._model_artifact(request)
            self.models[name] = request
        return {"ModelArn": _arn("model", name)}

    def delete_model(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget a model. Raises RequestRefused when there is none of that name."""
        check_request("sagemaker", "DeleteModel", request)
        if self.models.pop(request["ModelName"], None) is None:
            raise RequestRefused(f'Could not find model "{_arn("model", request["ModelName"])}"')
        return {}

    def create_transform_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a transform job to its end: DescribeTransformJob's answer.

        Objects are sent one after the other, one request at a time. An object with a failing record has no output;
        the others have theirs, and the job has failed, as the service documents it. Raises RequestRefused, JobFailed.
        """
        check_request("sagemaker", "CreateTransformJob", request)
        _only(request["TransformInput"]["DataSource"]["S3DataSource"], "S3DataType", "S3Prefix")
        _only(request["TransformInput"], "SplitType", "None", "Line")
        model = self.models.get(request["ModelName"])
        if model is None:
            raise RequestRefused(f'Could not find model "{_arn("model", request["ModelName"])}"')
        settings = _transform_settings(request)
        name = self._new_name("transform job", request["TransformJobName"])
        answer = {
            "TransformJobName": name,
            "TransformJobArn": _arn("transform-job", name),
            "ModelName": request["ModelName"],
            "TransformStartTime": _now(),
        }
        log = self._log(name)
        target = request["TransformOutput"]["S3OutputPath"].rstrip("/")
        with scratch(name, self.work) as folder, _described(answer, "TransformJobStatus", "TransformEndTime"):
            objects = self._objects(name, request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
            uploads, failures = [], []
            with self._server(model, name, _transform_environment(request)) as (url, process):
                limits = _execution_parameters(url)
                client = _Client(url, request)
                for number, (relative, source) in enumerate(objects):
                    output = folder / f"{number}.out"
                    opened = gzip.open if request["TransformInput"].get("CompressionType") == "Gzip" else open
                    try:
                        with opened(source, "rb") as data, output.open("wb") as out:
                            for part in settings(limits).run(cast("BinaryIO", data), client.invoke):
                                out.write(part)
                        uploads.append((f"{target}/{relative}.out", output))
                    except RecordRefused as error:
                        if process.poll() is not None or JOBS.stopped:  # the server is gone: no object can do better
                            raise failure(name, log, process.returncode) from None
                        failures.append(f"{self.s3.uri(source)}: {error}")
            self.s3.upload(uploads)
            if failures:
                with log.open("a") as lines:
                    lines.writelines(f"error: {line}\n" for line in failures)
                more = f" (and {len(failures) - 1} more objects)" if len(failures) > 1 else ""
                failed = JobFailed(name, failures[0] + more, log)
                failed.answer["FailureReason"] = f"ClientError: {_SEE_LOGS}"
                raise failed
        return answer

    @contextmanager
    def serve(self, model: dict[str, Any]) -> Iterator[str]:
        """Start the model server as an endpoint would, for a CreateModel request; gives its base URL.

        It listens on 127.0.0.1 only and is ended on leaving. Raises RequestRefused, and JobFailed when it does not
        answer /ping.
        """
        check_request("sagemaker", "CreateModel", model)
        with self._server(model, model["ModelName"], {}) as (url, _):
            yield url

    @contextmanager
    def _server(self, model: Mapping[str, Any], job: str, variables: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
        artifact = self._model_artifact(model)
        environment = _environment(model["PrimaryContainer"].get("Image", ""))
        env = {**model["PrimaryContainer"].get("Environment", {}), **variables}
        if "SAGEMAKER_PROGRAM" not in env:
            raise RequestRefused(
                "the model's Environment has no SAGEMAKER_PROGRAM: only script mode runs on the laptop"
            )
        if env.get("SAGEMAKER_SUBMIT_DIRECTORY", "").startswith("s3://"):
            raise RequestRefused("SAGEMAKER_SUBMIT_DIRECTORY in S3: put the code into model.tar.gz, below code/")
        log = self._log(job)
        with scratch(job, self.work) as folder:
            container = Container(folder / "ml", folder, container_mode(), environment)
            with tarfile.open(artifact) as archive:
                unpack(archive, container.root / "model")
            container.adapt("/opt/ml/model")
            with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                passed = [listener.fileno()]
                if container.mode == "directory":
                    # The toolkit binds 8080 on every address, which nobody else may reach: its server is told better.
                    (folder / "gunicorn.conf.py").write_text(_LOOPBACK.format(port=listener.getsockname()[1]))
                    listener.close()
                    passed = []
                command, env = container.command(["serve"], env, *passed)
                with running(command, job=job, log=log, env=env, cwd=folder, pass_fds=passed) as process:
                    listener.close()  # only the container holds it now: when it ends, connections are refused
                    _wait_for_ping(url, process, job, log)
                    yield url, process

    def _model_artifact(self, model: Mapping[str, Any]) -> Path:
        container = model.get("PrimaryContainer", {})
        if "ModelDataUrl" not in container:
            raise RequestRefused(f"{model['ModelName']}: PrimaryContainer.ModelDataUrl is needed on the laptop")
        artifact = self.s3.path(container["ModelDataUrl"])
        if not artifact.is_file():
            raise RequestRefused(f"Could not find model data at {container['ModelDataUrl']}.")
        return artifact

    def _new_name(self, kind: str, name: str) -> str:
        JOBS.check(name, self._log(name))
        with self._lock:
            if (key := f"{kind} {name}") in self._names:
                raise RequestRefused(f"Job name must be unique, and a {kind} named {name} already exists")
            self._names.add(key)
        return name

    def _log(self, name: str, host: str | None = None) -> Path:
        """A job's log; of one with several hosts that of the first, and another for each of the others."""
        return self.logs / (f"{name}.log" if host is None else f"{name}-{host}.log")

    def _objects(self, job: str, uri: str) -> list[tuple[str, Path]]:
        found = self.s3.objects(uri)
        if not found:
            reason = f'No S3 objects found under S3 URL "{uri}" given in input data source'
            log = self._log(job)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"error: {reason}\n")
            raise JobFailed(job, reason, log)
        return found

    def _download(
        self,
        job: str,
        source: Mapping[str, Any],
        folder: Path,
        host: tuple[int, int] = (0, 1),
        *,
        required: bool = True,
    ) -> None:
        """Copy the objects below a prefix to a folder; for host (n, m) every one, or the n-th of each m by key."""
        uri = source["S3Uri"]
        shard = host if source.get("S3DataDistributionType") == "ShardedByS3Key" else (0, 1)
        found = self._objects(job, uri) if required else self.s3.objects(uri)
        folder.mkdir(parents=True, exist_ok=True)
        for relative, file in found[shard[0] :: shard[1]]:
            JOBS.check(job, self._log(job))
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def _run(
        self,
        job: str,
        containers: Sequence[Container],
        command: Sequence[str],
        request: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> None:
        """Run the command on every host at the same time; with the first that fails all of them end."""
        variables = {**names, **request.get("Environment", {})}
        limit = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        first, *others = containers
        logs = {first.host: self._log(job), **{each.host: self._log(job, each.host) for each in others}}
        wrapped, env = first.command(command, variables)
        if others:
            for log in logs.values():
                log.unlink(missing_ok=True)
            starts = []
            for each in containers:
                wrapped, each_env = each.command(command, variables)
                starts.append(Start(each.host, wrapped, each_env, str(each.scratch), str(logs[each.host])))
            wrapped = together(starts, _failed_file(first), first.mode)
        try:
            run_logged(wrapped, job=job, log=logs[first.host], env=env, cwd=first.scratch, timeout=limit)
        except JobFailed as failed:
            host = _text(_failed_file(first))
            if host in (each.host for each in others) and failed.exit_code is not None:
                raise failure(job, logs[host], failed.exit_code) from None
            raise


def _containers(
    folder: Path, cluster: Mapping[str, Any], environment: environments.Environment, s3: LocalS3
) -> list[Container]:
    """The containers of a job, one for each of its instances, whose hosts are named and found as SageMaker's are."""
    mode, count = container_mode(), cluster.get("InstanceCount", 1)
    names = host_names(count, mode)
    several = names if count > 1 else ()
    made = []
    for name in names:
        scratch = folder / name
        if environment.engine == "Spark":
            host = host_with_spark(name, scratch, s3)
            made.append(Container(scratch / "ml", scratch, mode, environment, name, several, host.mounts()))
            provide(host, made[-1], s3)
        else:
            made.append(Container(scratch / "ml", scratch, mode, environment, name, several))
    return made


def _hosts(container: Container, containers: Sequence[Container]) -> dict[str, Any]:
    """What resourceconfig.json says of the hosts."""
    return {"current_host": container.host, "hosts": [each.host for each in containers]}


def _failed_file(first: Container) -> Path:
    return first.scratch / "failed"


def _failed_of(containers: Sequence[Container]) -> Container:
    """The host that failed first."""
    host = _text(_failed_file(containers[0]))
    return next((each for each in containers if each.host == host), containers[0])


def _merged(containers: Sequence[Container], inside: str, folder: Path) -> Path:
    """What all hosts left in a folder, as one: SageMaker packs it into one archive."""
    for container in containers:
        container.restore(f"/opt/ml/{inside}")
        shutil.copytree(container.root / inside, folder, symlinks=True, dirs_exist_ok=True)
    return folder


@contextmanager
def _described(answer: dict[str, Any], status: str, end: str) -> Iterator[None]:
    """Complete an answer with status and end; on JobFailed the exception carries it."""
    try:
        yield
    except JobFailed as failed:
        stopped = failed.reason == "stopped"
        reason = failed.answer.get("FailureReason") or f"ClientError: {failed.reason}"
        answer |= {status: "Stopped" if stopped else "Failed", "FailureReason": reason[:1024]}
        failed.answer = {**answer, end: _now()}
        raise
    answer |= {status: "Completed", end: _now()}


def _environment(image: str) -> environments.Environment:
    """What an image holds. Raises RequestRefused for one that is not here."""
    try:
        return environments.environment(image.rsplit("/", 1)[-1].replace(":", "-"))
    except UserError as missing:
        raise RequestRefused(f"image {image!r}: {missing}") from None


def _processing_inputs(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    inputs = []
    for item in request.get("ProcessingInputs", []):
        where = f"ProcessingInputs {item['InputName']}"
        if "S3Input" not in item:
            raise RequestRefused(f"{where}: only S3Input can be carried out on the laptop")
        source = item["S3Input"]
        _only(source, "S3DataType", "S3Prefix")
        _only(source, "S3InputMode", "File")
        _only(source, "S3CompressionType", "None")
        _check_local_path(where, source.get("LocalPath", ""))
        inputs.append(source)
    return inputs


def _processing_outputs(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    outputs = []
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        where = f"ProcessingOutputConfig {item['OutputName']}"
        if "S3Output" not in item:
            raise RequestRefused(f"{where}: only S3Output can be carried out on the laptop")
        _only(item["S3Output"], "S3UploadMode", "EndOfJob")
        _check_local_path(where, item["S3Output"].get("LocalPath", ""))
        outputs.append(item["S3Output"])
    return outputs


def _check_local_path(where: str, path: str) -> None:
    if not path.startswith(_PROCESSING) or ".." in path.split("/"):
        raise RequestRefused(f"{where}: LocalPath is {path!r}, it must be below {_PROCESSING}")


def _channels(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    if missing := {"AlgorithmSpecification", "ResourceConfig"} - set(request):
        raise RequestRefused(f"{' and '.join(sorted(missing))}: needed for a training job with instances")
    _only(request["AlgorithmSpecification"], "TrainingInputMode", "File", "FastFile")
    for channel in request.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            raise RequestRefused(f"channel {channel['ChannelName']}: only S3DataSource runs on the laptop")
        _only(channel["DataSource"]["S3DataSource"], "S3DataType", "S3Prefix")
        _only(channel, "CompressionType", "None")
        _only(channel, "RecordWrapperType", "None")
        _only(channel, "InputMode", "File", "FastFile")
    return list(request.get("InputDataConfig", []))


def _training_command(request: Mapping[str, Any]) -> list[str]:
    algorithm = request["AlgorithmSpecification"]
    if "ContainerEntrypoint" in algorithm:
        return [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
    parameters = request.get("HyperParameters", {})
    if "sagemaker_program" not in parameters and "SAGEMAKER_PROGRAM" not in request.get("Environment", {}):
        raise RequestRefused("no hyper-parameter sagemaker_program: only script mode runs on the laptop")
    if "s3://" in parameters.get("sagemaker_submit_directory", ""):
        raise RequestRefused("sagemaker_submit_directory in S3: make the code a channel and name its folder")
    return ["train"]


def _input_data_config(request: Mapping[str, Any], channels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    config = {}
    for channel in channels:
        source = channel["DataSource"]["S3DataSource"]
        config[channel["ChannelName"]] = {
            "TrainingInputMode": channel.get("InputMode", mode),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": "None",
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
    return config


def _training_resources(request: Mapping[str, Any], hosts: Mapping[str, Any]) -> dict[str, Any]:
    instance, group = request["ResourceConfig"].get("InstanceType", "local"), "homogeneousCluster"
    return {
        **hosts,
        "current_instance_type": instance,
        "current_group_name": group,
        "instance_groups": [{"instance_group_name": group, "instance_type": instance, "hosts": hosts["hosts"]}],
        "network_interface_name": "lo",
    }


def _transform_environment(request: Mapping[str, Any]) -> dict[str, str]:
    """SageMaker names the limits in the environment only when the caller set them."""
    named = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "MaxPayloadInMB",
        "SAGEMAKER_BATCH_STRATEGY": "BatchStrategy",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "MaxConcurrentTransforms",
    }
    given = {variable: str(request[name]) for variable, name in named.items() if name in request}
    return {"SAGEMAKER_BATCH": "true", **given, **request.get("Environment", {})}


def _transform_settings(request: Mapping[str, Any]) -> Any:
    """A function from the model server's own parameters to the settings: the request's win."""
    source, target = request["TransformInput"], request["TransformOutput"]
    processing = request.get("DataProcessing", {})
    filters = [ColumnFilter(processing.get(name, "$")) for name in ("InputFilter", "OutputFilter")]
    join = processing.get("JoinSource", "None") == "Input"
    if (join or any(item.expression != "$" for item in filters)) and source.get("ContentType") != "text/csv":
        raise RequestRefused("DataProcessing: TransformInput.ContentType must be text/csv on the laptop")

    def settings(limits: Mapping[str, Any]) -> Transform:
        megabytes = request.get("MaxPayloadInMB", limits.get("MaxPayloadInMB", 6))
        return Transform(
            split_lines=source.get("SplitType", "None") == "Line",
            multi_record=request.get("BatchStrategy", limits.get("BatchStrategy", "MultiRecord")) == "MultiRecord",
            max_bytes=megabytes * MIB or None,
            assemble_lines=target.get("AssembleWith", "None") == "Line",
            input_filter=filters[0],
            output_filter=filters[1],
            join=join,
        )

    return settings


def _execution_parameters(url: str) -> dict[str, Any]:
    """What the model server says about itself; script mode has no such route."""
    try:
        with _open(f"{url}/execution-parameters", timeout=10) as response:
            answer = json.load(response)
            return answer if isinstance(answer, dict) else {}
    except (urllib.error.HTTPError, ValueError):
        return {}


class _Client:
    """Posts to /invocations as Batch Transform does: 5xx and connection errors are tried again, 4xx are not."""

    def __init__(self, url: str, request: Mapping[str, Any]) -> None:
        self.url = f"{url}/invocations"
        config = request.get("ModelClientConfig", {})
        self.timeout = config.get("InvocationsTimeoutInSeconds", 600)
        self.attempts = 1 + config.get("InvocationsMaxRetries", 3)
        self.headers = {
            "Content-Type": request["TransformInput"].get("ContentType", "application/octet-stream"),
            "Accept": request["TransformOutput"].get("Accept", "*/*"),
        }

    def invoke(self, body: bytes) -> bytes:
        """The answer's body. Raises RecordRefused with the server's reason."""
        problem = ""
        for attempt in range(self.attempts):
            time.sleep(0.1 * attempt)
            try:
                post = urllib.request.Request(self.url, data=body, headers=self.headers)
                with _open(post, timeout=self.timeout) as response:
                    return cast("bytes", response.read())
            except urllib.error.HTTPError as error:
                detail = error.read(2000).decode(errors="replace").strip()
                problem = f"{error.code} {detail.splitlines()[0] if detail else error.reason}"
                if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    break
            except (OSError, http.client.HTTPException) as error:
                problem = f"no answer from the model server: {error}"
        raise RecordRefused(problem)


def _wait_for_ping(url: str, process: Any, job: str, log: Path) -> None:
    """Wait for the first 200; a container that ends, or keeps answering something else, does not come up any more."""
    refusals = 0
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and refusals < PINGS:
        try:
            with _open(f"{url}/ping", timeout=2):
                return
        except urllib.error.HTTPError:
            refusals += 1
        except (OSError, http.client.HTTPException):
            pass
        if process.poll() is not None:
            raise failure(job, log, process.returncode)
        time.sleep(0.1)
    # github.com/aws/amazon-sagemaker-examples/issues/210: what CreateEndpoint's status says (2021-10-03).
    why = reason_in(log) or f"no answer within {START_SECONDS:g} s"
    raise JobFailed(job, f"The container did not pass the ping health check: {why}", log)


def _explain(failed: JobFailed, reason: str) -> None:
    """Say why a container ended by itself, in one line, as people find it in their account."""
    if failed.exit_code is not None and failed.reason != "stopped":
        failed.reason = " ".join(reason.removeprefix("error: ").split())


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract an archive; nothing in it may land outside the folder, where this Python can see to that (3.11.4)."""
    archive.extraction_filter = getattr(tarfile, "data_filter", None)
    archive.extractall(folder)


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's contents as .tar.gz. The same contents give the same bytes: no times, owners or order."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=anonymous)


def _below(folder: Path, uri: str) -> list[tuple[str, Path]]:
    """The files of an output folder with the objects they become; symbolic links are left out, as SageMaker does."""
    found = []
    for current, folders, files in os.walk(folder):
        folders.sort()
        for path in (Path(current, name) for name in sorted(files)):
            if path.is_file() and not path.is_symlink():
                found.append((f"{uri.rstrip('/')}/{path.relative_to(folder)}", path))
    return found


def _write_config(container: Container, name: str, content: Mapping[str, Any]) -> None:
    file = container.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(container.seen(json.dumps(content)))


def _only(parameters: Mapping[str, Any], name: str, *allowed: str) -> None:
    if (value := parameters.get(name, allowed[0])) not in allowed:
        raise RequestRefused(f"{name} is {value}, on the laptop it may be: {', '.join(allowed)}")


def _text(file: Path) -> str:
    """The first 1024 characters, as much as SageMaker shows."""
    return re.sub(r"\0", "", file.read_text(errors="replace"))[:1024].strip() if file.is_file() else ""


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:local:000000000000:{kind}/{name}"


def _now() -> int:
    return time.time_ns() // 1_000_000
