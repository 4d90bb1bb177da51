"""The check before the start: one line and exit status 1, or the device; and what serving imports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.bundle.loading import Bundle
from models.bundle.signature import SIGNATURE, sign
from service.process import preflight
from tests.models.bundle.signing_keys import key_pair
from tests.models.devices.test_placement import needs_none

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the module as a process of its own; it must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "service.process.preflight"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_a_server_that_can_serve_prints_its_device_and_nothing_else(tiny_path: Path) -> None:
    outcome = run(TANDEM_BUNDLE=str(tiny_path), TANDEM_DEVICE="cpu")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "cpu\n", "")


@needs_none
def test_auto_says_once_that_it_serves_on_the_cpu(tiny_path: Path) -> None:
    outcome = run(TANDEM_BUNDLE=str(tiny_path), TANDEM_DEVICE="auto")
    assert (outcome.returncode, outcome.stdout) == (0, "cpu\n")
    assert len(outcome.stderr.splitlines()) == 1
    assert "serving on CPU" in outcome.stderr


@needs_none
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_ends_it_with_one_line(tiny_path: Path, device: str) -> None:
    outcome = run(TANDEM_BUNDLE=str(tiny_path), TANDEM_DEVICE=device)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith(f"tandem cannot start: device '{device}'")


def test_a_misspelt_setting_ends_it_with_one_line() -> None:
    outcome = run(TANDEM_WORKERS="two")
    assert outcome.returncode == 1
    assert len(outcome.stderr.splitlines()) == 1
    assert "TANDEM_WORKERS='two'" in outcome.stderr


def main_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> int:
    monkeypatch.setenv("TANDEM_DEVICE", "cpu")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return preflight.main()


def test_the_device_is_printed(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tiny_path)) == 0
    assert capsys.readouterr().out == "cpu\n"


@pytest.mark.parametrize("file", ["embedder.onnx", "head-shade.onnx", "manifest.json", "golden/00.png", "report.html"])
def test_a_flipped_byte_is_refused_by_the_files_name(
    tiny_copy: Path, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray((tiny_copy / file).read_bytes())
    data[len(data) // 2] ^= 1
    (tiny_copy / file).write_bytes(bytes(data))
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tiny_copy)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tandem cannot start: ")
    assert file in line


def test_a_precision_that_is_not_in_the_bundle_is_refused(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tiny_path), TANDEM_PRECISION="int8") == 1
    assert "precision 'int8' is not in tiny@1" in capsys.readouterr().err


def test_a_bundle_that_is_not_there_is_refused_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tmp_path / "nowhere")) == 1
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_bundle_at_a_url_is_downloaded_and_workers_get_its_directory(
    tiny_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", f"file://{tiny_path.parent}")
    monkeypatch.setenv("TANDEM_DEVICE", "cpu")
    preflight.check_before_start()
    path = Path(os.environ["TANDEM_BUNDLE"])
    assert path.is_relative_to(cache)
    assert (path / "champion").read_text() == "1\n"
    assert Bundle.open(path / "1").manifest.model == "tiny@1"


def test_a_url_without_a_bundle_ends_it_with_one_line(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main_with(monkeypatch, TANDEM_BUNDLE=f"file://{tmp_path}/nothing") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tandem cannot start: file://{tmp_path}/nothing: neither manifest.json")


def test_a_signed_bundle_is_served_where_only_signed_ones_are(
    tiny_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = key_pair(tmp_path)
    sign(tiny_copy, pair.private)
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tiny_copy), TANDEM_VERIFY_KEY=str(pair.public)) == 0


def flip(path: Path) -> None:
    data = bytearray((path / "report.html").read_bytes())
    data[-2] ^= 1
    (path / "report.html").write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        pytest.param(lambda path: (path / SIGNATURE).unlink(), "ours", "model.sig: missing", id="unsigned"),
        pytest.param(lambda path: None, "theirs", "model.sig: not a signature by the key", id="another key's"),
        pytest.param(flip, "ours", "report.html: SHA-256", id="a flipped byte"),
        pytest.param(lambda path: None, "none", "none-public.pem: no file", id="no key"),
    ],
)
def test_what_the_key_does_not_stand_for_is_refused_by_name(
    tiny_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], object],
    key: str,
    reason: str,
) -> None:
    sign(tiny_copy, key_pair(tmp_path, "ours").private)
    key_pair(tmp_path, "theirs")
    change(tiny_copy)
    public = tmp_path / f"{key}-public.pem"
    assert main_with(monkeypatch, TANDEM_BUNDLE=str(tiny_copy), TANDEM_VERIFY_KEY=str(public)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tandem cannot start: ")
    assert reason in line


@needs_none
def test_workers_inherit_the_device_that_was_found(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", str(tiny_path))
    monkeypatch.setenv("TANDEM_DEVICE", "auto")
    preflight.check_before_start()
    assert os.environ["TANDEM_DEVICE"] == "cpu"


def test_a_server_that_cannot_serve_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", str(tmp_path))
    with pytest.raises(SystemExit) as raised:
        preflight.check_before_start()
    assert raised.value.code == 1


@needs_none
def test_bentoml_serve_ends_where_the_device_is_not_there(tiny_path: Path) -> None:
    started = time.monotonic()
    outcome = subprocess.run(
        [Path(sys.executable).parent / "bentoml", "serve", "service:HybridService", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "TANDEM_BUNDLE": str(tiny_path), "TANDEM_DEVICE": "cuda", "TANDEM_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert outcome.returncode != 0
    assert "tandem cannot start: device 'cuda'" in outcome.stderr + outcome.stdout
    assert time.monotonic() - started < PATIENCE_S


def test_serving_imports_nothing_of_training() -> None:
    program = (
        "import sys, service.app, service.process.preflight\n"
        "print({'torch', 'sklearn', 'skl2onnx', 'onnx', 'training', 'loadtests'} & set(sys.modules))"
    )
    outcome = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.stdout == "set()\n", outcome.stderr


def test_a_module_is_imported_without_building_the_service() -> None:
    program = "import sys, service.settings, service.inference.batcher\nsys.exit('bentoml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
