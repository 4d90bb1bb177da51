"""minutes ──▶ what may still be started: a clock, and estimates from what each model cost on fewer images."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Clock = Callable[[], float]

SAFETY = 1.25
"""Estimates are multiplied by this, as a fit that is under way is not given up."""
NETWORK_SHARE = 0.5
"""Share of the budget for the networks of all sizes; the largest size also gets what the others leave."""
LINEAR = 1.1
"""Power of the rows by which fits grow that pass over the rows a fixed number of times: a little more than 1."""
KERNEL = 1.8
"""The same for fits that compare rows with each other."""
_FEW_ROWS = 5000  # up to which no fit grows faster than linearly: fixed costs take most of the time
_LEAST_GROWTH, _GROWTH_MARGIN = 0.6, 0.2
_NETWORK_GROWTH = 0.6  # 100, 1,000, 10,000 and 60,000 images get 1, 4, 16 and 46 parts


@dataclass
class Budget:
    """Seconds that may be spent, counted from when it was made."""

    seconds: float
    clock: Clock = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    def left(self) -> float:
        """Seconds to the end; negative after it."""
        return self.seconds - self.spent()


@dataclass(frozen=True)
class Cost:
    """What a row of the comparison cost.

    Attributes:
        rows: the number of rows it was fitted on.
        fit: seconds that depend on the rows.
        rest: seconds that depend on the test set: export, test, timing.
    """

    rows: int
    fit: float
    rest: float


def expected_seconds(costs: Sequence[Cost], rows: int, growth: float) -> float:
    """Estimates what a model will cost, from what it cost with fewer rows.

    The fit grows with a power of the rows: `growth`, or a little more than the last two costs show, if that is less. A
    model that grows faster than linearly also becomes larger, and so slower to test.

    Args:
        costs: at least one, the fewest rows first.
        rows: the number of rows to fit on.
        growth: the power to use if the costs do not show one.
    """
    last = costs[-1]
    ratio = max(1.0, rows / max(1, last.rows))
    power = min(growth, max(_LEAST_GROWTH, _seen_growth(costs) + _GROWTH_MARGIN))
    few = max(1.0, min(rows, _FEW_ROWS) / max(1, last.rows))
    grown: float = last.fit * few ** min(power, LINEAR) * (ratio / few) ** power
    return grown + last.rest * (ratio ** (growth - 1) if growth > LINEAR else 1.0)


def network_seconds(sizes: Sequence[int], seconds: float) -> dict[int, float]:
    """Seconds for the network of each size, out of a budget of `seconds`."""
    parts = {size: size**_NETWORK_GROWTH for size in sizes}
    return {size: NETWORK_SHARE * seconds * part / sum(parts.values()) for size, part in parts.items()}


def _seen_growth(costs: Sequence[Cost]) -> float:
    if len(costs) < 2 or costs[-1].rows <= costs[-2].rows or costs[-2].fit <= 0:
        return math.inf
    return math.log(max(costs[-1].fit / costs[-2].fit, 1.0)) / math.log(costs[-1].rows / costs[-2].rows)
