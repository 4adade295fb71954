"""Hand-computed costs, one for each billing rule; and nothing in the templates without a rule or a reason."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assembly.template import REPOSITORY, Assembly
from comparison.cost.lines import Estimate, LineItem, Parameters, drivers, idle_drivers, run_drivers
from comparison.cost.prices import PriceBook
from comparison.cost.template import RESOURCES, bill_of, estimate
from comparison.cost.usage import Usage
from record.errors import UserError
from tests.comparison.cost.conftest import ALL, book, model

A_RUN = Usage(runs_per_day=1, events_per_run=10_000_000)
DAYS = 730 / 24


def priced(assembly: Assembly, usage: Usage = A_RUN, prices: PriceBook | None = None, **work: Any) -> Estimate:
    return estimate(assembly, usage, prices or book(), model(**work))


def line(found: Estimate, name: str, side: str | None = None) -> LineItem:
    """The only line of this name."""
    (only,) = [each for each in found.lines if each.name == name and side in (None, each.side)]
    return only


def month(found: Estimate, name: str, side: str | None = None) -> float | None:
    return line(found, name, side).amount(drivers(found.usage, found.parameters))


def a_run(found: Estimate, name: str, side: str | None = None) -> float | None:
    return line(found, name, side).amount(run_drivers(found.usage, found.parameters))


def idle(found: Estimate, name: str, side: str | None = None) -> float | None:
    return line(found, name, side).amount(idle_drivers(found.usage, found.parameters))


@pytest.mark.parametrize("name", list(ALL))
def test_every_resource_type_has_a_rule_or_a_reason(name: str, assemblies: dict[str, Assembly]) -> None:
    found = {resource["Type"] for t in assemblies[name].templates.values() for resource in t["Resources"].values()}
    assert [kind for kind in sorted(found) if bill_of(kind) is None] == []
    # And every resource of every stack is priced or listed.
    result = estimate(assemblies[name], Usage(), PriceBook.load())
    listed = {(each.stack, resource) for each in result.not_priced for resource in each.resources}
    listed |= {(each.stack, each.resource) for each in result.lines}
    assert listed == {(s, r) for s, t in assemblies[name].templates.items() for r in t["Resources"]}
    # Every price of these configurations is in the shipped book.
    assert [item for item in result.missing() if item != "sagemaker/hosting/ml.m5d.large"] == []


def test_no_rule_is_left_without_a_resource(assemblies: dict[str, Assembly]) -> None:
    """Rules that price something; reasons may also be there for what a user adds."""
    templates = [template for name in ALL for template in assemblies[name].templates.values()]
    found = {resource["Type"] for template in templates for resource in template["Resources"].values()}
    assert {kind for kind, bill in RESOURCES.items() if callable(bill)} <= found


def test_a_job_is_billed_by_the_second(default: Assembly) -> None:
    found = priced(default)
    # 60 s start + 10 s + 4e-6 s x 10,000,000 events / 4 vCPUs = 80 s, of one instance.
    assert a_run(found, "prepare: instances") == pytest.approx(80 / 3600 * 0.23)
    # Its volume of 30 GB for 80 of the 730 x 3600 seconds of a month.
    assert a_run(found, "prepare: storage") == pytest.approx(80 / 3600 / 730 * 30 * 0.1)
    assert a_run(found, "train: storage") == pytest.approx(80 / 3600 / 730 * 30 * 0.14)
    assert month(found, "prepare: instances") == pytest.approx(DAYS * 80 / 3600 * 0.23)
    assert idle(found, "prepare: instances") == 0


def test_two_instances_share_the_work_but_both_start(assemblies: dict[str, Assembly]) -> None:
    found = priced(assemblies["changed"], prices=PriceBook.load())
    # 2 x ml.c5.xlarge of 4 vCPUs: 2 x (70 s + 4e-6 x 10 M / 8 s) = 150 instance seconds.
    assert line(found, "score: instances").quantity(run_drivers(A_RUN, found.parameters)) == pytest.approx(150 / 3600)


def test_a_cluster_of_its_own_is_billed_from_the_request_to_the_end(assemblies: dict[str, Assembly]) -> None:
    found = priced(assemblies["serverless and transient"])
    # Start 300 s; 4 stages of 10 s + 4e-6 x 10 M events / 8 vCPUs (one core and one task node) = 15 s: 360 s.
    assert a_run(found, "core: instances") == pytest.approx(360 / 3600 * 0.192)
    assert a_run(found, "core: EMR charge") == pytest.approx(360 / 3600 * 0.048)
    # Disks: 30 GB root and 64 GB, gp3, of a month's 730 hours.
    assert a_run(found, "core: disks") == pytest.approx(360 / 3600 / 730 * 94 * 0.08)
    assert idle(found, "core: instances") == 0
    assert month(found, "core: instances") == pytest.approx(DAYS * 360 / 3600 * 0.192)


def test_a_cluster_is_billed_for_a_minute_at_least(assemblies: dict[str, Assembly]) -> None:
    quick = {"startup_seconds": 0}
    found = priced(assemblies["serverless and transient"], Usage(runs_per_day=1, events_per_run=0), emr=quick)
    # 4 x 10 s of work are 40 s; a minute is billed.
    assert a_run(found, "primary: instances") == pytest.approx(0.192 / 60)
    assert month(found, "primary: instances") == pytest.approx(DAYS * 0.192 / 60)


@pytest.mark.parametrize(
    ("runs_per_day", "kept_up", "hours"),
    [
        # Pauses of 24 h - 80 s are longer than the hour after which it ends: 380 s a run for clusters of their own.
        (1, None, DAYS * 380 / 3600),
        # 86,400 / 24 = 3,600 s from start to start: never an hour of pause, so it is on all month.
        (24, None, 730),
        # 86,400 / 23 = 3,756 s, less 80 s of work: 3,676 s of pause.
        (23, None, 23 * DAYS * 380 / 3600),
        (1, 8, 8 * DAYS),
        (0, None, 0),
        # 2,000 runs a day of 80 s are more than a day has: 44.4 hours of work.
        (2000, None, 2000 * DAYS * 80 / 3600),
    ],
)
def test_a_persistent_cluster_is_on_as_idle_termination_decides(
    runs_per_day: float, kept_up: float | None, hours: float, default: Assembly
) -> None:
    usage = Usage(runs_per_day=runs_per_day, events_per_run=10_000_000, cluster_hours_per_day=kept_up)
    found = priced(default, usage)
    # The work: 4 x (10 s + 4e-6 x 10 M events / 4 vCPUs of the core node) = 80 s.
    assert month(found, "core: instances") == pytest.approx(hours * 0.192)


def test_one_run_on_a_cluster_that_is_always_on_takes_its_work_only(default: Assembly) -> None:
    found = priced(default, Usage(events_per_run=10_000_000, cluster_hours_per_day=24))
    assert a_run(found, "core: instances") == pytest.approx(80 / 3600 * 0.192)
    assert a_run(priced(default), "core: instances") == pytest.approx(380 / 3600 * 0.192)


def test_spot_is_cheaper_only_by_the_share_that_comes_as_spot(assemblies: dict[str, Assembly]) -> None:
    usage = A_RUN.model_copy(update={"cluster_hours_per_day": 24, "spot_share": 0.5, "spot_discount": 0.6})
    found = priced(assemblies["changed"], usage, PriceBook.load())
    # Two Spot task nodes for 730 hours at 0.34, less 60 % of one half; the EMR charge of 0.085 stays.
    assert month(found, "task: instances") == pytest.approx(2 * 730 * 0.34 * 0.7)
    assert month(found, "task: EMR charge") == pytest.approx(2 * 730 * 0.085)
    # Two core nodes r5.2xlarge are on demand.
    assert month(found, "core: instances") == pytest.approx(2 * 730 * 0.504)


@pytest.mark.parametrize(
    ("requests_per_second", "instances"), [(0, 1), (16.6, 1), (16.7, 2), (1000 / 60 * 3, 3), (1000, 4)]
)
def test_the_endpoint_has_as_many_instances_as_its_requests_need(
    requests_per_second: float, instances: int, default: Assembly
) -> None:
    usage = Usage(requests_per_second=requests_per_second, endpoint_hours_per_day=12)
    found = priced(default, usage)
    # At 1,000 requests a minute and instance, between 1 and 4; twelve hours a day.
    assert month(found, "endpoint: instances") == pytest.approx(instances * 12 * DAYS * 0.115)
    assert idle(found, "endpoint: instances") == pytest.approx(0.115)
    assert line(found, "endpoint: instances").serving


def test_data_in_and_out_by_the_gigabyte(default: Assembly) -> None:
    usage = Usage(requests_per_second=2, request_bytes=1000, reply_bytes=100, endpoint_hours_per_day=6)
    found = priced(default, usage)
    requests = 2 * 3600 * 6 * DAYS
    assert month(found, "data in") == pytest.approx(requests * 1000 / 2**30 * 0.016)
    assert month(found, "data out") == pytest.approx(requests * 100 / 2**30 * 0.016)


def test_captured_requests_are_kept(assemblies: dict[str, Assembly]) -> None:
    usage = Usage(requests_per_second=2, request_bytes=1000, reply_bytes=100, keep_days=DAYS * 2)
    found = priced(assemblies["changed"], usage, PriceBook.load())
    # 10 % of them, for two months.
    assert month(found, "captured data") == pytest.approx(2 * 3600 * 730 * 1100 / 2**30 * 0.1 * 2 * 0.023)


def test_a_serverless_endpoint_is_billed_by_the_time_of_its_requests(assemblies: dict[str, Assembly]) -> None:
    usage = Usage(requests_per_second=0.5, request_milliseconds=40)
    found = priced(assemblies["serverless and transient"], usage)
    # Half a request a second for 730 hours, 40 ms each, with 4 GB.
    assert month(found, "serverless inference") == pytest.approx(0.5 * 3600 * 730 * 0.040 * 0.00008)
    assert idle(found, "serverless inference") == 0


def test_what_is_always_on_by_the_hour_and_by_the_month(default: Assembly) -> None:
    found = priced(default)
    assert month(found, "interface endpoint") == pytest.approx(2 * 730 * 0.01)
    assert month(found, "key") == 1
    assert month(found, "dashboard") == 3
    assert idle(found, "dashboard") == pytest.approx(3 / 730)
    # Six alarms of the endpoint (three of them for a new model) and one of each time to live look at one metric each,
    # those of the three state machines at two each.
    alarms = [each for each in found.lines if each.name == "alarm"]
    values = drivers(A_RUN, found.parameters)
    assert sum(each.amount(values) or 0 for each in alarms) == pytest.approx((6 * 1 + 2 * 1 + 3 * 2) * 0.1)


def test_requests_transitions_and_storage(default: Assembly) -> None:
    found = priced(default, Usage(runs_per_day=2, events_per_run=10_000_000, keep_days=DAYS / 2))
    assert a_run(found, "requests that write", "emr") == pytest.approx(100 * 0.005 / 1000)
    assert a_run(found, "requests that read", "emr") == pytest.approx(1000 * 0.0004 / 1000)
    # is the run id well-formed, prepare, train, watch train, look at train, has train ended, train has ended, evaluate,
    # create model, score, delete model, did a stage fail, done.
    assert a_run(found, "transitions", "sagemaker") == pytest.approx(13 * 0.025 / 1000)
    # is the run id well-formed, persistent cluster, look at the cluster, is the cluster ready, cluster is ready, the
    # four stages, is the cluster our own, session is closed, did a stage fail, done: not the shorter way of a cluster
    # that was lost.
    assert a_run(found, "transitions", "emr") == pytest.approx(13 * 0.025 / 1000)
    # is the run id well-formed, all sides, two states in the branch of each, record, did a side fail, all succeeded.
    assert a_run(found, "transitions", "shared") == pytest.approx(9 * 0.025 / 1000)
    # 30 bytes an event of raw data, once; 10 bytes an event of each of 2 runs a day, kept for half a month.
    assert month(found, "raw data") == pytest.approx(30 * 1e7 / 2**30 * 0.023)
    assert month(found, "what runs write", "emr") == pytest.approx(2 * DAYS * 10 * 1e7 / 2**30 * 0.5 * 0.023)


def test_a_nat_gateway_takes_the_interface_endpoints_place(assemblies: dict[str, Assembly]) -> None:
    found = priced(assemblies["changed"], prices=PriceBook.load())
    assert month(found, "NAT gateway") == pytest.approx(730 * 0.045)


def test_a_missing_price_is_never_zero(default: Assembly) -> None:
    found = priced(default, prices=book(ec2__m5_xlarge=None))
    assert line(found, "core: instances").price is None
    assert month(found, "core: instances") is None
    assert found.missing() == ["ec2/m5.xlarge"]
    sums = found.totals(serving=False)["emr"]
    assert not sums.month.complete
    assert str(sums.month).startswith("at least ")
    known = sum(
        month(found, f"{node}: {what}") or 0 for node in ("primary", "core") for what in ("EMR charge", "disks")
    )
    assert sums.month.usd > known
    assert found.totals()["sagemaker"].month.complete


Change = Callable[[dict[str, Any]], None]


def changed(assembly: Assembly, folder: Path, stack: str, resource: str, change: Change) -> Assembly:
    """A copy of the templates in which one resource is changed."""
    assembly.copy_templates(folder)
    file = folder / f"{stack}.template.json"
    template = json.loads(file.read_text())
    change(template["Resources"][resource])
    file.write_text(json.dumps(template))
    return Assembly(folder)


def test_an_instance_type_that_nobody_knows(default: Assembly, tmp_path: Path) -> None:
    ((stack, resource),) = default.resources("AWS::SageMaker::EndpointConfig")

    def change(config: dict[str, Any]) -> None:
        config["Properties"]["ProductionVariants"][0]["InstanceType"] = "ml.m5.gigantic"

    with pytest.raises(UserError) as caught:
        priced(changed(default, tmp_path / "out", stack, resource, change))
    message = str(caught.value)
    assert message.startswith(f"{stack}: {resource}: instance type ml.m5.gigantic is not known; allowed: ")
    assert "\n" not in message


def test_a_known_size_without_a_price_is_only_not_priced(default: Assembly, tmp_path: Path) -> None:
    ((stack, resource),) = default.resources("AWS::SageMaker::EndpointConfig")

    def change(config: dict[str, Any]) -> None:
        config["Properties"]["ProductionVariants"][0]["InstanceType"] = "ml.m5.xlarge"

    found = priced(changed(default, tmp_path / "out", stack, resource, change))
    assert month(found, "endpoint: instances") is None


def test_a_worker_of_unknown_size(default: Assembly, tmp_path: Path) -> None:
    ((stack, resource),) = default.resources("AWS::EMR::Cluster")

    def change(cluster: dict[str, Any]) -> None:
        cluster["Properties"]["Instances"]["CoreInstanceGroup"]["InstanceType"] = "m9.xlarge"

    with pytest.raises(UserError, match=f"^{stack}: {resource}: how many vCPUs m9.xlarge has is not known"):
        priced(changed(default, tmp_path / "out", stack, resource, change), prices=book(ec2__m9_xlarge=1.0))


def test_a_type_that_nothing_bills_is_an_error(default: Assembly, tmp_path: Path) -> None:
    """Never silently 0: what costs could be left out of the sums."""
    ((stack, resource),) = default.resources("AWS::KMS::Key")
    other = changed(default, tmp_path / "out", stack, resource, lambda key: key.update(Type="AWS::New::Thing"))
    with pytest.raises(UserError, match=f"^{stack}: {resource}: resource type AWS::New::Thing is not known; allowed: "):
        priced(other)


def retold(assembly: Assembly, folder: Path, which: str, old: str, new: str) -> tuple[str, str, Assembly]:
    """Stack and name of the state machine that has a text, and templates in which each of another is replaced."""
    stack, resource = next(
        each
        for each in assembly.resources("AWS::StepFunctions::StateMachine")
        if which in json.dumps(assembly.properties(*each))
    )

    def change(machine: dict[str, Any]) -> None:
        texts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        texts[:] = [text.replace(old, new) if isinstance(text, str) else text for text in texts]

    return stack, resource, changed(assembly, folder, stack, resource, change)


@pytest.mark.parametrize(
    ("which", "old", "new", "said"),
    [
        # All stages of a service that nothing bills; some of another known one; a machine that is no pipeline.
        ("addStep", "elasticmapreduce:addStep", "batch:submitJob", "the pipeline's stages are not tasks of one known"),
        ("createTransformJob", "sagemaker:createTransformJob", "elasticmapreduce:addStep", "the pipeline's stages are"),
        ("startBuild", "codebuild:startBuild", "batch:submitJob", "a state machine with tasks of batch; allowed: "),
        ("startBuild", ":states:::codebuild:startBuild.sync", "", "not as CloudFormation describes its type: "),
    ],
)
def test_a_state_machine_of_no_known_service_is_an_error(
    which: str, old: str, new: str, said: str, default: Assembly, tmp_path: Path
) -> None:
    stack, resource, other = retold(default, tmp_path / "out", which, old, new)
    with pytest.raises(UserError) as caught:
        priced(other)
    assert str(caught.value).startswith(f"{stack}: {resource}: {said}")
    assert "\n" not in str(caught.value)


def test_a_node_without_disks_gets_emrs(default: Assembly, tmp_path: Path) -> None:
    ((stack, resource),) = default.resources("AWS::EMR::Cluster")

    def change(cluster: dict[str, Any]) -> None:
        del cluster["Properties"]["Instances"]["CoreInstanceGroup"]["EbsConfiguration"]

    found = priced(changed(default, tmp_path / "out", stack, resource, change), prices=book(ebs__gp2=0.1))
    # 64 GB of gp2 for an xlarge, beside the root volume of 30 GB.
    assert idle(found, "core: disks") == pytest.approx(94 * 0.1 / 730)


def test_a_cluster_without_idle_termination_is_always_on(default: Assembly, tmp_path: Path) -> None:
    ((stack, resource),) = default.resources("AWS::EMR::Cluster")
    other = changed(
        default, tmp_path / "out", stack, resource, lambda cluster: cluster["Properties"].pop("AutoTerminationPolicy")
    )
    found = priced(other)
    assert month(found, "core: instances") == pytest.approx(730 * 0.192)
    assert line(found, "core: instances").until == "destroyed"


def variant(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["Properties"]["ProductionVariants"][0]
    return found


def tracking(policy: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    return found


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("AWS::SageMaker::EndpointConfig", lambda r: r["Properties"].pop("ProductionVariants")),
        ("AWS::EMR::Cluster", lambda r: r["Properties"]["Instances"]["CoreInstanceGroup"].pop("InstanceType")),
        ("AWS::EMR::Cluster", lambda r: r["Properties"].update(Instances=[])),
        ("AWS::StepFunctions::StateMachine", lambda r: r["Properties"].update(DefinitionString="{")),
        ("AWS::StepFunctions::StateMachine", lambda r: r["Properties"].update(DefinitionString="{}")),
        ("AWS::StepFunctions::StateMachine", lambda r: r["Properties"].update(DefinitionString="[" * 100_000)),
        ("AWS::EMR::Cluster", lambda r: r["Properties"]["Instances"]["CoreInstanceGroup"].update(InstanceCount=-3)),
        ("AWS::EMR::Cluster", lambda r: r["Properties"].update(EbsRootVolumeSize=-1)),
        ("AWS::EMR::Cluster", lambda r: r["Properties"].update(EbsRootVolumeSize="nan")),
        ("AWS::SageMaker::EndpointConfig", lambda r: variant(r).update(InitialInstanceCount=-3)),
        ("AWS::SageMaker::EndpointConfig", lambda r: variant(r).update(InitialInstanceCount="inf")),
        ("AWS::ApplicationAutoScaling::ScalableTarget", lambda r: r["Properties"].update(MaxCapacity=0)),
        ("AWS::ApplicationAutoScaling::ScalingPolicy", lambda r: tracking(r).update(TargetValue=0)),
        ("AWS::ApplicationAutoScaling::ScalingPolicy", lambda r: tracking(r).update(TargetValue="nan")),
    ],
)
def test_a_damaged_resource_is_named(kind: str, change: Change, default: Assembly, tmp_path: Path) -> None:
    # Not the state machines without a name, which are the CDK's own.
    stack, resource = next(
        each
        for each in default.resources(kind)
        if "Machine" not in kind or "StateMachineName" in default.properties(*each)
    )
    with pytest.raises(UserError) as caught:
        priced(changed(default, tmp_path / "out", stack, resource, change))
    assert str(caught.value).startswith(f"{stack}: {resource}: not as CloudFormation describes its type: ")
    assert "\n" not in str(caught.value)


def test_a_job_without_a_number_of_instances(default: Assembly, tmp_path: Path) -> None:
    """In a state machine's definition, which is text in the template."""
    stack, resource = next(
        each
        for each in default.resources("AWS::StepFunctions::StateMachine")
        if "createTransformJob" in json.dumps(default.properties(*each))
    )

    def change(machine: dict[str, Any]) -> None:
        texts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        texts[:] = [
            re.sub(r'"InstanceCount":\s*1', '"InstanceCount":-3', t) if isinstance(t, str) else t for t in texts
        ]

    with pytest.raises(UserError) as caught:
        priced(changed(default, tmp_path / "out", stack, resource, change))
    assert str(caught.value) == (
        f"{stack}: {resource}: not as CloudFormation describes its type: ValueError: InstanceCount -3: "
        "must be a whole number from 1"
    )


