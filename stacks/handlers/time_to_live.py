"""``Custom::TimeToLive``: the time at which a deployment ends, counted from its last creation or update.

Property: ``Hours``, a whole number as text, as CloudFormation sends numbers. Calls nothing.
"""

from datetime import UTC, datetime, timedelta

from events import Answer, Event, complete, deletes, named


def on_event(event: Event) -> Answer:
    """On Create and Update the end in ISO 8601, UTC (``Expires``).

    ValueError if ``Hours`` is not a whole number.
    """
    if deletes(event):
        return named(event)
    end = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(
        hours=int(event["ResourceProperties"]["Hours"])
    )
    return named(event) | {"Data": {"Expires": f"{end.isoformat()}Z"}}


def is_complete(event: Event) -> Answer:
    """At once; the framework keeps the Data of ``on_event``."""
    return complete()
