from __future__ import annotations

import numpy as np
import pytest

from feedback.simulation.strategies import STRATEGIES, Candidates

CANDIDATES = Candidates(
    embedding=np.array([[0.0, 0.2], [9.0, 0.0], [4.0, 0.0], [4.0, 0.1]]),
    probabilities=np.array([[0.5, 0.5], [0.99, 0.01], [0.55, 0.45], [0.6, 0.4]]),
    answered=np.zeros((1, 2)),
)


@pytest.mark.parametrize(
    ("strategy", "expected"), [("uncertainty", [0, 2, 3]), ("diversity", [1, 3, 0]), ("ours", [2, 0, 1])]
)
def test_each_strategy_asks_what_its_name_says(strategy: str, expected: list[int]) -> None:
    assert STRATEGIES[strategy](CANDIDATES, 3, np.random.default_rng(0)).tolist() == expected


def test_random_choice_depends_on_the_seed_alone() -> None:
    first, again, other = (STRATEGIES["random"](CANDIDATES, 4, np.random.default_rng(seed)) for seed in (1, 1, 3))
    assert first.tolist() == again.tolist() != other.tolist()
    assert sorted(first.tolist()) == [0, 1, 2, 3]