def test_assumptions_name_where_the_templates_and_the_measurement_end(default: Assembly) -> None:
    text = " ".join(priced(default).assumptions)
    for said in (
        # 3,000 s - 60 s - 10 s, at 4e-6 s / 4 vCPUs an event; a step has no start. 30 GB / (30 + 10) bytes.
        "more than 2.93 G events a run do not fit: prepare (SageMaker) times out after 50 minutes.",
        "more than 2.99 G events a run do not fit: prepare (EMR) times out after 50 minutes.",
        "more than 805 M events a run do not fit: raw data and what the side writes would fill the 30 GB of prepare",
        "More than 66.7 requests a second cost no more and are not served: the endpoint has 4 instances at most",
        "12 hours after the deployment; a month counts the usage's hours",
        "Seconds were measured at 1 k to 1 M events; those of any other number of events are extrapolated",
        "they do not grow with the data here",
        "14 million calls of EventBridge Scheduler",
    ):
        assert said in text


def test_how_many_prices_are_examples(default: Assembly) -> None:
    assert priced(default).examples() == (0, len({each.item for each in priced(default).lines}))
    prices = book(ec2__m5_xlarge=None)
    us = prices.regions["us-east-1"]
    us["kms/key"] = us["kms/key"].model_copy(update={"example": "derived"})
    # Two nodes have the item without a price; it counts neither way.
    assert priced(default, prices=prices).examples() == (1, len({each.item for each in priced(default).lines}) - 1)


