"""The whole laptop run, on real engines."""

import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import nbformat
import psutil
import pytest
from botocore.exceptions import ClientError
from nbclient import NotebookClient

from assembly.template import REGION, REPOSITORY
from comparison.summary import checks
from local.preflight import Options
from local.progress import Progress
from local.run import run
from local.sagemaker.runtime import endpoint
from record.errors import UserError
from record.schema import STAGES, Record
from sides import DEFAULT


def test_both_sides_finish_every_stage(small_run: tuple[Record, Path]) -> None:
    record, _ = small_run
    for _, side in record.sides.items():
        assert side.status == "succeeded"
        assert [stage.name for stage in side.stages] == list(STAGES)
        assert all(stage.status == "succeeded" and stage.seconds and stage.instances for stage in side.stages)
        assert all(stage.bytes_out for stage in side.stages)


def test_sides_agree(small_run: tuple[Record, Path]) -> None:
    record, _ = small_run
    (agreement,) = record.agreement
    assert agreement.features_equal
    assert agreement.features_rows
    assert agreement.rejected_equal
    assert agreement.auc_difference is not None
    assert agreement.auc_difference <= 0.002
    crossed = agreement.cross_scoring_max_difference
    assert crossed is not None
    assert max(crossed.first_model_on_second_features, crossed.second_model_on_first_features) <= 1e-6
    # 1,000 customers are too few to come close to the best achievable AUC; that is asserted at the default scale.
    assert {check.result for check in checks(record) if "best achievable" not in check.name} <= {"pass", "reported"}


def test_dirty_lines_are_counted(small_run: tuple[Record, Path]) -> None:
    record, _ = small_run
    for _, side in record.sides.items():
        assert side.rejected
        assert sum(side.rejected["logs"].values()) > 0


def test_rows_go_through_the_stages(small_run: tuple[Record, Path]) -> None:
    record, _ = small_run
    for _, side in record.sides.items():
        prepare, train, evaluate, score = side.stages
        assert prepare.rows_in == sum(record.dataset.rows.values())
        assert train.rows_in
        assert evaluate.rows_in
        assert score.rows_in == score.rows_out
        assert prepare.rows_out
        assert score.rows_out
        assert prepare.rows_out > score.rows_out


def test_endpoint_answers_like_the_batch_job(small_run: tuple[Record, Path]) -> None:
    serve = small_run[0].sides["sagemaker"].serve
    assert serve is not None
    assert (serve.status, serve.message) == ("succeeded", None)
    assert [load.clients for load in serve.load] == [1, 2, 4, 8]
    for load in serve.load:
        assert load.failures == 0
        assert 0 < load.p50_milliseconds <= load.p90_milliseconds <= load.p99_milliseconds
        # Each client waits for its answers, so the requests' times fill the clients' time, and no more.
        assert load.requests * load.p50_milliseconds / 2 <= 1000 * load.seconds * load.clients


def test_roc_curves_enclose_the_auc(small_run: tuple[Record, Path]) -> None:
    record, _ = small_run
    for auc, curve in [
        (record.limits.auc, record.limits.roc),
        *((side.metrics.auc, side.metrics.roc) for _, side in record.sides.items() if side.metrics),
    ]:
        area = sum(
            (right.false_positive_rate - left.false_positive_rate)
            * (left.true_positive_rate + right.true_positive_rate)
            / 2
            for left, right in pairwise(curve)
        )
        assert area == pytest.approx(auc, abs=0.02)


@pytest.mark.full
def test_a_kept_run_is_asked_as_an_endpoint_in_an_account(small_run: tuple[Record, Path]) -> None:
    """Through the sagemaker package: the answers are the batch job's, refusals arrive as the service's own."""
    _, folder = small_run
    side = next(folder.glob("s3/*/runs/small/sagemaker"))
    rows = next((side / "features" / "score-csv").glob("*.csv")).read_text().splitlines()[:5]
    batch = dict(line.split(",") for file in (side / "predictions").glob("*.out") for line in file.open())
    from sagemaker.core.resources import Endpoint  # takes seconds to import, in every process that collects tests

    served = Endpoint(endpoint_name="side-by-side")
    text = {"content_type": "text/csv", "accept": "text/csv", "region": REGION}
    with endpoint(folder) as session:
        answer = served.invoke(body="\n".join(row.split(",", 1)[1] for row in rows), session=session, **text)
        assert answer is not None
        assert answer.body.read().decode().splitlines() == [batch[row.split(",", 1)[0]].strip() for row in rows]
        with pytest.raises(ClientError, match=r"\(ModelError\) .* Received client error \(400\) from primary"):
            served.invoke(body="not,numbers", session=session, **text)
    assert "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME" not in os.environ


