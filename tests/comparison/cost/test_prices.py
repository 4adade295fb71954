"""The price book: what is shipped has a price for what the stacks name, and a bad file says what is wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from comparison.cost.prices import KINDS, PRICES, PriceBook, kind_of
from comparison.summary import dollars
from record.errors import UserError
from stacks.settings import Settings
from tests.stacks.conftest import CONFIGURATIONS, OTHERS

BOOK = PriceBook.load()

UNPRICED: dict[str, str] = {}
"""Items that a configuration below needs and the shipped book does not have, and why."""


def small() -> dict[str, Any]:
    """A price file of one price."""
    return {
        "schema_version": 1,
        "currency": "USD",
        "instance_types": {"m5.xlarge": {"vcpus": 4, "memory_gib": 16.0}},
        "regions": {
            "us-east-1": {
                "ec2/m5.xlarge": {"usd": 0.192, "unit": "hour", "source": "a list", "date": "2026-07-20"},
            }
        },
    }


def write(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def message_of(path: Path) -> str:
    with pytest.raises(UserError) as error:
        PriceBook.load(path)
    return str(error.value)


def test_the_shipped_book_knows_every_kind_and_is_written_as_it_would_be(tmp_path: Path) -> None:
    known = BOOK.regions["us-east-1"]
    assert {kind_of(item) for item in known} == set(KINDS)
    assert all(price.usd > 0 for region in BOOK.regions.values() for price in region.values())
    path = tmp_path / "prices.json"
    BOOK.save(path)
    assert path.read_text() == BOOK.text() == PRICES.read_text()
    assert PriceBook.load(path) == BOOK


def test_prices_that_several_sources_agree_on() -> None:
    """Written down from AWS's pages and bills, apart from how the file was made."""
    us, eu = BOOK.regions["us-east-1"], BOOK.regions["eu-west-1"]
    assert us["ec2/m5.xlarge"].usd == 0.192
    assert us["emr/m5.xlarge"].usd == 0.048
    assert {us[f"sagemaker/{what}/ml.m5.xlarge"].usd for what in ("processing", "training", "transform")} == {0.23}
    assert us["sagemaker/hosting/ml.m5.large"].usd == 0.115
    assert us["sagemaker/serverless/2048"].usd == 0.00004
    assert us["s3/put"].usd * 1_000 == pytest.approx(0.005)
    assert us["kms/request"].usd * 10_000 == pytest.approx(0.03)
    assert us["states/transition"].usd * 1_000 == pytest.approx(0.025)
    assert eu["sagemaker/training/ml.m5.xlarge"].usd == 0.257
    assert BOOK.price("ec2/m5.xlarge", "ap-south-1") is None
    assert BOOK.price("ec2/z9.xlarge", "us-east-1") is None


def test_what_a_rule_gives_says_so() -> None:
    us = BOOK.regions["us-east-1"]
    for item, price in us.items():
        if item.startswith("emr/"):
            assert price.usd == pytest.approx(us[f"ec2/{item.removeprefix('emr/')}"].usd / 4)
    verified = {item for item, price in us.items() if item.startswith("emr/") and price.example is None}
    assert verified == {"emr/m5.4xlarge", "emr/m6g.4xlarge", "emr/r5.4xlarge"}, "those that AWS itself printed"
    training = {
        item.rpartition("/")[2]
        for item, price in us.items()
        if item.startswith("sagemaker/training/") and price.example is None
    }
    assert training == {"ml.m5.xlarge"}, "whose components a bill shows to cost the same"
    assert us["sagemaker/hosting/ml.c5.xlarge"].example is None
    assert "this component was not seen" in (us["sagemaker/training/ml.c5.xlarge"].example or "")
    derived = us["sagemaker/hosting/ml.m5d.large"]
    assert derived.usd == pytest.approx(1.2 * us["ec2/m5d.large"].usd)
    assert derived.example is not None
    assert derived.example.startswith("derived: ")


def needed(settings: Settings) -> Iterator[str]:
    """The items that a configuration's machines are paid as."""
    stages = settings.sagemaker
    for machine in (settings.dataset, stages.prepare, stages.evaluate):
        yield f"sagemaker/processing/{machine.instance_type}"
    yield f"sagemaker/training/{stages.train.instance_type}"
    yield f"sagemaker/transform/{stages.score.instance_type}"
    yield f"sagemaker/hosting/{stages.endpoint.instance_type}"
    yield f"sagemaker/serverless/{stages.endpoint.memory_mb}"
    for node in (settings.emr.primary, settings.emr.core, settings.emr.task):
        for instance_type in (node.instance_type, *node.alternatives):
            yield f"ec2/{instance_type}"
            yield f"emr/{instance_type}"


@pytest.mark.parametrize("configuration", [*CONFIGURATIONS, *OTHERS])
def test_every_machine_of_the_configurations_has_its_prices_and_its_size(configuration: str) -> None:
    settings = Settings.from_context((CONFIGURATIONS | OTHERS)[configuration])
    items = set(needed(settings))
    missing = {item for item in items if BOOK.price(item, "us-east-1") is None}
    assert missing == items & set(UNPRICED)
    types = {item.rpartition("/")[2].removeprefix("ml.") for item in items if "serverless" not in item}
    assert types <= set(BOOK.instance_types)


