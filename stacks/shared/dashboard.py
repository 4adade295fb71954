"""The part of the dashboard that a side supplies."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch


@dataclass(frozen=True)
class Graph:
    """A graph of some metrics over time, with the unit of its axis."""

    title: str
    metrics: Sequence[cloudwatch.IMetric]
    unit: str
