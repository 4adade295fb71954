"""The certificate of the traffic between an EMR cluster's nodes, made for real."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = "s3://data/certificates/one/"


# The aws of the laptop run needs this environment's Python.
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def make(bucket: Path, *, region: str = "eu-west-1", tools: str = TOOLS) -> "subprocess.CompletedProcess[str]":
    """Run the script as the publishing build does."""
    return subprocess.run(
        ["/bin/bash", str(REPOSITORY / "workloads" / "certificates.sh"), TARGET],
        env={
            "PATH": f"{REPOSITORY / 'local' / 'bin'}{os.pathsep}{tools}",
            "LOCAL_S3": str(bucket),
            "AWS_REGION": region,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("region", "domain"), [("us-east-1", "ec2.internal"), ("eu-west-1", "eu-west-1.compute.internal")]
)
def test_it_is_for_every_node_of_the_region_and_goes_with_its_key(tmp_path: Path, region: str, domain: str) -> None:
    done = make(tmp_path / "s3", region=region)
    assert (done.returncode, done.stderr) == (0, "")
    (made,) = [path for path in (tmp_path / "s3/data").rglob("*") if path.is_file()]
    assert made.relative_to(tmp_path / "s3/data").as_posix() == "certificates/one/emr.zip"
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
        # The names that EMR looks for (ManagementGuide/emr-encryption-enable.html, archived, read 2026-11-27).
        assert sorted(archive.namelist()) == ["certificateChain.pem", "privateKey.pem", "trustedCertificates.pem"]
    chain, key = tmp_path / "certificateChain.pem", tmp_path / "privateKey.pem"
    assert "does match certificate" in openssl("x509", "-in", chain, "-noout", "-checkhost", f"ip-10-42-0-7.{domain}")
    assert "does NOT match" in openssl("x509", "-in", chain, "-noout", "-checkhost", "ip-10-42-0-7.elsewhere.internal")
    assert openssl("pkey", "-in", key, "-pubout") == openssl("x509", "-in", chain, "-noout", "-pubkey")
    assert openssl("verify", "-CAfile", tmp_path / "trustedCertificates.pem", chain).strip().endswith(": OK")


def test_one_that_is_there_stays(tmp_path: Path) -> None:
    """Nodes that join a cluster later must fetch what its first nodes fetched."""
    assert make(tmp_path).returncode == 0
    first = (tmp_path / "data/certificates/one/emr.zip").read_bytes()
    assert make(tmp_path).returncode == 0
    assert (tmp_path / "data/certificates/one/emr.zip").read_bytes() == first


def test_a_machine_without_openssl_says_so(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("mktemp", "rm"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").write_text(f'#!/bin/bash\nexec "{sys.executable}" "$@"\n')
    (tools / "python3").chmod(0o755)
    done = make(tmp_path / "s3", tools=str(tools))
    assert done.returncode == 2
    assert done.stderr == "error: openssl is not installed here: it makes the certificate (emr.certificates=pem)\n"
    assert not [path for path in tmp_path.rglob("*") if path.name == "emr.zip"]
