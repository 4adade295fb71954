"""The clean-up of what SageMaker leaves behind, when the stack is deleted."""

from aws_cdk import CustomResource
from aws_cdk import aws_iam as iam

from stacks.sagemaker.endpoint import Endpoint
from stacks.shared.custom_resources import CustomResources
from stacks.shared.sagemaker.cleanup import clean_up_jobs
from stacks.shared.sagemaker.jobs import SageMakerJobs


def clean_up(resources: CustomResources, jobs: SageMakerJobs, endpoint: str, endpoint_role: iam.Role) -> CustomResource:
    """On deletion: clean up after the jobs, and after the endpoint of this name.

    SageMaker frees an endpoint's network interfaces and grants with its role, for minutes after its deletion: the
    clean-up waits for that, and the role goes after it (API_DeleteEndpoint, read 2026-11-22).
    """
    cleanup = clean_up_jobs(resources, jobs, [endpoint], [Endpoint.log_group_name(endpoint)])
    cleanup.node.add_dependency(endpoint_role)
    return cleanup