def _price(data: dict[str, Any]) -> dict[str, Any]:
    price: dict[str, Any] = data["regions"]["us-east-1"]["ec2/m5.xlarge"]
    return price


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        (lambda d: _price(d).update(usd=1e308), ".usd", "less than or equal to 1000000000, not 1e+308"),
        (lambda d: _price(d).update(usd=-1), ".usd", "greater than or equal to 0, not -1"),
        (lambda d: _price(d).update(usd=float("nan")), ".usd", "finite number"),
        (lambda d: _price(d).update(usd=float("inf")), ".usd", "finite number"),
        (lambda d: _price(d).update(usd="0.192"), ".usd", 'valid number, not "0.192"'),
        (lambda d: _price(d).pop("usd"), ".usd", "is missing"),
        (lambda d: _price(d).update(unit="fortnight"), ".unit", "'GB-month', 'GB-second'"),
        (lambda d: _price(d).update(unit="month"), ".unit", 'should be "hour" for ec2/<type>, not "month"'),
        (lambda d: _price(d).update(date="July"), ".date", 'not "July"'),
        (lambda d: _price(d).update(source=""), ".source", "at least 1 character"),
        (lambda d: _price(d).update(colour=1), ".colour", "is not a field of this schema"),
    ],
)
def test_an_impossible_price(tmp_path: Path, change: Callable[[Any], Any], place: str, expected: str) -> None:
    data = small()
    change(data)
    path = write(tmp_path / "prices.json", data)
    message = message_of(path)
    assert message.startswith(f"{path}: regions.us-east-1.ec2/m5.xlarge{place}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps(small())[:-40], "not JSON, or cut off"),
        ("", "not JSON, or cut off"),
        ("[" * 100_000, "not JSON, or cut off"),
        ("[]", "an object"),
        (json.dumps(small()).replace('"schema_version": 1', '"schema_version": 2'), "schema_version: 2 is newer"),
        (json.dumps(small()).replace('"USD"', '"EUR"'), "currency: Input should be 'USD', not \"EUR\""),
        (json.dumps(small()).replace('"ec2/m5', '"ec3/m5'), "ec3/m5.xlarge: is not an item; allowed: ec2/<type>,"),
        (json.dumps(small()).replace("ec2/", "ec2\\n"), "regions.us-east-1.ec2 m5.xlarge: is not an item"),
        (json.dumps(small()).replace("us-east-1", "us-east1"), "regions.us-east1: is not a region"),
        (json.dumps(small()).replace('"vcpus": 4', '"vcpus": 0'), "instance_types.m5.xlarge.vcpus: Input should be"),
        (json.dumps(small()).replace('"unit"', '"usd": 7, "unit"'), '"usd" comes twice'),
    ],
)
def test_an_impossible_file(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "prices.json", text)
    message = message_of(path)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message


def test_no_file(tmp_path: Path) -> None:
    assert "cannot be read" in message_of(tmp_path / "none.json")
    assert "cannot be read" in message_of(tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    assert "cannot be read" in message_of(tmp_path / "binary.json")


@given(st.data())
def test_any_damage_is_one_line_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Some bytes replaced, or the file cut: it loads as a valid book, or says in one line why not."""
    content = json.dumps(small()).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    damaged = content[:start] + data.draw(st.binary(max_size=4)) + content[end:]
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(damaged)
    try:
        book = PriceBook.load(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error).splitlines()) == 1
    else:
        assert all(kind_of(item) for region in book.regions.values() for item in region)
        assert all(price.usd >= 0 for region in book.regions.values() for price in region.values())


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("ec2/m5.xlarge", "ec2/<type>"),
        ("sagemaker/training/ml.m5.xlarge", "sagemaker/<component>/<ml type>"),
        ("sagemaker/storage/training", "sagemaker/storage/<volume of>"),
        ("codebuild/BUILD_GENERAL1_SMALL", "codebuild/<compute type>"),
        ("s3/put", "s3/put"),
        ("ec2/ml.m5.xlarge", None),
        ("sagemaker/training/m5.xlarge", None),
        ("sagemaker/storage/transform", None),
        ("sagemaker/serverless/2000", None),
        ("s3/puts", None),
    ],
)
def test_kinds(item: str, kind: str | None) -> None:
    assert kind_of(item) == kind


def test_the_table_names_each_source_once_and_fits_a_terminal() -> None:
    result = CliRunner().invoke(app, ["prices", "emr/m5", "--region", "us-east-1"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    lines = result.output.splitlines()
    row = next(line for line in lines if "emr/m5.xlarge " in line).split()
    assert row == ["emr/m5.xlarge", "us-east-1", "0.048", "hour", "2026-07-20", "[1]"]
    assert result.output.count("derived: 25 %") == 1
    assert max(len(line) for line in lines) <= 80
    assert "eu-west-1" not in result.output
    assert "ec2/" not in result.output


def test_json_has_the_shape_of_the_file() -> None:
    result = CliRunner().invoke(app, ["prices", "s3/", "--region", "us-east-1", "--json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert set(shown) == {"us-east-1"}
    assert {item: price["usd"] for item, price in shown["us-east-1"].items()} == {
        "s3/storage": 0.023,
        "s3/put": 0.000005,
        "s3/get": 0.0000004,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["s4"], "s4 in eu-west-1, us-east-1: no price is known"),
        (["--region", "mars"], "any item in mars: no price is known; known regions: eu-west-1, us-east-1"),
        (["--type", "m5.8xlarge"], "--type m5.8xlarge: only with --refresh"),
        (["--refresh", "ec2"], "not with an item, nor with --json"),
        (["--book", "/nowhere/prices.json"], "/nowhere/prices.json: cannot be read"),
    ],
)
def test_what_cannot_be_shown(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, ["prices", *arguments])
    assert result.exit_code == 2
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1


@given(st.floats(min_value=1e-9, max_value=1e4))
def test_dollars_have_no_exponent(usd: float) -> None:
    assert float(dollars(usd)) == pytest.approx(usd, abs=1e-10)
    assert "e" not in dollars(usd)
