"""The folder that stands for S3."""

import re
from pathlib import Path

import pytest

from local.s3 import LocalS3
from tests.local.conftest import Account


@pytest.mark.parametrize(
    "uri",
    ["/tmp/x", "s3:/lake/x", "s3://", "s3:///x", "s3://lake/../other/x", "s3://lake/runs//x", "s3://lake/a/./b", ""],
)
def test_refuses_what_is_no_place_in_a_bucket(account: Account, uri: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(uri))):
        account.s3.path(uri)


def test_uri_and_path_are_inverse(tmp_path: Path) -> None:
    s3 = LocalS3(tmp_path)
    assert s3.path("s3://lake/runs/1/a.csv") == tmp_path / "lake/runs/1/a.csv"
    assert s3.uri(s3.path("s3://lake/runs/1/a.csv")) == "s3://lake/runs/1/a.csv"
    with pytest.raises(ValueError, match="not below"):
        s3.uri(tmp_path.parent / "elsewhere")


def test_localises_every_location_in_an_argument(tmp_path: Path) -> None:
    s3 = LocalS3(tmp_path)
    assert s3.localise("--raw=s3://lake/raw/") == f"--raw=file://{tmp_path}/lake/raw/"
    assert (
        s3.localise("s3://lake/a.zip,s3a://lake/b.zip") == f"file://{tmp_path}/lake/a.zip,file://{tmp_path}/lake/b.zip"
    )
    assert s3.localise("--conf=k=v") == "--conf=k=v"
    with pytest.raises(ValueError, match="segment"):
        s3.localise("--raw=s3://lake/../raw")


def test_a_prefix_is_no_folder(account: Account) -> None:
    for key in ("web/a.csv", "web/deep/b.csv", "website/c.csv", "we.csv"):
        account.put(f"s3://lake/raw/{key}", key)
    names = {prefix: [name for name, _ in account.s3.objects(f"s3://lake/raw/{prefix}")] for prefix in
             ("web/", "web", "web/a.csv", "we", "nothing")}  # fmt: skip
    assert names == {
        "web/": ["a.csv", "deep/b.csv"],
        "web": ["a.csv", "deep/b.csv", "website/c.csv"],
        "web/a.csv": ["a.csv"],
        "we": ["we.csv", "web/a.csv", "web/deep/b.csv", "website/c.csv"],
        "nothing": [],
    }


def test_upload_is_all_or_nothing(account: Account, tmp_path: Path) -> None:
    account.put("s3://lake/out/old", "old")
    file = tmp_path / "file"
    file.write_text("new")
    with pytest.raises(FileNotFoundError):
        account.s3.upload(
            [("s3://lake/out/a", file), ("s3://lake/out/old", file), ("s3://lake/out/b", tmp_path / "gone")]
        )
    assert account.keys() == ["s3://lake/out/old"]
    assert account.get("s3://lake/out/old") == "old"
    account.put("s3://lake/out/z/below", "a folder cannot be replaced by a file")
    with pytest.raises(IsADirectoryError):
        account.s3.upload([("s3://lake/out/a", file), ("s3://lake/out/z", file)])
    assert account.keys() == ["s3://lake/out/old", "s3://lake/out/z/below"]
    assert account.left_behind() == []
    account.s3.upload([("s3://lake/out/a", file), ("s3://lake/out/old", file)])
    assert [account.get(f"s3://lake/out/{name}") for name in ("a", "old")] == ["new", "new"]
