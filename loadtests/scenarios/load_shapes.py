"""Name of a shape and the progress of the run ──▶ the share of the users that are active."""

import math
from collections.abc import Callable

STEPS = 4


def steps(progress: float) -> float:
    """Climb to the peak in four equal steps: where does latency begin to grow?"""
    return (math.floor(progress * STEPS) + 1) / STEPS


def spike(progress: float) -> float:
    """Run a tenth of the users, all of them for the middle fifth, and a tenth again: does the service recover?"""
    return 1.0 if 0.4 <= progress < 0.6 else 0.1


def soak(progress: float) -> float:
    """Climb evenly over the first tenth, then hold the peak: does anything grow over hours?"""
    return min(1.0, (math.floor(progress * 100) + 1) / 10)


# Without a shape, locust itself holds a constant number of users.
SHAPES: dict[str, Callable[[float], float]] = {"steps": steps, "spike": spike, "soak": soak}


def users_at(elapsed_s: float, shape: Callable[[float], float], *, peak_users: int, duration_s: float) -> int | None:
    """Return the number of users, at least 1, this long after the start; None when the run is over."""
    return None if elapsed_s >= duration_s else max(1, round(peak_users * shape(elapsed_s / duration_s)))
