"""What holds for every usage: never negative, monotone in hours, additive, linear in price."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembly.template import Assembly
from comparison.cost.lines import (
    Estimate,
    LineItem,
    Money,
    Parameters,
    Term,
    drivers,
    idle_drivers,
    number,
    run_drivers,
    usd,
)
from comparison.cost.prices import PriceBook
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from tests.comparison.cost.conftest import ALL, model, price

# One estimate a configuration, and a hundred usages of it.
often = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def amounts(most: float) -> st.SearchStrategy[float]:
    return st.floats(0, most)


usages = st.builds(
    Usage,
    runs_per_day=amounts(500),
    events_per_run=amounts(1e10),
    requests_per_second=amounts(1e4),
    request_bytes=amounts(1e6),
    reply_bytes=amounts(1e6),
    request_milliseconds=amounts(6e4),
    endpoint_hours_per_day=amounts(24),
    cluster_hours_per_day=st.none() | amounts(24),
    spot_share=amounts(1),
    spot_discount=amounts(1),
    keep_days=amounts(1000),
)


@pytest.fixture(scope="module", params=list(ALL))
def found(request: pytest.FixtureRequest, assemblies: dict[str, Assembly]) -> Estimate:
    return estimate(assemblies[request.param], Usage(), PriceBook.load(), model())


def months(found: Estimate, usage: Usage) -> dict[tuple[str, bool], float]:
    at = found.model_copy(update={"usage": usage})
    return {(side, serving): at.month(side, serving=serving).usd for side in at.parties for serving in (False, True)}


@often
@given(usage=usages)
def test_never_negative(found: Estimate, usage: Usage) -> None:
    for values in (f(usage, found.parameters) for f in (drivers, run_drivers, idle_drivers)):
        assert all(value >= 0 for value in values.values())
        assert all((line.amount(values) or 0) >= 0 for line in found.lines)


@often
@given(
    usage=usages,
    name=st.sampled_from(["endpoint_hours_per_day", "cluster_hours_per_day", "keep_days", "requests_per_second"]),
    values=st.tuples(amounts(24), amounts(24)),
)
def test_more_hours_never_cost_less(found: Estimate, usage: Usage, name: str, values: tuple[float, float]) -> None:
    less, more = (months(found, usage.model_copy(update={name: value})) for value in sorted(values))
    for key, amount in less.items():
        assert amount <= more[key] * (1 + 1e-12)


@often
@given(usage=usages)
def test_the_whole_is_the_sum_of_its_lines(found: Estimate, usage: Usage) -> None:
    values = drivers(usage, found.parameters)
    sums = months(found, usage)
    for side in found.parties:
        of_side = [line for line in found.lines if line.side == side]
        serving = sum(line.amount(values) or 0 for line in of_side if line.serving)
        assert sum(line.amount(values) or 0 for line in of_side) == pytest.approx(sums[side, True])
        assert sums[side, True] - sums[side, False] == pytest.approx(serving, abs=1e-6, rel=1e-6)
    for line in found.lines:
        parts = [line.model_copy(update={"terms": (term,)}).quantity(values) for term in line.terms]
        assert line.quantity(values) == pytest.approx(sum(parts))


@often
@given(usage=usages, factor=st.floats(0, 100))
def test_linear_in_the_price(found: Estimate, usage: Usage, factor: float) -> None:
    def dearer(line: LineItem) -> LineItem:
        new = None if line.price is None else line.price.model_copy(update={"usd": line.price.usd * factor})
        return line.model_copy(update={"price": new})

    scaled = found.model_copy(update={"lines": tuple(map(dearer, found.lines))})
    before, after = months(found, usage), months(scaled, usage)
    assert after == {key: pytest.approx(amount * factor) for key, amount in before.items()}


@often
@given(usage=usages)
def test_only_one_side_serves(found: Estimate, usage: Usage) -> None:
    sums = months(found, usage)
    assert sums["emr", True] == sums["emr", False]


def one(price_of: Any, *terms: Term) -> LineItem:
    return LineItem(
        side="shared", stack="s", resource="r", name="n", detail="", item="nat/hour", unit="hour", price=price_of,
        terms=terms,
    )  # fmt: skip


def test_nothing_of_what_has_no_price_costs_nothing() -> None:
    line = one(None, Term(coefficient=2, drivers=("hours",)))
    month = drivers(Usage(), Parameters())
    assert line.amount(month) is None
    assert line.amount({**month, "hours": 0}) == 0
    assert one(price("nat/hour", 0.5), *line.terms).amount(month) == 730


def test_money_in_words() -> None:
    assert str(Money.of([1.005, 2])) == "3.00"
    assert str(Money.of([1, None])) == "at least 1.00"
    assert str(Money.of([0, None])) == "not known"
    assert str(Money.of([])) == "0.00"
    shown = [usd(each) for each in (None, 0, 0.00001, 0.0123, 0.0996, 1234.5)]
    assert shown == ["not known", "0.00", "below 0.0001", "0.0123", "0.10", "1,234.50"]
    values = [number(each) for each in (0, 0.012345, 9.13, 45.6789, 99.96, 999.6, 50e6, 1.25e9)]
    assert values == ["0", "0.0123", "9.13", "45.7", "100", "1 k", "50 M", "1.25 G"]
