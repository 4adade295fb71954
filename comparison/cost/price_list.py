"""The price snapshot read anew, from AWS's Price List API.

    refreshed = refresh(book, ["us-east-1"], progress=print)
    refreshed.book, refreshed.kept    # and what the price list does not hold any more

Calls pricing: GetProducts. `OFFERS` says where in the price list each kind of item is. Its services, attributes and
usage types are those that public code asks for (2026-11-22): infracost (internal/resources/aws), Karpenter's and
llmeter's pricing, aws-samples/aws-emr-advisor; SageMaker's usage types also as bills show them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import boto3
from botocore.config import Config
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from comparison.cost.prices import KINDS, REGION, InstanceType, Price, PriceBook, Unit, kind_of
from record.errors import UserError

# us-east-1 is one of the few regions that have the API; it knows the prices of all.
_REGION = "us-east-1"
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 10})

# The prefix of a usage type outside of us-east-1, and with newer services also there: USE1-, EU-, eu-central-1-.
# Free allowances have Global-, and are no price.
_PREFIX = r"(?:(?:EU|[A-Z]{2,4}\d{1,2}|[a-z]{2}(?:-[a-z]+)+-\d)-)?"

_COMPONENTS = {
    "Processing": "processing",
    "Train": "training",
    "Tsform": "transform",
    "Host": "hosting",
    "Notebk": "notebook",
}

# The price list's words for a unit, in lower case.
_UNITS: dict[Unit, frozenset[str]] = {
    "hour": frozenset({"hrs", "hours", "hour"}),
    "second": frozenset({"seconds", "second", "sec"}),
    "minute": frozenset({"minutes", "minute", "min"}),
    "month": frozenset({"keys", "key", "metrics", "dashboards", "alarms", "months", "month"}),
    "GB": frozenset({"gb", "gigabytes"}),
    "GB-hour": frozenset({"gb-hours", "gb-hour", "gbhours", "storagegbhours", "hours", "hrs"}),
    "GB-month": frozenset({"gb-mo", "gb-month"}),
    "GB-second": frozenset({"lambda-gb-second", "gb-second", "gb-seconds"}),
    "request": frozenset({"requests", "request", "api requests"}),
    "transition": frozenset({"statetransitions", "statetransition", "transitions"}),
    "vCPU-hour": frozenset({"vcpu-hours", "vcpu-hour", "cpuhours", "hours", "hrs"}),
}


@dataclass(frozen=True)
class Refreshed:
    """The book with the new prices, and what it kept because the price list no longer has it (region, item)."""

    book: PriceBook
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Offer:
    """Where the price list has a kind of item: a service, attributes that are asked for, and the usage type.

    Groups of the usage type's expression fill the ``<...>`` of the kind, in their order, by ``words``.
    ``everywhere``: the product belongs to no region.
    """

    service: str
    usage: str
    attributes: Mapping[str, str]
    words: Callable[[str], str] = str
    everywhere: bool = False

    def item(self, kind: str, usage_type: str) -> str | None:
        """The item that a product of this usage type is; None if it is none of this kind."""
        found = re.fullmatch(_PREFIX + self.usage, usage_type)
        if found is None:
            return None
        words = iter(self.words(word) for word in found.groups())
        return re.sub("<[^>]+>", lambda _: next(words), kind)


_LINUX = {
    "productFamily": "Compute Instance",
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
    "operation": "RunInstances",
}

OFFERS: dict[str, Offer] = {
    "ec2/<type>": Offer("AmazonEC2", r"BoxUsage:([a-z0-9-]+\.[a-z0-9-]+)", _LINUX),
    "emr/<type>": Offer(
        "ElasticMapReduce",
        r"BoxUsage:([a-z0-9-]+\.[a-z0-9-]+)",
        {"productFamily": "Elastic Map Reduce Instance", "softwareType": "EMR"},
    ),
    # The usage type is known to hold this word only; which of them it is, the meter's unit says (aws-emr-advisor).
    "emr-serverless/vcpu": Offer("ElasticMapReduce", ".*SERVERLESS.*", {"meterunit": "CPUHours"}),
    "emr-serverless/memory": Offer("ElasticMapReduce", ".*SERVERLESS.*", {"meterunit": "GBHours"}),
    "emr-serverless/storage": Offer("ElasticMapReduce", ".*SERVERLESS.*", {"meterunit": "StorageGBHours"}),
    "sagemaker/<component>/<ml type>": Offer(
        "AmazonSageMaker",
        rf"({'|'.join(_COMPONENTS)}):(ml\.[a-z0-9-]+\.[a-z0-9-]+)",
        {"productFamily": "ML Instance"},
        lambda word: _COMPONENTS.get(word, word),
    ),
    "sagemaker/serverless/<memory>": Offer(
        "AmazonSageMaker",
        r"ServerlessInf:Mem-([1-6])GB",
        {"productFamily": "ML Serverless"},
        lambda gigabytes: str(int(gigabytes) * 1024),
    ),
    "sagemaker/storage/<volume of>": Offer(
        "AmazonSageMaker",
        r"(Processing|Train|Host|Notebk):VolumeUsage(?:\.gp2)?",
        {"productFamily": "Storage"},
        _COMPONENTS.__getitem__,
    ),
    "sagemaker/data-in": Offer(
        "AmazonSageMaker", "Data-Bytes-In", {"group": "Hosting:IN", "operation": "Invoke-Endpoint"}
    ),
    "sagemaker/data-out": Offer(
        "AmazonSageMaker", "Data-Bytes-Out", {"group": "Hosting:OUT", "operation": "Invoke-Endpoint"}
    ),
    "ebs/gp3": Offer("AmazonEC2", r"EBS:VolumeUsage\.gp3", {"productFamily": "Storage", "volumeApiName": "gp3"}),
    "ebs/gp2": Offer("AmazonEC2", r"EBS:VolumeUsage\.gp2", {"productFamily": "Storage", "volumeApiName": "gp2"}),
    "s3/storage": Offer("AmazonS3", "TimedStorage-ByteHrs", {"productFamily": "Storage", "volumeType": "Standard"}),
    "s3/put": Offer("AmazonS3", "Requests-Tier1", {"productFamily": "API Request", "group": "S3-API-Tier1"}),
    "s3/get": Offer("AmazonS3", "Requests-Tier2", {"productFamily": "API Request", "group": "S3-API-Tier2"}),
    "kms/key": Offer("awskms", "KMS-Keys", {}),
    "kms/request": Offer("awskms", "KMS-Requests", {}),
    "nat/hour": Offer("AmazonEC2", "NatGateway-Hours", {"productFamily": "NAT Gateway"}),
    "nat/data": Offer("AmazonEC2", "NatGateway-Bytes", {"productFamily": "NAT Gateway"}),
    "endpoint/hour": Offer("AmazonVPC", "VpcEndpoint-Hours", {"productFamily": "VpcEndpoint"}),
    "endpoint/data": Offer("AmazonVPC", "VpcEndpoint-Bytes", {"productFamily": "VpcEndpoint"}),
    "states/transition": Offer("AmazonStates", "StateTransition", {}),
    "logs/ingest": Offer("AmazonCloudWatch", "DataProcessing-Bytes", {"productFamily": "Data Payload"}),
    "logs/storage": Offer("AmazonCloudWatch", "TimedStorage-ByteHrs", {"productFamily": "Storage Snapshot"}),
    "cloudwatch/metric": Offer("AmazonCloudWatch", "CW:MetricMonitorUsage", {"productFamily": "Metric"}),
    # Of up to 50 metrics; the price list has no region for dashboards.
    "cloudwatch/dashboard": Offer(
        "AmazonCloudWatch",
        "DashboardsUsageHour-Basic",
        {"productFamily": "Dashboard"},
        everywhere=True,
    ),
    "cloudwatch/alarm": Offer(
        "AmazonCloudWatch", "CW:AlarmMonitorUsage", {"productFamily": "Alarm", "alarmType": "Standard"}
    ),
    # x86_64.
    "lambda/compute": Offer("AWSLambda", "Lambda-GB-Second", {"group": "AWS-Lambda-Duration"}),
    "lambda/request": Offer("AWSLambda", "Request", {"group": "AWS-Lambda-Requests"}),
    "glue/request": Offer("AWSGlue", "Catalog-Request", {"productFamily": "AWS Glue"}),
    "sns/publish": Offer("AmazonSNS", "Requests-Tier1", {"productFamily": "API Request"}),
    "codebuild/<compute type>": Offer(
        "CodeBuild",
        r"Build-Min:Linux:g1\.(small|medium|large)",
        {"productFamily": "Compute"},
        lambda size: f"BUILD_GENERAL1_{size.upper()}",
    ),
}


class _Response(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Dimension(_Response):
    """One tier of a price: from ``begin_range`` units on."""

    unit: str
    begin_range: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    price_per_unit: dict[str, Annotated[Decimal, Field(ge=0)]]


class _Term(_Response):
    price_dimensions: dict[str, _Dimension]


class _Terms(_Response):
    on_demand: dict[str, _Term] = Field(default={}, alias="OnDemand")


class _Description(_Response):
    attributes: dict[str, str]


class _Product(_Response):
    """One text of GetProducts' ``PriceList``, of format version aws_v1."""

    product: _Description
    terms: dict[str, Any] = {}
    """Read once the product is known to be one of ours (`_Terms`)."""
    service_code: str
    version: str = ""
    publication_date: str = ""


