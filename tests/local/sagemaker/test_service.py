"""Processing, training and transform jobs, carried out."""

import json
import socket
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from local.container import container_mode
from local.environments import Environment, environment
from local.jobs import JOBS, JobFailed, RequestRefused
from local.sagemaker.service import pack, unpack
from tests.local.conftest import Account, model, processing, script_mode, training, transform

PREPARE = """\
import json, os, pathlib, sys
from common import names
base = pathlib.Path("/opt/ml")
resources = json.loads((base / "config/resourceconfig.json").read_text())
job = json.loads((base / "config/processingjobconfig.json").read_text())
raw, output = map(pathlib.Path, sys.argv[1:3])
rows = [f"{path.relative_to(raw)}={path.read_text()}" for path in sorted(raw.rglob("*")) if path.is_file()]
assert output.is_dir() and len(resources["hosts"]) == job["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
(output / f"{resources['current_host']}.txt").write_text(" ".join(rows))
(output / "link.txt").symlink_to(raw / "a.txt")
(base / "output/message").write_text(f"{len(rows)} {names.ROWS}")
"""

TRAIN = """\
import json, os, pathlib, socket, sys
from common import names
base = pathlib.Path("/opt/ml")
values = json.loads((base / "input/config/hyperparameters.json").read_text())
resources = json.loads((base / "input/config/resourceconfig.json").read_text())
assert resources["current_host"] == "algo-1"
if pathlib.Path("/opt/venv").exists():
    assert (socket.gethostname(), socket.gethostbyname("algo-1")) == ("algo-1", "127.0.0.1")
    assert sys.prefix == "/opt/venv"
if "etaa" in values:
    (base / "output/failure").write_text("unknown hyper-parameter: etaa")
    sys.exit(3)
(base / "model/code").mkdir()
(base / "model/code/score.py").write_text(pathlib.Path(__file__).with_name("score.py").read_text())
files = sorted(os.listdir(base / "input/data/train"))
(base / "model/model.json").write_text(json.dumps({"eta": float(values["eta"]), "files": files}))
"""

SCORE = """\
import json, pathlib
from flask import Response

def model_fn(folder):
    assert folder == "/opt/ml/model"
    return json.loads((pathlib.Path(folder) / "model.json").read_text())

def transform_fn(model, body, content_type, accept):
    answers = []
    for line in body.split("\\n"):
        try:
            answers.append(f"{float(line.split(',')[0]) * model['eta']:g}")
        except ValueError:
            return Response(f"{line!r} does not start with a number", 400, mimetype="text/plain")
    return "".join(f"{answer}\\n" for answer in answers), accept
"""

ENTRY = ["python3", "/opt/ml/processing/input/code/single_node/prepare.py"]
ARGUMENTS = ["/opt/ml/processing/input/raw", "/opt/ml/processing/output"]
PYTHONPATH = {"PYTHONPATH": "/opt/ml/processing/input/code"}


@pytest.fixture(autouse=True)
def code(account: Account) -> None:
    for name, text in {"prepare": PREPARE, "train": TRAIN, "score": SCORE}.items():
        account.put(f"s3://lake/code/single_node/{name}.py", text)
    account.put("s3://lake/code/common/names.py", "ROWS = 'files'")
    account.put("s3://lake/raw/a.txt", "A")
    account.put("s3://lake/raw/deep/b.txt", "B")


def failing(account: Account, script: str, name: str = "job") -> JobFailed:
    """Run a processing job with this script, which must fail and leave nothing behind."""
    account.put("s3://lake/code/single_node/prepare.py", script)
    before = account.keys()
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(processing(name, [*ENTRY, *ARGUMENTS]))
    assert account.keys() == before
    assert account.left_behind() == []
    return failed.value


@pytest.mark.usefixtures("each_mode")
def test_processing(account: Account) -> None:
    answer = account.sagemaker.create_processing_job(processing("p", [*ENTRY, *ARGUMENTS], Environment=PYTHONPATH))
    assert (answer["ProcessingJobStatus"], answer["ExitMessage"]) == ("Completed", "2 files")
    assert account.keys("s3://lake/runs/") == ["s3://lake/runs/1/sagemaker/features/algo-1.txt"]
    assert account.get("s3://lake/runs/1/sagemaker/features/algo-1.txt") == "a.txt=A deep/b.txt=B"
    assert account.left_behind() == []
    with pytest.raises(RequestRefused, match="already exists"):
        account.sagemaker.create_processing_job(processing("p", [*ENTRY, *ARGUMENTS]))


