"""``Custom::SageMakerLeftovers``: logs and interfaces on moto's, jobs and models on a SageMaker of our own.

Moto's jobs are Completed at once, most cannot be stopped, and nothing has a second page.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from stacks.shared.sagemaker import kinds
from tests.stacks.handlers.network import interfaces, network, set_status
from tests.stacks.handlers.support import ACCOUNT, REGION, Failure, Wire, event, run

PROJECT = "shop"
ENDPOINT_LOGS = "/aws/sagemaker/Endpoints/shop"
KINDS = {kind.name: kind.resource for kind in kinds.JOB_KINDS}
each_kind = pytest.mark.parametrize("kind", KINDS)


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{KINDS.get(kind, 'model')}/{name}"


class SageMaker:
    """Jobs, models with their tags and endpoints; two a page, stopped jobs stay Stopping until they are told to end."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        self.models: dict[str, None] = {}
        self.endpoints: set[str] = set()
        self.tags: dict[str, list[dict[str, str]]] = {}

    def job(self, kind: str, name: str, project: str | None = PROJECT, status: str = "InProgress") -> None:
        self.jobs[kind][name] = status
        self._tag(arn(kind, name), project)

    def model(self, name: str, project: str | None = PROJECT) -> None:
        self.models[name] = None
        self._tag(arn("Model", name), project)

    def end(self) -> None:
        """Every job that is Stopping is Stopped."""
        for jobs in self.jobs.values():
            jobs.update({name: "Stopped" for name, status in jobs.items() if status == "Stopping"})

    def __call__(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation == "ListTags":
            return self._list_tags(asked)
        if operation == "ListModels":
            return self._page(asked, "Models", self.models, lambda name: {"ModelName": name})
        if operation == "DescribeEndpoint":
            return self._describe_endpoint(asked["EndpointName"])
        if operation == "DeleteModel":
            return self._delete_model(asked["ModelName"])
        kind = next(kind for kind in KINDS if kind in operation)
        if operation == f"Stop{kind}":
            return self._stop(kind, asked[f"{kind}Name"])
        assert operation == f"List{kind}s"
        jobs = self.jobs[kind]
        return self._page(
            asked, f"{kind}Summaries", jobs, lambda name: {f"{kind}Name": name, f"{kind}Status": jobs[name]}
        )

    def _tag(self, resource: str, project: str | None) -> None:
        own = [] if project is None else [{"Key": "project", "Value": project}]
        self.tags[resource] = [{"Key": "owner", "Value": PROJECT}, {"Key": "side", "Value": "sagemaker"}, *own]

    def _list_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["ResourceArn"] not in self.tags:
            raise Failure("ValidationException", "")
        start = int(asked.get("NextToken", 0))
        tags = self.tags[asked["ResourceArn"]]
        more = {"NextToken": str(start + 2)} if start + 2 < len(tags) else {}
        return {"Tags": tags[start : start + 2], **more}

    def _page(
        self, asked: dict[str, Any], key: str, names: Any, summary: Callable[[str], dict[str, str]]
    ) -> dict[str, Any]:
        """A page is cut first and filtered then, as ListTrainingJobs describes itself: pages may be empty."""
        start = int(asked.get("NextToken", 0))
        found = [name for name in list(names)[start : start + 2] if asked["NameContains"] in name]
        if "StatusEquals" in asked:
            found = [name for name in found if names[name] == asked["StatusEquals"]]
        more = {"NextToken": str(start + 2)} if start + 2 < len(names) else {}
        return {key: [summary(name) for name in found], **more}

    def _stop(self, kind: str, name: str) -> dict[str, Any]:
        status = self.jobs[kind].get(name)
        if status is None:
            raise Failure("ValidationException", "Requested resource not found.")
        if status != "InProgress":
            text = f"The request was rejected because the {KINDS[kind].replace('-', ' ')} is in status {status}."
            raise Failure("ValidationException", text)
        self.jobs[kind][name] = "Stopping"
        return {}

    def _describe_endpoint(self, name: str) -> dict[str, Any]:
        if name not in self.endpoints:
            raise Failure("ValidationException", f'Could not find endpoint "{arn("Endpoint", name)}".')
        return {"EndpointName": name, "EndpointStatus": "Deleting"}

    def _delete_model(self, name: str) -> dict[str, Any]:
        if name not in self.models:
            raise Failure("ValidationException", f'Could not find model "{arn("Model", name)}".')
        del self.models[name]
        return {}


@pytest.fixture
def requests(wire: Callable[[str], Wire]) -> Wire:
    """What is sent to SageMaker."""
    return wire("sagemaker")


@pytest.fixture
def sagemaker(requests: Wire) -> SageMaker:
    service = SageMaker()
    requests.service = service
    return service


def delete(groups: list[str] | None = None, **more: Any) -> dict[str, Any]:
    properties = {
        "Project": PROJECT,
        "Endpoints": [PROJECT],
        "SecurityGroupIds": groups or [],
        "LogGroups": [ENDPOINT_LOGS],
    }
    return event("SageMakerLeftovers", "Delete", properties, **more)


def write_logs(group: str, *streams: str) -> None:
    logs = boto3.client("logs")
    if group not in log_groups():
        logs.create_log_group(logGroupName=group)
    for stream in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def log_groups() -> list[str]:
    return [group["logGroupName"] for group in boto3.client("logs").describe_log_groups()["logGroups"]]


def streams(group: str) -> list[str]:
    pages = boto3.client("logs").get_paginator("describe_log_streams").paginate(logGroupName=group)
    return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]


