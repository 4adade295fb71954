import json
import re
from pathlib import Path
from typing import Any

import pytest

from assembly import template as template_module
from assembly.template import ACCOUNT, REGION, Assembly, app_context, synthesise
from local.preflight import Options, check
from record.errors import UserError

BUCKET = {"Type": "AWS::S3::Bucket", "Metadata": {"aws:cdk:path": "one/Bucket/Resource"}}
MACHINE = {
    "Type": "AWS::StepFunctions::StateMachine",
    "Properties": {"StateMachineName": "side-by-side-emr", "DefinitionString": "{}"},
}


def assembly(folder: Path, **stacks: dict[str, Any]) -> Assembly:
    artifacts = {}
    for name, template in stacks.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
        artifacts[name] = {"type": "aws:cloudformation:stack", "properties": {"templateFile": f"{name}.json"}}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return Assembly(folder)


@pytest.fixture
def two(tmp_path: Path) -> Assembly:
    exported = {"Value": {"Ref": "Bucket"}, "Export": {"Name": "one:Bucket"}}
    return assembly(
        tmp_path,
        one={
            "Resources": {"Bucket": BUCKET, "Machine": MACHINE, "Run": {"Type": "Custom::Execution"}},
            "Outputs": {"Bucket": exported},
            "Mappings": {"Accounts": {REGION: {"account": "42"}}},
            "Parameters": {"Version": {"Default": "7"}},
        },
        two={"Resources": {}},
    )


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "AWS::Region"}, REGION),
        ({"Ref": "Bucket"}, "one-bucket"),
        ({"Ref": "Version"}, "7"),
        ({"Ref": "Machine"}, f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:side-by-side-emr"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::one-bucket"),
        ({"Fn::Join": ["", ["s3://", {"Ref": "Bucket"}, "/x"]]}, "s3://one-bucket/x"),
        ({"Fn::Sub": "${AWS::AccountId}-${Bucket}"}, f"{ACCOUNT}-one-bucket"),
        ({"Fn::Sub": ["${a}/${Bucket}", {"a": {"Ref": "Version"}}]}, "7/one-bucket"),
        ({"Fn::Select": [1, {"Fn::Split": ["-", {"Ref": "Bucket"}]}]}, "bucket"),
        ({"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "account"]}, "42"),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([{"Ref": "Bucket"}, "text"], ["one-bucket", "text"]),
    ],
)
def test_intrinsic_functions(value: Any, resolved: Any, two: Assembly) -> None:
    assert two.resolve("one", value) == resolved


def test_import_from_another_stack(two: Assembly) -> None:
    assert two.resolve("two", {"Fn::ImportValue": "one:Bucket"}) == "one-bucket"


def test_attribute_of_a_custom_resource_is_what_ran(two: Assembly) -> None:
    with pytest.raises(UserError, match="Run has not run, its model is not known"):
        two.resolve("one", {"Fn::GetAtt": ["Run", "model"]})
    two.attributes["Run"] = {"model": "s3://b/model.tar.gz"}
    assert two.resolve("one", {"Fn::GetAtt": ["Run", "model"]}) == "s3://b/model.tar.gz"


@pytest.mark.parametrize("value", [{"Ref": "Nowhere"}, {"Fn::Base64": "x"}])
def test_unknown_things_are_named(value: Any, two: Assembly) -> None:
    with pytest.raises(UserError, match=r"one: (no resource Nowhere|Fn::Base64)"):
        two.resolve("one", value)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("manifest.json", "", "not JSON, or cut off"),
        ("manifest.json", "[" * 100_000, "not JSON, or cut off"),
        ("manifest.json", "[]", "expected a JSON object"),
        ("manifest.json", "{}", "is no manifest of a cloud assembly: 'artifacts'"),
        ("manifest.json", '{"artifacts": []}', "is no manifest of a cloud assembly"),
        ("manifest.json", '{"artifacts": {"a": {"type": "aws:cloudformation:stack"}}}', "'properties'"),
        (
            "manifest.json",
            '{"artifacts": {"a": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "/etc/passwd"}}}}',
            "a: templateFile '/etc/passwd': expected the name of a file beside it",
        ),
        ("manifest.json", None, "cannot be read: No such file"),
        ("one.json", '{"Resources": {', "not JSON, or cut off"),
        ("one.json", b"\xff", "byte 0 is not UTF-8"),
        ("one.json", None, "cannot be read: No such file"),
        ("one.json", "[]", "expected a JSON object"),
        ("one.json", "{}", "Resources: is missing"),
        ("one.json", '{"Resources": []}', "Resources: is an empty list"),
        ("one.json", '{"Resources": {"Bucket": {"Properties": {}}}}', "Resources.Bucket: has no Type"),
        ("one.json", '{"Resources": {"Bucket": "x"}}', "Resources.Bucket: has no Type"),
    ],
)
def test_damaged_files_are_named(file: str, content: str | bytes | None, said: str, tmp_path: Path) -> None:
    assembly(tmp_path, one={"Resources": {"Bucket": BUCKET}})
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=re.escape(said)) as raised:
        Assembly(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / file}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Properties": []}, "Properties: is an empty list; expected an object"),
        ({"Properties": "x"}, "Properties: is a str"),
        ({"Properties": {"BucketName": {"Ref": {}}}}, "is damaged: TypeError"),
        ({"Properties": {"BucketName": {"Fn::Join": 1}}}, "is damaged: TypeError"),
        ({"Properties": {"BucketName": {"Fn::Select": [7, ["a"]]}}}, "is damaged: IndexError"),
        ({"Properties": {"BucketName": {"Fn::ImportValue": "nowhere"}}}, "is damaged: KeyError"),
        ({"Properties": {"Named": {"Ref": "Bucket"}}, "Metadata": []}, "is damaged: AttributeError"),
    ],
)
def test_damaged_resources_are_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    template = {"Resources": {"Bucket": BUCKET | change}}
    with pytest.raises(UserError, match=f"^one: Bucket: {said}"):
        assembly(tmp_path, one=template).properties("one", "Bucket")


@pytest.mark.parametrize("content", ["{", "[]", '{"context": []}', '{"context": {"a": 1, "a": 2}}', None])
def test_settings_in_a_damaged_cdk_json_are_one_line(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_module, "REPOSITORY", tmp_path)
    if content is not None:
        (tmp_path / "cdk.json").write_text(content)
    with pytest.raises(UserError, match=rf"^{tmp_path}/cdk\.json: [^\n]+$"):
        app_context({})
    with pytest.raises(UserError, match=rf"^{tmp_path}/cdk\.json: "):
        check(Options("a", {}, tmp_path))


def test_app_message_about_a_setting_comes_through(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^unknown setting dataset\.evnts"):
        synthesise(tmp_path / "cdk.out", app_context({"dataset.evnts": "5"}))
