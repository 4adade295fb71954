"""The kinds of SageMaker job, with SageMaker's own names for each."""

from dataclasses import dataclass


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

MODEL_SUFFIX = "-model"
"""The end of the names of models that runs make: the clean-up tells them from the endpoint's by it."""
