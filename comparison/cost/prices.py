"""The price snapshot: what AWS asks for each thing that the templates hold, with where and when it was read.

    book = PriceBook.load(PRICES)
    price = book.price("ec2/m5.xlarge", "us-east-1")    # None: not known, which is never zero
    price.usd, price.unit, price.source, price.date     # 0.192, "hour", ...

`KINDS` is the table of items and their units. A price is on-demand, before tax, and of the first unit that costs
anything: free allowances and discounts for volume are not in the book. `compare prices --refresh` reads it anew.

The book as shipped was gathered from public material, without the price list itself. Its SageMaker sources name one
price for a type, most of them for hosting. That ml.m5.xlarge costs the same for processing, training, transform and
hosting is what a bill shows (December 2023, eu-west-1, aws-samples/sagemaker-ssh-helper, Sample_Costs.md); of every
other type, a component that no source names is an example. Prices that a rule gives say so in ``example``, too. The
sizes of the instances are EC2's own (DescribeInstanceTypes, as in moto 5.2.5).
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from record.errors import UserError
from record.files import read_json, write_text
from record.text import one_line

PRICES = Path(__file__).parent / "prices.json"
SCHEMA_VERSION = 1
HOURS_A_MONTH = 730
"""As AWS's own calculator counts a month (calculator.aws, 2026-11-22)."""

Unit = Literal[
    "hour", "second", "minute", "month", "GB", "GB-hour", "GB-month", "GB-second", "request", "transition", "vCPU-hour"
]
Text = Annotated[str, StringConstraints(min_length=1)]

KINDS: dict[str, Unit] = {
    "ec2/<type>": "hour",
    "emr/<type>": "hour",  # the EMR charge, beside the instance's own price
    "emr-serverless/vcpu": "vCPU-hour",  # x86
    "emr-serverless/memory": "GB-hour",
    "emr-serverless/storage": "GB-hour",  # beyond 20 GB a worker
    "sagemaker/<component>/<ml type>": "hour",
    "sagemaker/serverless/<memory>": "second",
    "sagemaker/storage/<volume of>": "GB-month",
    "sagemaker/data-in": "GB",  # to an endpoint
    "sagemaker/data-out": "GB",
    "ebs/gp3": "GB-month",
    "ebs/gp2": "GB-month",
    "s3/storage": "GB-month",
    "s3/put": "request",
    "s3/get": "request",
    "kms/key": "month",
    "kms/request": "request",
    "nat/hour": "hour",
    "nat/data": "GB",
    "endpoint/hour": "hour",  # an interface endpoint in one zone
    "endpoint/data": "GB",
    "states/transition": "transition",
    "logs/ingest": "GB",
    "logs/storage": "GB-month",
    "cloudwatch/metric": "month",
    "cloudwatch/dashboard": "month",
    "cloudwatch/alarm": "month",
    "lambda/compute": "GB-second",
    "lambda/request": "request",
    "glue/request": "request",
    "sns/publish": "request",
    "codebuild/<compute type>": "minute",
}
"""Every kind of item and its unit; `PLACES` says what may stand for ``<...>``."""

PLACES: dict[str, str] = {
    "type": r"[a-z0-9-]+\.[a-z0-9-]+",
    "ml type": r"ml\.[a-z0-9-]+\.[a-z0-9-]+",
    "component": "processing|training|transform|hosting|notebook",
    "volume of": "processing|training|hosting|notebook",
    "memory": "1024|2048|3072|4096|5120|6144",  # MB
    "compute type": "BUILD_GENERAL1_(?:SMALL|MEDIUM|LARGE)",
}

_PATTERNS = {kind: re.compile(re.sub(r"<([^>]+)>", lambda place: f"(?:{PLACES[place[1]]})", kind)) for kind in KINDS}
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Model):
    """One price in one region, in US dollars for one unit."""

    usd: Annotated[FiniteFloat, Field(ge=0, le=1e9)]
    unit: Unit
    source: Text
    date: date
    example: Text | None = None
    """Why this price could not be verified (derived by a rule, one unconfirmed source); None when it was."""


