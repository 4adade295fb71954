"""What is said of a run that could not begin."""

from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from local.jobs import RequestRefused
from local.progress import Progress
from local.services import Services, SetupError
from local.states import Execution


def test_a_node_that_the_laptop_does_not_have_is_one_line() -> None:
    def refuse(*_: object) -> None:
        raise RequestRefused("emr does not hold what the bootstrap action installs: numpy")

    services = SimpleNamespace(
        assembly=SimpleNamespace(
            executions=list,
            resources=lambda _: [("stack", "Cluster")],
            properties=lambda *_: {"BootstrapActions": []},
            resolve=lambda *_: "j-1",
        ),
        progress=Progress(Console(quiet=True)),
        emr=SimpleNamespace(bootstrap=refuse),
    )
    with pytest.raises(SetupError, match=r"^Cluster: emr does not hold what .* installs: numpy$"):
        Services.prepare_account(cast("Services", services))


def test_a_comparison_that_started_no_side_is_one_line() -> None:
    """As when the engine fails: there is no history to make a record of."""
    ended = Execution("arn", "machine", "FAILED", {}, "States.Runtime", "the engine failed: LookupError: scope")
    services = SimpleNamespace(
        definitions=["arn:aws:states:us-east-1:123456789012:stateMachine:side-by-side-comparison"],
        machines=SimpleNamespace(execute=lambda *_: ended),
        deployed=["sagemaker", "emr"],
        sides={"sagemaker": ended},
        raw="s3://lake/raw/",
    )
    with pytest.raises(SetupError, match=r"^comparison: the engine failed: LookupError: scope$"):
        Services.compare(cast("Services", services), "one")
