"""The names of jobs and models: of each side others, and none too long."""

import pytest

from sides import SIDES
from stacks.shared.layout import RUN_ID_LENGTH, STAGES
from stacks.shared.sagemaker.kinds import MODEL, SERVICE, other_suffixes, suffix

OURS = [side.name for side in SIDES.values() if side.service == SERVICE]


def test_names_fit_and_differ() -> None:
    names = [f"{stage}{suffix(side)}" for side in OURS for stage in (*STAGES, MODEL)]
    assert len(set(names)) == len(names)
    longest = max(map(len, names))
    assert len("-") * 2 + 20 + RUN_ID_LENGTH + longest <= 63, "project, run id, stage"


def test_a_side_knows_the_others_by_their_suffix() -> None:
    assert (suffix("sagemaker"), other_suffixes("sagemaker")) == ("", ["-spark"])
    assert (suffix("sagemaker-spark"), other_suffixes("sagemaker-spark")) == ("-spark", [])


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        suffix("sagemaker-of-another-kind")