def test_nothing_there(handlers: ModuleType, sagemaker: SageMaker) -> None:
    """Not even the groups: by an id of CloudFormation's own."""
    assert run(handlers, delete(["sg-0000000000000001"], PhysicalResourceId="shop-sagemaker-Left-1ABC")) == 1


@each_kind
def test_jobs_are_stopped_and_waited_for(handlers: ModuleType, sagemaker: SageMaker, requests: Wire, kind: str) -> None:
    sagemaker.job(kind, "shop-one-prepare-0")
    sagemaker.job(kind, "shop-two-prepare-0", status="Stopping")
    for status in ("Completed", "Failed", "Stopped"):
        sagemaker.job(kind, f"shop-{status.lower()}-prepare-0", status=status)
    left = handlers.is_complete(delete(), None)["Left"]
    assert left == ["shop-one-prepare-0", "shop-two-prepare-0"]
    assert requests.bodies[f"Stop{kind}"] == [{f"{kind}Name": "shop-one-prepare-0"}]
    assert handlers.is_complete(delete(), None)["IsComplete"] is False
    assert len(requests.bodies[f"Stop{kind}"]) == 1
    sagemaker.end()
    assert handlers.is_complete(delete(), None) == {"IsComplete": True}
    assert Counter(sagemaker.jobs[kind].values()) == {"Stopped": 3, "Completed": 1, "Failed": 1}


@each_kind
@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("shop-two-run-prepare-0", "shop-two"),
        ("shop-run-prepare-0", "somebody"),
        ("shop-run-prepare-0", None),
        ("my-shop-run-prepare-0", "shop"),
        ("shopping-run-prepare-0", "shop"),
    ],
)
def test_jobs_of_other_projects_run_on(
    handlers: ModuleType, sagemaker: SageMaker, kind: str, name: str, project: str | None
) -> None:
    """The tag decides among names that begin like ours."""
    sagemaker.job(kind, name, project)
    assert handlers.is_complete(delete(), None) == {"IsComplete": True}
    assert sagemaker.jobs[kind] == {name: "InProgress"}


@each_kind
def test_more_than_a_page_of_jobs(handlers: ModuleType, sagemaker: SageMaker, kind: str) -> None:
    """The first pages hold none that runs."""
    for number in range(4):
        sagemaker.job(kind, f"shop-{number}-prepare-0", status="Completed")
    for number in range(4, 7):
        sagemaker.job(kind, f"shop-{number}-prepare-0")
    handlers.is_complete(delete(), None)
    assert Counter(sagemaker.jobs[kind].values()) == {"Completed": 4, "Stopping": 3}


@each_kind
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ResourceNotFound", "No such job"),
        ("ValidationException", "Requested resource not found."),
        ("ValidationException", "Could not find job to update with name shop-one-prepare-0"),
        ("ValidationException", "The request was rejected because the training job is in status Completed."),
    ],
)
def test_a_job_that_ends_meanwhile_is_no_failure(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire, kind: str, code: str, message: str
) -> None:
    sagemaker.job(kind, "shop-one-prepare-0")
    requests.fail(f"Stop{kind}", code, message)
    assert handlers.is_complete(delete(), None)["Left"] == ["shop-one-prepare-0"]


