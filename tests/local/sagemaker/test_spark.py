"""Jobs of the Spark image, carried out."""

import json
from typing import Any

import pytest

from local.jobs import JobFailed
from tests.local.conftest import Account, processing

IMAGE = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"

SCRIPT = """\
import json, sys, pathlib
from pyspark.sql import SparkSession
output, = (each.removeprefix("--output=") for each in sys.argv[1:])
spark = SparkSession.builder.getOrCreate()
memory = spark.conf.get("spark.executor.memoryOverheadFactor", "none")
wrong = pathlib.Path("/opt/ml/output/failure")
without = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
spark.range(3).coalesce(1).write.option(*without).csv(output + "rows")
print("factor", memory, "workers", spark.sparkContext.master)
if memory == "0.5":
    wrong.write_text("error: this is what is wrong")
    pathlib.Path("/opt/ml/output/message").write_text("error: this is what is wrong")
    sys.exit(2)
spark.stop()
"""

# What is written to a path without a scheme can be read there, and nothing of the host's own files.
BARE = """\
import pathlib, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.range(3).write.csv("/opt/ml/processing/output/rows")
print("rows", spark.read.csv("/opt/ml/processing/output/rows").count())
print("there", pathlib.Path("/opt/ml/processing/output/rows").exists())
spark.read.text("/opt/ml/processing/input/code/spark/script.py").show()
"""

JVM = "-XX:+ExitOnOutOfMemoryError"
SETTINGS = {"spark.driver.defaultJavaOptions": JVM, "spark.executor.memory": "99g", "spark.executor.instances": "7"}


@pytest.fixture(autouse=True)
def code(account: Account) -> None:
    from assembly.template import REPOSITORY

    for name in ("spark/submit.py", "common/command.py", "common/packages.py", "common/__init__.py"):
        account.put(f"s3://lake/code/{name}", (REPOSITORY / "workloads" / name).read_text())
    account.put("s3://lake/code/spark/script.py", SCRIPT)
    account.put("s3://lake/raw/a.txt", "A")


def submitted(name: str, *arguments: str, count: int = 1, **settings: str) -> dict[str, Any]:
    code = "/opt/ml/processing/input/code"
    confs = [f"--conf={setting}={value}" for setting, value in {**SETTINGS, **settings}.items()]
    last = arguments or (f"{code}/spark/script.py", "--output=s3://lake/runs/1/out/")
    request = processing(name, ["python3", f"{code}/spark/submit.py", *confs, *last])
    request["AppSpecification"]["ImageUri"] = IMAGE
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = count
    request["Environment"] = {"PYTHONPATH": code}
    del request["ProcessingOutputConfig"]
    return request


@pytest.mark.full
@pytest.mark.usefixtures("each_mode")
def test_a_script_runs_on_spark_once_whatever_the_number_of_hosts(account: Account) -> None:
    account.sagemaker.create_processing_job(submitted("p", count=2))
    (part,) = account.keys("s3://lake/runs/")
    assert account.get(part).splitlines() == ["0", "1", "2"]
    assert "factor none workers local[*]" in (account.logs / "p.log").read_text()
    assert account.left_behind() == []


def test_why_a_script_failed_is_the_job_s_message_and_nothing_is_left(account: Account) -> None:
    """The image's own command says only that spark-submit failed."""
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(
            submitted("p", count=1, **{"spark.executor.memoryOverheadFactor": "0.5"})
        )
    assert failed.value.answer["ExitMessage"] == "error: this is what is wrong"
    assert (failed.value.reason, failed.value.exit_code) == ("this is what is wrong", 2)
    assert account.keys("s3://lake/runs/") == []
    assert account.left_behind() == []


@pytest.mark.full
def test_a_path_without_a_scheme_is_one_of_hdfs_whose_files_go_with_the_job(account: Account) -> None:
    account.put("s3://lake/code/spark/script.py", BARE)
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(submitted("p"))
    log = (account.logs / "p.log").read_text()
    assert "rows 3\nthere False\n" in log
    assert "Path does not exist: hdfs://127.0.0.1/opt/ml/processing/input/code/spark/script.py" in log
    assert failed.value.exit_code == 1
    assert account.left_behind() == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("killed", "exit_code", "said"), [("getpid", 137, "exit status 137"), ("getppid", 247, "SIGKILL")]
)
def test_a_driver_that_is_killed_ends_the_job_with_the_code_of_the_image_s_command(
    killed: str, exit_code: int, said: str, account: Account
) -> None:
    """Of Python's end the JVM says 128 + 9, of the JVM's own the image's command 256 - 9."""
    account.put("s3://lake/code/spark/script.py", f"import os, signal\nos.kill(os.{killed}(), signal.SIGKILL)\n")
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(submitted("p"))
    assert failed.value.exit_code == exit_code
    assert said in failed.value.answer["ExitMessage"]
    assert account.left_behind() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--packages", "a:b:1", "/opt/x.py"], "No such option: --packages"),
        (["--py-files", "code.zip", "/opt/x.py"], "file path code.zip must be an absolute path"),
        (["--files=/opt/ml/processing/none", "/opt/x.py"], "file path /opt/ml/processing/none does not exist"),
        (["-v"], "missing parameter: app"),
    ],
)
def test_the_image_s_command_takes_its_own_options_only(account: Account, arguments: list[str], message: str) -> None:
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(submitted("p", *arguments))
    assert failed.value.exit_code == 1
    assert message in failed.value.answer["ExitMessage"]


def test_packages_are_installed_from_the_published_wheels_alone(account: Account) -> None:
    request = submitted("p")
    account.put("s3://lake/wheels/requirements.lock", "nothing-of-this-name==1.0 --hash=sha256:" + "0" * 64)
    source = dict(request["ProcessingInputs"][0]["S3Input"])
    source |= {"S3Uri": "s3://lake/wheels/", "LocalPath": "/opt/ml/processing/input/wheels"}
    request["ProcessingInputs"].append({"InputName": "wheels", "S3Input": source})
    with pytest.raises(JobFailed) as failed:
        account.sagemaker.create_processing_job(request)
    assert failed.value.answer["ExitMessage"].startswith("ImportError: No matching distribution found")
    assert json.dumps(failed.value.answer)
