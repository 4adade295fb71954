"""A laptop account: a bucket, the executors, and small requests."""

from pathlib import Path
from typing import Any

import psutil
import pytest

from local.container import container_mode
from local.s3 import LocalS3
from local.sagemaker.service import SageMaker

ROLE = "arn:aws:iam::123456789012:role/service"
NO_INDEX = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"


class Account:
    """What a test needs of one laptop run: files in S3, the executor, and what it left behind."""

    def __init__(self, root: Path) -> None:
        """Everything is below `root`."""
        self.s3 = LocalS3(root / "s3")
        self.logs, self.work = root / "logs", root / "work"
        self.sagemaker = SageMaker(self.s3, self.logs, self.work)

    def put(self, uri: str, text: str) -> Path:
        """Put an object."""
        file = self.s3.path(uri)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def get(self, uri: str) -> str:
        """Read an object."""
        return self.s3.path(uri).read_text()

    def keys(self, prefix: str = "s3://lake/") -> list[str]:
        """The objects below a prefix."""
        return [self.s3.uri(file) for _, file in self.s3.objects(prefix)]

    def left_behind(self) -> list[str]:
        """Scratch folders, staging folders, and processes that still use them."""
        folders = [str(path) for path in [*self.work.glob("*"), *self.s3.root.glob(".*")]]
        return folders + processes_below(self.work)


def processes_below(folder: Path) -> list[str]:
    """Living processes whose command or working directory names a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in " ".join(
                [*process.cmdline(), process.cwd()]
            ):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An empty account."""
    return Account(tmp_path)


@pytest.fixture(params=["namespace", "directory"])
def each_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test in a private /opt/ml and in the fallback."""
    monkeypatch.delenv("LOCAL_CONTAINER", raising=False)
    mode = str(request.param)
    if mode == "namespace" and container_mode() != mode:
        pytest.skip("user namespaces are blocked on this machine")
    monkeypatch.setenv("LOCAL_CONTAINER", mode)
    return mode


def processing(name: str, command: list[str], **changes: Any) -> dict[str, Any]:
    """A processing request: code/ and raw/ in, output/ out."""
    inputs = {"code": "s3://lake/code/", "raw": "s3://lake/raw/"}
    request = {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": command[:2],
            "ContainerArguments": command[2:],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "features",
                    "S3Output": {
                        "S3Uri": "s3://lake/runs/1/sagemaker/features/",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    }
    return {**request, **changes}


def training(name: str, **hyperparameters: str) -> dict[str, Any]:
    """A training request with an entry point of its own, its code a channel."""
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/single_node/train.py"],
        },
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
            for name, uri in {"code": "s3://lake/code/", "train": "s3://lake/raw/"}.items()
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://lake/runs/1/sagemaker/model/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"PYTHONPATH": "/opt/ml/input/data/code"},
    }


def script_mode(name: str, **hyperparameters: str) -> dict[str, Any]:
    """A training request that the image's toolkit carries out."""
    request = training(
        name,
        sagemaker_program="train.py",
        sagemaker_submit_directory="/opt/ml/input/data/code/single_node",
        **hyperparameters,
    )
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    request["Environment"] |= NO_INDEX
    return request


def model(url: str, name: str = "webshop", **environment: str) -> dict[str, Any]:
    """A CreateModel request in script mode."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {
            "Image": IMAGE,
            "ModelDataUrl": url,
            "Environment": {
                "SAGEMAKER_PROGRAM": "score.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                **NO_INDEX,
                **environment,
            },
        },
    }


def transform(name: str, **changes: Any) -> dict[str, Any]:
    """A transform request: id,feature... in, id,probability out."""
    request = {
        "TransformJobName": name,
        "ModelName": "webshop",
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "ContentType": "text/csv",
            "SplitType": "Line",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lake/score/"}},
        },
        "TransformOutput": {"S3OutputPath": "s3://lake/predictions/", "Accept": "text/csv", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataProcessing": {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"},
    }
    return {**request, **changes}
