"""The clean-up of what SageMaker leaves behind, when the stack is deleted."""

from aws_cdk import CustomResource

from stacks.shared.custom_resources import CustomResources
from stacks.shared.sagemaker.cleanup import clean_up_jobs
from stacks.shared.sagemaker.jobs import SageMakerJobs


def clean_up(resources: CustomResources, jobs: SageMakerJobs) -> CustomResource:
    """On deletion: clean up after the jobs."""
    return clean_up_jobs(resources, jobs)
