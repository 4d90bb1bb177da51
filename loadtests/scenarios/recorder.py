"""Requests as locust reports them ──▶ the summary of a run.

Every latency is kept, because locust's own statistics round them to whole milliseconds.
"""

import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from loadtests.scenarios.reference_answers import Reference
from loadtests.scenarios.run_summary import Row, Summary

ERRORS_SHOWN = 10


class Recorder:
    """Latencies and failures of the run in progress."""

    def __init__(self, *, cpu_seconds: Callable[[], float] | None) -> None:
        """Prepare for a run; ``cpu_seconds`` reads the CPU time of the service so far, None if that is not known."""
        self._cpu_seconds = cpu_seconds
        self._latencies_ms: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._failures: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._started_s = 0.0
        self._elapsed_s = 0.0
        self._cpu_before_s = 0.0
        self._cpu_used_s = 0.0

    def start(self) -> None:
        """Start the clock; the first user is about to start."""
        self._cpu_before_s = self._cpu_seconds() if self._cpu_seconds else 0.0
        self._started_s = time.perf_counter()

    def record(self, name: str, latency_ms: float, error: BaseException | None) -> None:
        """Add a request that ended; ``error`` is None if it succeeded."""
        self._latencies_ms[name].append(latency_ms)
        if error is not None:
            self._failures[name] += 1
            self._errors[str(error) or repr(error)] += 1

    def stop(self) -> None:
        """Stop the clock; the last user has ended."""
        self._elapsed_s = time.perf_counter() - self._started_s
        self._cpu_used_s = self._cpu_seconds() - self._cpu_before_s if self._cpu_seconds else 0.0

    def summary(self, reference: Reference) -> Summary | None:
        """Summarize the run; None if no request ended."""
        if not self._latencies_ms:
            return None
        everything = np.concatenate(list(self._latencies_ms.values()))
        return Summary(
            rows=tuple(
                self._row(name, np.asarray(times), self._failures[name])
                for name, times in sorted(self._latencies_ms.items())
            ),
            total=self._row("all", everything, self._failures.total()),
            elapsed_s=self._elapsed_s,
            accuracy=reference.accuracy,
            images=len(reference.labels),
            server_cpu_ms=self._cpu_used_s * 1000 / len(everything) if self._cpu_seconds else None,
            errors=tuple(self._errors.most_common(ERRORS_SHOWN)),
        )

    def _row(self, name: str, latencies_ms: npt.NDArray[np.float64], failures: int) -> Row:
        p50_ms, p95_ms, p99_ms = np.percentile(latencies_ms, [50, 95, 99]).tolist()
        rate = len(latencies_ms) / self._elapsed_s
        return Row(name, len(latencies_ms), failures, rate, p50_ms, p95_ms, p99_ms)
