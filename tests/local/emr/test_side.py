"""A side on EMR: what is said of a cluster that could not be had."""

from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from local.emr.side import ServiceSide
from local.jobs import RequestRefused, SetupError
from local.progress import Progress


def test_a_node_that_the_laptop_does_not_have_is_one_line() -> None:
    def refuse(*_: object) -> None:
        raise RequestRefused("emr does not hold what the bootstrap action installs: numpy")

    assembly = SimpleNamespace(properties=lambda *_: {"BootstrapActions": []}, resolve=lambda *_: "j-1")
    side = SimpleNamespace(_assembly=assembly, _clusters=[("stack", "Cluster")], _emr=SimpleNamespace(bootstrap=refuse))
    with pytest.raises(SetupError, match=r"^Cluster: emr does not hold what .* installs: numpy$"):
        ServiceSide.deploy(cast("ServiceSide", side), Progress(Console(quiet=True)))
