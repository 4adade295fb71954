"""The permissions of this side: what Spark's jobs do beside reading and writing, and of whoever records its runs."""

from aws_cdk import aws_iam as iam

from stacks.data.stack import DataStack
from stacks.sagemaker_spark import SIDE
from stacks.shared.sagemaker.roles import record_permissions
from stacks.shared.spark import allow_writing

__all__ = ["allow_spark", "record_permissions"]


def allow_spark(role: iam.Role, data: DataStack) -> None:
    """Spark writes to S3 itself, and its committer tidies up."""
    allow_writing(role, data, SIDE)
