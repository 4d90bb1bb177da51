"""`scoring.engines.ray_engine`: a cluster gives the same rows. Needs the extra `ray`."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.scoring.scored import rows_of, write_greys
from tests.scoring.test_scoring_main import wait_for_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"),
]
PATIENCE_S = 240


def start(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scoring", *map(str, words), "--device", "cpu", "--workers", "2"]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def test_the_rows_are_those_of_this_machines_processes(tmp_path: Path, tiny_path: Path) -> None:
    for file in write_greys(tmp_path / "in", 2000)[::100]:
        file.write_bytes(b"no image")
    before = set(Path(tempfile.gettempdir()).glob("ray*"))
    words = "--bundle", tiny_path, "--embeddings", "--no-cache", "--rows-per-file", "700"
    for engine in ("local", "ray"):
        status, out, err = finish(start(tmp_path / "in", tmp_path / engine, "--engine", engine, *words))
        assert status == 0, err
        assert out.startswith("2,000 images: 1,980 decided, 20 with an error\n")
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")
    assert set(Path(tempfile.gettempdir()).glob("ray*")) == before
    assert "INFO" not in err


def test_a_signal_ends_it_in_time_and_another_engine_goes_on(tmp_path: Path, tiny_path: Path) -> None:
    write_greys(tmp_path / "in", 30_000)
    words = tmp_path / "in", tmp_path / "out", "--bundle", tiny_path, "--no-cache", "--rows-per-file", "1000"
    process = start(*words, "--engine", "ray")
    wait_for_rows(tmp_path / "out", 1000, process)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status, _, err = finish(process)
    assert status == 130, err
    assert time.monotonic() - started < 5
    assert 1000 <= len(rows_of(tmp_path / "out")) < 30_000
    assert finish(start(*words))[0] == 0
    assert len({row["path"] for row in rows_of(tmp_path / "out")}) == len(rows_of(tmp_path / "out")) == 30_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--address", "127.0.0.1:1"], "error: Ray at 127.0.0.1:1 cannot be used: [Errno 111] Connection refused"),
        (["--precision", "int8"], "int8"),
    ],
    ids=["no cluster", "no such precision"],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, tiny_path: Path, words: list[str], said: str) -> None:
    write_greys(tmp_path / "in", 10)
    engine = "--engine", "ray", "--bundle", tiny_path
    status, _, err = finish(start(tmp_path / "in", tmp_path / "out", *engine, *words))
    assert status == 1
    assert said in err.splitlines()[-1]
