"""CodeBuild on the laptop: a project's own build commands, over its own source asset."""

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from comparison.template import REPOSITORY, Assembly
from local.jobs import RequestRefused, check_request, run_logged
from local.s3 import LocalS3


class CodeBuild:
    """The build projects of an assembly.

    The commands run as they would there, with two differences: ``aws`` is a stand-in that copies into the local
    buckets, and ``WHEELS=skip`` tells the publishing script that the wheels are installed here already.
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

        Raises RequestRefused for a project that the templates do not hold, and JobFailed.
        """
        # Step Functions writes the first letter of CodeBuild's field names as a capital, the API as a small one.
        check_request("codebuild", "StartBuild", _lower_first(request))
        name = request["ProjectName"]
        if name not in self.projects:
            raise RequestRefused(f"no CodeBuild project {name}; there are: {', '.join(self.projects)}")
        project = self.projects[name]
        source = self.work / name
        shutil.copytree(self.assembly.asset(project["Source"]["Location"]), source)
        environment = {
            **os.environ,
            "PATH": f"{REPOSITORY / 'local' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "LOCAL_S3": str(self.s3.root),
            "WHEELS": "skip",
            **{variable["Name"]: variable["Value"] for variable in request.get("EnvironmentVariablesOverride", [])},
        }
        try:
            for command in yaml.safe_load(project["Source"]["BuildSpec"])["phases"]["build"]["commands"]:
                run_logged(["/bin/bash", "-c", command], log=self.logs / f"{name}.log", env=environment, cwd=source)
        finally:
            shutil.rmtree(source)
        return {"Build": {"ProjectName": name, "BuildStatus": "SUCCEEDED"}}


def _lower_first(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"{key[0].lower()}{key[1:]}": _lower_first(item) for key, item in value.items()}
    return [_lower_first(item) for item in value] if isinstance(value, list) else value
