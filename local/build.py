"""CodeBuild on the laptop: a project's own build commands, over its own source asset."""

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from assembly.template import REPOSITORY, Assembly
from local.container import base_environment, scratch
from local.jobs import JOBS, JobFailed, RequestRefused, api_spelling, check_request, run_logged
from local.s3 import LocalS3

STAND_INS = REPOSITORY / "local" / "bin"
"""Commands of a machine in AWS that scripts call: what stands for them here."""

WHEELS = REPOSITORY / ".cache" / "wheels"
"""The wheels that are published, as the installation fetched them (install.py)."""


class CodeBuild:
    """The build projects of an assembly.

    The commands run as they would there, with two differences: ``aws`` is a stand-in that copies into the local
    buckets, and pip finds the wheels in the folder that the installation fetched them into, not on an index.
    """

    def __init__(self, assembly: Assembly, s3: LocalS3, logs: Path, work: Path) -> None:
        """Builds write one log each below ``logs`` and work in a copy of their source below ``work``."""
        self.s3 = s3
        self.logs = logs
        self.work = work
        self.assembly = assembly
        self.projects = {}
        for stack, logical_id in assembly.resources("AWS::CodeBuild::Project"):
            properties = assembly.properties(stack, logical_id)
            self.projects[assembly.resolve(stack, {"Ref": logical_id})] = properties

    def start_build(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a build to its end: the answer of ``startBuild.sync``.

        Raises RequestRefused for a project that the templates do not hold, and JobFailed, whose reason reads as the
        context of the phase BUILD does in CodeBuild
        (github.com/aws/aws-codebuild-docker-images/issues/102, read 2026-11-27).
        """
        check_request("codebuild", "StartBuild", api_spelling("codebuild", "StartBuild", request))
        name = request["ProjectName"]
        if name not in self.projects:
            raise RequestRefused(f"no CodeBuild project {name}; there are: {', '.join(self.projects)}")
        project = self.projects[name]
        variables = {
            variable["Name"]: variable["Value"] for variable in request.get("EnvironmentVariablesOverride", [])
        }
        with scratch("build", self.work) as folder:
            source = folder / "source"
            shutil.copytree(self.assembly.asset(project["Source"]["Location"]), source)
            env = {**environment(folder, self.s3), **variables}
            for command in yaml.safe_load(project["Source"]["BuildSpec"])["phases"]["build"]["commands"]:
                try:
                    run_logged(["/bin/bash", "-c", command], log=self.logs / f"{name}.log", env=env, cwd=source)
                except JobFailed as failed:
                    if not JOBS.stopped:
                        failed.reason = (
                            f"COMMAND_EXECUTION_ERROR: Error while executing command: {command}. "
                            f"Reason: exit status {failed.exit_code}"
                        )
                    raise
        return {"Build": {"ProjectName": name, "BuildStatus": "SUCCEEDED"}}


def environment(folder: Path, s3: LocalS3) -> dict[str, str]:
    """The environment of a build, with its files in `folder`: `aws` copies into `s3`, pip looks at WHEELS only."""
    started = base_environment(folder)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    return {
        **started,
        "PATH": f"{STAND_INS}{os.pathsep}{started['PATH']}",
        "LOCAL_S3": str(s3.root),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        # As a URL, since pip splits the variable at white space.
        "PIP_FIND_LINKS": WHEELS.as_uri(),
    }
