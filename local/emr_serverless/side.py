"""A side on EMR Serverless: who answers its calls."""

from pathlib import Path
from typing import Any

from assembly.template import Assembly
from local.emr_serverless.service import EmrServerless
from local.progress import Progress
from local.s3 import LocalS3
from record.schema import Serve


class ServiceSide:
    """One side's application and job runs."""

    def __init__(
        self, assembly: Assembly, stack: str, _definition: dict[str, Any], s3: LocalS3, logs: Path, work: Path
    ) -> None:
        applications = {
            assembly.resolve(stack, {"Ref": logical_id}): assembly.properties(stack, logical_id)
            for of, logical_id in assembly.resources("AWS::EMRServerless::Application")
            if of == stack
        }
        self.actions = EmrServerless(s3, logs, work, applications).actions
        self.serves = False

    def deploy(self, _progress: Progress) -> None:
        """Nothing runs before the pipeline: an application starts with its first job run."""

    def serve(self, _run: Path, _output: dict[str, Any]) -> Serve | None:
        """Nothing serves on EMR Serverless."""
        return None
