"""Actions and the resources that they work on: the Service Authorization Reference, and patterns of ARNs."""

import importlib.resources
import json
import re
from functools import cache
from typing import Any

from assembly.template import ACCOUNT, REGION

ANYTHING = "*"
"""The resource of a call that says nothing of what it is made on."""


# Texts with *: patterns of ARNs.


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches everything that ``text``, itself a text or a pattern, stands for."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def overlap(one: str, other: str) -> bool:
    """Whether there is a text that both patterns match."""
    if "*" not in one or "*" not in other:
        return matches(one, other) or matches(other, one)
    # What lies between the first and the last * of one can always lie within a * of the other.
    (start, *_, end), (other_start, *_, other_end) = one.split("*"), other.split("*")
    starts = start.startswith(other_start) or other_start.startswith(start)
    return starts and (end.endswith(other_end) or other_end.endswith(end))


# The reference: which actions there are, and on what kinds of resources each works.


def named(service: str, names: str) -> list[str]:
    """The actions of these names."""
    return [f"{service}:{name}" for name in names.split()]


@cache
def _reference() -> Any:
    """SAR, as cfn-lint 1.58.0 ships it."""
    return json.loads(importlib.resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())


@cache
def resource_kinds(action: str) -> dict[str, list[str]]:
    """The kinds of resources that an action works on, with patterns of their ARNs; none: ``*`` is all it takes.

    KeyError if there is no such action.
    """
    service, _, name = action.partition(":")
    known = _reference()[service]
    values = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT}
    return {
        kind: [
            re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], "*"), text).replace(".*", "*")
            for text in known["Resources"][kind.lower()]["ARNFormats"]
        ]
        for kind in known["Actions"][name.lower()].get("Resources", [])
    }


def works_on(action: str, resource: str) -> bool:
    """Whether a statement about this resource can allow this action at all."""
    kinds = resource_kinds(action)
    if resource == ANYTHING:
        return True
    if action.startswith("s3:"):  # The reference's ARNs of buckets and of objects look the same.
        return bool(kinds) and ("object" in kinds) == ("/" in resource)
    return any(overlap(resource, pattern) for patterns in kinds.values() for pattern in patterns)


def below(location: str) -> str:
    """Everything below a location."""
    return f"{location.rstrip('/*')}/*"