def pricing() -> Any:
    """The API's client; a throttled call is tried again, up to ten times (botocore's standard mode)."""
    return boto3.client("pricing", region_name=_REGION, config=_CONFIG)


def refresh(
    book: PriceBook, regions: Sequence[str], progress: Callable[[str], None], types: Iterable[str] = ()
) -> Refreshed:
    """The book with the prices that these regions have now; other regions stay as they are.

    Instances are those of ``book.instance_types`` and ``types`` (EC2's names, without ``ml.``), their sizes as EC2
    says. What the price list does not have stays as it is and is in ``kept``. ``progress`` is told what is read.

    Raises:
        UserError: a response that cannot be: two prices for one item, another currency or unit, a region or an
            instance type without any price.
        botocore.exceptions.ClientError, BotoCoreError: the API refused, or was not reached.
    """
    api = pricing()
    impossible = [region for region in regions if not REGION.fullmatch(region)]
    if impossible:
        raise UserError(f"{impossible[0]}: is not a region; expected a code such as us-east-1")
    wanted = {*book.instance_types, *types}
    sizes = dict(book.instance_types)
    prices = dict(book.regions)
    for region in regions:
        found: dict[str, Price] = {}
        for count, (kind, offer) in enumerate(OFFERS.items(), 1):
            progress(f"{region}: {kind}, {count} of {len(OFFERS)}")
            for product in _products(api, offer, region):
                attributes = product.product.attributes
                item = offer.item(kind, attributes.get("usagetype", ""))
                if item is None or not _is_wanted(item, wanted):
                    continue
                price = _price(product, item, region)
                if price is None:
                    continue
                if item in found and found[item].usd != price.usd:
                    raise _two_prices(region, item, [found[item].usd, price.usd])
                found[item] = price
                if kind == "ec2/<type>":
                    sizes[_type_of(item)] = _size(attributes, item)
        if all(OFFERS[kind_of(item) or ""].everywhere for item in found):
            raise UserError(f"{region}: the price list has no price there; expected a region such as us-east-1")
        prices[region] = {**prices.get(region, {}), **found}
    unknown = sorted(wanted - set(sizes))
    if unknown:
        raise UserError(f"{', '.join(unknown)}: no such EC2 instance type in {', '.join(regions)}")
    kept = [
        (region, item)
        for region in regions
        for item, price in prices[region].items()
        if price is book.price(item, region)
    ]
    return Refreshed(
        PriceBook(schema_version=book.schema_version, currency=book.currency, instance_types=sizes, regions=prices),
        tuple(kept),
    )


