"""Summary and limits → the objectives that were missed, a line each."""

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
        bound: Whether the limit is the least or the most that is allowed.
        name: What it limits, as part of the option's name.
        meaning: The same for a person, with its unit.
        value: Takes it from a summary; None where it was not measured.
        default: The limit where none is given; None for no limit.
    """

    bound: Literal["min", "max"]
    name: str
    meaning: str
    value: Callable[[Summary], float | None]
    default: float | None = None

    @property
    def option(self) -> str:
        """Name of the limit on the command line, without dashes in front."""
        return f"{self.bound}-{self.name}"

    def missed(self, summary: Summary, limit: float) -> str | None:
        """Compare with the limit; None where the objective is met, else one line with value and limit."""
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
    """Check every objective for which there is a limit.

    Args:
        summary: What was measured.
        limits: Option of the objective, e.g. ``max-p95-ms`` → its limit, None for no limit.

    Returns:
        One line for each objective missed.
    """
    checks = [each.missed(summary, limit) for each in OBJECTIVES if (limit := limits.get(each.option)) is not None]
    return [line for line in checks if line is not None]