def test_processing_on_two_hosts_shards_by_key(account: Account) -> None:
    request = processing("p", [*ENTRY, *ARGUMENTS], Environment=PYTHONPATH)
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    request["ProcessingInputs"][1]["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    account.sagemaker.create_processing_job(request)
    features = "s3://lake/runs/1/sagemaker/features"
    assert [account.get(f"{features}/algo-{host}.txt") for host in (1, 2)] == ["a.txt=A", "deep/b.txt=B"]


@pytest.mark.usefixtures("each_mode")
def test_a_failed_processing_job_says_why_and_leaves_nothing(account: Account) -> None:
    script = (
        "import pathlib, subprocess, sys\n"
        "pathlib.Path(sys.argv[2], 'half.txt').write_text('half')\n"
        "subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "sys.exit('error: raw/logs: no such table')\n"
    )
    failed = failing(account, script)
    assert (failed.job, failed.reason, failed.exit_code) == ("job", "AlgorithmError: raw/logs: no such table", 1)
    assert failed.tail() == ["error: raw/logs: no such table"]
    assert failed.answer["ProcessingJobStatus"] == "Failed"
    assert failed.answer["FailureReason"] == "AlgorithmError: See job logs for more information"


def test_what_the_laptop_cannot_do_is_refused(account: Account) -> None:
    request = processing("p", [*ENTRY, *ARGUMENTS])
    request["ProcessingInputs"][0]["S3Input"]["LocalPath"] = "/opt/ml/code"
    with pytest.raises(RequestRefused, match="must be below /opt/ml/processing/"):
        account.sagemaker.create_processing_job(request)
    request = processing("p", [*ENTRY, *ARGUMENTS])
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    with pytest.raises(RequestRefused, match="S3UploadMode is Continuous"):
        account.sagemaker.create_processing_job(request)
    incomplete = training("t")
    del incomplete["ResourceConfig"]
    with pytest.raises(RequestRefused, match="ResourceConfig"):
        account.sagemaker.create_training_job(incomplete)


def test_a_missing_input_fails_the_job(account: Account) -> None:
    request = processing("p", [*ENTRY, *ARGUMENTS])
    request["ProcessingInputs"][1]["S3Input"]["S3Uri"] = "s3://lake/rwa/"
    with pytest.raises(JobFailed, match='No S3 objects found under S3 URL "s3://lake/rwa/"') as failed:
        account.sagemaker.create_processing_job(request)
    assert failed.value.answer["ProcessingJobStatus"] == "Failed"
    assert failed.value.tail()
    assert account.left_behind() == []


def test_a_stopped_job_leaves_nothing(account: Account) -> None:
    started = account.s3.path("s3://lake/raw/a.txt").parent / "started"
    stopper = threading.Thread(target=stop_when, args=(started,))
    stopper.start()
    try:
        failed = failing(account, f"import pathlib, time; pathlib.Path({str(started)!r}).mkdir(); time.sleep(300)")
    finally:
        stopper.join()
        JOBS.resume()
    assert failed.reason == "stopped"
    assert failed.answer["ProcessingJobStatus"] == "Stopped"


def stop_when(started: Path) -> None:
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    JOBS.stop_all()


@pytest.mark.usefixtures("each_mode")
def test_train_then_transform(account: Account, tmp_path: Path) -> None:
    answer = account.sagemaker.create_training_job(training("t", eta="0.50"))
    artifact = answer["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == "s3://lake/runs/1/sagemaker/model/t/output/model.tar.gz"
    assert answer["TrainingJobStatus"] == "Completed"
    assert account.sagemaker.describe_training_job({"TrainingJobName": "t"}) == answer
    assert account.keys("s3://lake/runs/") == [artifact]
    with tarfile.open(account.s3.path(artifact)) as archive:
        unpack(archive, tmp_path / "model")
    assert (tmp_path / "model/code/score.py").read_text() == SCORE
    assert json.loads((tmp_path / "model/model.json").read_text()) == {"eta": 0.5, "files": ["a.txt", "deep"]}

    account.put("s3://lake/score/day=1/a.csv", "".join(f"{row},{row},x\n" for row in range(5)))
    account.put("s3://lake/score/b.csv", "7,7,x")
    account.sagemaker.create_model(model(artifact))
    answer = account.sagemaker.create_transform_job(transform("x", MaxPayloadInMB=1))
    assert answer["TransformJobStatus"] == "Completed"
    assert account.keys("s3://lake/predictions/") == [
        "s3://lake/predictions/b.csv.out",
        "s3://lake/predictions/day=1/a.csv.out",
    ]
    assert account.get("s3://lake/predictions/day=1/a.csv.out") == "0,0\n1,0.5\n2,1\n3,1.5\n4,2\n"
    assert account.get("s3://lake/predictions/b.csv.out") == "7,3.5\n"
    assert account.left_behind() == []

    # A file with a failing record has no output, the other has: as the service documents it.
    account.put("s3://lake/score/c.csv", "1,1,x\n2,two,x\n")
    request = transform("again")
    request["TransformOutput"]["S3OutputPath"] = "s3://lake/second"
    with pytest.raises(JobFailed, match=r"s3://lake/score/c.csv: 400 'two,x' does not start with a number") as failed:
        account.sagemaker.create_transform_job(request)
    assert failed.value.answer["TransformJobStatus"] == "Failed"
    assert account.keys("s3://lake/second/") == ["s3://lake/second/b.csv.out", "s3://lake/second/day=1/a.csv.out"]
    assert account.left_behind() == []


def test_a_failed_training_job_has_its_own_words_and_exit_code(account: Account) -> None:
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_training_job(training("t", etaa="1"))
    assert failed.value.reason == "AlgorithmError: unknown hyper-parameter: etaa, exit code: 3"
    assert failed.value.answer["FailureReason"] == failed.value.reason
    described = account.sagemaker.describe_training_job({"TrainingJobName": "t"})
    assert (described["TrainingJobStatus"], described["FailureReason"]) == ("Failed", failed.value.reason)
    with pytest.raises(RequestRefused, match="not found"):
        account.sagemaker.describe_training_job({"TrainingJobName": "another"})
    assert account.keys("s3://lake/runs/") == []
    assert account.left_behind() == []


@pytest.mark.usefixtures("each_mode")
def test_script_mode(account: Account) -> None:
    """The image's toolkit installs the submit folder, where nothing else is installed into, and runs the program."""
    built = environment("sagemaker-xgboost-3.2-0").folder
    before = sorted(built.rglob("*"))
    script = (
        "import importlib.metadata, os, pathlib, sys\n"
        "assert importlib.metadata.version('train') == '1.0.0'\n"
        "assert sys.argv[1:] == ['--eta', '0.5']\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], os.listdir(os.environ['SM_CHANNEL_TRAIN'])[0]).touch()\n"
    )
    account.put("s3://lake/code/single_node/train.py", script)
    answer = account.sagemaker.create_training_job(script_mode("t", eta="0.5"))
    assert answer["TrainingJobStatus"] == "Completed"
    assert sorted(built.rglob("*")) == before


def test_a_requirements_file_in_the_submit_folder_fails_script_mode(account: Account) -> None:
    """The toolkit hands it to pip, which finds no index (tried on 2026-11-26 with the real container's code)."""
    account.put("s3://lake/code/single_node/requirements.txt", "duckdb==2.0.0")
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_training_job(script_mode("t"))
    reason = failed.value.answer["FailureReason"]
    assert reason.startswith("AlgorithmError: InstallModuleError:\nCommand ")
    assert reason.endswith('-m pip install . -r requirements.txt", exit code: 1')
    assert failed.value.reason == " ".join(reason.split())
    assert "No matching distribution found for duckdb==2.0.0" in failed.value.log.read_text()


def test_wheels_of_another_python_are_for_processing_jobs_alone(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another Python stands for the image's: a requirements.txt finds them no more than in the service."""
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "duckdb-2.0.0-py3-none-any.whl", "w") as wheel:
        about = "duckdb-2.0.0.dist-info"
        wheel.writestr("duckdb.py", "")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: duckdb\nVersion: 2.0.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", f"duckdb.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    monkeypatch.setattr(Environment, "wheels", tmp_path / "wheels")
    install = "python3 -m pip install --no-index duckdb==2.0.0 && python3 -c 'import duckdb'"
    account.put("s3://lake/code/any.py", "")
    account.put("s3://lake/raw/any.txt", "")
    answer = account.sagemaker.create_processing_job(processing("p", ["bash", "-c", install]))
    assert answer["ProcessingJobStatus"] == "Completed"
    account.put("s3://lake/code/single_node/requirements.txt", "duckdb==2.0.0")
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_training_job(script_mode("t"))
    assert failed.value.answer["FailureReason"].startswith("AlgorithmError: InstallModuleError:")


@pytest.mark.parametrize("module", ["duckdb", "record.schema", "pyspark", "pytest"])
def test_what_the_image_lacks_cannot_be_imported(account: Account, module: str) -> None:
    failed = failing(account, f"import {module}")
    assert failed.reason == f"AlgorithmError: ModuleNotFoundError: No module named {module.split('.')[0]!r}"
    assert failed.exit_code == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("socket.create_connection(('192.0.2.1', 443), 5)", "OSError: [Errno 101] Network is unreachable"),
        (
            "socket.create_connection(('example.com', 443), 5)",
            "gaierror: [Errno -3] Temporary failure in name resolution",
        ),
        ("socket.create_connection(('127.0.0.1', PORT), 5)", "ConnectionRefusedError: [Errno 111] Connection refused"),
    ],
    ids=["address", "name", "this machine"],
)
def test_a_job_that_reaches_for_the_network_fails(
    account: Account, script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in subnets without a way out; not even a server of this machine is reached."""
    monkeypatch.delenv("LOCAL_CONTAINER", raising=False)
    if container_mode() != "namespace":
        pytest.skip("user namespaces are blocked on this machine: the fallback does not check this")
    with socket.create_server(("127.0.0.1", 0)) as server:
        failed = failing(account, f"import socket\n{script.replace('PORT', str(server.getsockname()[1]))}\n")
    assert failed.reason.endswith(reason)


def test_a_job_cannot_change_the_built_environment(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_CONTAINER", raising=False)
    if container_mode() != "namespace":
        pytest.skip("user namespaces are blocked on this machine: the fallback does not check this")
    failed = failing(account, "import numpy, pathlib\npathlib.Path(numpy.__file__).write_text('')\n")
    assert "Read-only file system" in failed.reason


def test_an_image_that_is_not_here_is_refused(account: Account) -> None:
    request = processing("p", [*ENTRY, *ARGUMENTS])
    request["AppSpecification"]["ImageUri"] = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    with pytest.raises(RequestRefused, match=r"sagemaker-xgboost-1.7-1: is not defined; there are: .*-3.2-0"):
        account.sagemaker.create_processing_job(request)


def test_output_data_and_checkpoints(account: Account) -> None:
    script = (
        "import os, pathlib\n"
        "pathlib.Path('/opt/ml/output/data/importance.json').write_text('{}')\n"
        "saved = pathlib.Path('/opt/ml/checkpoints')\n"
        "(saved / 'next').write_text(' '.join(os.listdir(saved)))\n"
    )
    account.put("s3://lake/code/single_node/train.py", script)
    account.put("s3://lake/runs/1/checkpoints/first", "1")
    request = training("t") | {"CheckpointConfig": {"S3Uri": "s3://lake/runs/1/checkpoints/"}}
    account.sagemaker.create_training_job(request)
    assert account.get("s3://lake/runs/1/checkpoints/next") == "first"
    with tarfile.open(account.s3.path("s3://lake/runs/1/sagemaker/model/t/output/output.tar.gz")) as archive:
        assert archive.getnames() == ["importance.json"]


def test_models(account: Account) -> None:
    account.put("s3://lake/model.tar.gz", "")
    with pytest.raises(RequestRefused, match="Could not find model data at s3://lake/other"):
        account.sagemaker.create_model(model("s3://lake/other.tar.gz"))
    assert account.sagemaker.create_model(model("s3://lake/model.tar.gz"))["ModelArn"].endswith(":model/webshop")
    with pytest.raises(RequestRefused, match="already existing model"):
        account.sagemaker.create_model(model("s3://lake/model.tar.gz"))
    assert account.sagemaker.delete_model({"ModelName": "webshop"}) == {}
    for call in (account.sagemaker.delete_model, account.sagemaker.create_transform_job):
        with pytest.raises(RequestRefused, match="Could not find model"):
            call({"ModelName": "webshop"} if call == account.sagemaker.delete_model else transform("x"))


def test_the_same_folder_gives_the_same_archive(tmp_path: Path) -> None:
    for name, order in {"one": "ab", "two": "ba"}.items():
        for file in order:
            (tmp_path / name / "code").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "code" / file).write_text(file)
            time.sleep(0.01)
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
