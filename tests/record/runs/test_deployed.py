"""`compare collect`: a run in an account, recorded from outside; `compare push` and `pull` of what it recorded."""

import errno
import gzip
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from typer.testing import CliRunner, Result

from assembly.template import ACCOUNT, REGION, Assembly
from cli.main import app
from local.services import machine_name
from local.states import Call
from record.account import collect as collect_run
from record.errors import UserError
from record.runs.deployed import bucket, find_run
from record.runs.folders import extends
from record.schema import load
from stacks.sagemaker.endpoint import VARIANT
from tests.record.deployment import Stacks
from tests.record.test_account import (
    PROCESSING_FAILED,
    RUN,
    STEP_FAILED,
    STEP_LOG,
    Account,
    account,
    assembly,
    pauses,
)
from tests.stacks.handlers.support import Wire

__all__ = ["account", "assembly", "pauses"]  # fixtures

PROJECT = "side-by-side"


@pytest.fixture
def stacks(account: Account, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    return Stacks(account.assembly, monkeypatch)


@pytest.fixture(autouse=True)
def _short_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has its own tests, and takes a while."""
    monkeypatch.setattr(
        "cli.run.make_report", lambda record, folder: (folder / "report.html").write_text(record.run_id)
    )


@pytest.fixture(autouse=True)
def metrics(account: Account, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """CloudWatch, which has nothing unless a test says so."""
    wire = Wire("cloudwatch", monkeypatch)
    wire.service = lambda _operation, _request: {"MetricDataResults": []}
    return wire


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def collect(output: Path, *more: str) -> Result:
    return compare("collect", RUN, "--output", str(output), *more)


def refused(result: Result, output: Path) -> str:
    """The one line of a command that refused, which left nothing."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert list(output.rglob("*")) == []
    return result.stderr


def test_the_record_is_that_of_the_account_s_own_function(account: Account, stacks: Stacks, tmp_path: Path) -> None:
    account.failing["emr", "train"] = STEP_FAILED
    account.run()
    result = collect(tmp_path)
    assert result.exit_code == 0, result.output
    record = load(tmp_path / RUN / "comparison.json")
    assert record == account.record()
    assert (tmp_path / RUN / "report.html").is_file()
    assert not (tmp_path / "latest").exists()
    assert f"{RUN}/report.html" in result.stdout
    assert "EMR failed in train" in result.stdout
    again = collect(tmp_path, "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout) == json.loads((tmp_path / RUN / "comparison.json").read_text())


def test_a_record_that_cannot_be_written_leaves_what_was_there(
    account: Account, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    account.run()
    with monkeypatch.context() as disk:
        disk.setattr("record.files.Path.write_bytes", full)
        assert "No space left on device" in refused(collect(tmp_path), tmp_path)
    assert collect(tmp_path).exit_code == 0
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("record.files.Path.write_bytes", full)
    assert collect(tmp_path).exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_run_is_found_by_its_id_whatever_its_execution_is_called(account: Account, stacks: Stacks) -> None:
    execution = account.run(execution="another-name")
    run = find_run(PROJECT, RUN)
    assert (run.execution, run.runs) == (execution.arn, f"s3://{account.bucket}/runs")
    assert collect_run(run) == account.record()


def test_second_comparison_under_a_used_id_does_not_hide_the_first(account: Account, stacks: Stacks) -> None:
    first = account.run()
    account.run(execution="again")
    assert find_run(PROJECT, RUN).execution == first.arn


def test_templates_are_an_assembly(account: Account, stacks: Stacks, tmp_path: Path) -> None:
    account.run()
    result = collect(tmp_path)
    assert "templates are left out" not in result.stderr
    kept = Assembly(tmp_path / RUN / "templates")
    assert kept.templates == account.assembly.templates
    assert kept.state_machines() == account.assembly.state_machines()


def test_templates_of_stacks_that_changed_or_went_are_left_out(
    account: Account, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.run()
    stacks.deleted = {f"{PROJECT}-emr"}
    result = collect(tmp_path / "gone")
    assert "templates are left out" in result.stderr
    assert not (tmp_path / "gone" / RUN / "templates").exists()
    stacks.deleted = set()
    # moto would also change what an execution was started with.
    changed = json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}})
    Wire("stepfunctions", monkeypatch).answer("DescribeStateMachine", json.dumps({"definition": changed}))
    result = collect(tmp_path / "changed")
    assert (result.exit_code, "templates are left out" in result.stderr) == (0, True)
    assert not (tmp_path / "changed" / RUN / "templates").exists()


def test_tail_of_a_failed_job_s_log(account: Account, stacks: Stacks, tmp_path: Path) -> None:
    account.failing["sagemaker", "prepare"] = PROCESSING_FAILED
    account.run()
    group, job = "/aws/sagemaker/ProcessingJobs", f"{PROJECT}-{RUN}-prepare"
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=group)
    now = round(datetime.now(UTC).timestamp() * 1000)
    for name, lines in {f"{job}/algo-1-1": 30, f"{job}/algo-2-1": 1, f"{job}-other/algo-1-1": 50}.items():
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        events = [{"timestamp": now - 1000 + number, "message": f"line {number} of {name}"} for number in range(lines)]
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events)
    collect(tmp_path)
    record = load(tmp_path / RUN / "comparison.json")
    assert record.sides["sagemaker"].error is not None
    assert record.sides["sagemaker"].error.log_tail == tuple(f"line {n} of {job}/algo-1-1" for n in range(10, 30))
    assert extends(record, account.record())


