"""`python -m scoring` as a process of its own: killed, stopped, and compared with a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from models.bundle.store import DEFAULT_ROOT, Store
from scoring.output.part_files import spans_in
from tests.chaos.rig.servers import serving
from tests.docs.pages import ROOT
from tests.scoring.scored import rows_of, write_greys
from tests.tiny_bundle import solid_image

PATIENCE_S = 120
STOP_S = 5


def start(*words: str | Path) -> subprocess.Popen[str]:
    """Starts the command in a process group of its own."""
    command = [sys.executable, "-m", "scoring", *map(str, words), "--device", "cpu", "--workers", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, env=environment, **pipes)  # type: ignore[call-overload, no-any-return]


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    return out


def wait_for_rows(output: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Waits until the parts have so many rows."""
    end = time.monotonic() + PATIENCE_S
    while sum(end - first for first, end in spans_in(os.listdir(output) if output.is_dir() else [])) < count:  # noqa: PTH208
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def greys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("greys") / "in"
    write_greys(folder, 6000)
    return folder


def test_killed_at_several_points_it_has_every_row_once(greys: Path, tmp_path: Path, tiny_path: Path) -> None:
    words = greys, tmp_path / "out", "--bundle", tiny_path, "--rows-per-file", "500", "--no-cache"
    for share in (0.35, 0.60, 0.85):
        process = start(*words)
        wait_for_rows(tmp_path / "out", int(share * 6000), process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    assert finish(start(*words)).startswith("6,000 images: 6,000 decided, 0 with an error\n")
    paths = [row["path"] for row in rows_of(tmp_path / "out")]
    assert sorted(paths) == [f"{number:04}.png" for number in range(6000)]


@pytest.mark.alone
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_time_and_keeps_what_is_done(
    greys: Path, tmp_path: Path, tiny_path: Path, sent: signal.Signals
) -> None:
    words = greys, tmp_path / "out", "--bundle", tiny_path, "--rows-per-file", "500", "--no-cache"
    process = start(*words)
    wait_for_rows(tmp_path / "out", 1000, process)
    started = time.monotonic()
    os.killpg(process.pid, sent)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - started < STOP_S
    if process.returncode != 0:  # it may have been done already
        assert process.returncode == 130
        assert "images are scored, and the same command goes on from there" in err
        assert len(rows_of(tmp_path / "out")) >= 1000
    finish(start(*words))
    assert len(rows_of(tmp_path / "out")) == 6000


def test_rows_equal_what_a_server_answers_and_bad_images_fail_alike(tmp_path: Path) -> None:
    images = _images(tmp_path / "in")
    out = finish(
        start(tmp_path / "in", tmp_path / "out", "--heads", "category,family", "--probabilities", "--no-cache")
    )
    assert f"{len(images)} images: " in out
    rows = {row["path"]: row for row in rows_of(tmp_path / "out")}
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server", workers=1) as server:
        for name, image in images.items():
            answer = server.request("/v1/predict?heads=category,family", image, {"content-type": "image/png"})
            _compare(rows[name], answer.document, answer.status)


def _images(folder: Path) -> dict[str, bytes]:
    """Images of the bundle's golden set, and bad ones."""
    golden = sorted((Store(DEFAULT_ROOT).path("fashion-mnist") / "golden").glob("*.png"))
    images = {file.name: file.read_bytes() for file in golden}
    images |= {f"grey-{grey}.png": solid_image(grey, size=(28, 28)) for grey in range(0, 256, 10)}
    images["cut.png"] = images[golden[0].name][:-30]
    images["huge.png"] = solid_image(5, size=(8000, 7500))
    images["photo.heic"] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
    images["empty.jpg"] = b""
    folder.mkdir()
    for name, data in images.items():
        (folder / name).write_bytes(data)
    return images


def _compare(row: dict[str, Any], answer: dict[str, Any], status: int) -> None:
    if status != 200:
        assert (row["error"], row["category.label"]) == (answer["code"], None)
        if row["path"] != "empty.jpg":  # of an empty body the server says so
            assert row["error_detail"] == answer["detail"]
        return
    assert row["error"] is None
    for head, said in answer["decisions"].items():
        assert row[f"{head}.label"] == said["label"]
        assert row[f"{head}.confidence"] == pytest.approx(said["confidence"], abs=1e-5)
        assert (row[f"{head}.decision"], row[f"{head}.reasons"]) == (said["decision"], said["reasons"])
        assert dict(row[f"{head}.probabilities"]) == pytest.approx(said["probabilities"], abs=1e-5)
