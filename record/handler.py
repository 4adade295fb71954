"""The function that records a run: the comparison's state machine calls it once all sides ended.

Environment: ``RUNS`` (``s3://bucket/runs``, where the runs lie).
Calls s3: PutObject (on a run's comparison.json), and what ``account`` calls.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from record.account import DeployedSide, Run, collect
from record.clients import client


def handler(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Write ``comparison.json`` of a run and return where it is; a second call writes the same once more.

    The event has ``run_id``, ``raw``, ``execution``, ``dataset`` and ``settings`` (a JSON text) as `record.account.Run`
    explains them, ``deployed`` (a JSON text: each side's `DeployedSide`, by name) and ``sides`` (how each ended).
    """
    run = Run(
        run_id=event["run_id"],
        runs=os.environ["RUNS"],
        raw=event["raw"],
        sides={name: DeployedSide(**side) for name, side in json.loads(event["deployed"]).items()},
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
