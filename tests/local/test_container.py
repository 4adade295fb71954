"""A private /opt/ml."""

import os
import subprocess
from pathlib import Path

import pytest

from local.container import Container, _namespaces_work, container_mode, scratch
from local.environments import environment

IMAGE = environment("sagemaker-xgboost-3.2-0")


def run(container: Container, *command: str, **env: str) -> str:
    arguments, environment = container.command(command, env)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("each_mode")
def test_the_command_sees_its_folder_and_no_one_else_does(tmp_path: Path) -> None:
    before = sorted(os.listdir("/opt")), Path("/proc/self/mounts").read_text()
    container = Container(tmp_path / "ml", tmp_path, container_mode(), IMAGE)
    container.path("/opt/ml/input/data").mkdir(parents=True)
    container.path("/opt/ml/input/data/a").write_text("A")
    script = container.path("/opt/ml/input/data/script.sh")
    script.write_text(text := 'cat "$1"; cat "$FOLDER/data/a"; echo B > /opt/ml/b')
    container.adapt("/opt/ml/input")
    assert run(container, "sh", "/opt/ml/input/data/script.sh", "/opt/ml/input/data/a", FOLDER="/opt/ml/input") == "AA"
    container.restore("/opt/ml/input")
    assert script.read_text() == text
    assert container.path("/opt/ml/b").read_text() == "B\n"
    assert (sorted(os.listdir("/opt")), Path("/proc/self/mounts").read_text()) == before


def test_the_rest_of_opt_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_CONTAINER", raising=False)
    if container_mode() != "namespace":
        pytest.skip("user namespaces are blocked on this machine")
    seen = run(Container(tmp_path / "ml", tmp_path, "namespace", IMAGE), "ls", "-A", "/opt").split()
    assert sorted(seen) == sorted({*os.listdir("/opt"), "ml", "venv"})


@pytest.mark.usefixtures("each_mode")
def test_nothing_of_the_caller_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    container = Container(tmp_path / "ml", tmp_path, container_mode(), IMAGE)
    environment = dict(line.split("=", 1) for line in run(container, "env", ANSWER="42").splitlines())
    assert environment["ANSWER"] == "42"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(environment)
    assert environment["SM_MODEL_DIR"] == container.seen("/opt/ml/model")
    found = run(container, "python3", "-c", "import sys, numpy; print(sys.prefix, numpy.__version__)").split()
    assert found == ["/opt/venv" if container.mode == "namespace" else str(tmp_path / "venv"), "2.1.0"]


def test_rewrites_whole_paths_only(tmp_path: Path) -> None:
    container = Container(tmp_path / "ml", tmp_path, "directory", IMAGE)
    here = container.root
    assert container.seen("/opt/ml:/opt/ml/code") == f"{here}:{here}/code"
    assert container.seen('{"a": "/opt/ml/x"}, --a=/opt/ml') == f'{{"a": "{here}/x"}}, --a={here}'
    assert container.seen("/opt/mlx /my/opt/ml /opt/ml-2") == "/opt/mlx /my/opt/ml /opt/ml-2"


@pytest.mark.parametrize("path", ["/opt/mlx", "/opt", "opt/ml/x", "/opt/ml/../x", "/etc/passwd", "/opt/ml//x"])
def test_no_path_leaves_the_container(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a path below /opt/ml"):
        Container(tmp_path / "ml", tmp_path, "directory", IMAGE).path(path)


def test_the_mode_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_CONTAINER", "docker")
    with pytest.raises(ValueError, match="LOCAL_CONTAINER is 'docker', allowed: namespace, directory"):
        container_mode()


def test_a_machine_that_hangs_in_the_probe_has_no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("unshare", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert _namespaces_work.__wrapped__() is False


def test_scratch_goes_even_when_read_only(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch("job", tmp_path) as folder:  # noqa: PT012
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/file").touch()
        (folder / "a/b").chmod(0o500)
        (folder / "a").chmod(0o500)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
