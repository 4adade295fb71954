"""The ten claims as the seed has them, and each verdict in every direction that it can take."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembly.posture import Posture
from assembly.template import REPOSITORY, Assembly
from cli.readme import MEASURED
from comparison.claims import (
    Evidence,
    JudgedClaim,
    as_json,
    claims,
    deployment,
    ease,
    functionality,
    integration,
    pricing,
    processing,
    purpose,
    scalability,
    tools,
    use_cases,
)
from comparison.claims.base import Claim, Figure, Measured, Reason, Rule, Verdict, service, shown
from comparison.claims.templates import SideTemplate
from comparison.cost.lines import Estimate
from comparison.cost.prices import PriceBook
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from comparison.summary import NOT_MEASURED, TITLES
from record.errors import UserError
from record.schema import Record, load
from tests.comparison.claims.conftest import Templates
from tests.record.sample import account_sample, bare_sample, failed_sample, sample, sample_data

Make = Callable[..., Evidence]

HOLDS, CONDITION, FAILS = "holds", "holds with a condition", "does not hold"

RULES: tuple[Rule, ...] = (
    purpose,
    functionality,
    tools,
    ease,
    scalability,
    use_cases,
    processing,
    deployment,
    pricing,
    integration,
)


def judged(evidence: Evidence, rule: Rule) -> JudgedClaim:
    return again(rule, rule.measure(evidence))


def again(rule: Rule, measured: Measured) -> JudgedClaim:
    """The claim judged by these figures."""
    found = rule.judge(measured)
    return JudgedClaim(Claim(1, "", {}, {}), measured, found, rule.word(measured, found))


def alike(measured: Measured, *keys: str) -> Measured:
    """The figures with each of some the same on every side: the last one's."""
    last = measured.sides[-1]
    changed = {key: replace(each, values=dict.fromkeys(each.values, each.values[last]))
               for key, each in measured.figures.items() if key in keys}  # fmt: skip
    return replace(measured, figures={**measured.figures, **changed})


def verdict(evidence: Evidence, rule: Rule) -> str:
    found = judged(evidence, rule)
    assert found.because.endswith(".")
    return found.verdict.outcome


def record(change: Callable[[dict[str, Any]], object], where: str = "local") -> Record:
    """The sample with a change of its data."""
    data = sample_data("aws" if where == "aws" else "local")
    change(data)
    return Record.model_validate(data)


def replaced(assembly: Assembly, side: str, *pairs: tuple[str, str], count: int = 0) -> Assembly:
    """The assembly with patterns replaced in the text of a side's template; all, or the first ``count``."""
    stack = SideTemplate(assembly, "emr" if side == "emr" else "sagemaker").stack
    text = json.dumps(assembly.templates[stack])
    for pattern, by in pairs:
        assert re.search(pattern, text), pattern
        text = re.sub(pattern, by, text, count=count)
    assembly.templates[stack] = json.loads(text)
    return assembly


def stage(data: dict[str, Any], side: str, name: str) -> dict[str, Any]:
    return next(each for each in data["sides"][side]["stages"] if each["name"] == name)


def test_claims_are_the_seeds(evidence: Make) -> None:
    """The names and the order of its table; the rest of the text is data."""
    found = [each.claim for each in claims(evidence())]
    assert [claim.name for claim in found] == [
        "Primary Purpose",
        "Core Functionality",
        "Key Tools",
        "Ease of Use",
        "Scalability",
        "Typical Use Cases",
        "Data Processing Focus",
        "Model Deployment",
        "Pricing Model",
        "AWS Integration",
    ]
    assert [claim.number for claim in found] == list(range(1, 11))
    assert found[4].cells["emr"] == "Manual configuration with some auto-scaling"
    assert all(detail.endswith(".") for claim in found for detail in claim.details.values())
    assert [claim.chart for claim in found if claim.chart] == ["scaling"]


