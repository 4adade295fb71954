"""What the templates of all stacks have in common: their snapshots, their schemas, their determinism."""

import filecmp
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from local.template import REPOSITORY
from tests.stacks.conftest import Synthesised

STACKS = ("network", "data", "sagemaker", "emr", "comparison")


def normalised(template: dict[str, Any]) -> Any:
    """A template without what changes with every byte of the code: the hashes of assets and of the generator."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<asset hash>", json.dumps(template))
    return json.loads(re.sub(r"(raw/[a-z0-9-]+-)[0-9a-f]{8}\b", r"\1<generator hash>", text))


@pytest.mark.parametrize("stack", STACKS)
def test_snapshot(stack: str, synthesised: Synthesised, snapshot: SnapshotAssertion) -> None:
    template = normalised(synthesised.templates()[stack])
    assert template == snapshot(name=f"{synthesised.name}-{stack}", extension_class=JSONSnapshotExtension)


@pytest.mark.parametrize("stack", STACKS)
def test_cfn_lint_finds_no_error(stack: str, synthesised: Synthesised) -> None:
    text = json.dumps(synthesised.templates()[stack])
    found = cfnlint.api.lint(text, regions=["us-east-1", "eu-west-1"])
    errors = [f"{match.rule.id} {match.message} at {'/'.join(map(str, match.path or []))}" for match in found]
    assert [error for error in errors if error.startswith("E")] == []


def test_synthesis_is_hermetic_and_deterministic(tmp_path: Path) -> None:
    """Twice, in other folders, without credentials, home or network: byte for byte the same."""
    unshare = ["unshare", "--map-root-user", "--net"]
    isolated = unshare if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode == 0 else []
    for name in ("one", "two"):
        environment = {
            "PATH": os.environ["PATH"],
            "CDK_OUTDIR": str(tmp_path / name),
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
        }
        environment["CDK_CONTEXT_JSON"] = json.dumps(json.loads((REPOSITORY / "cdk.json").read_text())["context"])
        subprocess.run(
            [*isolated, sys.executable, "app.py"], cwd=REPOSITORY, env=environment, check=True, capture_output=True
        )
    one, two = (
        {p.relative_to(tmp_path / n).as_posix() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("one", "two")
    )
    assert one == two
    # Beside the templates the CDK keeps traces for its own messages, with the name of its temporary folder in them.
    one = {name for name in one if not name.endswith(".metadata.json")}
    different = [
        name for name in one if not filecmp.cmp(tmp_path / "one" / name, tmp_path / "two" / name, shallow=False)
    ]
    assert different == []


def test_everything_is_tagged(synthesised: Synthesised) -> None:
    for template in synthesised.templates().values():
        for resource in template["Resources"].values():
            tags = resource.get("Properties", {}).get("Tags")
            if isinstance(tags, list) and resource["Type"] not in ("AWS::SSM::Parameter",):
                assert {"project", "owner"} <= {tag["Key"] for tag in tags}


def test_no_wildcard_action_and_no_full_access(synthesised: Synthesised) -> None:
    for template in synthesised.templates().values():
        for logical_id, resource in template["Resources"].items():
            for document in documents(resource):
                for statement in document["Statement"]:
                    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                    if statement["Effect"] == "Allow":
                        assert not [action for action in actions if action == "*" or action.endswith(":*")], logical_id
            assert "FullAccess" not in json.dumps(resource.get("Properties", {}).get("ManagedPolicyArns", []))


def documents(resource: dict[str, Any]) -> list[dict[str, Any]]:
    properties = resource.get("Properties", {})
    found = [properties.get(name) for name in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")]
    if resource["Type"] == "AWS::KMS::Key":
        return []  # a key's own policy: kms:* for the account is how IAM policies come to count
    return [
        document for document in [*found, *[p["PolicyDocument"] for p in properties.get("Policies", [])]] if document
    ]
