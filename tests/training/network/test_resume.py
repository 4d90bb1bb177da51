"""Runs that are killed while they embed, and the same commands again: what was embedded is kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.runtime.embedding_files import DEFAULT_ROOT
from tests.training.squares import write_image

ROOT = Path(__file__).parents[3]
START_SECONDS = 240
"""Deadline for a process to import torch, find copies and embed for a while, where other tests run beside it."""
QUICK = "import models.runtime.embedding_files as cache; cache.SECONDS_BETWEEN_FILES = 0.2; import runpy; runpy.run_module('training', run_name='__main__')"  # noqa: E501
COUNT = 600

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 images of noise in 3 classes, with a table of them."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_image(folder / "abc"[number % 3] / f"{number}.png", pixels)
    rows = (f"{'abc'[number % 3]}/{number}.png,{'abc'[number % 3]}" for number in range(COUNT))
    (folder / "table.csv").write_text("\n".join(["image,label", *rows]) + "\n")
    return folder


def start(here: Path, *words: str) -> subprocess.Popen[str]:
    """A training that writes a file of embeddings every 0.2 seconds instead of 15."""
    return subprocess.Popen(
        [sys.executable, "-c", QUICK, *words, "--name", "kept", "--out", "store"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_files(here: Path, process: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while len(list((here / DEFAULT_ROOT).glob("*/*.npz"))) < count + len(list((here / DEFAULT_ROOT).glob("copies/*"))):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"no embeddings in time: {process.communicate()[1]}")
        time.sleep(0.01)


def kept_on_disk(here: Path) -> int:
    """How many images there are in files of embeddings."""
    files = [file for file in (here / DEFAULT_ROOT).glob("*/*.npz") if file.parent.name != "copies"]
    keys = {key.tobytes() for file in files for key in np.load(file)["keys"]}
    return len(keys)


@pytest.mark.parametrize("source", ["table", "pretrained"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_run_that_ended_early_embeds_only_the_rest(
    tmp_path: Path, images: Path, source: str, number: signal.Signals
) -> None:
    words = ["table", str(images / "table.csv")] if source == "table" else ["pretrained", str(images)]
    first = start(tmp_path, *words)
    wait_for_files(tmp_path, first, 2)
    first.send_signal(number)
    _, told = first.communicate(timeout=START_SECONDS)
    kept = kept_on_disk(tmp_path)
    assert 0 < kept < COUNT
    if number == signal.SIGINT:
        assert told.endswith(
            f"interrupted; {kept} of {COUNT} embeddings are kept, and the same command goes on from there\n"
        )

    again = start(tmp_path, *words)
    _, told = again.communicate(timeout=START_SECONDS)
    assert again.returncode == 0, told
    assert f"\n{kept} of {COUNT} embeddings kept from before\n" in told
    assert re.search(rf"^embedding: {kept} of {COUNT} images, .*\nembedding: {COUNT} of {COUNT} images, ", told, re.M)
    assert kept_on_disk(tmp_path) == COUNT


def test_half_a_file_that_a_killed_run_left_is_not_read(tmp_path: Path, images: Path) -> None:
    first = start(tmp_path, "pretrained", str(images), "--limit", "60")
    assert first.wait(START_SECONDS) == 0
    (file,) = [file for file in (tmp_path / DEFAULT_ROOT).glob("*/*.npz") if file.parent.name != "copies"]
    file.with_suffix(".part").write_bytes(file.read_bytes()[:1000])
    again = start(tmp_path, "pretrained", str(images), "--limit", "60")
    _, told = again.communicate(timeout=START_SECONDS)
    assert (again.returncode, "60 of 60 embeddings kept from before" in told) == (0, True)
