"""CPU time and the end of a tree of processes."""

import subprocess
import sys

import psutil
import pytest

from loadtests.load.processes import cpu_seconds, stop_group

CHILD = """
import signal, time
while time.process_time() < 0.3: pass
print("used 0.3 s", flush=True)
signal.pause()
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""


def started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_children_count_for_cpu_time_and_end_with_their_parent() -> None:
    parent = started(PARENT)
    with parent:
        assert parent.stdout is not None
        child_pid = int(parent.stdout.readline())
        assert cpu_seconds(parent.pid) > 0.25  # the system counts in hundredths of a second
        stop_group(parent, grace_s=0.2)
    assert parent.returncode is not None
    assert not is_running(child_pid)


def test_a_process_that_ignores_the_request_to_end_is_killed_after_the_grace() -> None:
    deaf = started(DEAF)
    with deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        stop_group(deaf, grace_s=0.2)
    assert deaf.returncode == -9


def test_a_process_that_has_ended_is_left_in_peace() -> None:
    ended = started("")
    with ended:
        ended.wait(timeout=10)
        stop_group(ended, grace_s=0)
    assert ended.returncode == 0


def test_the_cpu_time_of_no_process_is_an_error() -> None:
    ended = started("")
    with ended:
        ended.wait(timeout=10)
    with pytest.raises(psutil.NoSuchProcess):
        cpu_seconds(ended.pid)
