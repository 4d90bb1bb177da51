"""The directory that a server's workers share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service import coordination
from tests.service.serving import until

ROOT = Path(__file__).parents[2]


def supervisor(base: Path, then: str) -> Path:
    """Runs a process that makes its directory and ends; the directory's name."""
    code = f"""
import os, signal, sys
from pathlib import Path
from service import coordination
coordination.base_directory = lambda: Path(sys.argv[1])
print(coordination.prepare(), flush=True)
assert os.environ[coordination.VARIABLE] == str(coordination.directory())
{then}
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    return Path(done.stdout.strip())


def test_it_goes_with_the_server(tmp_path: Path) -> None:
    made = supervisor(tmp_path, "assert Path(coordination.directory()).stat().st_mode & 0o077 == 0")
    assert made.parent == tmp_path
    assert not made.exists()


def test_what_a_killed_server_left_is_removed_by_the_next_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    killed = supervisor(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.exists()
    mine = coordination.make(tmp_path)
    assert not killed.exists()
    unfinished = tmp_path / "tandem-being-made"
    unfinished.mkdir()
    coordination.remove_abandoned(tmp_path)
    assert mine.exists()
    assert unfinished.exists()
    os.utime(unfinished, (0, 0))
    coordination.remove_abandoned(tmp_path)
    assert not unfinished.exists()


def test_without_a_supervisor_it_is_bentomls_or_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(coordination.VARIABLE, raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert coordination.directory() == tmp_path
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    assert coordination.directory() == coordination.directory() != tmp_path


# ---------------------------------------------------------------- who is ready


def test_workers_are_ready_once_they_say_so(shared: Path) -> None:
    assert coordination.ready_workers({os.getpid(), 1}) == set()
    asyncio.run(coordination.mark_ready())
    assert coordination.ready_workers({os.getpid(), 1}) == {os.getpid()}


def test_a_worker_waits_until_the_fallback_listener_has_left(shared: Path) -> None:
    async def test() -> None:
        with coordination.fallback():
            ready = asyncio.create_task(coordination.mark_ready())
            await until(lambda: coordination.ready_workers({os.getpid()}) != set())
            await asyncio.sleep(0)
            assert not ready.done()
        await ready

    asyncio.run(test())


def test_a_worker_does_not_wait_for_ever(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordination, "_FALLBACK_LEAVES_WITHIN_S", 0.02)
    began = time.monotonic()
    with coordination.fallback():
        asyncio.run(coordination.mark_ready())
    assert time.monotonic() - began >= 0.02


def test_the_fallback_listener_leaves_no_sign_whatever_becomes_of_it(shared: Path) -> None:
    with contextlib.suppress(ValueError), coordination.fallback():
        assert (shared / "fallback").exists()
        raise ValueError
    assert not (shared / "fallback").exists()


def test_a_worker_that_was_ready_is_forgotten_with_its_end(shared: Path) -> None:
    asyncio.run(coordination.mark_ready())
    assert coordination.forget_worker(os.getpid()) == (True, "")
    assert coordination.ready_workers({os.getpid()}) == set()
    assert coordination.forget_worker(os.getpid()) == (False, "")


def test_a_worker_that_leaves_is_not_ready_and_was_so_once(shared: Path) -> None:
    asyncio.run(coordination.mark_ready())
    coordination.mark_leaving()
    assert coordination.ready_workers({os.getpid()}) == set()
    assert coordination.forget_worker(os.getpid()) == (True, "")
    assert coordination.forget_worker(os.getpid()) == (False, "")


def test_a_worker_that_was_never_ready_may_leave(shared: Path) -> None:
    coordination.mark_leaving()
    assert coordination.forget_worker(os.getpid()) == (False, "")


def test_a_worker_that_cannot_start_says_why_once(shared: Path) -> None:
    coordination.report_failure("the bundle is damaged: größer")
    assert coordination.forget_worker(os.getpid()) == (False, "the bundle is damaged: größer")
    assert coordination.forget_worker(os.getpid()) == (False, "")


# ---------------------------------------------------------------- who ends


def test_a_server_ends_when_its_supervisor_says_so(shared: Path) -> None:
    assert not coordination.is_ending()
    coordination.end()
    assert coordination.is_ending()


def test_a_server_whose_directory_is_gone_has_ended(shared: Path) -> None:
    shared.rmdir()
    coordination.end()
    assert coordination.is_ending()


def test_a_worker_without_a_supervisor_of_ours_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(coordination.VARIABLE, raising=False)
    assert coordination.is_ending()
