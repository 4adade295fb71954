"""The security rules over the whole app: cdk-nag's packs AwsSolutions and NIST 800-53 R5.

They run over every stack in the tests, where a test keeps the list of what is acknowledged, and after a run of the
comparison over the stacks of its settings:

    python -m assembly.rules CONTEXT REPORT    # the app's context as JSON, and the file that gets the report
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aws_cdk import App, CfnElement, Validations
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from app import build


def check(build: Callable[[App], object], context: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """Run both packs over the app that ``build`` makes, synthesised into ``folder``.

    Returns ``version`` (of cdk-nag), ``packs`` (their names; how many rules each holds it does not tell), ``findings``
    (``rule`` and ``resource``, a construct path) and ``acknowledged`` (the same, with the ``reason``). Raises
    RuntimeError when the synthesis fails for anything else.
    """
    app = App(context=dict(context), outdir=str(folder), builtin_cloud_formation_validation=False)
    build(app)
    packs = (AwsSolutionsChecks(app), NIST80053R5Checks(app))
    Validations.of(app).add_plugins(*packs)
    try:
        app.synth()
    except RuntimeError as error:
        # With findings the synthesis ends in an error, but not before it wrote the report.
        if "ValidationFailed" not in str(error):
            raise
    report = folder / "validation-report.json"
    plugins = json.loads(report.read_text())["pluginReports"] if report.exists() else []
    return {
        "version": version("cdk-nag"),
        "packs": [pack.read_pack_name for pack in packs],
        "findings": [
            {"rule": violation["ruleName"], "resource": construct["constructPath"]}
            for plugin in plugins
            if plugin["pluginName"] != "Construct Annotations"
            for violation in plugin["violations"]
            for construct in violation["violatingConstructs"]
        ],
        "acknowledged": list(_acknowledged(app, tuple(f"{pack.read_pack_name}-" for pack in packs))),
    }


def _acknowledged(app: App, packs: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for construct in app.node.find_all():
        for entry in construct.node.metadata:
            if entry.type != Validations.ACKNOWLEDGED_RULES_METADATA_KEY:
                continue
            for key, reason in entry.data.items():
                rule = key.removeprefix("Annotation::")
                if rule.startswith(packs):
                    if not isinstance(construct, CfnElement):
                        raise RuntimeError(f"{construct.node.path}: {rule} is acknowledged on more than a resource")
                    yield {"rule": rule, "resource": construct.node.path, "reason": reason}


def main(context: str, report: str) -> None:
    """Check the app with a context, and write the report."""
    with tempfile.TemporaryDirectory() as folder:
        found = check(build, json.loads(context), Path(folder))
    Path(report).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
