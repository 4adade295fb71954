"""What runs of a state machine.

Calls states: ListExecutions (on the machine).
"""

from clients import client, tolerating


def running(machine: str) -> list[str]:
    """The ARNs of a machine's running executions; none if the machine is gone."""
    found: list[str] = []
    paginator = client("stepfunctions").get_paginator("list_executions")
    with tolerating("StateMachineDoesNotExist"):
        for page in paginator.paginate(stateMachineArn=machine, statusFilter="RUNNING"):
            found += [execution["executionArn"] for execution in page["executions"]]
    return found
