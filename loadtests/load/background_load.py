"""Two points in time ──▶ how many cores other work kept busy in between."""

import resource
import time
from dataclasses import dataclass
from typing import Self

import psutil

from loadtests.load.processes import cpu_seconds


@dataclass(frozen=True)
class BackgroundLoad:
    """CPU times at the start of a measurement.

    Attributes:
        server_pid: The server that is measured; None if there is none.
        busy_s: CPU time of the whole machine, including what its host took away, seconds.
        own_s: CPU time of the server, of this process and of its ended children, seconds.
        clock_s: ``time.monotonic``.
    """

    server_pid: int | None
    busy_s: float
    own_s: float
    clock_s: float

    @classmethod
    def now(cls, server_pid: int | None) -> Self:
        """Start a measurement."""
        return cls(server_pid, _busy_seconds(), _own_seconds(server_pid), time.monotonic())

    def cores(self) -> float:
        """Return the cores that other work has used since, on average; work of the system itself counts as other."""
        end = self.now(self.server_pid)
        others_s = (end.busy_s - self.busy_s) - (end.own_s - self.own_s)
        return max(0.0, others_s / (end.clock_s - self.clock_s))


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _own_seconds(server_pid: int | None) -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_s = cpu_seconds(server_pid) if server_pid else 0.0
    return server_s + children.ru_utime + children.ru_stime + time.process_time()
