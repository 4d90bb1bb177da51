"""What a piece of code costs, in units that mean the same on every machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

REFERENCE = {
    "route": "/v1/predict",
    "status": 200,
    "seconds": [0.0031, 0.0002, 0.0001],
    "images": {"ok": 1, "failed": 0},
}


def reference_cost(clock: Callable[[], float] = time.process_time) -> float:
    """CPU seconds that this machine takes, at this moment, to write and read the same small JSON."""
    best = float("inf")
    for _ in range(5):
        began = clock()
        for _ in range(200):
            json.loads(json.dumps(REFERENCE))
        best = min(best, (clock() - began) / 200)
    return best


def relative_cost(run: Callable[[], object], times: int = 1, rounds: int = 5) -> float:
    """CPU time of `run`, in all threads, divided by `times` and by the reference's cost: the least of `rounds`.

    A neighbour on the same core and a slow processor lengthen both alike, so the quotient holds where microseconds
    do not.
    """
    quotients = []
    for _ in range(rounds):
        unit = reference_cost()
        began = time.process_time()
        run()
        took = time.process_time() - began
        quotients.append(took / times / max(unit, reference_cost()))
    return min(quotients)
