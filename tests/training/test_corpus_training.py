"""The generated corpus in class folders: training reads what the service answers, and skips the rest with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.bundle.input_spec import InputSpec
from tests.imaging_corpus.corpus_files import corpus_files
from tests.imaging_corpus.files import File
from tests.tiny_bundle import tiny_bundle
from training.data import folder

ROOT = Path(__file__).parents[2]
CLEANED_WITHIN_S = 600
OF_OTHER_TYPES = ("other types",)  # training reads some of them, which the service wants converted


def write_folders(root: Path, files: list[File]) -> dict[str, File]:
    """Puts files into three class folders and returns them by their path."""
    written = {f"{'abc'[number % 3]}/{number:05}{file.suffix}": file for number, file in enumerate(files)}
    for name, file in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    return written


def of_serving(share: float) -> list[File]:
    return [file for file in corpus_files(share) if file.kind not in OF_OTHER_TYPES]


def check(root: Path, share: float, *, decoder: str) -> None:
    written = write_folders(root, of_serving(share))
    spec = InputSpec(height=24, width=24, channels=3, decoder=decoder)
    dataset = folder.stream(root, name="corpus", spec=spec)
    accepted = {name for name, file in written.items() if not file.codes}
    missing, extra = accepted - set(dataset.files), set(dataset.files) - accepted
    assert not [(written[name].kind, written[name].name) for name in sorted(missing)]
    assert not [(written[name].kind, written[name].name) for name in sorted(extra)]
    assert len(dataset.skipped) == len(written) - len(accepted)


def test_a_sample_of_the_corpus_is_read_by_training_as_by_the_service(tmp_path: Path) -> None:
    check(tmp_path, 0.04, decoder="full")


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["full", "fraction"])
def test_the_whole_corpus_is_read_by_training_as_by_the_service(tmp_path: Path, decoder: str) -> None:
    check(tmp_path, 1.0, decoder=decoder)


@pytest.mark.slow
def test_the_whole_corpus_is_loaded_into_memory(tmp_path: Path) -> None:
    written = write_folders(tmp_path, of_serving(1.0))
    dataset = folder.load(tmp_path, name="corpus", image_size=24)
    assert len(dataset.images) == sum(not file.codes for file in written.values())


@pytest.mark.slow
def test_the_whole_corpus_is_cleaned_without_a_traceback(tmp_path: Path) -> None:
    written = write_folders(tmp_path / "images", of_serving(1.0))
    bundle = tiny_bundle(tmp_path / "store", size=16, channels=3)
    command = [sys.executable, "-m", "training", "clean", "folder", str(tmp_path / "images")]
    done = subprocess.run(
        [*command, "--bundle", str(bundle), "--out", str(tmp_path / "out")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=CLEANED_WITHIN_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "clean.json").read_text())
    accepted = sum(not file.codes for file in written.values())
    assert (found["images"], len(found["unreadable"])) == (accepted, len(written) - accepted)
