"""Id of a process ──▶ the CPU time and memory of its whole tree, and the end of the tree."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable

import psutil

POLL_S = 0.05
KILLED_WITHIN_S = 5.0


def cpu_seconds(pid: int) -> float:
    """Sum the CPU time, user and system, of a process and all its descendants so far, seconds of one core.

    Descendants that ended count once their parent has waited for them, so a replaced worker is not lost.

    Raises:
        psutil.NoSuchProcess: There is no such process.
    """
    return sum(_or_zero(_cpu_seconds, process) for process in _tree(pid))


def pss_bytes(pid: int) -> int:
    """Sum the memory of a process and all its descendants; a shared page is divided among its users (PSS, Linux).

    Raises:
        psutil.NoSuchProcess: There is no such process.
    """
    return int(sum(_or_zero(lambda each: each.memory_full_info().pss, process) for process in _tree(pid)))


def stop_group(leader: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """Stop a process that leads its own group: SIGTERM, and after ``grace_s`` SIGKILL for all that still run.

    If the leader has ended by itself, the rest of its group is killed.
    """
    if leader.poll() is None:
        tree = _tree(leader.pid)
        leader.terminate()
        left = _left_after(tree, grace_s)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _left_after(left, KILLED_WITHIN_S)  # a kill takes effect only after the call
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _left_after(tree: list[psutil.Process], grace_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + grace_s
    while (left := [process for process in tree if _is_running(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _or_zero(read: Callable[[psutil.Process], float], process: psutil.Process) -> float:
    try:
        return read(process)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended after it was listed
        return 0


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