@pytest.mark.parametrize("made", [sample, failed_sample, bare_sample])
def test_every_figure_has_every_side_an_origin_and_a_place(evidence: Make, made: Callable[[], Record]) -> None:
    given = evidence(made(), cost=cost(evidence().assembly))
    origins = {
        "counted in the templates",
        "counted in the code of this checkout",
        "counted in the steps of docs/deploy.md, of this checkout",
        "counted in the record's settings",
        "simulated",
        given.origin,
    }
    anchors = set(re.findall(r' id="([\w-]+)"', "".join(f.read_text() for f in SECTIONS.rglob("*.j2"))))
    for found in claims(given):
        measured = found.measured
        assert 1 <= len(measured.figures) <= 12
        for key, each in measured.figures.items():
            assert each.label
            assert tuple(each.values) == measured.sides == ("sagemaker", "emr")
            assert all(measured.shown(key, side) for side in measured.sides)
            assert each.origin in origins or each.origin.startswith(("list price, 20", "estimate by list price, 20"))
            assert found_at(each.where, given, anchors), f"{found.claim.name}: {each.label}: {each.where}"


SECTIONS = REPOSITORY / "comparison" / "report" / "templates"


def found_at(where: str, evidence: Evidence, anchors: set[str]) -> bool:
    if where.startswith("#"):
        return where[1:] in anchors
    stack, _, resource = where.partition(" ")
    if stack in evidence.assembly.templates:
        return not resource or resource in evidence.assembly.templates[stack]["Resources"]
    # The notebook may not be there; the figure says so then.
    return (evidence.root / where).exists() or where == "notebooks/compare.ipynb"


def test_a_run_that_tried_nothing_decides_no_claim_that_needs_one(evidence: Make) -> None:
    found = {each.claim.number: each for each in claims(evidence(bare_sample()))}
    assert {n for n, each in found.items() if each.outcome == NOT_MEASURED} == {1, 2, 3, 4, 6, 7, 8, 9}
    assert found[6].measured.shown("rate_prepare", "emr") == NOT_MEASURED


def values(data: Mapping[str, Any]) -> dict[Any, Any]:
    """A figure's values as they were before they became JSON."""
    return {side: tuple(value) if isinstance(value, list) else value for side, value in data["values"].items()}


@pytest.mark.parametrize("made", [sample, failed_sample, bare_sample, account_sample])
def test_a_verdict_follows_from_the_figures_alone(evidence: Make, made: Callable[[], Record]) -> None:
    """Who has the JSON can judge again."""
    given = evidence(made(), cost=cost(evidence().assembly))
    for found, rule in zip(claims(given), RULES, strict=True):
        data = json.loads(json.dumps(as_json(found)))
        figures = {each.pop("key"): Figure(**each | {"values": values(each)}) for each in data["figures"]}
        again = rule.judge(Measured(found.measured.sides, given.record.where, figures))
        assert again == found.verdict
        assert (data["outcome"], data["favours"]) == (again.outcome, list(again.favours))
        assert [reason["code"] for reason in data["reasons"]] == [reason.code for reason in again.reasons]
        assert (again.outcome == "holds") == (not again.reasons) or found.claim.name == "AWS Integration"


