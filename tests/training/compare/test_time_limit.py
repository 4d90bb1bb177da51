"""A process that can be ended."""

from __future__ import annotations

import math
import os
import signal
import threading
import time

import pytest

from training.compare.time_limit import Ended, Worker


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_function_is_called_in_another_process_that_stays_for_the_next_call(worker: Worker) -> None:
    with worker:
        first, second = (worker(os.getpid, seconds=60) for _ in range(2))
    assert first == second != os.getpid()


def test_what_takes_too_long_is_ended_and_the_next_call_is_answered(worker: Worker) -> None:
    with worker:
        worker(math.sqrt, 4.0, seconds=60)
        started = time.monotonic()
        with pytest.raises(Ended, match="ended after 1 s, the budget was spent"):
            worker(time.sleep, 60.0, seconds=1)
        assert time.monotonic() - started < 5
        assert worker(math.sqrt, 9.0, seconds=60) == 3


def test_what_the_function_raises_is_raised(worker: Worker) -> None:
    with worker:
        with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
            worker(math.sqrt, -1.0, seconds=60)
        assert worker(math.sqrt, 4.0, seconds=60) == 2


def test_a_process_that_dies_is_told(worker: Worker) -> None:
    with worker:
        with pytest.raises(Ended, match="its process died"):
            worker(os._exit, 1, seconds=60)
        assert worker(math.sqrt, 4.0, seconds=60) == 2


def test_nothing_runs_on_after_ctrl_c(worker: Worker) -> None:
    with worker:
        pid = worker(os.getpid, seconds=60)
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            worker(time.sleep, 60.0, seconds=60)
        timer.join()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
