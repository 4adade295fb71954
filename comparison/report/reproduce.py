"""How to make a laptop run again: the command, with every setting that was not the default."""

import shlex

from record.schema import Record
from stacks.settings import Settings

OWN_DATA = "s3://own-data/raw/"
"""Where `compare run --raw` shows a folder to the pipelines."""


def command(record: Record) -> str:
    """The shell command that runs the same once more; `FOLDER` stands for data that only its owner has."""
    defaults = Settings.from_context({}).flat()
    changed = {key: value for key, value in record.settings.items() if value != defaults.get(key)}
    changed.pop("dataset.events", None)
    location = changed.pop("dataset.location", None)
    # Own data has no number of events.
    events = record.dataset.events
    if not changed and location is None:
        return "make compare" + (f" EVENTS={events}" if events is not None else "")
    parts = ["compare", "run"]
    parts += ["--events", str(events)] if events is not None else []
    for key, value in changed.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        parts += ["--set", f"{key}={text.lower() if isinstance(value, bool) else text}"]
    if location == OWN_DATA:
        parts += ["--raw", "FOLDER"]
    elif location is not None:
        parts += ["--set", f"dataset.location={location}"]
    return shlex.join(parts)
