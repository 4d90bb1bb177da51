"""Id of a process → the CPU time and memory of its whole tree, and the tree's end."""

import contextlib
import os
import signal
import subprocess
import time

import psutil

POLL_S = 0.05
KILLED_WITHIN_S = 5.0


def cpu_seconds(pid: int) -> float:
    """Sum the CPU time, user and system, that a process and all below it have used so far.

    Descendants that ended count once their parent has waited for them, so that a replaced worker is not lost.

    Returns:
        Seconds of one core.

    Raises:
        psutil.NoSuchProcess: There is no such process.
    """
    root = psutil.Process(pid)
    return sum(_own_seconds(process) for process in [root, *root.children(recursive=True)])


def pss_bytes(pid: int) -> int:
    """Sum the memory of a process and all below it, each shared page divided among those that share it (PSS, Linux).

    Raises:
        psutil.NoSuchProcess: There is no such process.
    """
    root = psutil.Process(pid)
    return sum(_own_pss(process) for process in [root, *root.children(recursive=True)])


def stop_group(leader: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """End a process that leads its own group: SIGTERM, and after ``grace_s`` SIGKILL for all that is left.

    Where it has ended by itself, what it left behind in its group is killed.
    """
    if leader.poll() is None:
        root = psutil.Process(leader.pid)
        tree = [root, *root.children(recursive=True)]
        leader.terminate()
        left = _left_after(tree, grace_s)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _left_after(left, KILLED_WITHIN_S)  # a kill takes effect only after the call
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _left_after(tree: list[psutil.Process], grace_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + grace_s
    while (left := [process for process in tree if _is_running(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def _own_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # ended since it was listed
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _own_pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # ended since it was listed
        return 0


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
