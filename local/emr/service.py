"""EMR on the laptop: clusters in name only, whose steps run their spark-submit arguments on local Spark.

The cluster's own `spark-defaults` and `spark-env` apply (see `local.spark`).
"""

import re
import secrets
import string
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assembly.template import ACCOUNT, REGION
from local.container import scratch
from local.emr.node import HOST, BootstrapFailed, bootstrap
from local.jobs import JOBS, JobFailed, RequestRefused, check_request, run_logged
from local.s3 import LocalS3
from local.spark import Host, installed, kept_log, localised, removing_new_objects


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
        with scratch("step", self.work) as folder, removing_new_objects(self.s3, step["HadoopJarStep"]["Args"]):
            try:
                host = Host(HOST, folder, self.s3.root)
                # The cluster's interpreter (/usr/bin/python3.11) is not here: the Python that has what the bootstrap
                # action installs.
                env = host.environment(self.s3, self.defaults, self.exports, installed().folder / "bin" / "python")
                submit = host.submit(localised(step["HadoopJarStep"]["Args"][1:], self.s3, host))
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
        kept_log(self.s3, log, uri)
        return uri


def _check_spark(step: Mapping[str, Any]) -> None:
    """Raise RequestRefused for a step that is not spark-submit's."""
    arguments = list(step.get("Args", []))
    if step["Jar"] != "command-runner.jar" or arguments[:1] != ["spark-submit"]:
        raise RequestRefused(
            f"{step['Jar']} {' '.join(arguments[:1])}: only command-runner.jar with spark-submit runs on the laptop"
        )


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
