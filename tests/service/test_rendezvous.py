"""The directory that a server's workers share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service import rendezvous

ROOT = Path(__file__).parents[2]


def supervisor(base: Path, then: str) -> Path:
    """Runs a process that makes its directory and ends; the directory's name."""
    code = f"""
import os, signal, sys
from pathlib import Path
from service import rendezvous
rendezvous.base_directory = lambda: Path(sys.argv[1])
print(rendezvous.prepare(), flush=True)
assert os.environ[rendezvous.VARIABLE] == str(rendezvous.directory())
{then}
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    return Path(done.stdout.strip())


def test_it_goes_with_the_server(tmp_path: Path) -> None:
    made = supervisor(tmp_path, "assert Path(rendezvous.directory()).stat().st_mode & 0o077 == 0")
    assert made.parent == tmp_path
    assert not made.exists()


def test_what_a_killed_server_left_is_removed_by_the_next_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    killed = supervisor(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.exists()
    mine = rendezvous.make(tmp_path)
    assert not killed.exists()
    unfinished = tmp_path / "tandem-being-made"
    unfinished.mkdir()
    rendezvous.remove_abandoned(tmp_path)
    assert mine.exists()
    assert unfinished.exists()
    os.utime(unfinished, (0, 0))
    rendezvous.remove_abandoned(tmp_path)
    assert not unfinished.exists()


def test_without_a_supervisor_it_is_bentomls_or_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(rendezvous.VARIABLE, raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert rendezvous.directory() == tmp_path
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    assert rendezvous.directory() == rendezvous.directory() != tmp_path
