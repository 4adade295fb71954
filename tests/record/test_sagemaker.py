"""What SageMaker tells of a run of Spark on several instances, by hand-made requests and answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from record import sagemaker
from record.schema import Instances
from record.services import Billed

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:job/name"
PREPARE = {
    "ProcessingJobName": "run-prepare-spark",
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}},
}
TRAIN = {"TrainingJobName": "run-train-spark", "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4}}
SCORE = {
    "TransformJobName": "run-score-spark",
    "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
}


@pytest.fixture
def service(stubbed: Callable[[str], Stubber]) -> Stubber:
    return stubbed("sagemaker")


def processed(**times: datetime) -> dict[str, Any]:
    """A Processing job of two instances."""
    application = {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"}
    return {
        "ProcessingJobName": "run-prepare-spark",
        "ProcessingJobArn": ARN,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30}
        },
        "AppSpecification": application,
        "ProcessingJobStatus": "Completed",
        "CreationTime": NOW,
        **times,
    }


def trained(**seconds: int) -> dict[str, Any]:
    """A Training job, which says of itself what is billed of each instance."""
    return {
        "TrainingJobName": "run-train-spark",
        "TrainingJobArn": ARN,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3000},
        "CreationTime": NOW,
        **seconds,
    }


def test_every_stage_has_its_own_instances_and_logs() -> None:
    found = [sagemaker.instances({}, request) for request in (PREPARE, TRAIN, SCORE)]
    assert found == [(Instances(type="ml.m5.xlarge", count=count),) for count in (2, 4, 1)]
    # A stream an instance, all of which begin with the job's name.
    assert [sagemaker.log([], {}, request) for request in (PREPARE, TRAIN, SCORE)] == [
        "/aws/sagemaker/ProcessingJobs run-prepare-spark/",
        "/aws/sagemaker/TrainingJobs run-train-spark/",
        "/aws/sagemaker/TransformJobs run-score-spark/",
    ]
    assert sagemaker.cluster([], strict=True) is None


def test_billed_are_the_seconds_of_one_instance_however_many_there_are(service: Stubber) -> None:
    """From start to end, 95.5 s; of training what is billed, 61 s, and not four times that."""
    times = {"ProcessingStartTime": NOW, "ProcessingEndTime": NOW + timedelta(seconds=95.5)}
    service.add_response("describe_processing_job", processed(**times), {"ProcessingJobName": "run-prepare-spark"})
    training = trained(BillableTimeInSeconds=61, TrainingTimeInSeconds=80)
    service.add_response("describe_training_job", training, {"TrainingJobName": "run-train-spark"})
    found = sagemaker.billed([], {"prepare": PREPARE, "train": TRAIN}, strict=True)
    assert found == {"prepare": Billed(95.5), "train": Billed(61.0)}


def test_a_job_that_never_started_is_not_measured(service: Stubber) -> None:
    service.add_response("describe_processing_job", processed())
    assert sagemaker.billed([], {"prepare": PREPARE}, strict=True) == {"prepare": Billed(None)}


@pytest.mark.parametrize("strict", [True, False])
def test_what_the_service_does_not_say_is_not_measured(strict: bool, service: Stubber) -> None:
    service.add_client_error("describe_training_job", "AccessDeniedException")
    if strict:
        with pytest.raises(ClientError):
            sagemaker.billed([], {"train": TRAIN}, strict=True)
    else:
        assert sagemaker.billed([], {"train": TRAIN}, strict=False) == {"train": Billed(None)}
