"""What others do on the machine meanwhile."""

import subprocess
import sys
import time

from loadtests.load.background_load import Bystanders

BUSY = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"


def test_the_work_of_the_server_is_not_that_of_others() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as server:
        knowing, unknowing = Bystanders.now(server.pid), Bystanders.now(None)
        time.sleep(0.5)
        difference = unknowing.cores() - knowing.cores()
    assert difference > 0.2  # nearly one, where the machine has a core for it


def test_work_of_another_process_is() -> None:
    counted = Bystanders.now(None)
    with subprocess.Popen([sys.executable, "-c", BUSY]):
        time.sleep(0.5)
        cores = counted.cores()
    assert cores > 0.2
