"""`models.runtime.batch_size`: how many images a CPU computes at once."""

from __future__ import annotations

import pytest

from models.runtime.batch_size import best_batch


@pytest.mark.parametrize(
    ("image_ms", "limit", "best"),
    [
        ({1: 5.0, 2: 5.0, 4: 5.0}, 32, 1),
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0, 16: 1.0}, 32, 4),
        ({1: 1.0, 2: 0.8, 4: 0.7, 8: 0.68, 16: 0.9}, 32, 8),
        ({1: 1.0, 2: 0.99, 4: 0.5, 8: 0.5, 16: 0.5, 32: 0.5}, 32, 8),
        ({1: 1.0, 2: 0.8, 3: 0.5}, 3, 3),
        ({1: 1.0}, 1, 1),
        ({1: 25.0}, 32, 1),
        ({1: 8.0, 2: 6.0}, 32, 2),
    ],
    ids=[
        "no gain",
        "no gain but that of fewer runs",
        "the smallest that is nearly the best",
        "a gain that comes late",
        "a limit that is no power of two",
        "a limit of one",
        "too slow to try",
        "too slow to try more",
    ],
)
def test_a_cpu_takes_the_smallest_batch_that_is_worth_no_more_to_enlarge(
    image_ms: dict[int, float], limit: int, best: int
) -> None:
    assert best_batch(lambda size: image_ms[size] * size / 1000, image_ms[1] / 1000, limit) == best
