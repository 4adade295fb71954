"""What is written twice because two rooms may not import each other, and the names by which a record is read."""

import json

import record.collector
import record.emr
import record.schema
from local.services import machine_name
from stacks.emr.session import START_CLUSTER
from stacks.sagemaker.endpoint import VARIANT
from stacks.shared import layout
from tests.stacks.conftest import Synthesised


def test_the_record_has_the_same_stages_and_outputs() -> None:
    assert record.schema.STAGES == layout.STAGES
    assert record.collector.OUTPUTS == layout.OUTPUTS


def test_the_record_s_names_are_not_changed_here_alone() -> None:
    """As record/runs/deployed.py has them, which reads executions of earlier deployments too."""
    assert layout.RECORD_STATE == "record"
    assert (layout.ended_state("a-side"), layout.failed_state("a-side")) == ("a-side ended", "a-side failed")
    assert VARIANT == "main"


def test_states_have_the_names_by_which_a_record_is_read(synthesised: Synthesised, one_side: Synthesised) -> None:
    for app in (synthesised, one_side):
        machines = {machine_name(arn): each["States"] for arn, each in app.assembly.state_machines().items()}
        for side in app.sides:
            assert set(layout.STAGES) < machines[side].keys()
        payload = machines["comparison"][layout.RECORD_STATE]["Parameters"]["Payload"]
        assert payload["dataset"]["tables"]
        assert json.loads(payload["settings"])["sides"] == app.sides
        (parallel,) = (state for state in machines["comparison"].values() if state["Type"] == "Parallel")
        ends = {name: state for branch in parallel["Branches"] for name, state in branch["States"].items()}
        for side in app.sides:
            assert ends[layout.ended_state(side)]["End"]
            assert ends[layout.failed_state(side)]["Parameters"]["cause.$"] == "$.error.Cause"
        if "sagemaker" in app.sides:
            train = machines["sagemaker"]["train"]["Parameters"]
            assert train["AlgorithmSpecification"]["TrainingImage"]
        if "emr" in app.sides:
            request = machines["emr"][START_CLUSTER]["Parameters"]
            assert {"Instances", "LogUri", "ReleaseLabel"} <= request.keys()
            # The record looks for it by its call.
            assert record.emr.created_cluster({"States": machines["emr"]}) == request
