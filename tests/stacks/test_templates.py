"""What the templates of all stacks have in common: their snapshots, their schemas, their determinism."""

import filecmp
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from assembly.template import REPOSITORY
from sides import SIDES
from tests.stacks.conftest import Synthesised

STACKS = ("network", "data", "sagemaker", "emr", "comparison")


def normalised(template: dict[str, Any]) -> Any:
    """A template without what changes with every byte of the code: the hashes of assets and of the generator."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<asset hash>", json.dumps(template))
    return without_generator_hash(json.loads(text))


def without_generator_hash(value: Any) -> Any:
    return json.loads(re.sub(r"(raw/[a-z0-9-]+-)[0-9a-f]{8}\b", r"\1<generator hash>", json.dumps(value)))


@pytest.mark.parametrize("stack", STACKS)
def test_snapshot(stack: str, synthesised: Synthesised, snapshot: SnapshotAssertion) -> None:
    template = normalised(synthesised.templates()[stack])
    assert template == snapshot(name=f"{synthesised.name}-{stack}", extension_class=JSONSnapshotExtension)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("emr-serverless alone", "emr-serverless"),
        pytest.param("emr serverless", "emr-serverless", marks=pytest.mark.slow),
        ("sagemaker-spark alone", "sagemaker-spark"),
        pytest.param("sagemaker spark", "sagemaker-spark", marks=pytest.mark.slow),
    ],
)
def test_snapshot_of_another_side(
    name: str, side: str, once: Callable[[str], Synthesised], snapshot: SnapshotAssertion
) -> None:
    template = normalised(once(name).templates()[side])
    assert template == snapshot(name=name, extension_class=JSONSnapshotExtension)


@pytest.mark.parametrize("synthesised", ["default", pytest.param("changed", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize("stack", STACKS)
def test_cfn_lint_finds_nothing(stack: str, synthesised: Synthesised) -> None:
    assert linted(synthesised.templates()[stack]) == []


@pytest.mark.full
def test_cfn_lint_finds_nothing_in_other_configurations(other: Synthesised) -> None:
    assert {stack: found for stack, template in other.templates().items() if (found := linted(template))} == {}


@pytest.mark.slow
def test_cfn_lint_finds_nothing_with_one_side_alone(one_side: Synthesised) -> None:
    assert {stack: found for stack, template in one_side.templates().items() if (found := linted(template))} == {}


def linted(template: dict[str, Any]) -> list[str]:
    """The findings of all levels, but for dependencies that are declared twice: the CDK's own constructs do so."""
    return _linted(json.dumps(template))


@cache
def _linted(template: str) -> list[str]:
    """Many stacks are the same in several configurations."""
    found = cfnlint.api.lint(template, regions=["us-east-1", "eu-west-1"])
    return [
        f"{match.rule.id} {match.message} at {'/'.join(map(str, match.path or []))}"
        for match in found
        if match.rule.id != "W3005"
    ]


@pytest.mark.slow
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


# Types whose schema says that they can be tagged, and where the tags are all the same not theirs to have.
UNTAGGED = {
    "AWS::Lambda::Permission",
}


def test_everything_taggable_is_tagged(synthesised: Synthesised, once: Callable[[str], Synthesised]) -> None:
    """Taggable is what CloudFormation's own schema calls so."""
    checked = 0
    others = {side: once(f"{side} alone").templates()[side] for side in SIDES if side not in synthesised.sides}
    for stack, template in {**synthesised.templates(), **others}.items():
        for logical_id, resource in template["Resources"].items():
            kind = resource["Type"]
            if kind.startswith("Custom::") or kind in UNTAGGED:
                continue
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
            if not schema.get("tagging", {}).get("taggable", schema.get("taggable", False)):
                continue
            prop = schema.get("tagging", {}).get("tagProperty", "/properties/Tags").rsplit("/", 1)[1]
            tags = resource.get("Properties", {}).get(prop)
            assert tags, f"{stack} {logical_id} {kind} has no tags"
            values = {tag["Key"]: tag["Value"] for tag in tags} if isinstance(tags, list) else tags
            assert {"project", "owner", "expiry"} <= values.keys(), f"{stack} {logical_id} {kind}"
            assert values["expiry"] == ("see stack output Expires" if stack in SIDES else "none")
            checked += 1
    assert checked > 50


def test_job_runs_are_tagged_too(once: Callable[[str], Synthesised]) -> None:
    machines = once("emr-serverless alone").assembly.state_machines().values()
    states = [state for machine in machines for state in machine["States"].values()]
    found = [state["Parameters"]["Tags"] for state in states if ":startJobRun" in state.get("Resource", "")]
    assert len(found) == 4
    assert all({"project", "owner", "expiry"} <= tags.keys() for tags in found)


def test_jobs_and_clusters_that_runs_start_are_tagged_too(synthesised: Synthesised) -> None:
    found = [
        state["Parameters"]["Tags"]
        for machine in synthesised.assembly.state_machines().values()
        for state in machine["States"].values()
        if re.search(r":(create[A-Z]\w+Job|createModel|runJobFlow)", state.get("Resource", ""))
    ]
    assert len(found) >= 6
    assert all({"project", "owner", "expiry"} <= {tag["Key"] for tag in tags} for tags in found)


def test_logs_and_messages_are_encrypted_with_our_key_and_logs_end(synthesised: Synthesised) -> None:
    kinds = {"AWS::Logs::LogGroup": "KmsKeyId", "AWS::SNS::Topic": "KmsMasterKeyId"}
    found = [
        (resource["Type"], resource["Properties"])
        for template in synthesised.templates().values()
        for resource in template["Resources"].values()
        if resource["Type"] in kinds
    ]
    assert {kind for kind, _ in found} == set(kinds)
    for kind, properties in found:
        assert "Key" in json.dumps(properties[kinds[kind]])
        assert kind == "AWS::SNS::Topic" or properties["RetentionInDays"] == 30


def test_every_machine_of_ours_is_traced_and_keeps_a_full_log(synthesised: Synthesised) -> None:
    machines = [
        resource["Properties"]
        for template in synthesised.templates().values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine" and "StateMachineName" in resource["Properties"]
    ]
    assert len(machines) >= 4
    for machine in machines:
        assert machine["TracingConfiguration"] == {"Enabled": True}
        assert machine["LoggingConfiguration"]["Level"] == "ALL"


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
