"""EMR Serverless on the laptop: applications in name only, whose job runs run on local Spark.

A job run finds the release's Python 3.11, the packages of its archive where its own request says so, and nothing else
(`local.emr_serverless.packages`). One that takes more than its application may have is not started.
"""

import re
import secrets
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assembly.template import ACCOUNT, REGION
from local.container import scratch
from local.emr_serverless.packages import bare_python, unpack
from local.jobs import JOBS, JobFailed, RequestRefused, api_spelling, check_request, run_logged
from local.s3 import LocalS3
from local.spark import Host, kept_log, localised, removing_new_objects
from stacks.settings import WORKERS

PYTHON = "/usr/bin/python3.11"
"""The only Python of the release that is here; a job run that does not ask for it gets an older one."""

_HOST = "ip-10-0-1-20"
_DRIVER_ENVIRONMENT = "spark.emr-serverless.driverEnv."
_DEFAULTS = {
    # EMR-Serverless-UserGuide/jobs-spark.html, as quoted 2026-11-28.
    **{
        f"spark.{kind}.{name}": value
        for kind in ("driver", "executor")
        for name, value in (("cores", "4"), ("memory", "14g"))
    },
    "spark.executor.instances": "3",
}
_MIB = {"m": 1, "g": 1024}


class EmrServerless:
    """Applications and their job runs. `s3://bucket/...` is a folder."""

    def __init__(self, s3: LocalS3, logs: Path, work: Path, applications: Mapping[str, Mapping[str, Any]]) -> None:
        """Write one log a job run below `logs`; `work` holds what Spark spills while one runs.

        `applications` are the templates' own, their properties by the application's id.
        """
        self.s3 = s3
        self.logs = logs.absolute()
        self.work = work.absolute()
        self.applications = applications
        self.actions: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "emr-serverless:startJobRun.sync": self.start_job_run,
            "aws-sdk:emrserverless:listJobRuns": self.list_job_runs,
            "aws-sdk:emrserverless:cancelJobRun": self.cancel_job_run,
        }
        """Who carries out which call of a state machine."""

    def list_job_runs(self, request: dict[str, Any]) -> dict[str, Any]:
        """The job runs that are still on their way: none, since one ends before its answer."""
        self._check("ListJobRuns", request)
        return {"JobRuns": []}

    def cancel_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """There is none to cancel, since a job run ends before its answer."""
        self._check("CancelJobRun", request)
        raise RequestRefused(f"Job run {request['JobRunId']} is not active.")

    def start_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a job to its end: the answer of `startJobRun.sync`, which has the job run's own fields at its top.

        Raises RequestRefused and JobFailed; what a failed run wrote newly below the locations in its arguments is
        removed.
        """
        # Step Functions makes up a token where there is none.
        self._check("StartJobRun", {"ClientToken": "made-up", **request})
        application = self.applications[request["ApplicationId"]]
        driver = request.get("JobDriver", {}).get("SparkSubmit")
        if driver is None:
            raise RequestRefused("JobDriver: only SparkSubmit runs on the laptop")
        options, properties = _parameters(driver.get("SparkSubmitParameters", ""))
        name = request.get("Name", "job")
        log = self.logs / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.log"
        answer = {
            "ApplicationId": request["ApplicationId"],
            "JobRunId": (id_ := _random_id()),
            "Arn": f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{request['ApplicationId']}/jobruns/{id_}",
            "Name": name,
        }
        JOBS.check(name, log)
        try:
            self._fits(application, properties, name, log)
            self._run(driver, options, properties, name, log)
        except JobFailed as failed:
            state = "CANCELLED" if failed.reason == "stopped" else "FAILED"
            self._keep(application, request["ApplicationId"], id_, log)
            failed.answer = {**answer, "State": state, "StateDetails": failed.reason[:256]}
            raise
        return {**answer, "State": "SUCCESS"}

    def _check(self, operation: str, request: dict[str, Any]) -> None:
        check_request("emr-serverless", operation, api_spelling("emr-serverless", operation, request))
        if request["ApplicationId"] not in self.applications:
            raise RequestRefused(f"Application {request['ApplicationId']} does not exist")

    def _fits(self, application: Mapping[str, Any], properties: Mapping[str, str], name: str, log: Path) -> None:
        """Make sure that the application may have all of a job's workers at once.

        In AWS such a run waits for what never comes, with this error in the driver's log
        (github.com/softeerbootcamp-8th/DE_team4-4una, issue 508, 2026-08-25).
        """
        of = {**_DEFAULTS, **properties}
        driver, executor = (_worker(of, kind) for kind in ("driver", "executor"))
        count = int(of["spark.executor.instances"])
        capacity = application.get("MaximumCapacity", {})
        for position, what, unit in ((0, "Cpu", "vCPU"), (1, "Memory", "GB")):
            needed = driver[position] + count * executor[position]
            found = re.match(r"\d+", str(capacity.get(what, "")))
            if found and needed > int(found[0]):
                raise JobFailed(
                    name,
                    f"ApplicationMaxCapacityExceededException: the job's {count + 1} workers take {needed} {unit}, and "
                    f"the application's maximum capacity is {capacity[what]}",
                    log,
                )

    def _run(
        self, driver: Mapping[str, Any], options: list[str], properties: Mapping[str, str], name: str, log: Path
    ) -> None:
        arguments = list(driver.get("EntryPointArguments", []))
        with scratch("job", self.work) as folder, removing_new_objects(self.s3, arguments):
            host = Host(_HOST, folder, self.s3.root)
            variables = {
                name.removeprefix(_DRIVER_ENVIRONMENT): value
                for name, value in properties.items()
                if name.startswith(_DRIVER_ENVIRONMENT)
            }
            if variables.get("PYSPARK_PYTHON") != PYTHON:
                raise RequestRefused(f"{_DRIVER_ENVIRONMENT}PYSPARK_PYTHON: only {PYTHON} of the release is here")
            env = host.environment(self.s3, properties, variables, bare_python(host))
            self._unpack(properties, host, name, log)
            submit = host.submit(localised([*options, driver["EntryPoint"], *arguments], self.s3, host))
            run_logged(submit, job=name, log=log, env=env)

    def _unpack(self, properties: Mapping[str, str], host: Host, name: str, log: Path) -> None:
        """What `spark.archives` names, in the working folder, as a worker has it."""
        for each in filter(None, properties.get("spark.archives", "").split(",")):
            uri, _, folder = each.partition("#")
            archive = self.s3.path(uri)
            if not archive.is_file():
                raise JobFailed(name, f"java.io.FileNotFoundException: No such file or directory: {uri}", log)
            unpack(archive, host.folder / "cwd" / (folder or archive.name), host)

    def _keep(self, application: Mapping[str, Any], id_: str, run: str, log: Path) -> None:
        """Where the service keeps the driver's log (EMR-Serverless-UserGuide/logging.html, as quoted 2026-11-28)."""
        where = application.get("MonitoringConfiguration", {}).get("S3MonitoringConfiguration", {}).get("LogUri")
        if where and log.exists():
            kept_log(self.s3, log, f"{where}applications/{id_}/jobs/{run}/SPARK_DRIVER/stderr.gz")