@each_kind
def test_a_job_that_somebody_else_stops_meanwhile_is_waited_for(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire, kind: str
) -> None:
    """Right after the first look at the jobs of its kind."""
    sagemaker.job(kind, "shop-one-prepare-0")

    def service(operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = sagemaker(operation, asked)
        if operation == f"List{kind}s":
            sagemaker.jobs[kind]["shop-one-prepare-0"] = "Stopping"
        return answer

    requests.service = service
    assert handlers.is_complete(delete(), None)["Left"] == ["shop-one-prepare-0"]


def test_a_job_that_may_not_be_stopped_fails(handlers: ModuleType, sagemaker: SageMaker, requests: Wire) -> None:
    sagemaker.job("TrainingJob", "shop-one-train-0")
    requests.fail("StopTrainingJob", "AccessDeniedException", "is not authorized to perform: sagemaker:StopTrainingJob")
    with pytest.raises(ClientError, match="is not authorized"):
        handlers.is_complete(delete(), None)


def test_our_models_are_deleted(handlers: ModuleType, sagemaker: SageMaker) -> None:
    """More than a page of ours; not that of a project whose name begins like ours, nor one without the tag."""
    sagemaker.model("shop-two-1-model", "shop-two")
    sagemaker.model("shop-by-hand", None)
    sagemaker.model("my-shop-1-model")
    for number in range(5):
        sagemaker.model(f"shop-{number}-model")
    assert run(handlers, delete()) >= 2
    assert list(sagemaker.models) == ["shop-two-1-model", "shop-by-hand", "my-shop-1-model"]


@pytest.mark.parametrize(
    ("names", "goes"),
    [({"Others": ["-spark"]}, "shop-one-train"), ({"Suffix": "-spark"}, "shop-one-train-spark")],
    ids=["without a suffix", "with one"],
)
def test_what_another_side_of_the_project_has_made_stays(
    handlers: ModuleType, sagemaker: SageMaker, names: dict[str, Any], goes: str
) -> None:
    """It may be at work while this one's stack is deleted: its jobs, models and logs are its own clean-up's."""
    both = ["shop-one-train", "shop-one-train-spark"]
    for name in both:
        sagemaker.job("TrainingJob", name)
        sagemaker.model(name.replace("train", "model"))
        write_logs("/aws/sagemaker/TrainingJobs", f"{name}/algo-1")
    request = delete()
    request["ResourceProperties"] |= names
    handlers.is_complete(request, None)
    (stays,) = set(both) - {goes}
    assert sagemaker.jobs["TrainingJob"] == {goes: "Stopping", stays: "InProgress"}
    sagemaker.end()
    run(handlers, request)
    assert list(sagemaker.models) == [stays.replace("train", "model")]
    assert streams("/aws/sagemaker/TrainingJobs") == [f"{stays}/algo-1"]
    assert sagemaker.jobs["TrainingJob"][stays] == "InProgress"


def test_a_model_that_is_gone_meanwhile_is_no_failure(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire
) -> None:
    sagemaker.model("shop-1-model")
    requests.fail("DeleteModel", "ValidationException", 'Could not find model "arn:aws:sagemaker:…".')
    run(handlers, delete())
    assert not sagemaker.models


def test_the_order_jobs_models_endpoints_interfaces_logs(handlers: ModuleType, sagemaker: SageMaker) -> None:
    place = network()
    group = place.group("jobs")
    interface = place.interface(group, "in-use")
    foreign = place.interface(place.group("another stack's"))
    sagemaker.job("TrainingJob", "shop-one-train-0")
    sagemaker.model("shop-one-model")
    sagemaker.endpoints = {"shop", "shop-two"}
    write_logs("/aws/sagemaker/TrainingJobs", "shop-one-train-0/algo-1")
    write_logs(ENDPOINT_LOGS, "AllTraffic/i-1")

    assert handlers.is_complete(delete([group]), None)["Left"] == ["shop-one-train-0"]
    assert sagemaker.models
    sagemaker.end()
    assert handlers.is_complete(delete([group]), None)["Left"] == ["shop-one-model"]
    assert not sagemaker.models
    # CloudFormation deletes it, SageMaker takes its time: the role must stay for as long.
    assert handlers.is_complete(delete([group]), None)["Left"] == ["shop"]
    sagemaker.endpoints.remove("shop")
    assert handlers.is_complete(delete([group]), None)["Left"] == [f"{interface} (in-use)"]
    assert log_groups() == [ENDPOINT_LOGS, "/aws/sagemaker/TrainingJobs"]
    set_status(interface, "available")
    assert handlers.is_complete(delete([group]), None)["Left"] == [f"{interface} (available)"]
    assert interfaces() == [foreign]
    assert handlers.is_complete(delete([group]), None)["Left"] == ["shop-one-train-0/algo-1"]
    assert handlers.is_complete(delete([group]), None)["Left"] == [ENDPOINT_LOGS]
    assert handlers.is_complete(delete([group]), None) == {"IsComplete": True}
    assert log_groups() == ["/aws/sagemaker/TrainingJobs"]


@each_kind
def test_our_streams_go_and_those_of_others_stay(
    handlers: ModuleType, sagemaker: SageMaker, wire: Callable[[str], Wire], kind: str
) -> None:
    """In the groups that all projects of the account share, without reading through all of theirs."""
    group = f"/aws/sagemaker/{kind}s"
    sagemaker.job(kind, "shop-one-stage-0", status="Completed")
    sagemaker.job(kind, "shop-two-one-stage-0", "shop-two", status="Completed")
    others = ["shop-by-hand", "shop-deleted-stage-0/algo-1", "shop-two-one-stage-0/algo-1", "zoo-one-stage-0/algo-1"]
    write_logs(group, "shop-one-stage-0/algo-1", "shop-one-stage-0/algo-2", *others)
    logs = wire("logs")
    handlers.is_complete(delete(), None)
    assert {"logGroupName": group, "logStreamNamePrefix": "shop-"} in logs.bodies["DescribeLogStreams"]
    run(handlers, delete())
    assert streams(group) == others


@each_kind
def test_a_shared_group_stays_although_it_is_empty_then(handlers: ModuleType, sagemaker: SageMaker, kind: str) -> None:
    """It is the account's: somebody may have given it a retention, a subscription or a metric filter."""
    group = f"/aws/sagemaker/{kind}s"
    sagemaker.job(kind, "shop-one-stage-0", status="Completed")
    write_logs(group, "shop-one-stage-0/algo-1")
    write_logs("/aws/sagemaker/Endpoints/shop-two", "AllTraffic/i-1")
    run(handlers, delete())
    assert log_groups() == ["/aws/sagemaker/Endpoints/shop-two", group]
    assert streams(group) == []


def test_more_than_a_page_of_streams_and_one_question_a_job(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire
) -> None:
    """CloudWatch lists 50 a page."""
    for number in range(3):
        sagemaker.job("ProcessingJob", f"shop-{number}-stage-0", status="Completed")
    names = [f"shop-{number}-stage-0/algo-{container:02}" for number in range(3) for container in range(40)]
    write_logs("/aws/sagemaker/ProcessingJobs", *names)
    assert len(handlers.is_complete(delete(), None)["Left"]) == 10
    assert streams("/aws/sagemaker/ProcessingJobs") == []
    # Two requests each: their tags are more than a page.
    assert Counter(body["ResourceArn"] for body in requests.bodies["ListTags"]) == {
        arn("ProcessingJob", f"shop-{number}-stage-0"): 2 for number in range(3)
    }


def test_a_call_ends_in_time_and_the_next_one_goes_on(
    handlers: ModuleType, sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that goes on by a minute at each look."""
    sagemaker.job("ProcessingJob", "shop-one-stage-0", status="Completed")
    write_logs("/aws/sagemaker/ProcessingJobs", *(f"shop-one-stage-0/algo-{number:02}" for number in range(25)))
    minutes = iter(range(1000))
    monkeypatch.setattr("sagemaker_cleanup.time.monotonic", lambda: 60 * next(minutes))
    assert handlers.is_complete(delete(), None)["IsComplete"] is False
    assert len(streams("/aws/sagemaker/ProcessingJobs")) == 16
    run(handlers, delete())
    assert streams("/aws/sagemaker/ProcessingJobs") == []


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "OperationAbortedException"])
def test_a_stream_that_another_call_deletes_is_no_failure(
    handlers: ModuleType, sagemaker: SageMaker, wire: Callable[[str], Wire], code: str
) -> None:
    sagemaker.job("ProcessingJob", "shop-one-stage-0", status="Completed")
    write_logs("/aws/sagemaker/ProcessingJobs", "shop-one-stage-0/algo-1", "shop-one-stage-0/algo-2")
    wire("logs").fail("DeleteLogStream", code)
    run(handlers, delete())
    assert streams("/aws/sagemaker/ProcessingJobs") == []


def test_a_group_that_another_call_is_at_work_on_is_tried_again(
    handlers: ModuleType, sagemaker: SageMaker, wire: Callable[[str], Wire]
) -> None:
    write_logs(ENDPOINT_LOGS)
    wire("logs").fail("DeleteLogGroup", "OperationAbortedException", times=2)
    for _ in range(2):
        assert handlers.is_complete(delete(), None)["Left"] == [ENDPOINT_LOGS]
        assert log_groups() == [ENDPOINT_LOGS]
    run(handlers, delete())
    assert log_groups() == []


def test_our_own_groups_are_deleted_until_they_stay_away(handlers: ModuleType, sagemaker: SageMaker) -> None:
    """An endpoint's last lines make its group again."""
    write_logs(ENDPOINT_LOGS, "AllTraffic/i-1")
    write_logs("/aws/sagemaker/Endpoints/shop-two", "AllTraffic/i-2")
    for _ in range(2):
        assert handlers.is_complete(delete(), None) == {"IsComplete": False, "Left": [ENDPOINT_LOGS]}
        assert log_groups() == ["/aws/sagemaker/Endpoints/shop-two"]
        write_logs(ENDPOINT_LOGS, "AllTraffic/i-1")
    handlers.is_complete(delete(), None)
    assert handlers.is_complete(delete(), None) == {"IsComplete": True}
    assert log_groups() == ["/aws/sagemaker/Endpoints/shop-two"]


def test_a_repeated_deletion_finds_nothing_to_do(handlers: ModuleType, sagemaker: SageMaker, requests: Wire) -> None:
    sagemaker.job("TrainingJob", "shop-one-train-0", status="Completed")
    sagemaker.model("shop-one-model")
    write_logs("/aws/sagemaker/TrainingJobs", "shop-one-train-0/algo-1")
    run(handlers, delete())
    requests.requests.clear()
    assert run(handlers, delete()) == 1
    assert {name for name in requests.requests if not name.startswith(("List", "Describe"))} == set()


def test_arns_are_those_of_the_stacks_partition_region_and_account(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire
) -> None:
    sagemaker.job("TrainingJob", "shop-one-train-0")
    stack = "arn:aws-cn:cloudformation:cn-north-1:210987654321:stack/shop-sagemaker/1b4e28ba"
    handlers.is_complete(delete(StackId=stack), None)
    asked = {body["ResourceArn"] for body in requests.bodies["ListTags"]}
    assert asked == {"arn:aws-cn:sagemaker:cn-north-1:210987654321:training-job/shop-one-train-0"}


def test_throttling_is_no_failure(
    handlers: ModuleType, sagemaker: SageMaker, requests: Wire, wire: Callable[[str], Wire], pauses: list[float]
) -> None:
    for kind in KINDS:
        sagemaker.job(kind, "shop-one-stage-0")
        write_logs(f"/aws/sagemaker/{kind}s", "shop-one-stage-0/algo-1")
    sagemaker.model("shop-one-model")
    write_logs(ENDPOINT_LOGS, "AllTraffic/i-1")
    logs = wire("logs")
    jobs = [call for kind in KINDS for call in (f"List{kind}s", f"Stop{kind}")]
    for call in ["ListTags", "ListModels", "DeleteModel", "DescribeEndpoint", *jobs]:
        requests.fail(call, "ThrottlingException", "Rate exceeded")
    for call in ("DescribeLogStreams", "DeleteLogStream", "DeleteLogGroup"):
        logs.fail(call, "ThrottlingException", "Rate exceeded")
    handlers.is_complete(delete(), None)
    sagemaker.end()
    run(handlers, delete())
    assert len(pauses) == 13
    assert [stream for group in log_groups() for stream in streams(group)] == []
    assert json.dumps(sagemaker.jobs).count("Stopped") == 3


def test_the_function_s_copy_of_the_kinds_of_job_is_what_the_stacks_have(handlers: ModuleType) -> None:
    copy = sys.modules["sagemaker_cleanup"]
    assert [(kind.name, kind.resource, kind.log_group) for kind in copy.JOB_KINDS] == [
        (kind.name, kind.resource, kind.log_group) for kind in kinds.JOB_KINDS
    ]
    assert f"-{kinds.MODEL}" == copy.MODEL_END