def test_tail_of_a_failed_step_s_log(account: Account, stacks: Stacks, tmp_path: Path) -> None:
    account.failing["emr", "train"] = STEP_FAILED
    account.run()
    text = "".join(f"line {number}\n" for number in range(40)) + "\x1b[31m" + "x" * 2000
    place, _, key = STEP_LOG.removeprefix("s3://").partition("/")
    assert place == account.bucket
    account.put(key, gzip.compress(text.encode()))
    collect(tmp_path)
    error = load(tmp_path / RUN / "comparison.json").sides["emr"].error
    assert error is not None
    assert error.log_tail == (*(f"line {number}" for number in range(21, 40)), "\\x1b[31m" + "x" * 492)


def test_endpoint_s_requests_and_jobs_metrics(account: Account, stacks: Stacks, metrics: Wire, tmp_path: Path) -> None:
    account.run()
    asked: list[dict[str, Any]] = []
    hours = {
        "Invocations": [10, 90],
        "Invocation4XXErrors": [1, 0],
        "Invocation5XXErrors": [0, 2],
        "p50": [9000, 2000],
        "p90": [9000, 3000],
        "p99": [9000, 4500],
    }

    def answer(_operation: str, request: dict[str, Any]) -> dict[str, Any]:
        found = []
        for query in request["MetricDataQueries"]:
            stat, metric = query["MetricStat"]["Stat"], query["MetricStat"]["Metric"]
            asked.append(metric)
            if metric["Namespace"] == "AWS/SageMaker":
                values = hours[stat if metric["MetricName"] == "ModelLatency" else metric["MetricName"]]
            else:
                values = [150, 250] if metric["MetricName"] == "CPUUtilization" else [20, 30]
            start = request["StartTime"]
            times = [start, start + 3600]
            # A page each.
            index = int(request.get("NextToken", "0"))
            found.append({"Id": query["Id"], "Timestamps": [times[index]], "Values": [values[index]]})
        return {"MetricDataResults": found} | ({} if "NextToken" in request else {"NextToken": "1"})

    metrics.service = answer
    result = collect(tmp_path, "--endpoint-hours", "2")
    assert result.exit_code == 0, result.output
    sagemaker = load(tmp_path / RUN / "comparison.json").sides["sagemaker"]
    assert sagemaker.serve is not None
    traffic = sagemaker.serve.traffic
    assert traffic is not None
    assert sagemaker.serve.status == "skipped"
    assert (traffic.hours, traffic.requests, traffic.failures) == (2, 100, 3)
    # Microseconds, of the hour with most requests.
    assert (traffic.p50_milliseconds, traffic.p90_milliseconds, traffic.p99_milliseconds) == (2, 3, 4.5)
    used = {stage.name: (stage.cpu_percent, stage.memory_percent) for stage in sagemaker.stages}
    assert used == {"prepare": (200, 25), "train": (200, 25), "evaluate": (200, 25), "score": (None, None)}
    named = {each["Value"] for metric in asked for each in metric["Dimensions"]}
    ran = {name.rpartition("-")[2]: name for name in account.jobs}
    assert named == {PROJECT, VARIANT, *(f"{ran[stage]}/algo-1" for stage in ("prepare", "train", "evaluate"))}
    # Later, without what was asked of the endpoint: the record here says more, and stays.
    content = (tmp_path / RUN / "comparison.json").read_bytes()
    again = collect(tmp_path)
    assert (again.exit_code, "holds another record" in again.stderr) == (2, True)
    assert (tmp_path / RUN / "comparison.json").read_bytes() == content