def test_a_region_without_prices(default: Assembly) -> None:
    with pytest.raises(UserError, match=r"^no prices for region xx-east-1; allowed: us-east-1$"):
        estimate(default, A_RUN, book(), model(), "xx-east-1")


def test_an_estimate_is_plain_data(default: Assembly) -> None:
    """The page computes with it."""
    found = priced(default)
    data = json.loads(found.model_dump_json())
    assert Estimate.model_validate(data) == found
    assert Parameters.model_validate(data["parameters"]) == found.parameters


def test_the_documents_hourly_costs_are_the_models(default: Assembly) -> None:
    found = estimate(default, Usage(), PriceBook.load())
    values = idle_drivers(found.usage, found.parameters)

    def hourly(*names: str, until: tuple[str, ...] = ("idle termination", "time to live", "destroyed")) -> float:
        shown = [each for each in found.lines if each.until in until and (not names or each.name in names)]
        return sum(each.amount(values) or 0 for each in shown)

    nodes = [f"{node}: {what}" for node in ("primary", "core") for what in ("instances", "EMR charge")]
    rows = {
        "endpoint": hourly("endpoint: instances"),
        "cluster": hourly(*nodes),
        "its disks": hourly("primary: disks", "core: disks"),
        "interface endpoint": hourly("interface endpoint"),
        "key": hourly("key", "dashboard", "alarm"),
    }
    together = [hourly(), hourly(until=("time to live", "destroyed")), hourly(until=("destroyed",))]
    text = (REPOSITORY / "docs/deploy.md").read_text()
    for name, amount in rows.items():
        row = re.search(rf"^\| {name}[^|]*\| (\S+) \|", text, re.MULTILINE)
        assert row, name
        assert float(row[1]) == pytest.approx(amount, abs=0.0005), name
    shown = re.search(r"together\*\* \| \*\*(\S+)\*\*, later \*\*(\S+)\*\*, after the time to live \*\*(\S+)\*\*", text)
    assert shown
    assert [float(number) for number in shown.groups()] == [round(amount, 2) for amount in together]
    readme = re.search(
        r"About (\S+) US dollars an hour with an idle cluster, (\S+) once .*?, (\S+)\s+after\s+the time to live",
        (REPOSITORY / "README.md").read_text(),
        re.DOTALL,
    )
    assert readme
    assert [float(number) for number in readme.groups()] == [round(amount, 2) for amount in together]