@pytest.mark.full
def test_notebook_runs(small_run: tuple[Record, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of it, as Jupyter runs them; its predictions are the batch job's."""
    _, folder = small_run
    monkeypatch.setenv("RUN", str(folder))
    path = REPOSITORY / "notebooks" / "compare.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # its types end at its door
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "it is kept without outputs"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(REPOSITORY / "notebooks")}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    charts = [output for output in outputs if "application/vnd.plotly.v1+json" in output.get("data", {})]
    assert len(charts) == 5
    batch = dict(
        line.split(",") for file in folder.glob("s3/*/runs/*/sagemaker/predictions/*.out") for line in file.open()
    )
    asked = re.findall(r"customer (\S+): buys within seven days with probability (\S+)", outputs[-1]["text"])
    assert len(asked) == 5
    assert all(f"{float(batch[customer]):.3f}" == probability for customer, probability in asked)


def test_run_leaves_what_the_readme_says_and_nothing_else(small_run: tuple[Record, Path]) -> None:
    _, folder = small_run
    assert {path.name for path in folder.iterdir()} == {
        "comparison.json",
        "report.html",
        "rules.json",
        "templates",
        "logs",
        "s3",
    }
    assert (folder.parent / "latest").resolve() == folder
    for side in DEFAULT:
        assert {path.name for path in (folder / "s3").glob(f"*/runs/small/{side}/*")} == {
            "features",
            "model",
            "evaluation",
            "predictions",
        }
        assert len(list((folder / "logs" / side).glob("*.log"))) >= len(STAGES)


def test_used_run_id_is_refused_and_the_run_kept(small_run: tuple[Record, Path]) -> None:
    _, folder = small_run
    before = (folder / "comparison.json").read_bytes()
    with pytest.raises(UserError, match="already used"), run(Options("small", {}, folder.parent), Progress()):
        pass
    assert (folder / "comparison.json").read_bytes() == before


def compare(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "run", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "emr.core.instance_typ=m5.xlarge"], "did you mean emr.core.instance_type"),
        (["--events", "10"], "--events: '10': must be a whole number from 1000"),
        (["--set", "nonsense"], "must be key=value"),
        (["--run-id", "Not Allowed"], "run id 'Not Allowed'"),
        (["--raw", "/nowhere"], "raw data /nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = compare("--output", str(tmp_path), *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.full
def test_bad_data_fails_both_sides_with_the_same_reason(small_run: tuple[Record, Path], tmp_path: Path) -> None:
    """A raw table without rows: every engine says so, the record says which stage, and the exit code is 2."""
    _, folder = small_run
    raw = next(folder.glob("s3/*/raw/*"))
    broken = tmp_path / "raw"
    for source in raw.rglob("*"):
        if source.is_file() and source.relative_to(raw).parts[0] != "orders":
            target = broken / source.relative_to(raw)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
    (broken / "orders").mkdir()
    (broken / "orders" / "part-0.txt").write_text("not parquet")
    result = compare("--raw", str(broken), "--output", str(tmp_path / "runs"), "--run-id", "broken")
    assert result.returncode == 2, result.stderr
    record = Record.model_validate_json((tmp_path / "runs" / "broken" / "comparison.json").read_text())
    for _, side in record.sides.items():
        assert side.error is not None
        assert side.error.stage == "prepare"
        assert "orders" in side.error.message
        assert side.error.log
        assert Path(side.error.log).is_file()
        assert [stage.status for stage in side.stages] == ["failed", "skipped", "skipped", "skipped"]
    assert list((tmp_path / "runs" / "broken" / "s3").glob("*/runs/broken/*/features/*")) == []


@pytest.mark.full
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    command = [sys.executable, "-m", "cli", "run", "--events", "400000", "--run-id", "stopped"]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path)], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    logs = tmp_path / "stopped" / "logs"
    deadline = time.monotonic() + 600
    while not list(logs.glob("**/*-prepare.log")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    left = [
        each for each in psutil.process_iter(["cmdline"]) if each.pid not in before and str(tmp_path) in str(each.info)
    ]
    assert left == []