class InstanceType(_Model):
    """What an instance of a type has (without the ``ml.`` of SageMaker's name for it)."""

    vcpus: PositiveInt
    memory_gib: Annotated[FiniteFloat, Field(gt=0)]


class PriceBook(_Model):
    """Every price that is known, by region and item, and the instances' sizes."""

    schema_version: Literal[1]
    currency: Literal["USD"]
    instance_types: dict[str, InstanceType]
    regions: dict[str, dict[str, Price]]

    @model_validator(mode="after")
    def _known_items(self) -> Self:
        for region, prices in self.regions.items():
            if not REGION.fullmatch(region):
                raise ValueError(f"regions.{region}: is not a region; expected a code such as us-east-1")
            for item, price in prices.items():
                kind = kind_of(item)
                if kind is None:
                    raise ValueError(f"regions.{region}.{item}: is not an item; allowed: {', '.join(KINDS)}")
                if price.unit != KINDS[kind]:
                    raise ValueError(
                        f'regions.{region}.{item}.unit: should be "{KINDS[kind]}" for {kind}, not "{price.unit}"'
                    )
        return self

    @classmethod
    def load(cls, path: Path = PRICES) -> Self:
        """Read a price file.

        Raises:
            UserError: the file is missing, truncated, or holds an impossible price; one line.
        """
        try:
            data = read_json(path)
        except UserError as error:
            raise UserError(f"{one_line(str(error))}; expected a price file") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if type(version) is int and version > SCHEMA_VERSION:
            raise UserError(
                f"{path}: schema_version: {version} is newer than this program reads; "
                f"expected {SCHEMA_VERSION}, or a newer program"
            )
        try:
            # Strict, so that "0.2" is not silently taken for 0.2; JSON mode, so that dates may be what JSON has.
            return cls.model_validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            raise UserError(one_line(f"{path}: {_one_line(error)}")) from error

    def save(self, path: Path = PRICES) -> None:
        """Write the book, one price a line, sorted; a reader finds the old file or the new one.

        Raises:
            OSError: the folder cannot be written to.
        """
        write_text(path, self.text())

    def text(self) -> str:
        """The book as the JSON text of a price file."""
        regions = [
            f"    {json.dumps(region)}: {_object(_sorted(prices), 4)}"
            for region, prices in sorted(self.regions.items())
        ]
        return "\n".join(
            [
                "{",
                f'  "schema_version": {self.schema_version},',
                f'  "currency": {json.dumps(self.currency)},',
                f'  "instance_types": {_object(dict(sorted(self.instance_types.items())), 2)},',
                '  "regions": {',
                ",\n".join(regions),
                "  }",
                "}",
                "",
            ]
        )

    def price(self, item: str, region: str) -> Price | None:
        """The price of an item in a region, None if it is not known."""
        return self.regions.get(region, {}).get(item)


def kind_of(item: str) -> str | None:
    """The kind of an item, a key of `KINDS`; None for what is no item: ``ec2/m5.xlarge`` is an ``ec2/<type>``."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.fullmatch(item)), None)


def _sorted(prices: dict[str, Price]) -> dict[str, Price]:
    """The prices in the order of their kinds."""
    order = list(KINDS)
    return dict(sorted(prices.items(), key=lambda pair: (order.index(kind_of(pair[0]) or ""), pair[0])))


def _object(values: dict[str, Any], indent: int) -> str:
    """A JSON object with one value a line."""
    if not values:
        return "{}"
    lines = [
        f"{' ' * (indent + 2)}{json.dumps(key)}: {json.dumps(value.model_dump(mode='json', exclude_none=True))}"
        for key, value in values.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"


def _one_line(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False)
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        given = ""
    elif first["type"] == "extra_forbidden":
        message, given = "is not a field of this schema", ""
    elif first["type"] == "missing":
        message, given = "is missing; expected a value here", ""
    else:
        shown = json.dumps(first["input"], default=str)
        given = f", not {shown if len(shown) <= 60 else f'{shown[:57]}...'}"
    more = f" (and {len(others)} more)" if others else ""
    # A name in the file may hold a line break.
    return " ".join(f"{f'{place}: ' if place else ''}{message}{given}{more}".split())
