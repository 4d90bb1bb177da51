"""server ──▶ the directory in memory that its workers, and theirs only, share: numbers, and who is ready.

BentoML's own directory for metrics belongs to the user: a second server of the same user empties it under the first
one, and the numbers of both are mixed. So the supervisor makes one for each server, in `/dev/shm` where there is one,
and removes it at its end; what a killed supervisor left is removed by the next.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

VARIABLE = "_TANDEM_COORDINATION"  # set by the supervisor for its workers; no setting
_PREFIX = "tandem-"
_OWNER = "owner"
_ENDING, _FALLBACK = "ending", "fallback"
_READY, _LEAVING, _FAILED = "{}.ready", "{}.leaving", "{}.failed"  # of a process id
CONNECTIONS = "{}.connections"  # a process' own count, see `service.http.connection_balancing`
_UNFINISHED_S = 60.0
_POLL_S = 0.01
_FALLBACK_LEAVES_WITHIN_S = 2.0
_MEMORY = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the directory ours alone)


def prepare() -> Path:
    """Makes this server's directory and names it to the workers that will be started; called by the supervisor."""
    directory = make(base_directory())
    os.environ[VARIABLE] = str(directory)
    return directory


def in_worker() -> bool:
    """Whether a supervisor of ours started this process, so that it is no command, no test and no supervisor."""
    return VARIABLE in os.environ


def directory() -> Path:
    """The server's directory; without a supervisor that made one BentoML's, or one of this process alone."""
    for variable in (VARIABLE, "PROMETHEUS_MULTIPROC_DIR"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return _own_directory()


async def mark_ready() -> None:
    """Tells the supervisor that this worker answers, and waits until the fallback listener leaves callers to it."""
    (directory() / _READY.format(os.getpid())).touch()
    deadline = time.monotonic() + _FALLBACK_LEAVES_WITHIN_S
    while (directory() / _FALLBACK).exists() and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_S)


@contextlib.contextmanager
def fallback() -> Iterator[None]:
    """Tells the workers that somebody else answers meanwhile."""
    (directory() / _FALLBACK).touch()
    try:
        yield
    finally:
        (directory() / _FALLBACK).unlink(missing_ok=True)


def mark_leaving() -> None:
    """Tells the supervisor that this worker takes no new callers any more."""
    with contextlib.suppress(FileNotFoundError):  # it was never ready, or the supervisor is gone
        (directory() / _READY.format(os.getpid())).rename(directory() / _LEAVING.format(os.getpid()))


def report_failure(reason: str) -> None:
    """Tells the supervisor why this worker cannot start."""
    (directory() / _FAILED.format(os.getpid())).write_text(reason)


def ready_workers(pids: Iterable[int]) -> set[int]:
    """Those of the processes that have said they are ready."""
    return {pid for pid in pids if (directory() / _READY.format(pid)).exists()}


def forget_worker(pid: int) -> tuple[bool, str]:
    """Whether a worker that has ended was ever ready, and the reason it gave; its number may be used again."""
    ready, leaving, failed = (directory() / name.format(pid) for name in (_READY, _LEAVING, _FAILED))
    was_ready, reason = ready.exists() or leaving.exists(), failed.read_text() if failed.exists() else ""
    for file in (ready, leaving, failed, directory() / CONNECTIONS.format(pid)):
        file.unlink(missing_ok=True)
    return was_ready, reason


def end() -> None:
    """Tells the workers that the whole server ends; called by the supervisor."""
    with contextlib.suppress(FileNotFoundError):  # it is gone, and so are they
        (directory() / _ENDING).touch()


def is_ending() -> bool:
    """Whether the whole server ends, which it always does with a worker that has no supervisor of ours."""
    return VARIABLE not in os.environ or not directory().exists() or (directory() / _ENDING).exists()


@functools.cache
def _own_directory() -> Path:
    return make(base_directory())


def make(base: Path) -> Path:
    """Makes a directory that lasts as long as this process."""
    remove_abandoned(base)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    descriptor = os.open(directory / f"{_OWNER}.new", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # until this process ends, however it ends
    (directory / f"{_OWNER}.new").rename(directory / _OWNER)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def base_directory() -> Path:
    """Where it is made: in memory, since a disk's write-back would hold up whoever counts."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def remove_abandoned(base: Path) -> None:
    """Removes directories of ours whose supervisor has ended."""
    for directory in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if directory.stat().st_uid == os.getuid() and _is_abandoned(directory):
                shutil.rmtree(directory)


def _is_abandoned(directory: Path) -> bool:
    owner = directory / _OWNER
    if not owner.exists():
        return time.time() - directory.stat().st_mtime > _UNFINISHED_S
    descriptor = os.open(owner, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
