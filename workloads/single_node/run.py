"""Entry point of the Processing and Training jobs: install the published wheels that the image lacks, run a script.

usage: run.py SCRIPT [ARGUMENT ...]     SCRIPT is a file beside this one

Why a job failed is left where SageMaker takes it from: DescribeProcessingJob shows `message`, DescribeTrainingJob
`failure`, and nothing else of a container but its exit code (developer guide, read 2026-11-22). So the toolkit of the
image has no part in it: as AWS's SDK does for training, the request names this entry point (sagemaker-train 1.27.0,
ModelTrainer, read 2026-11-26).
"""

import runpy
import sys
from pathlib import Path

from common.command import SAGEMAKER_OUTPUT, failed
from common.packages import install


def main(script: str, *arguments: str) -> None:
    """Run the script in this process, so that it gets the signals and its exit code is the job's."""
    sys.argv = [str(Path(__file__).with_name(script)), *arguments]
    SAGEMAKER_OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        install()
        runpy.run_path(sys.argv[0], run_name="__main__")
    except Exception as problem:
        raise SystemExit(failed(problem)) from None


if __name__ == "__main__":
    main(*sys.argv[1:])
