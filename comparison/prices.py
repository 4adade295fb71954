"""The price snapshot: what AWS asks for each thing that the templates hold, with where and when it was read.

    book = PriceBook.load(PRICES)
    price = book.price("ec2/m5.xlarge", "us-east-1")    # None: not known, which is never zero
    price.usd, price.unit, price.source, price.date     # 0.192, "hour", ...

Items are named ``<service>/<what>``:

| item | unit |
| --- | --- |
| ``ec2/<type>``, ``emr/<type>`` (the EMR charge) | hour |
| ``sagemaker/<processing, training, transform, hosting, notebook>/<ml type>`` | hour |
| ``sagemaker/serverless/<memory in MB>`` | second |
| ``sagemaker/storage/<component>`` | GB-month |
| ``sagemaker/data-in``, ``sagemaker/data-out`` (endpoint) | GB |
| ``ebs/gp3``, ``ebs/gp2``, ``s3/storage``, ``logs/storage`` | GB-month |
| ``s3/put``, ``s3/get``, ``kms/request``, ``lambda/request``, ``glue/request``, ``sns/publish`` | request |
| ``kms/key``, ``cloudwatch/metric``, ``cloudwatch/dashboard``, ``cloudwatch/alarm`` | month |
| ``nat/hour``, ``endpoint/hour`` (an interface endpoint in one zone) | hour |
| ``nat/data``, ``endpoint/data``, ``logs/ingest`` | GB |
| ``states/transition`` | transition |
| ``lambda/compute`` | GB-second |
| ``codebuild/<compute type>`` (``BUILD_GENERAL1_SMALL``) | minute |
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, StringConstraints

PRICES = Path(__file__).parent / "prices.json"
HOURS_A_MONTH = 730
"""As AWS's own calculator counts a month (calculator.aws, 2026-11-22)."""

Unit = Literal["hour", "second", "minute", "month", "GB", "GB-month", "GB-second", "request", "transition"]
Text = Annotated[str, StringConstraints(min_length=1)]


class PriceError(Exception):
    """A price file cannot be used. The text is one line naming the file, the place, the value and what is allowed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Model):
    """One price in one region, in US dollars for one unit."""

    usd: Annotated[FiniteFloat, Field(ge=0)]
    unit: Unit
    source: Text
    date: date
    example: Text | None = None
    """Why this price could not be verified (derived by a rule, one unconfirmed source); None when it was."""


class InstanceType(_Model):
    """What a machine of a type has (without the ``ml.`` of SageMaker's name for it)."""

    vcpus: PositiveInt
    memory_gib: Annotated[FiniteFloat, Field(gt=0)]


class PriceBook(_Model):
    """Every price that is known, by region and item, and the machines' sizes."""

    schema_version: Literal[1]
    currency: Literal["USD"]
    instance_types: dict[str, InstanceType]
    regions: dict[str, dict[str, Price]]

    @classmethod
    def load(cls, path: Path = PRICES) -> Self:
        """Read a price file.

        Raises:
            PriceError: the file is missing, truncated, or holds an impossible price; one line.
        """
        raise NotImplementedError

    def price(self, item: str, region: str) -> Price | None:
        """The price of an item in a region, None if it is not known."""
        return self.regions.get(region, {}).get(item)
