"""What the jobs of every side need of the data stack, which stands above what the sides share."""

from typing import Protocol

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from stacks.shared.dataset import RawDataset


class Data(Protocol):
    """The dataset, the published code, and the bucket that runs write to."""

    bucket: s3.Bucket
    key: kms.Key
    dataset: RawDataset
    code: str
    raw_objects: str
    listed_buckets: list[str]

    def objects(self, below: str) -> str:
        """The ARN pattern of the bucket's objects below a prefix."""