def _products(api: Any, offer: Offer, region: str) -> Iterator[_Product]:
    """Every product of an offer, as the API describes it."""
    asked = dict(offer.attributes) if offer.everywhere else {**offer.attributes, "regionCode": region}
    pages = api.get_paginator("get_products").paginate(
        ServiceCode=offer.service,
        FormatVersion="aws_v1",
        Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in asked.items()],
        PaginationConfig={"PageSize": 100},
    )
    for page in pages:
        for text in page["PriceList"]:
            try:
                yield _Product.model_validate_json(text)
            except ValidationError as error:
                raise _unreadable(f"{region}: {offer.service}", error) from error


def _type_of(item: str) -> str:
    """The instance type of an item, as EC2 calls it."""
    return item.rpartition("/")[2].removeprefix("ml.")


def _is_wanted(item: str, types: set[str]) -> bool:
    """Whether the book has such an item; of instances, whether it is of these types."""
    kind = kind_of(item)
    if kind is None:
        return False
    return _type_of(item) in types if kind.endswith(("<type>", "<ml type>")) else True


def _price(product: _Product, item: str, region: str) -> Price | None:
    """The on-demand price of a product: of the first unit that costs anything. None if it has no such price."""
    try:
        terms = _Terms.model_validate(product.terms)
    except ValidationError as error:
        raise _unreadable(f"{region}: {item}", error) from error
    unit = KINDS[kind_of(item) or ""]
    tiers = []
    for term in terms.on_demand.values():
        for dimension in term.price_dimensions.values():
            if dimension.unit.lower() not in _UNITS[unit]:
                raise UserError(
                    f"{region}: {item}: the price list's unit is {dimension.unit!r}; "
                    f"expected {' or '.join(sorted(_UNITS[unit]))}"
                )
            if "USD" not in dimension.price_per_unit:
                currencies = ", ".join(dimension.price_per_unit) or "missing"
                raise UserError(f"{region}: {item}: the price list's currency is {currencies}; expected USD")
            tiers.append((dimension.begin_range, float(dimension.price_per_unit["USD"])))
    paid = [(begin, usd) for begin, usd in tiers if usd > 0]
    if not paid:
        return None
    first = {usd for begin, usd in paid if begin == min(paid)[0]}
    if len(first) > 1:
        raise _two_prices(region, item, first)
    published = product.publication_date[:10] or product.version
    return Price(
        usd=first.pop(),
        unit=unit,
        source=f"AWS Price List API, {product.service_code} {published}".rstrip(),
        date=datetime.now(UTC).date(),
    )


def _two_prices(region: str, item: str, prices: Iterable[float]) -> UserError:
    shown = " and ".join(f"{usd:.10g}" for usd in sorted(prices))
    return UserError(f"{region}: {item}: the price list has two prices, {shown} USD; expected one")


def _unreadable(place: str, error: ValidationError) -> UserError:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "product"
    return UserError(f"{place}: the price list's {field} is {str(first['input'])[:60]!r}; {first['msg']}")


def _size(attributes: Mapping[str, str], item: str) -> InstanceType:
    """The instance's size as EC2's product describes it: ``vcpu`` is "4", ``memory`` is "16 GiB"."""
    cpus = re.fullmatch(r"\d+", attributes.get("vcpu", ""))
    memory = re.fullmatch(r"([\d,]+(?:\.\d+)?) GiB", attributes.get("memory", ""))
    if cpus is None or memory is None:
        raise UserError(
            f"{item}: the price list's size is vcpu={attributes.get('vcpu')!r}, memory={attributes.get('memory')!r}; "
            "expected numbers such as '4' and '16 GiB'"
        )
    return InstanceType(vcpus=int(cpus[0]), memory_gib=float(memory[1].replace(",", "")))
