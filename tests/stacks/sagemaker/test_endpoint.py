"""The endpoint: a stable name, safe updates, scaling and capture as set."""

from pathlib import Path
from typing import Any

import pytest

from assembly.template import Assembly
from tests.stacks.conftest import Synthesised, synthesise


def only(assembly: Assembly, kind: str) -> dict[str, Any]:
    # What the first run wrote is known after it only.
    assembly.attributes = {"FirstRun": {"model": "s3://b/model.tar.gz"}}
    return assembly.only(kind)


def test_names_are_stable_where_they_must_be_and_free_where_they_must_not(synthesised: Synthesised) -> None:
    project = {"default": "side-by-side", "changed": "other"}[synthesised.name]
    assert only(synthesised.assembly, "AWS::SageMaker::Endpoint")["EndpointName"] == project
    assert "ModelName" not in only(synthesised.assembly, "AWS::SageMaker::Model")
    assert "EndpointConfigName" not in only(synthesised.assembly, "AWS::SageMaker::EndpointConfig")


def test_a_new_model_replaces_the_old_blue_green_and_rolls_back_on_alarms(synthesised: Synthesised) -> None:
    deployment = only(synthesised.assembly, "AWS::SageMaker::Endpoint")["DeploymentConfig"]
    template = synthesised.templates()["sagemaker"]
    (config,) = (n for n, each in template["Resources"].items() if each["Type"] == "AWS::SageMaker::EndpointConfig")
    alarms = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"].get("Namespace") == "AWS/SageMaker"
    }
    (endpoint,) = (e for e in template["Resources"].values() if e["Type"] == "AWS::SageMaker::Endpoint")
    listed = endpoint["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    rollback = {alarm["AlarmName"]["Ref"] for alarm in listed}
    latency = {"default": 500_000, "changed": 250_000}[synthesised.name]
    # Those for people watch the endpoint, whichever fleet answers; a rollback is decided by the new fleet's alone.
    for names, of_config in (
        (rollback, [{"Fn::GetAtt": [config, "EndpointConfigName"]}]),
        (set(alarms) - rollback, []),
    ):
        found = [alarms[name] for name in names]
        metrics = {alarm["MetricName"]: alarm["Threshold"] for alarm in found}
        assert metrics == {"Invocation5XXErrors": 1, "InvocationModelErrors": 1, "ModelLatency": latency}
        for alarm in found:
            dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
            assert [dimensions.pop(name) for name in ("EndpointConfigName",) if name in dimensions] == of_config
            assert set(dimensions) == {"EndpointName", "VariantName"}
    routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    # Half of one instance cannot be shifted.
    assert routing["Type"] == {"default": "ALL_AT_ONCE", "changed": "CANARY"}[synthesised.name]


def test_first_run_of_the_pipeline_makes_the_model(synthesised: Synthesised) -> None:
    template = synthesised.templates()["sagemaker"]
    (model,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::SageMaker::Model")
    assert model["Properties"]["PrimaryContainer"]["ModelDataUrl"] == {"Fn::GetAtt": ["FirstRun", "model"]}


def test_scaling_is_as_set(synthesised: Synthesised) -> None:
    target = only(synthesised.assembly, "AWS::ApplicationAutoScaling::ScalableTarget")
    policy = only(synthesised.assembly, "AWS::ApplicationAutoScaling::ScalingPolicy")
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    found = (target["MinCapacity"], target["MaxCapacity"], tracking["TargetValue"])
    cooldowns = (tracking["ScaleInCooldown"], tracking["ScaleOutCooldown"])
    assert (found, cooldowns) == {
        "default": ((1, 4, 1000), (300, 60)),
        "changed": ((2, 6, 500), (600, 120)),
    }[synthesised.name]


def test_an_update_keeps_as_many_instances_as_the_scaling_came_to(synthesised: Synthesised, other: Synthesised) -> None:
    endpoint = only(synthesised.assembly, "AWS::SageMaker::Endpoint")
    assert endpoint["RetainAllVariantProperties"] is True
    # Or an update could not switch capture on or off.
    assert endpoint["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DataCaptureConfig"}]
    # Without scaling the settings alone say how many there are.
    assert "RetainAllVariantProperties" not in only(other.assembly, "AWS::SageMaker::Endpoint")


@pytest.mark.slow
def test_an_update_of_the_endpoint_has_another_configuration(synthesised: Synthesised, tmp_path: Path) -> None:
    """SageMaker refuses an update to the configuration that is in use: no scaling any more is such an update."""
    if synthesised.name != "default":
        return
    fixed = synthesise("fixed", {"sagemaker.endpoint.maximum": 1}, tmp_path).assembly
    both = (synthesised.assembly, fixed)
    for kind in ("AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig"):
        one, other = (only(assembly, kind) for assembly in both)
        assert one != other, kind


def test_as_many_at_least_as_at_the_most_need_no_scaling(other: Synthesised) -> None:
    assert not other.assembly.resources("AWS::ApplicationAutoScaling::ScalableTarget")


def test_serverless_endpoint_has_nothing_of_an_instance(other: Synthesised) -> None:
    (variant,) = only(other.assembly, "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    if other.name == "serverless and transient":
        assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 20}
        assert "InstanceType" not in variant
        assert "VpcConfig" not in only(other.assembly, "AWS::SageMaker::Model")
        assert "DeploymentConfig" not in only(other.assembly, "AWS::SageMaker::Endpoint")
    else:
        assert "ServerlessConfig" not in variant
        assert "VpcConfig" in only(other.assembly, "AWS::SageMaker::Model")


def test_data_capture_is_optional(synthesised: Synthesised) -> None:
    capture = only(synthesised.assembly, "AWS::SageMaker::EndpointConfig").get("DataCaptureConfig")
    assert (capture is None) == (synthesised.name == "default")
    if capture is not None:
        assert capture["InitialSamplingPercentage"] == 10
        assert capture["DestinationS3Uri"].endswith("/capture/")


@pytest.mark.slow
def test_another_instance_type_keeps_the_endpoint(tmp_path: Any) -> None:
    """Only its configuration is replaced: CloudFormation replaces an endpoint when its name changes."""
    folders = [tmp_path / name for name in ("one", "two")]
    templates = [
        synthesise("type", {"sagemaker.endpoint.instance_type": kind}, folder).templates()["sagemaker"]
        for kind, folder in zip(("ml.m5.large", "ml.c5.xlarge"), folders, strict=True)
    ]
    one, two = (
        {name: each for name, each in t["Resources"].items() if each["Type"] == "AWS::SageMaker::Endpoint"}
        for t in templates
    )
    assert one == two
