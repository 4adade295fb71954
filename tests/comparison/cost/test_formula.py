"""Formulas, which the page evaluates as well: tests/comparison/report compares both."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.cost.formula import evaluate, parse
from comparison.cost.lines import Term


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * a", 13),
        ("(1 + 2) * a / b", 3.6),
        ("a - b - 1", 0),
        ("max(a, b) + min(a, b) + ceil(a / 4)", 13),
        ("1 if a < b else 2", 2),
        ("b <= 5 and a == 6", 1),
        ("b < 5 or a < 6 or known(nothing)", 0),
        ("b < 6 or nothing < 1", 1),  # what is after a true part is not looked at
        ("nothing < 1 if known(nothing) else None", None),
        ("a and b and 0.5", 0.5),
    ],
)
def test_a_formula_is_plain_data_and_a_number(text: str, expected: float | None) -> None:
    tree = json.loads(json.dumps(parse(text)))
    assert evaluate(tree, {"a": 6, "b": 5, "nothing": None}) == expected


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_operations_are_those_of_python(a: float, b: float) -> None:
    tree = parse("max(a, b) * (a - b) + (a if a < b else b)")
    assert evaluate(tree, {"a": a, "b": b}) == max(a, b) * (a - b) + min(a, b)


@pytest.mark.parametrize("text", ["a ** 2", "a.b", "open(a)", "'a'", "a < b < c", "not a", "[a]"])
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(ValueError, match=r": no formula has this$"):
        parse(text)


def test_a_term_of_an_unknown_driver() -> None:
    with pytest.raises(ValueError, match="moons: no driver; allowed: days_a_month, months, hours, runs"):
        Term(coefficient=1, drivers=("moons",))
