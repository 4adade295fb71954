"""The requests of the stages that are this side's own."""

from stacks.shared.layout import wheels_prefix
from stacks.shared.pipeline import StageRun
from stacks.shared.sagemaker.jobs import PROCESSING
from stacks.shared.sagemaker.stages import SageMakerStages


class Stages(SageMakerStages):
    """The stages on SageMaker, each a job of its own: data in one container, on DuckDB."""

    def prepare(self) -> StageRun:
        """A Processing job from the raw tables to the features."""
        tables = self._data.dataset.definition.tables
        inputs = {f"raw/{table.location}".rstrip("/"): self._raw(table.location) for table in tables}
        return self._processing(
            "prepare",
            inputs=inputs,
            arguments={"raw": f"{PROCESSING}/input/raw", "output": f"{PROCESSING}/output/features"},
            outputs={"features": self._run("prepare")},
        )

    def evaluate(self) -> StageRun:
        """A Processing job that writes the metrics."""
        truth = self._data.dataset.definition.truth
        inputs = {
            "features/validation": self._run("prepare", "validation/"),
            "features/test": self._run("prepare", "test/"),
            "model": self.model,
        }
        arguments = {"features": f"{PROCESSING}/input/features", "model": f"{PROCESSING}/input/model"}
        if truth is not None:
            inputs["truth"] = self._raw(truth)
            arguments["truth"] = f"{PROCESSING}/input/truth"
        return self._processing(
            "evaluate",
            inputs=inputs,
            arguments={**arguments, "output": f"{PROCESSING}/output/evaluation"},
            outputs={"evaluation": self._run("evaluate")},
        )

    def _processing(
        self, stage: str, *, inputs: dict[str, str], arguments: dict[str, str], outputs: dict[str, str]
    ) -> StageRun:
        """A Processing job that installs the published wheels and runs the stage's script."""
        chosen = getattr(self._chosen, stage)
        request = self._jobs.processing(
            stage,
            instance_type=chosen.instance_type,
            volume_gb=chosen.volume_gb,
            entrypoint=["python3", f"{PROCESSING}/input/code/single_node/run.py"],
            arguments=[
                f"{stage}.py",
                f"--dataset={PROCESSING}/input/code/{self._dataset}",
                *[f"--{name}={value}" for name, value in arguments.items()],
            ],
            inputs={
                "code": f"{self._data.code}/workloads/",
                "wheels": wheels_prefix(self._data.code, "sagemaker-xgboost"),
                **inputs,
            },
            outputs=outputs,
        )
        return self._processed(stage, request)
