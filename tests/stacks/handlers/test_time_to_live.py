"""``Custom::TimeToLive``."""

import re
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from tests.stacks.handlers.support import event


@pytest.mark.parametrize("request_type", ["Create", "Update"])
@pytest.mark.parametrize("hours", ["1", "12", "8760"])
def test_the_end_is_so_many_hours_from_now(handlers: ModuleType, request_type: str, hours: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = handlers.on_event(event("TimeToLive", request_type, {"Hours": hours}), None)
    after = datetime.now(UTC)
    expires = datetime.strptime(answer["Data"]["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert before <= expires - timedelta(hours=int(hours)) <= after
    # As the schedule's StartDate takes it: a date and time with its zone, in whole seconds.
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", answer["Data"]["Expires"])


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_it_is_complete_at_once(handlers: ModuleType, request_type: str) -> None:
    """Without Data of its own, so that the framework keeps those of on_event."""
    assert handlers.is_complete(event("TimeToLive", request_type, {"Hours": "12"}), None) == {"IsComplete": True}


def test_delete_has_no_end_to_tell(handlers: ModuleType) -> None:
    deleted = event("TimeToLive", "Delete", {"Hours": "12"}, PhysicalResourceId="made-up-by-cloudformation")
    assert handlers.on_event(deleted, None) == {"PhysicalResourceId": "made-up-by-cloudformation"}


def test_hours_that_are_no_number_fail_the_deployment(handlers: ModuleType) -> None:
    with pytest.raises(ValueError, match="a day"):
        handlers.on_event(event("TimeToLive", "Create", {"Hours": "a day"}), None)
