"""Name of a shape and the time since the start → the share of the peak number of users that is at work."""

import math
from collections.abc import Callable
from dataclasses import dataclass

STEPS = 4


def steps(progress: float) -> float:
    """Climb to the peak in four equal steps: where does latency begin to grow?"""
    return (math.floor(progress * STEPS) + 1) / STEPS


def spike(progress: float) -> float:
    """A tenth of the users, all of them for the middle fifth, a tenth again: does the service recover?"""
    return 1.0 if 0.4 <= progress < 0.6 else 0.1


def soak(progress: float) -> float:
    """Climb evenly over the first tenth, then hold the peak: does anything grow over hours?"""
    return min(1.0, (math.floor(progress * 100) + 1) / 10)


# Without a shape, locust itself holds a constant number of users.
SHAPES: dict[str, Callable[[float], float]] = {"steps": steps, "spike": spike, "soak": soak}


@dataclass(frozen=True)
class Schedule:
    """How many users are at work at each moment of a run.

    Attributes:
        level: Share of the peak at a progress of 0 to 1.
        peak_users: Number of users at the peak.
        duration_s: Length of the run, seconds.
    """

    level: Callable[[float], float]
    peak_users: int
    duration_s: float

    def users_at(self, elapsed_s: float) -> int | None:
        """Return the number of users, at least 1, this long after the start; None when the run is over."""
        if elapsed_s >= self.duration_s:
            return None
        return max(1, round(self.peak_users * self.level(elapsed_s / self.duration_s)))
