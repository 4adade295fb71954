"""Prices read anew: GetProducts as it really responds, and responses that cannot be."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from typer.testing import CliRunner

from cli.main import app
from comparison.cost import price_list
from comparison.cost.price_list import OFFERS, refresh
from comparison.cost.prices import KINDS, PLACES, InstanceType, PriceBook, kind_of
from record.errors import UserError
from tests.stacks.handlers.support import Wire

EC2, EMR, TRAINING = "ec2/<type>", "emr/<type>", "sagemaker/<component>/<ml type>"


def tier(usd: str, unit: str, begin: str = "0", end: str = "Inf", currency: str = "USD") -> dict[str, Any]:
    return {
        "unit": unit,
        "endRange": end,
        "description": f"${usd} per {unit}",
        "appliesTo": [],
        "rateCode": f"SKU.JRTCKXETXF.{begin}",
        "beginRange": begin,
        "pricePerUnit": {currency: usd},
    }


def product(usage: str, *tiers: dict[str, Any], service: str = "AmazonEC2", **attributes: str) -> dict[str, Any]:
    """A product as `aws pricing get-products` shows it (the AWS CLI's own example, aws_v1); each is a JSON text."""
    dimensions = {f"SKU.JRTCKXETXF.{number}": one for number, one in enumerate(tiers)}
    term = {
        "priceDimensions": dimensions,
        "sku": "SKU",
        "effectiveDate": "2026-11-01T00:00:00Z",
        "offerTermCode": "JRTCKXETXF",
        "termAttributes": {},
    }
    return {
        "product": {
            "productFamily": "Compute Instance",
            "attributes": {"usagetype": usage, "regionCode": "us-east-1", **attributes},
            "sku": "SKU",
        },
        "serviceCode": service,
        "terms": {"OnDemand": {"SKU.JRTCKXETXF": term}},
        "version": "20261120001122",
        "publicationDate": "2026-11-20T00:11:22Z",
    }


def machine(name: str, usd: str, vcpu: str = "4", memory: str = "16 GiB") -> dict[str, Any]:
    return product(f"BoxUsage:{name}", tier(usd, "Hrs"), instanceType=name, vcpu=vcpu, memory=memory)


def book(*items: str) -> PriceBook:
    """A book of these items at 7 dollars, in us-east-1, and of one in eu-west-1."""
    prices = {
        item: {"usd": 7, "unit": KINDS[kind_of(item) or ""], "source": "old", "date": "2020-01-01", "example": "why"}
        for item in items
    }
    return PriceBook.model_validate(
        {
            "schema_version": 1,
            "currency": "USD",
            "instance_types": {"m5.xlarge": {"vcpus": 1, "memory_gib": 1}},
            "regions": {"us-east-1": prices, "eu-west-1": dict(list(prices.items())[:1])},
        }
    )


Pages = Sequence[Sequence[Mapping[str, Any]]]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Answers of the API, as pages of products by kind; what is asked is checked, and all must be asked."""
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="secret")
    stubber = Stubber(client)

    def respond(products: Mapping[str, Pages], region: str = "us-east-1") -> None:
        for kind, offer in OFFERS.items():
            pages = products.get(kind, [[]])
            where = {} if offer.everywhere else {"regionCode": region}
            asked = {
                "ServiceCode": offer.service,
                "FormatVersion": "aws_v1",
                "Filters": [
                    {"Type": "TERM_MATCH", "Field": field, "Value": value}
                    for field, value in {**offer.attributes, **where}.items()
                ],
                "MaxResults": 100,
            }
            for number, page in enumerate(pages):
                token = {"NextToken": f"page {number}"} if number else {}
                more = {"NextToken": f"page {number + 1}"} if number + 1 < len(pages) else {}
                found = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in page], **more}
                stubber.add_response("get_products", found, asked | token)

    monkeypatch.setattr(price_list, "pricing", lambda: client)
    with stubber:
        yield respond


def quiet(_: str) -> None:
    pass


def test_every_kind_has_an_offer_in_the_book_s_order() -> None:
    assert list(OFFERS) == list(KINDS)


def test_pages_are_read_to_the_end_and_only_the_book_s_types_are_taken(stub: Callable[..., None]) -> None:
    before = book("ec2/m5.xlarge", "s3/put")
    stub(
        {
            EC2: [
                [machine("m5.24xlarge", "4.6080000000", "96", "384 GiB"), machine("t3.nano", "0.0052", "2", "0.5 GiB")],
                [machine("m5.xlarge", "0.1920000000"), product("EBSOptimized:m5.xlarge", tier("9", "Hrs"))],
            ],
            EMR: [[product("BoxUsage:m5.xlarge", tier("0.048", "Hrs"), service="ElasticMapReduce")]],
            TRAINING: [
                [
                    product("USE1-Train:ml.m5.xlarge", tier("0.23", "Hrs"), service="AmazonSageMaker"),
                    product("USE1-Tsform:ml.m5.xlarge", tier("0.24", "Hrs"), service="AmazonSageMaker"),
                    product("USE1-TrSpt:ml.m5.xlarge", tier("0.07", "Hrs"), service="AmazonSageMaker"),
                    product("USE1-Host:ml.c5.xlarge", tier("0.204", "Hrs"), service="AmazonSageMaker"),
                ]
            ],
        }
    )
    said: list[str] = []
    earliest = datetime.now(UTC).date()
    refreshed = refresh(before, ["us-east-1"], said.append)
    us = refreshed.book.regions["us-east-1"]
    assert {item: price.usd for item, price in us.items()} == {
        "ec2/m5.xlarge": 0.192,
        "emr/m5.xlarge": 0.048,
        "sagemaker/training/ml.m5.xlarge": 0.23,
        "sagemaker/transform/ml.m5.xlarge": 0.24,
        "s3/put": 7,
    }
    new = us["ec2/m5.xlarge"]
    assert (new.source, new.example) == ("AWS Price List API, AmazonEC2 2026-11-20", None)
    assert earliest <= new.date <= datetime.now(UTC).date()
    assert refreshed.kept == (("us-east-1", "s3/put"),), "named, and as it was"
    assert us["s3/put"] == before.regions["us-east-1"]["s3/put"]
    assert refreshed.book.instance_types == {"m5.xlarge": InstanceType(vcpus=4, memory_gib=16)}
    assert refreshed.book.regions["eu-west-1"] == before.regions["eu-west-1"], "not asked for"
    assert said[0] == f"us-east-1: ec2/<type>, 1 of {len(OFFERS)}"


def test_a_region_and_a_type_that_the_book_does_not_have(stub: Callable[..., None]) -> None:
    ours = machine("m5.24xlarge", "5.136", "96", "384 GiB")
    ours["product"]["attributes"]["usagetype"] = "APS10-BoxUsage:m5.24xlarge"
    stub({EC2: [[ours]]}, "ap-southeast-7")
    after = refresh(book(), ["ap-southeast-7"], quiet, ["m5.24xlarge"]).book
    assert {item: price.usd for item, price in after.regions["ap-southeast-7"].items()} == {"ec2/m5.24xlarge": 5.136}
    assert after.instance_types["m5.24xlarge"] == InstanceType(vcpus=96, memory_gib=384)


@pytest.mark.parametrize(
    ("kind", "found", "item", "usd"),
    [
        # A free allowance comes first, discounts for volume last.
        (
            "glue/request",
            product("USE1-Catalog-Request", tier("0.0", "Request", "0", "1000000"), tier("0.000001", "Request", "1e6")),
            "glue/request",
            0.000001,
        ),
        (
            "s3/storage",
            product("TimedStorage-ByteHrs", tier("0.021", "GB-Mo", "512000"), tier("0.023", "GB-Mo", "0", "51200")),
            "s3/storage",
            0.023,
        ),
        ("kms/key", product("us-east-1-KMS-Keys", tier("1.0", "Keys")), "kms/key", 1.0),
        ("endpoint/hour", product("EU-VpcEndpoint-Hours", tier("0.011", "Hrs")), "endpoint/hour", 0.011),
        ("cloudwatch/dashboard", product("DashboardsUsageHour-Basic", tier("3", "Dashboards")), None, 3.0),
        ("lambda/compute", product("Lambda-GB-Second", tier("0.0000166667", "Lambda-GB-Second")), None, 0.0000166667),
        (
            "sagemaker/serverless/<memory>",
            product("USE1-ServerlessInf:Mem-2GB", tier("0.00004", "seconds")),
            "sagemaker/serverless/2048",
            0.00004,
        ),
        (
            "sagemaker/storage/<volume of>",
            product("USE1-Host:VolumeUsage.gp2", tier("0.14", "GB-Mo")),
            "sagemaker/storage/hosting",
            0.14,
        ),
        (
            "codebuild/<compute type>",
            product("USE1-Build-Min:Linux:g1.small", tier("0.005", "minutes")),
            "codebuild/BUILD_GENERAL1_SMALL",
            0.005,
        ),
    ],
)
def test_kinds_with_their_own_words(
    stub: Callable[..., None], kind: str, found: dict[str, Any], item: str | None, usd: float
) -> None:
    stub({kind: [[found]], "sns/publish": [[product("Requests-Tier1", tier("0.0000005", "Requests"))]]})
    after = refresh(book(), ["us-east-1"], quiet).book
    price = after.price(item or kind, "us-east-1")
    assert price is not None
    assert price.usd == usd


@pytest.mark.parametrize(
    ("kind", "usage"),
    [
        ("nat/hour", "RegionalNatGateway-Hours"),
        ("kms/request", "Global-KMS-Requests"),
        ("kms/request", "us-east-1-KMS-Requests-Asymmetric"),
        ("s3/put", "USE1-Tables-Requests-Tier1"),
        ("sagemaker/storage/<volume of>", "USE1-Studio:VolumeUsage.gp3"),
        ("codebuild/<compute type>", "USE1-Build-Min:LinuxGPU:g1.small"),
        ("lambda/request", "Lambda-Edge-Request"),
    ],
)
def test_neighbours_are_not_taken(kind: str, usage: str) -> None:
    assert OFFERS[kind].item(kind, usage) is None


def without_terms() -> dict[str, Any]:
    return {**machine("m5.xlarge", "0.192"), "terms": {}}


@pytest.mark.parametrize("found", [without_terms(), machine("m5.xlarge", "0.0000000000")])
def test_a_product_without_a_price_is_none(stub: Callable[..., None], found: dict[str, Any]) -> None:
    """Reserved capacity only, or a price of nothing: the old price is kept and named."""
    stub({EC2: [[found]], "s3/put": [[product("Requests-Tier1", tier("0.000005", "Requests"))]]})
    refreshed = refresh(book("ec2/m5.xlarge"), ["us-east-1"], quiet)
    assert refreshed.kept == (("us-east-1", "ec2/m5.xlarge"),)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            [machine("m5.xlarge", "0.192"), machine("m5.xlarge", "0.2")],
            "us-east-1: ec2/m5.xlarge: the price list has two prices, 0.192 and 0.2 USD; expected one",
        ),
        (
            [product("BoxUsage:m5.xlarge", tier("0.1", "Hrs"), tier("0.2", "Hrs"))],
            "us-east-1: ec2/m5.xlarge: the price list has two prices, 0.1 and 0.2 USD; expected one",
        ),
        (
            [product("BoxUsage:m5.xlarge", tier("1.2", "Hrs", currency="CNY"))],
            "us-east-1: ec2/m5.xlarge: the price list's currency is CNY; expected USD",
        ),
        (
            [product("BoxUsage:m5.xlarge", tier("1.2", "Quantity"))],
            "us-east-1: ec2/m5.xlarge: the price list's unit is 'Quantity'; expected hour or hours or hrs",
        ),
        ([machine("m5.xlarge", "-1")], "greater than or equal to 0"),
        ([machine("m5.xlarge", "NaN")], "finite"),
        ([machine("m5.xlarge", "cheap")], "is 'cheap'; Input should be a valid decimal"),
        ([machine("m5.xlarge", "0.192", memory="NA")], "size is vcpu='4', memory='NA'; expected numbers such as"),
        ([{"product": {}}], "us-east-1: AmazonEC2: the price list's product.attributes is"),
        ([], "us-east-1: the price list has no price there"),
    ],
)
def test_responses_that_cannot_be(
    stub: Callable[..., None], tmp_path: Path, found: list[dict[str, Any]], expected: str
) -> None:
    """Each names what it is about, and nothing is written."""
    stub({EC2: [found]})
    path = tmp_path / "prices.json"
    book("ec2/m5.xlarge").save(path)
    text = path.read_text()
    result = CliRunner().invoke(app, ["prices", "--refresh", "--region", "us-east-1", "--book", str(path)])
    assert result.exit_code == 2
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["prices.json"]


def test_regions_and_types_that_do_not_exist(stub: Callable[..., None]) -> None:
    with pytest.raises(UserError, match="mars: is not a region"):
        refresh(book(), ["mars"], quiet)
    stub({EC2: [[machine("m5.xlarge", "0.192")]]})
    with pytest.raises(UserError, match=r"m5.9xlarge, z9.large: no such EC2 instance type in us-east-1"):
        refresh(book(), ["us-east-1"], quiet, ["z9.large", "m5.9xlarge"])
    dashboards = [[product("DashboardsUsageHour-Basic", tier("3", "Dashboards"))]]
    stub({"cloudwatch/dashboard": dashboards}, "us-east-9")
    with pytest.raises(UserError, match="us-east-9: the price list has no price there"):
        refresh(book(), ["us-east-9"], quiet)


def test_a_refreshed_file_and_what_is_said(stub: Callable[..., None], tmp_path: Path) -> None:
    stub({EC2: [[machine("m5.xlarge", "0.192")]]})
    path = tmp_path / "prices.json"
    book("ec2/m5.xlarge", *(f"sagemaker/serverless/{memory}" for memory in PLACES["memory"].split("|"))).save(path)
    result = CliRunner().invoke(app, ["prices", "--refresh", "--region", "us-east-1", "--book", str(path)])
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "not in the price list, kept as they were: sagemaker/serverless/1024 (us-east-1), " in result.stderr
    assert f"us-east-1: prices read anew: 1; {path} is written" in result.stderr
    price = PriceBook.load(path).price("ec2/m5.xlarge", "us-east-1")
    assert price is not None
    assert price.usd == 0.192


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("time.sleep", lambda _: None)
    return Wire("pricing", monkeypatch)


def test_throttled_then_answered(wire: Wire) -> None:
    found = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(machine("m5.xlarge", "0.192"))]}
    wire.fail("GetProducts", "ThrottlingException", "Rate exceeded", times=3)
    wire.service = lambda _, asked: found if asked["ServiceCode"] == "AmazonEC2" else {"PriceList": []}
    after = refresh(book(), ["us-east-1"], quiet).book
    price = after.price("ec2/m5.xlarge", "us-east-1")
    assert price is not None
    assert price.usd == 0.192
    assert len(wire.requests) == len(OFFERS) + 3


def test_throttled_for_good(wire: Wire) -> None:
    wire.fail("GetProducts", "ThrottlingException", "Rate exceeded", times=100)
    with pytest.raises(ClientError, match="ThrottlingException"):
        refresh(book(), ["us-east-1"], quiet)
    assert len(wire.requests) == 11, "once, and ten times again"


def test_no_permission(wire: Wire, tmp_path: Path) -> None:
    wire.fail("GetProducts", "AccessDeniedException", "User: somebody is not authorized", times=100)
    path = tmp_path / "prices.json"
    book("ec2/m5.xlarge").save(path)
    text = path.read_text()
    result = CliRunner().invoke(app, ["prices", "--refresh", "--book", str(path)])
    assert result.exit_code == 2
    assert result.stderr == (
        "error: the price list refused: AccessDeniedException: User: somebody is not authorized; "
        f"needed: pricing:GetProducts; {path} stays as it is\n"
    )
    assert path.read_text() == text


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    path = tmp_path / "prices.json"
    book("ec2/m5.xlarge").save(path)
    result = CliRunner().invoke(app, ["prices", "--refresh", "--book", str(path)])
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: the price list was not read: Unable to locate credentials; {path} stays as it is\n"
    )
