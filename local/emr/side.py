"""A side on EMR: who answers its calls, and its cluster."""

from pathlib import Path
from typing import Any

from assembly.template import Assembly
from local.emr.node import BootstrapFailed
from local.emr.service import Emr
from local.jobs import RequestRefused, SetupError
from local.progress import Progress
from local.s3 import LocalS3
from record.emr import created_cluster
from record.schema import Serve


class ServiceSide:
    """One side's clusters and steps."""

    def __init__(
        self, assembly: Assembly, stack: str, definition: dict[str, Any], s3: LocalS3, logs: Path, work: Path
    ) -> None:
        self._assembly = assembly
        self._clusters = [each for each in assembly.resources("AWS::EMR::Cluster") if each[0] == stack]
        persistent = [assembly.resolve(stack, {"Ref": logical_id}) for _, logical_id in self._clusters]
        cluster = created_cluster(definition)
        self._emr = Emr(s3, logs, work, cluster["Configurations"], next(iter(persistent), None), cluster["LogUri"])
        self.actions = self._emr.actions
        self.serves = False

    def deploy(self, progress: Progress) -> None:
        """Start the stack's cluster. Raises SetupError if it does not."""
        for stack, logical_id in self._clusters:
            actions = self._assembly.properties(stack, logical_id)["BootstrapActions"]
            try:
                with progress.step("emr", "cluster"):
                    self._emr.bootstrap(self._assembly.resolve(stack, {"Ref": logical_id}), actions)
            except BootstrapFailed as failed:
                tail = "\n".join(failed.tail())
                raise SetupError(
                    f"{logical_id}: TERMINATED_WITH_ERRORS, BOOTSTRAP_FAILURE: {failed.reason}\n{tail}".rstrip()
                ) from None
            except RequestRefused as refused:  # the laptop has no such node
                raise SetupError(f"{logical_id}: {refused}") from None

    def serve(self, _run: Path, _output: dict[str, Any]) -> Serve | None:
        """Nothing serves on EMR."""
        return None
