"""What others do on the machine meanwhile."""

import subprocess
import sys
import time

import pytest

from loadtests.load.background_load import BackgroundLoad
from loadtests.load.processes import cpu_seconds

BUSY = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"


def test_the_work_of_the_server_is_not_that_of_others() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as server:
        knowing, unknowing = BackgroundLoad.now(server.pid), BackgroundLoad.now(None)
        before_s, started_s = cpu_seconds(server.pid), time.monotonic()
        time.sleep(0.5)
        used = (cpu_seconds(server.pid) - before_s) / (time.monotonic() - started_s)
        difference = unknowing.cores() - knowing.cores()
    assert used > 0
    assert difference == pytest.approx(used, abs=0.15)  # cores


def test_work_of_another_process_is() -> None:
    counted = BackgroundLoad.now(None)
    with subprocess.Popen([sys.executable, "-c", BUSY]):
        time.sleep(0.5)
        cores = counted.cores()
    assert cores > 0.2
