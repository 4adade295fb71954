"""The function that records a run: the comparison's state machine calls it once both sides ended.

Environment: ``RUNS`` (``s3://bucket/runs``, where the runs lie), ``MACHINES`` (JSON: the ARN of each side's machine).
Calls s3: PutObject (on a run's comparison.json), and what ``account`` calls.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from record.account import Run, collect
from record.clients import client


def handler(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Write ``comparison.json`` of a run and return where it is; a second call writes the same once more.

    The event has ``run_id``, ``raw``, ``execution``, ``sides``, ``dataset`` and ``settings`` (a JSON text), as
    `record.account.Run` explains them.
    """
    run = Run(
        run_id=event["run_id"],
        runs=os.environ["RUNS"],
        raw=event["raw"],
        machines=json.loads(os.environ["MACHINES"]),
        execution=event["execution"],
        refused={side: ended["cause"] for side, ended in event["sides"].items() if "cause" in ended},
        dataset=event["dataset"],
        settings=json.loads(event["settings"]),
    )
    record = collect(run)
    location = f"{run.location}/comparison.json"
    bucket, _, key = location.removeprefix("s3://").partition("/")
    content = f"{record.model_dump_json(indent=2)}\n".encode()
    client("s3").put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")
    return {"record": location}
