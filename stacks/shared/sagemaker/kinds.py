"""The kinds of SageMaker job, with SageMaker's own names for each."""

from dataclasses import dataclass

from sides import SIDES


@dataclass(frozen=True)
class JobKind:
    """A kind of job: ``name`` as in operations and fields, ``TrainingJob``; ``resource`` as in ARNs, ``training-job``.

    Names are the API's (botocore 1.44.5); the function that cleans up (``stacks/handlers``) has a copy, since it is an
    asset of its own.
    """

    name: str
    resource: str

    @property
    def name_field(self) -> str:
        """The field that names a job in requests and answers."""
        return f"{self.name}Name"

    @property
    def log_group(self) -> str:
        """The log group that SageMaker writes to for all jobs of the kind, those of other projects too."""
        return f"/aws/sagemaker/{self.name}s"

    def actions(self, *verbs: str) -> list[str]:
        """IAM actions on a job, for instance of the verbs ``Create`` and ``Stop``."""
        return [f"sagemaker:{verb}{self.name}" for verb in verbs]


PROCESSING_JOB = JobKind("ProcessingJob", "processing-job")
TRAINING_JOB = JobKind("TrainingJob", "training-job")
TRANSFORM_JOB = JobKind("TransformJob", "transform-job")
JOB_KINDS = (PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB)

MODEL = "model"
"""The resource of a model in ARNs."""

SERVICE = "sagemaker"

_LONGEST_SUFFIX = 7
"""``<project>-<run id>-<stage>`` takes 56 of a name's 63 characters at most (API_CreateTrainingJob, 2026-11-22)."""


def suffix(side: str) -> str:
    """What the names of a side's jobs and models end with: ``-spark`` of ``sagemaker-spark``, nothing of ``sagemaker``.

    So those of two sides differ, in the same run as well. ValueError if names would be too long.
    """
    found = side.removeprefix(SERVICE)
    if len(found) > _LONGEST_SUFFIX:
        raise ValueError(
            f"side {side}: the names of its jobs would be too long; allowed are {_LONGEST_SUFFIX} after {SERVICE}"
        )
    return found


def other_suffixes(side: str) -> list[str]:
    """The suffixes of the other sides of SageMaker, by which a side tells their jobs from its own."""
    others = (each.name for each in SIDES.values() if each.service == SERVICE and each.name != side)
    return [found for each in others if (found := suffix(each)) and not suffix(side).endswith(found)]