def _parameters(text: str) -> tuple[list[str], dict[str, str]]:
    """The parameters of spark-submit: those that are no properties, and the properties. No shell reads them.

    Raises RequestRefused for what the service refuses, or what is not known here.
    """
    options: list[str] = []
    properties: dict[str, str] = {}
    words = iter(re.sub(r"(?<!\S)(--[\w-]+)=", r"\1 ", text).split())
    for option in words:
        value = next(words, None)
        if value is None or option not in ("--conf", "--py-files"):
            raise RequestRefused(f"SparkSubmitParameters: {option}: only --conf and --py-files with a value run here")
        if option != "--conf":
            options += [option, value]
            continue
        name, separator, setting = value.partition("=")
        if not separator:
            raise RequestRefused(f"SparkSubmitParameters: --conf {value}: must be name=value")
        properties[name] = setting
    if "spark.master" in properties:
        raise RequestRefused("SparkSubmitParameters: spark.master is the service's own")
    return options, properties


def _worker(properties: Mapping[str, str], kind: str) -> tuple[int, int]:
    """The vCPUs and the GB that a driver or executor takes, with what lies outside of the heap.

    Raises RequestRefused where there is no such worker.
    """
    cores = int(properties[f"spark.{kind}.cores"])
    heap = _mib(properties[f"spark.{kind}.memory"])
    beside = properties.get(f"spark.{kind}.memoryOverhead")
    memory = -(-(heap + (max(heap // 10, 384) if beside is None else _mib(beside))) // 1024)
    sizes = [size for size in WORKERS.get(cores, ()) if size >= memory]
    if not sizes:
        raise RequestRefused(f"spark.{kind}: there is no worker of {cores} vCPU and {memory} GB")
    return cores, sizes[0]


def _mib(text: str) -> int:
    found = re.fullmatch(r"(\d+)([mg])", text.lower())
    if found is None:
        raise RequestRefused(f"{text!r} is no size of memory such as 4096m or 4g")
    return int(found[1]) * _MIB[found[2]]


def _random_id() -> str:
    return "00" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(14))
