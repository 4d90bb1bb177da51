"""Time between two moments → how many cores others kept busy, which no figure taken then should be trusted with."""

import resource
import time
from dataclasses import dataclass
from typing import Self

import psutil

from loadtests.load.processes import cpu_seconds


@dataclass(frozen=True)
class Bystanders:
    """A moment to count from.

    Attributes:
        server_pid: The server that is measured; None where none is.
        busy_s: CPU time of the whole machine, what its host took away included, seconds.
        own_s: CPU time of the server, of this process and of those it waited for, seconds.
        moment_s: Of ``time.monotonic``.
    """

    server_pid: int | None
    busy_s: float
    own_s: float
    moment_s: float

    @classmethod
    def now(cls, server_pid: int | None) -> Self:
        """Begin to count."""
        return cls(server_pid, _busy_seconds(), _own_seconds(server_pid), time.monotonic())

    def cores(self) -> float:
        """Return how many cores others have used since, on average; the system's own work counts as theirs."""
        then = self.now(self.server_pid)
        others_s = (then.busy_s - self.busy_s) - (then.own_s - self.own_s)
        return max(0.0, others_s / (then.moment_s - self.moment_s))


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _own_seconds(server_pid: int | None) -> float:
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_s = cpu_seconds(server_pid) if server_pid else 0.0
    return server_s + waited_for.ru_utime + waited_for.ru_stime + time.process_time()