@pytest.mark.parametrize("made", [sample, failed_sample, bare_sample])
def test_a_third_side_is_judged_and_named(
    evidence: Make, made: Callable[[], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is as the cluster is changes no outcome, and the sentences that name the cluster name it."""
    third = "emr-large"
    monkeypatch.setitem(TITLES, third, "EMR Large")
    for found, rule in zip(claims(evidence(made(), cost=cost(evidence().assembly))), RULES, strict=True):
        figures = {
            key: replace(each, values={**each.values, third: each.values["emr"]})
            for key, each in found.measured.figures.items()
        }
        measured = replace(found.measured, sides=(*found.measured.sides, third), figures=figures)
        again = rule.judge(measured)
        assert again.outcome == found.verdict.outcome
        because = rule.word(measured, again)
        assert ("EMR Large" in because) == bool(re.search(r"\bEMR\b(?! Large| charge)", found.because)), because


@pytest.fixture
def four(templates: Templates) -> Evidence:
    """The kept run of all four sides, with the templates and the costs of all of them."""
    assembly = templates(sides="all")
    return Evidence(load(MEASURED), assembly, cost=cost(assembly))


def test_claims_of_a_run_of_four_sides_are_about_the_sides_of_the_two_services(four: Evidence) -> None:
    for found in claims(four):
        assert found.measured.sides == ("sagemaker", "emr", "sagemaker-spark")
        assert not re.search(r"\bother's\b|\bcheaper\b|\beither\b|\bneither\b|Both sides|both sides", found.because)
        assert "EMR Serverless" not in found.because


def test_no_verdict_about_a_service_rests_on_another_engine(four: Evidence) -> None:
    found = {each.claim.number: each for each in claims(four)}
    # What only the engine decides counts for no service, and is shown.
    lines = found[4].measured.figures["workload_lines"].values
    assert lines["emr"] == lines["sagemaker-spark"] != lines["sagemaker"]
    assert "workload_lines" not in {name for reason in found[4].verdict.reasons for name in reason.names}
    # Spark on SageMaker distributes as well, however many machines either has.
    assert found[2].verdict.reason("distributes too") == Reason("distributes too", ("sagemaker-spark",))
    # A Training job is XGBoost without Spark, on each side of SageMaker.
    assert found[6].verdict == Verdict(
        "not measured", (), (Reason("engines differ", found[6].measured.sides, ("train",)),)
    )


def test_of_seconds_the_sides_of_one_engine_are_compared(four: Evidence) -> None:
    """The single node's, which are a tenth of the others', neither decide nor keep anything from being decided."""
    measured = use_cases.measure(four)
    figures = dict(measured.figures)
    for key, emr, spark in (("prepare", 58.1, 67.6), ("train", 47.4, 40.0)):
        figures[f"engine_{key}"] = replace(
            figures[f"engine_{key}"], values={"sagemaker": "single node", "emr": "Spark", "sagemaker-spark": "Spark"}
        )
        for name, at in (("seconds", 1.0), ("rate", -1.0)):
            values = {"sagemaker": 5.0**at, "emr": emr**at, "sagemaker-spark": spark**at}
            figures[f"{name}_{key}"] = replace(figures[f"{name}_{key}"], values=values)
    assert again(use_cases, replace(measured, figures=figures)).verdict == Verdict("holds")
    for stage in ("prepare", "train"):
        swapped = figures[f"rate_{stage}"].values
        other = {**swapped, "emr": swapped["sagemaker-spark"], "sagemaker-spark": swapped["emr"]}
        changed = {**figures, f"rate_{stage}": replace(figures[f"rate_{stage}"], values=other)}
        found = again(use_cases, replace(measured, figures=changed)).verdict
        assert (found.outcome, found.reasons[0].names) == (CONDITION, (stage,))


def test_a_side_without_an_endpoint_has_nothing_to_scale(four: Evidence) -> None:
    found = judged(four, scalability)
    assert (found.verdict.outcome, found.verdict.favours) == (CONDITION, ("sagemaker",))
    assert "On SageMaker Spark there is nothing to scale" in found.because


def test_settings_of_a_side_of_two_words_are_counted(four: Evidence) -> None:
    settings = ease.measure(four).figures["settings"].values
    assert settings["sagemaker-spark"] == sum(name.startswith("sagemaker_spark.") for name in four.record.settings) > 0


def test_values_in_words() -> None:
    assert [shown(value) for value in (None, True, (), ("a", "b"), "as it is", 1234.0, 0.12345)] == [
        "not measured", "yes", "none", "a, b", "as it is", "1,234", "0.123",
    ]  # fmt: skip
    assert [shown(value, unit) for value, unit in ((0.5, "share"), (2, "USD"), (1.5, "ms"), (1, "rows/s"))] == [
        "50.0 %", "2.00 USD", "1.50 ms", "1 rows/s",
    ]  # fmt: skip
    assert [service(side) for side in ("sagemaker", "emr")] == ["sagemaker", "emr"]


def test_purpose(evidence: Make, templates: Templates) -> None:
    assert verdict(evidence(), purpose) == CONDITION
    # A disagreement is a fault, and raises no verdict.
    assert verdict(evidence(record(lambda d: d["agreement"][0].update(auc_difference=0.01))), purpose) == NOT_MEASURED
    assert verdict(evidence(record(lambda d: d["agreement"][0].update(features_equal=False))), purpose) == NOT_MEASURED
    assert verdict(evidence(record(lambda d: d["agreement"][0].update(auc_difference=None))), purpose) == NOT_MEASURED
    same = replaced(templates(), "sagemaker", ("create(Training|Transform)Job", "createProcessingJob"))
    assert verdict(evidence(assembly=same), purpose) == FAILS


def test_functionality(evidence: Make, templates: Templates) -> None:
    assert verdict(evidence(), functionality) == CONDITION
    crashed = judged(evidence(failed_sample()), functionality)
    assert (crashed.verdict.outcome, "not train, evaluate, score on EMR." in crashed.because) == (NOT_MEASURED, True)
    for side, name in (("sagemaker", "train"), ("emr", "prepare"), ("emr", "score")):
        data = sample_data()
        stage(data, side, name)["status"] = "failed"
        assert verdict(evidence(Record.model_validate(data)), functionality) == NOT_MEASURED
    assert verdict(evidence(assembly=templates(emr__maximum=1)), functionality) == FAILS
    failed = {"status": "failed", "message": "no answer"}
    assert verdict(evidence(record(lambda d: d["sides"]["sagemaker"].update(serve=failed))), functionality) == FAILS
    assert (
        verdict(evidence(record(lambda d: d["sides"]["sagemaker"].update(serve=None))), functionality) == NOT_MEASURED
    )


def test_tools(evidence: Make, templates: Templates, tmp_path: Path) -> None:
    assert verdict(evidence(), tools) == CONDITION
    notebook = tmp_path / "notebooks" / "compare.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("{}")
    # Every tool that is named: Hive and HBase steps, HBase on the cluster, the algorithm itself, a notebook.
    everything = replaced(templates(), "sagemaker", (r'(File\\?",\s*\\?")ContainerEntrypoint', r"\1Unknown"))
    everything = replaced(everything, "emr", ("'spark-submit'", "'hive-script'"), count=1)
    everything = replaced(everything, "emr", ("'spark-submit'", "'hbase'"), count=1)
    everything = replaced(
        everything, "emr", (r'(\\?")Name\1:(\s*)\1Hadoop\1', r"\1Name\1:\2\1Hadoop\1},{\1Name\1:\1HBase\1")
    )
    assert verdict(evidence(sample("aws"), everything, root=tmp_path), tools) == HOLDS
    assert verdict(evidence(sample(), everything, root=tmp_path), tools) == CONDITION  # a laptop has no Hadoop
    notebook.unlink()
    assert verdict(evidence(sample("aws"), everything, root=tmp_path), tools) == CONDITION
    own = replaced(templates(), "sagemaker", (r"sagemaker-xgboost:[\d.-]+", "our-image:1"))
    assert verdict(evidence(assembly=own), tools) == FAILS
    assert (
        verdict(evidence(record(lambda d: stage(d, "sagemaker", "train").update(status="failed"))), tools)
        == NOT_MEASURED
    )


def settings(sagemaker: int, emr: int) -> Record:
    names = {f"sagemaker.{i}": i for i in range(sagemaker)} | {f"emr.{i}": i for i in range(emr)}
    return record(lambda d: d.update(settings=names))


def test_ease(evidence: Make, templates: Templates, small_code: Path) -> None:
    assert verdict(evidence(settings(2, 3)), ease) == CONDITION
    assert verdict(evidence(record(lambda d: d.update(settings={}))), ease) == NOT_MEASURED
    # Less to write and no policy on SageMaker: EMR takes more of everything.
    bare = templates()
    without(bare, "sagemaker", "AWS::IAM::Policy")
    assert verdict(evidence(settings(2, 3), bare, root=small_code), ease) == HOLDS
    # Not more settings: only what it takes is as claimed, and that only where it is more of everything.
    other = judged(evidence(settings(3, 2), bare, root=small_code), ease)
    assert (other.verdict.outcome, "EMR is not the more configurable one" in other.because) == (CONDITION, True)
    assert verdict(evidence(settings(3, 3)), ease) == FAILS
    lean = templates()
    without(lean, "emr", "AWS::IAM::Policy", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress")
    assert verdict(evidence(settings(2, 3), lean), ease) == FAILS


def test_ease_shows_the_acknowledged_findings(evidence: Make) -> None:
    each = {"rule": "AwsSolutions-EMR4", "resource": "x-emr/Security", "reason": "as it is"}
    posture = Posture.model_validate({"version": "3", "packs": ["A"], "findings": [], "acknowledged": [each]})
    found = judged(evidence(posture=posture), ease).measured.figures["acknowledged"]
    assert (found.values, found.where) == ({"sagemaker": 0, "emr": 1}, "#security")


def without(assembly: Assembly, side: str, *types: str) -> None:
    resources = assembly.templates[SideTemplate(assembly, "emr" if side == "emr" else "sagemaker").stack]["Resources"]
    for name in [name for name, resource in resources.items() if resource["Type"] in types]:
        del resources[name]


def test_scalability(evidence: Make, templates: Templates) -> None:
    assert verdict(evidence(), scalability) == CONDITION
    assert verdict(evidence(assembly=templates(emr__minimum=2, emr__maximum=2)), scalability) == HOLDS
    fixed = {"sagemaker__endpoint__minimum": 2, "sagemaker__endpoint__maximum": 2}
    assert verdict(evidence(assembly=templates(**fixed)), scalability) == FAILS


def test_a_serverless_endpoint_scales_and_has_no_instances_to_simulate(evidence: Make, templates: Templates) -> None:
    found = judged(evidence(assembly=templates(sagemaker__endpoint__mode="serverless")), scalability)
    assert found.verdict.outcome == CONDITION
    simulated = [each for each in found.measured.figures.values() if each.origin == "simulated"]
    assert [each.values["sagemaker"] for each in simulated] == [None] * 3
    assert all(each.values["emr"] is not None for each in simulated)


def test_use_cases(evidence: Make) -> None:
    def seconds(**changed: float | None) -> Record:
        def change(data: dict[str, Any]) -> None:
            for side in ("sagemaker", "emr"):
                for each in data["sides"][side]["stages"]:
                    each["seconds"] = changed.get(f"{side}_{each['name']}", each["seconds"] * 100)

        return record(change)

    def judged(given: Evidence, rule: Rule) -> JudgedClaim:
        """As if each stage were of one engine on both sides, which no Training job and step are."""
        return again(rule, alike(rule.measure(given), "engine_prepare", "engine_train"))

    def verdict(given: Evidence, rule: Rule) -> str:
        return judged(given, rule).verdict.outcome

    assert verdict(evidence(seconds()), use_cases) == CONDITION  # here SageMaker reads the logs faster as well
    other = again(use_cases, use_cases.measure(evidence(seconds(emr_prepare=31))))
    said = "prepare is single node on SageMaker and Spark on EMR; train is XGBoost alone on SageMaker and Spark on EMR"
    assert (other.verdict.outcome, said in other.because) == (NOT_MEASURED, True)
    # A Training job beside Spark's: half of the claim would be told by engines.
    half = again(use_cases, alike(use_cases.measure(evidence(seconds(emr_prepare=31))), "engine_prepare"))
    assert (half.verdict.outcome, half.verdict.reasons[0].names) == (NOT_MEASURED, ("train",))
    assert verdict(evidence(seconds(emr_prepare=31)), use_cases) == HOLDS
    assert verdict(evidence(seconds(sagemaker_train=9000)), use_cases) == FAILS
    assert verdict(evidence(seconds(emr_train=None)), use_cases) == NOT_MEASURED
    # Seconds in which mostly processes start, on either side: the rates are shown, and decide nothing.
    short = judged(evidence(seconds(sagemaker_train=29)), use_cases)
    said = "train on SageMaker (29.0 s) took less than 30 s"
    assert (short.verdict.outcome, said in short.because) == (NOT_MEASURED, True)
    assert None not in short.measured.figures["rate_train"].values.values()
    assert verdict(evidence(seconds(emr_prepare=29)), use_cases) == NOT_MEASURED
    unequal = seconds(emr_prepare=31).model_dump(mode="json")
    unequal["agreement"][0]["features_equal"] = False
    assert verdict(evidence(Record.model_validate_json(json.dumps(unequal))), use_cases) == NOT_MEASURED


def test_in_an_account_only_billed_seconds_give_a_rate(evidence: Make) -> None:
    assert verdict(evidence(sample("aws")), use_cases) == NOT_MEASURED

    def billed(data: dict[str, Any]) -> None:
        for side in ("sagemaker", "emr"):
            data["sides"][side]["engine"] = "Spark"
            for each in data["sides"][side]["stages"]:
                each["billable_seconds"] = 40.0 if side == "emr" else 80.0

    found = evidence(record(billed, "aws"))
    assert found.rate("emr", "prepare") == 241_310 / 40
    assert again(use_cases, alike(use_cases.measure(found), "engine_train")).verdict.outcome == CONDITION


def test_processing(evidence: Make, templates: Templates) -> None:
    assert verdict(evidence(), processing) == FAILS
    assert (
        verdict(evidence(record(lambda d: d["agreement"][0].update(features_equal=False))), processing) == NOT_MEASURED
    )
    assert (
        verdict(evidence(record(lambda d: d["agreement"][0].update(rejected_equal=False))), processing) == NOT_MEASURED
    )
    assert verdict(evidence(record(lambda d: d.update(agreement=[]))), processing) == NOT_MEASURED
    hive = replaced(templates(), "emr", ("'spark-submit'", "'hive-script'"), count=1)
    assert verdict(evidence(assembly=hive), processing) == CONDITION


def test_deployment(evidence: Make, templates: Templates) -> None:
    def serve(**change: object) -> Record:
        return record(lambda d: d["sides"]["sagemaker"]["serve"].update(**change))

    assert verdict(evidence(), deployment) == HOLDS
    assert verdict(evidence(serve(load=[])), deployment) == CONDITION
    failing = record(lambda d: d["sides"]["sagemaker"]["serve"]["load"][1].update(failures=100))
    wrong = judged(evidence(failing), deployment)
    assert wrong.verdict.outcome == CONDITION
    # 400 requests in 0.75 s, of which 300 had a right response.
    rate = wrong.measured.figures["load_rate"]
    assert (rate.label, rate.values["sagemaker"]) == ("Right responses a second, 4 clients", 400)
    assert wrong.measured.names("serving", "emr") == ()
    assert verdict(evidence(serve(status="failed", message="no answer")), deployment) == FAILS
    assert verdict(evidence(serve(status="skipped")), deployment) == NOT_MEASURED
    served = templates()
    served.templates["side-by-side-emr"]["Resources"]["Server"] = {"Type": "AWS::ECS::Service"}
    assert verdict(evidence(assembly=served), deployment) == FAILS
    unserved = templates()
    without(
        unserved, "sagemaker", *(kind for kind in SideTemplate(unserved, "sagemaker").types if "SageMaker::" in kind)
    )
    without(unserved, "sagemaker", *(kind for kind in SideTemplate(unserved, "sagemaker").types if "Scaling" in kind))
    assert verdict(evidence(assembly=unserved), deployment) == FAILS


def cost(assembly: Assembly, *usage: str) -> Estimate:
    return estimate(assembly, Usage.of(usage), PriceBook.load())


def test_pricing(evidence: Make, templates: Templates) -> None:
    found = cost(templates())
    assert verdict(evidence(cost=found), pricing) == CONDITION  # the endpoint costs while it idles
    assert verdict(evidence(), pricing) == NOT_MEASURED
    # Nothing stands by for SageMaker, and with much work machines are what is paid.
    assembly = templates(sagemaker__endpoint__mode="serverless")
    busy = ("runs_per_day=20", "events_per_run=500000000", "requests_per_second=0", "keep_days=1")
    assert verdict(evidence(assembly=assembly, cost=cost(assembly, *busy)), pricing) == HOLDS
    assert verdict(evidence(cost=cost(templates(), *busy)), pricing) == CONDITION
    assert verdict(evidence(assembly=assembly, cost=cost(assembly)), pricing) == CONDITION
    # A cluster's disks are of its machines, as the volumes of SageMaker's jobs are; what travels is of neither's.
    measured = pricing.measure(evidence(cost=found))
    assert "ebs/gp3" in measured.names("machines", "emr")
    assert "sagemaker/storage/training" in measured.names("machines", "sagemaker")
    assert "sagemaker/data-in" in measured.names("besides", "sagemaker")
    assert "sagemaker/data-in" not in measured.names("machines", "sagemaker")
    uncharged = [line for line in found.lines if not line.item.startswith("emr/")]
    assert verdict(evidence(cost=found.model_copy(update={"lines": tuple(uncharged)})), pricing) == FAILS
    unknown = [
        line.model_copy(update={"price": None}) if line.item.startswith("emr/") else line for line in found.lines
    ]
    assert verdict(evidence(cost=found.model_copy(update={"lines": tuple(unknown)})), pricing) == NOT_MEASURED


def test_integration(evidence: Make, templates: Templates) -> None:
    both = judged(evidence(), integration)
    said = "S3: on other sides as well, which does not tell them apart"
    assert (both.verdict.outcome, said in both.because) == (FAILS, True)
    one = replaced(templates(), "sagemaker", ('"s3:List', '"comprehend:List'))
    assert verdict(evidence(assembly=one), integration) == CONDITION  # one as claimed, and S3 on both
    named = replaced(templates(), "sagemaker", ('"s3:List', '"comprehend:List'), ('"s3:', '"rekognition:'), count=0)
    named = replaced(named, "sagemaker", ('"rekognition:GetObject', '"forecast:GetObject'))
    named = replaced(named, "emr", ('"s3:List', '"redshift:List'))
    assert verdict(evidence(assembly=named), integration) == HOLDS
    crossed = replaced(templates(), "emr", ('"s3:List', '"comprehend:List'))
    assert verdict(evidence(assembly=crossed), integration) == FAILS
    unwired = replaced(replaced(templates(), "sagemaker", ('"s3:', '"logs:')), "emr", ('"s3:', '"logs:'))
    assert verdict(evidence(assembly=unwired), integration) == NOT_MEASURED


@pytest.mark.parametrize(
    "settings",
    [{}, {"emr__provisioning": "fleets", "emr__task__count": 2, "emr__task__spot": True}, {"emr__mode": "transient"}],
)
def test_any_configuration_can_be_read(evidence: Make, templates: Templates, settings: dict[str, Any]) -> None:
    found = claims(evidence(assembly=templates(**settings)))
    assert len(found) == 10
    between = "3 and 4 nodes" if "emr__task__count" in settings else "1 and 4 nodes"
    assert found[4].measured.text("between", "emr") == between


def test_a_side_that_is_not_there_is_named(evidence: Make, templates: Templates) -> None:
    assembly = templates()
    del assembly.templates["side-by-side-emr"]
    with pytest.raises(UserError, match=r"0 stacks \*-emr, one is needed"):
        claims(evidence(assembly=assembly))
