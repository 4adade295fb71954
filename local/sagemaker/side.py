"""A side on SageMaker: who answers its calls, and its endpoint."""

from pathlib import Path
from typing import Any

from assembly.template import Assembly
from local.progress import Progress
from local.s3 import LocalS3
from local.sagemaker.endpoint import try_endpoint
from local.sagemaker.service import SageMaker
from record.schema import Serve


class ServiceSide:
    """One side's jobs and models; its endpoint once the pipeline has ended."""

    def __init__(
        self, assembly: Assembly, stack: str, _definition: dict[str, Any], s3: LocalS3, logs: Path, work: Path
    ) -> None:
        self._assembly = assembly
        self._stack = stack
        self._sagemaker = SageMaker(s3, logs, work)
        self.actions = self._sagemaker.actions
        self.serves = any(each == stack for each, _ in assembly.resources("AWS::SageMaker::Endpoint"))

    def deploy(self, _progress: Progress) -> None:
        """Nothing runs before the pipeline."""

    def serve(self, run: Path, output: dict[str, Any]) -> Serve | None:
        """Try the stack's endpoint with the model that the pipeline's output names; None if it has none.

        ``run`` is the side's run prefix.
        """
        if not self.serves:
            return None
        for stack, logical_id in self._assembly.resources("Custom::Execution"):
            if stack == self._stack:  # the deployment's first run, whose model the endpoint gets
                self._assembly.attributes[logical_id] = output
        ((_, model),) = (each for each in self._assembly.resources("AWS::SageMaker::Model") if each[0] == self._stack)
        request = {"ModelName": "endpoint", **self._assembly.properties(self._stack, model)}
        return try_endpoint(run, lambda: self._sagemaker.serve(request))
