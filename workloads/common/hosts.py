"""The hosts of one Training job, and XGBoost's collective among them."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xgboost import collective
from xgboost.tracker import RabitTracker

from common.command import failed

RESOURCES = Path("/opt/ml/input/config/resourceconfig.json")
"""Where SageMaker says which hosts a job has."""

PORT = 9099
"""The tracker's, on the first host: as SageMaker's own XGBoost has it (sagemaker-xgboost-container cb8df91)."""

WAIT_SECONDS = 300
"""How long hosts wait for one another: they start when their copy of the data is there, minutes apart at worst.

With the 10 seconds that SageMaker's own XGBoost has by default, a host that is half a minute late ends the job.
"""

TRIES = 18
"""How often a host tries to reach the first, with 2, 4, 6 ... seconds between (XGBoost 3.2.0): 5 minutes in all."""


@dataclass(frozen=True)
class Hosts:
    """The hosts of a job, in their order, and which of them this is."""

    names: tuple[str, ...]
    current: str

    @classmethod
    def of_job(cls, file: Path = RESOURCES) -> "Hosts":
        """The hosts as SageMaker says it; outside a job this one alone."""
        if not file.is_file():
            return ALONE
        found = json.loads(file.read_text("utf-8"))
        return cls(tuple(sorted(found["hosts"])), found["current_host"])

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.names)

    @property
    def index(self) -> int:
        """The place of this one among them, from 0."""
        return self.names.index(self.current)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done with XGBoost within is done by all hosts as one; by a single host nothing changes.

        The first of them keeps the tracker, through which they find each other. A host that fails says why and ends
        its process at once, which ends the others with an error of XGBoost in what they do together next.
        """
        if self.count == 1:
            yield
            return
        try:
            address = _address(self.names[0])
            # By task: a host has the same rank in every run, and so the same rows.
            tracker = RabitTracker(self.count, address, PORT, sortby="task") if self.index == 0 else None
            if tracker is not None:
                tracker.start()
            collective.init(
                dmlc_tracker_uri=address,
                dmlc_tracker_port=PORT,
                dmlc_task_id=f"{self.index:04}",
                dmlc_retry=TRIES,
                dmlc_timeout=WAIT_SECONDS,
            )
            yield
            collective.finalize()
        except Exception as problem:
            # To finalize would wait for hosts that do something else, or try for minutes to reach a first host that is
            # gone; and Python's own end crashes while hosts are connected (XGBoost 3.2.0).
            code = failed(problem)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        if tracker is not None:
            # All rounds are done: that the tracker does not end well takes no model away.
            with contextlib.suppress(Exception):
                tracker.wait_for(WAIT_SECONDS)


ALONE = Hosts(("here",), "here")
"""One host, outside of a job."""


def total(count: int) -> int:
    """The sum of a number over the hosts that work together."""
    if not collective.is_distributed():
        return count
    return int(collective.allreduce(np.array([count], np.int64), collective.Op.SUM)[0])


def _address(host: str) -> str:
    """The address of a host, whose name may be known a while after this one has started."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return socket.gethostbyname(host)
        except socket.gaierror:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