def test_what_cloudwatch_refuses_is_not_measured(
    account: Account, stacks: Stacks, metrics: Wire, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account.failing["sagemaker", "prepare"] = PROCESSING_FAILED
    account.run()
    metrics.fail("GetMetricData", "AccessDeniedException")
    with caplog.at_level(logging.WARNING):
        assert collect(tmp_path).exit_code == 0
    assert load(tmp_path / RUN / "comparison.json") == account.record()
    said = [record.getMessage().split(":")[0] for record in caplog.records if record.name.startswith("record.")]
    assert said == [f"/aws/sagemaker/ProcessingJobs {PROJECT}-{RUN}-prepare/", "the jobs' metrics"]


def test_throttled_lists_are_asked_again(account: Account, stacks: Stacks, pauses: list[float], tmp_path: Path) -> None:
    account.run()
    throttled = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
    stacks.answer("ListStackResources", throttled, times=3, status=400)
    account.emr.fail("ListSteps", "ThrottlingException", times=9)
    assert collect(tmp_path).exit_code == 0
    assert load(tmp_path / RUN / "comparison.json") == account.record()
    assert len(pauses) == 12


class TestRefused:
    """One line, exit code 2, nothing is written."""

    def test_no_such_stack(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        said = refused(collect(tmp_path, "--project", "other"), tmp_path)
        assert f"no stack other-comparison with its AWS::StepFunctions::StateMachine in {REGION}" in said

    def test_no_such_run(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        account.run(run_id="other")
        said = refused(collect(tmp_path), tmp_path)
        assert f"no run '{RUN}' of arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{PROJECT}-comparison" in said
        assert said.endswith("its latest executions: other\n")

    def test_run_that_is_still_running(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        results = []

        def during(call: Call) -> None:
            if machine_name(call.machine) == "sagemaker" and call.state == "prepare":
                results.append(collect(tmp_path))

        account.before = during
        account.run()
        (result,) = results
        assert re.search(rf"run {RUN} is still running, since \S+ \S+ UTC", refused(result, tmp_path))

    @pytest.mark.parametrize(
        ("service", "operation"),
        [("stepfunctions", "GetExecutionHistory"), ("sagemaker", "DescribeTrainingJob"), ("emr", "ListInstances")],
    )
    def test_no_permission(
        self,
        service: str,
        operation: str,
        account: Account,
        stacks: Stacks,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        account.run()
        wires = {"sagemaker": account.sagemaker, "emr": account.emr}
        wire = wires[service] if service in wires else Wire(service, monkeypatch)
        wire.fail(operation, "AccessDeniedException", f"User: me is not authorized\n to perform {operation}")
        said = refused(collect(tmp_path), tmp_path)
        assert f"{operation}: AccessDeniedException: User: me is not authorized to perform {operation}" in said

    def test_no_credentials_and_no_profile(
        self, account: Account, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "profile (nobody) could not be found" in refused(collect(tmp_path, "--profile", "nobody"), tmp_path)

        def none(*_: object, **__: object) -> None:
            raise NoCredentialsError

        monkeypatch.setattr("botocore.auth.SigV4Auth.add_auth", none)
        monkeypatch.setattr("botocore.signers.RequestSigner.sign", none)
        assert "Unable to locate credentials" in refused(collect(tmp_path), tmp_path)

    def test_region_that_is_none(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        assert "--region: is empty" in refused(collect(tmp_path, "--region", ""), tmp_path)

    def test_execution_that_is_gone(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        account.run()
        run = find_run(PROJECT, RUN)
        emr = run.sides["emr"]
        gone = replace(run, sides={**run.sides, "emr": replace(emr, state_machine=f"{emr.state_machine}-gone")})
        with pytest.raises(Exception, match="the execution of side emr is no longer there"):
            collect_run(gone)

    @pytest.mark.parametrize("run_id", ["../up", "..", "a/b", ".hidden"])
    def test_id_that_is_none(self, run_id: str, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        assert f"run id {run_id!r}" in refused(compare("collect", run_id, "--output", str(tmp_path)), tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda data: data | {"versions": {"emr": "emr-1"}}, "holds another record; it stays as it is"),
            (lambda data: data | {"schema_version": 99}, "schema_version: 99 is newer"),
            (lambda data: None, "record: "),
        ],
    )
    def test_record_in_its_place_stays(
        self, spoil: Callable[[dict[str, Any]], Any], said: str, account: Account, stacks: Stacks, tmp_path: Path
    ) -> None:
        account.run()
        place = tmp_path / RUN / "comparison.json"
        place.parent.mkdir()
        place.write_text(json.dumps(spoil(json.loads(account.content()))))
        before = place.read_bytes()
        result = collect(tmp_path)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert said in result.stderr
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [place]
        assert place.read_bytes() == before


# moto's branches do not expect that somebody stops them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_stopped_comparison_s_sides_did_not_start(account: Account, stacks: Stacks) -> None:
    """Its execution ended before it had started anything."""
    machine = next(arn for arn in account.definitions if machine_name(arn) == "comparison")
    states = boto3.client("stepfunctions")

    def stop(call: Call) -> None:
        if machine_name(call.machine) == "comparison":
            states.stop_execution(executionArn=f"{machine.replace('stateMachine', 'execution')}:{RUN}")
            raise RuntimeError("stopped")

    account.before = stop
    account.run()
    run = find_run(PROJECT, RUN)
    assert run.refused == {"sagemaker": "the comparison was stopped", "emr": "the comparison was stopped"}
    assert {side.status for _, side in collect_run(run).sides.items()} == {"failed"}


def test_bucket_is_the_one_of_the_data_stack(account: Account, stacks: Stacks) -> None:
    assert bucket(PROJECT) == account.bucket


@pytest.mark.full
class TestShare:
    """Records in the bucket."""

    def test_collected_run_adds_to_what_the_function_recorded(
        self, account: Account, stacks: Stacks, metrics: Wire, tmp_path: Path
    ) -> None:
        account.run()
        before = account.content()
        collect(tmp_path, "--endpoint-hours", "1")
        (tmp_path / RUN / "rules.json").write_text("{}")
        (tmp_path / RUN / "logs").mkdir()
        pushed = compare("push", RUN, "--output", str(tmp_path))
        assert (pushed.exit_code, pushed.stdout) == (0, f"s3://{account.bucket}/runs/{RUN}\n"), pushed.output
        again = compare("push", RUN, "--output", str(tmp_path), "--json")
        assert json.loads(again.stdout) == {"location": f"s3://{account.bucket}/runs/{RUN}"}
        local = tmp_path / RUN
        assert account.content() == (local / "comparison.json").read_bytes() != before
        listed = boto3.client("s3").list_objects_v2(Bucket=account.bucket, Prefix=f"runs/{RUN}/templates/")
        assert len(listed["Contents"]) == len(list((local / "templates").iterdir()))
        elsewhere = tmp_path / "elsewhere"
        pulled = compare("pull", RUN, "--output", str(elsewhere), "--bucket", account.bucket, "--json")
        assert (pulled.exit_code, json.loads(pulled.stdout)) == (0, {"folders": [str(elsewhere / RUN)]}), pulled.output
        nothing = compare("pull", "--output", str(elsewhere), "--json")
        assert (nothing.exit_code, json.loads(nothing.stdout)) == (0, {"folders": []})
        names = {path.relative_to(local) for path in local.rglob("*")} - {Path("logs")}
        assert {path.relative_to(elsewhere / RUN) for path in (elsewhere / RUN).rglob("*")} == names
        assert all(
            (elsewhere / RUN / name).read_bytes() == (local / name).read_bytes()
            for name in names
            if (local / name).is_file()
        )
        assert [path.name for path in elsewhere.iterdir()] == [RUN]

    def test_a_file_whose_name_is_no_text_is_not_pushed(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        account.run()
        collect(tmp_path)
        (tmp_path / RUN / "templates" / os.fsdecode(b"\xff")).touch()
        result = compare("push", RUN, "--output", str(tmp_path), "--bucket", account.bucket)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
        assert "its name is no text in UTF-8" in result.stderr

    def test_another_record_stays_in_the_bucket(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        account.run()
        collect(tmp_path)
        other = json.loads(account.content()) | {"versions": {"emr": "emr-1"}}
        account.put(f"runs/{RUN}/comparison.json", json.dumps(other).encode())
        result = compare("push", RUN, "--output", str(tmp_path), "--bucket", account.bucket)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert f"s3://{account.bucket}/runs/{RUN}/comparison.json holds another record" in result.stderr
        assert json.loads(account.content()) == other
        listed = boto3.client("s3").list_objects_v2(Bucket=account.bucket, Prefix=f"runs/{RUN}/")
        assert not any(each["Key"].endswith("report.html") for each in listed["Contents"])

    def test_record_that_somebody_writes_meanwhile_stays(
        self, account: Account, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The condition is S3's to check: what came between the look and the write is not overwritten."""
        account.run()
        collect(tmp_path)
        other = json.dumps(json.loads(account.content()) | {"versions": {}}).encode()
        poor = json.loads(account.content())
        poor["limits"] = {}
        account.put(f"runs/{RUN}/comparison.json", json.dumps(poor).encode())
        load_record = load

        def slowly(path: Path) -> Any:
            found = load_record(path)
            if found.limits.auc is None:
                account.put(f"runs/{RUN}/comparison.json", json.dumps(poor | {"versions": {"x": "1"}}).encode())
            return found

        monkeypatch.setattr("record.runs.sharing.load", slowly)
        result = compare("push", RUN, "--output", str(tmp_path), "--bucket", account.bucket)
        assert result.exit_code == 2
        assert json.loads(account.content())["versions"] == {"x": "1"}
        assert other

    def test_all_that_are_missing_are_pulled(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        account.run()
        good = json.loads(account.content())
        account.put("runs/second/comparison.json", json.dumps(good | {"run_id": "second"}).encode())
        account.put("runs/damaged/comparison.json", account.content()[:500])
        account.put("runs/mislaid/comparison.json", json.dumps(good).encode())
        account.put("runs/deploy-1/sagemaker/features/stats.json", b"a run without a record")
        account.put("runs/second/templates/../../../outside.json", b"not here")
        result = compare("pull", "--output", str(tmp_path / "runs"))
        assert result.exit_code == 2
        assert sorted(result.stdout.split()) == [str(tmp_path / "runs" / RUN), str(tmp_path / "runs" / "second")]
        assert "not JSON, or cut off" in result.stderr
        assert f"mislaid/comparison.json: is the record of run '{RUN}'" in result.stderr
        # The function's record has no page there; it is made here.
        assert (tmp_path / "runs" / RUN / "report.html").is_file()
        assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [RUN, "second"]
        assert [path.name for path in tmp_path.iterdir()] == ["runs"]
        again = compare("pull", "--output", str(tmp_path / "runs"))
        assert (again.exit_code, again.stdout) == (2, "")

    def test_a_run_without_a_page_is_recorded_all_the_same(
        self, account: Account, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise UserError("report.html: cannot be made")

        monkeypatch.setattr("cli.run.make_report", fail)
        account.run()
        collected = collect(tmp_path / "collected", "--json")
        pulled = compare("pull", "--output", str(tmp_path / "pulled"), "--json")
        for result, place in ((collected, "collected"), (pulled, "pulled")):
            assert result.exit_code == 1, result.output
            assert "but it has no page: report.html: cannot be made; `compare report " in result.stderr
            assert load(tmp_path / place / RUN / "comparison.json").run_id == RUN
        assert json.loads(collected.stdout)["run_id"] == RUN
        assert json.loads(pulled.stdout) == {"folders": [str(tmp_path / "pulled" / RUN)]}

    def test_pull_adds_to_a_record_here_and_never_replaces_another(
        self, account: Account, stacks: Stacks, tmp_path: Path
    ) -> None:
        account.run()
        collect(tmp_path)
        place = tmp_path / RUN / "comparison.json"
        poor = json.loads(place.read_text())
        poor["limits"] = {}
        place.write_text(json.dumps(poor))
        arguments = ("pull", RUN, "--output", str(tmp_path), "--bucket", account.bucket)
        assert compare(*arguments).exit_code == 0
        assert load(place) == account.record()
        place.write_text(json.dumps(poor | {"versions": {"emr": "emr-1"}}))
        result = compare(*arguments)
        assert (result.exit_code, "holds another record" in result.stderr) == (2, True)
        assert load(place).versions == {"emr": "emr-1"}

    def test_no_such_run_or_bucket(self, account: Account, stacks: Stacks, tmp_path: Path) -> None:
        for arguments, said in {
            ("push", "none"): "no run 'none' below",
            ("pull", "none", "--bucket", account.bucket): "no record of run 'none' in s3://",
            ("pull", "--bucket", "nobodys"): "NoSuchBucket",
            ("pull", "none", "--bucket", "nobodys"): "NoSuchBucket",
            ("pull", "--project", "other"): "no stack other-data",
        }.items():
            result = compare(*arguments, "--output", str(tmp_path))
            assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
            assert said in result.stderr
        assert list(tmp_path.iterdir()) == []
