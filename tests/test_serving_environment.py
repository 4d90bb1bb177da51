"""The environment that serves, as the image and `make serve` install it: small, without training, complete."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.models.bundle.signing_keys import key_pair
from tests.source_tree import ROOT

pytestmark = pytest.mark.slow

MOST_MB = 310
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ABSENT = (
    *("torch", "sklearn", "skl2onnx", "onnx"),
    *("ray", "grpc", "sqlalchemy", "pyarrow", "s3fs", "model_signing", "mlflow"),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the dependencies and the extra `cpu`, pinned."""
    folder = tmp_path_factory.mktemp("serving") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cpu"]]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [*pip, "-c", ROOT / "constraints.txt", *wanted], env=environment, check=True, timeout=900, capture_output=True
    )
    return folder / "bin" / "python"


def run(python: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_is_small(python: Path) -> None:
    size = sum(file.stat().st_blocks * 512 for file in python.parents[1].rglob("*") if not file.is_symlink())
    print(f"{size / 2**20:.0f} MB")
    assert size <= MOST_MB * 2**20


def test_it_has_nothing_of_training_and_none_of_the_extras(python: Path) -> None:
    program = f"import importlib.util; print([name for name in {ABSENT} if importlib.util.find_spec(name)])"
    assert run(python, "-c", program).stdout == "[]\n"


def test_it_serves(python: Path, tiny_path: Path) -> None:
    found = run(python, "-m", "service.process.preflight", TANDEM_BUNDLE=str(tiny_path), TANDEM_DEVICE="cpu")
    assert (found.returncode, found.stdout) == (0, "cpu\n")


@pytest.mark.parametrize(
    ("variables", "extra"),
    [
        pytest.param({"TANDEM_BUNDLE": "s3://bucket/tiny"}, "s3", id="a bundle in object storage"),
        pytest.param({"TANDEM_VERIFY_KEY": "{key}"}, "signing", id="only signed bundles"),
    ],
)
def test_a_setting_that_needs_an_extra_says_which(
    python: Path, tiny_path: Path, tmp_path: Path, variables: dict[str, str], extra: str
) -> None:
    key = str(key_pair(tmp_path).public)
    given = {"TANDEM_BUNDLE": str(tiny_path)} | {name: text.format(key=key) for name, text in variables.items()}
    found = run(python, "-m", "service.process.preflight", XDG_CACHE_HOME=str(tmp_path), **given)
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert line.startswith("tandem cannot start: ")
    assert f"`pip install 'tandem[{extra}]'`" in line
