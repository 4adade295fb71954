"""Repeats: their spread, and what of a difference is noise, by numbers worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.repeats.spread import Spread, noise, spread


def test_spread_of_five() -> None:
    # Sorted 1 2 4 8 100: median 4; distances 3 2 0 4 96, sorted 0 2 3 4 96: their median 3.
    assert spread([8, None, 1, 100, 2, 4]) == Spread(runs=5, median=4, minimum=1, maximum=100, deviation=3)


def test_nothing_measured_has_no_spread() -> None:
    assert spread([None, None]) is None
    assert spread([]) is None


def test_noise_of_one_set_against_a_single_run() -> None:
    # 10, 12, 14: mean 12, squares 4 + 0 + 4 = 8 over 2: s = 2. t of 2 degrees is 4.302653; sqrt(1/3 + 1/1) = 1.1547.
    assert noise([[10, 12, 14]], 3, 1) == pytest.approx(4.302652730 * 2 * 1.154700538, rel=1e-9)


def test_noise_of_two_sets_is_pooled_and_a_value_that_is_missing_does_not_count() -> None:
    # 8 over 2 as above, and 1, 1, 4: mean 2, squares 1 + 1 + 4 = 6 over 2: s = sqrt(14 / 4). t of 4 is 2.776445.
    expected = 2.776445105 * math.sqrt(14 / 4) * math.sqrt(1 / 3 + 1 / 3)
    assert noise([[10, 12, 14], [1, None, 1, 4]], 3, 3) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("repeats", [[], [[]], [[1.0]], [[1.0, 2.0]], [[1.0], [2.0]], [[1.0, None], [3.0]]])
def test_noise_of_too_few_is_not_known(repeats: list[list[float | None]]) -> None:
    assert noise(repeats, 1, 1) is None


def test_equal_repeats_have_no_noise() -> None:
    assert noise([[3, 3, 3]], 3, 1) == 0


VALUES = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=20)


@given(VALUES, st.floats(-1e6, 1e6))
def test_noise_does_not_depend_on_where_the_values_are(values: list[float], shift: float) -> None:
    assert noise([[value + shift for value in values]], 3, 3) == pytest.approx(noise([values], 3, 3), abs=1e-6)


@given(VALUES)
def test_spread_lies_within_its_ends(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.minimum <= found.median <= found.maximum
    assert 0 <= found.deviation <= found.maximum - found.minimum
