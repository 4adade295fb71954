"""What is said of a run that could not begin."""

from types import SimpleNamespace
from typing import cast

import pytest

from local.jobs import SetupError
from local.services import Services, machine_name
from local.states import Execution


def test_a_comparison_that_started_no_side_is_one_line() -> None:
    """As when the engine fails: there is no history to make a record of."""
    ended = Execution("arn", "machine", "FAILED", {}, "States.Runtime", "the engine failed: LookupError: scope")
    services = SimpleNamespace(
        definitions=["arn:aws:states:us-east-1:123456789012:stateMachine:side-by-side-comparison"],
        machines=SimpleNamespace(execute=lambda *_: ended),
        sides=["sagemaker", "emr"],
        executions={"sagemaker": ended},
        raw="s3://lake/raw/",
    )
    with pytest.raises(SetupError, match=r"^comparison: the engine failed: LookupError: scope$"):
        Services.compare(cast("Services", services), "one")


@pytest.mark.parametrize("name", ["sagemaker", "emr", "comparison", "generate"])
@pytest.mark.parametrize("project", ["side-by-side", "emr"])
def test_a_state_machine_is_known_by_the_end_of_its_name(project: str, name: str) -> None:
    assert machine_name(f"arn:aws:states:us-east-1:123456789012:stateMachine:{project}-{name}") == name
