"""Summary and limits ──▶ the objectives that were missed, one line each."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from loadtests.scenarios.run_summary import Summary

BOUNDS = {"min": (operator.ge, "at least"), "max": (operator.le, "at most")}


@dataclass(frozen=True)
class Objective:
    """A limit that can be set for a load test.

    Attributes:
        bound: Whether it is a lower or an upper limit.
        name: What it limits, as part of the option's name.
        meaning: What it limits, in words and with the unit.
        value: Reads the value from a summary; None if it was not measured.
        default: The limit without the option; None for no limit.
    """

    bound: Literal["min", "max"]
    name: str
    meaning: str
    value: Callable[[Summary], float | None]
    default: float | None = None

    @property
    def option(self) -> str:
        """Name of the option, without the leading dashes."""
        return f"{self.bound}-{self.name}"

    def missed(self, summary: Summary, limit: float) -> str | None:
        """Return one line with value and limit if the objective is missed, else None."""
        value = self.value(summary)
        within, words = BOUNDS[self.bound]
        if value is None:
            return f"{self.meaning}: not measured, the limit is {words} {limit:g}"
        if within(value, limit):
            return None
        return f"{self.meaning}: {value:.4g}, the limit is {words} {limit:g}"


OBJECTIVES = (
    Objective("min", "rps", "requests/s", lambda run: run.total.requests_per_s),
    Objective("max", "p50-ms", "p50 latency in ms", lambda run: run.total.p50_ms),
    Objective("max", "p95-ms", "p95 latency in ms", lambda run: run.total.p95_ms),
    Objective("max", "p99-ms", "p99 latency in ms", lambda run: run.total.p99_ms),
    Objective("max", "failures", "share of failed requests", lambda run: run.failed_share, default=0.0),
    Objective("max", "cpu-ms", "server CPU ms per request", lambda run: run.server_cpu_ms),
    Objective("min", "accuracy", "accuracy over the images sent one by one", lambda run: run.accuracy),
)


def missed_objectives(summary: Summary, limits: Mapping[str, float | None]) -> list[str]:
    """Return one line for each objective missed; ``limits`` are by option, e.g. ``max-p95-ms``, None for no limit."""
    checks = [each.missed(summary, limit) for each in OBJECTIVES if (limit := limits.get(each.option)) is not None]
    return [line for line in checks if line is not None]
