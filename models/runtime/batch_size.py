"""measured seconds a batch ──▶ the batch size for a CPU.

Beyond some size a CPU computes larger batches no faster, for large networks beyond one image, and every image of a
batch waits for the last one.
"""

from __future__ import annotations

from collections.abc import Callable

MIN_RUNS, MIN_TIMED_S = 3, 0.02
"""Each size is timed for at least so many runs and so many seconds. A size whose run takes longer is not tried."""

# The smallest size is taken that costs an image at most 5 % more than the best one. The cost includes an image's share
# of what a run costs besides: a turn of the event loop, and cold caches (with the default network, batches of 8 take
# 0.04 ms of CPU a request less than batches of 4).
_WORTH = 1.05
_RUN_S = 0.0002


def best_batch(time_batch: Callable[[int], float], image_s: float, limit: int) -> int:
    """Returns the smallest power of two, or the limit, that is not worth enlarging.

    Args:
        time_batch: measures the seconds of one run of a batch of that size.
        image_s: seconds of a batch of one, measured before.
        limit: the largest size.
    """
    per_image_s = {1: image_s}
    while (size := min(2 * max(per_image_s), limit)) not in per_image_s:
        if per_image_s[max(per_image_s)] * size > MIN_TIMED_S:
            break
        per_image_s[size] = time_batch(size) / size
    # Measured twice: other workers start at the same time and slow down now one size, now another.
    per_image_s = {size: min(seconds, time_batch(size) / size) for size, seconds in per_image_s.items()}
    cost_s = {size: seconds + _RUN_S / size for size, seconds in per_image_s.items()}
    return next(size for size, seconds in cost_s.items() if seconds <= _WORTH * min(cost_s.values()))
