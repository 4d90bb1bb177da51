from __future__ import annotations

import numpy as np
import pytest

from feedback.statistics.acquisition import margin_uncertainty, rank
from tests.cpu_cost import relative_cost


def test_ten_copies_of_the_most_doubtful_image_are_asked_once() -> None:
    random = np.random.default_rng(0)
    embedding = random.standard_normal((200, 16))
    embedding[:10] = embedding[0] + 1e-3 * random.standard_normal((10, 16))
    uncertainty = np.where(np.arange(200) < 10, 1.0, 0.3)
    chosen = rank(embedding, uncertainty=uncertainty, count=50)
    assert chosen[0] < 10
    assert (chosen < 10).sum() == 1


def test_what_is_like_an_answered_item_waits() -> None:
    embedding = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    chosen = rank(embedding, uncertainty=np.ones(3), count=3, answered=embedding[:1] + 0.01)
    assert chosen[-1] == 0


def test_of_equally_distant_items_the_uncertain_one_comes_first() -> None:
    embedding = np.eye(4)
    chosen = rank(embedding, uncertainty=np.array([0.1, 0.9, 0.2, 0.5]), count=4, answered=np.zeros((1, 4)))
    assert chosen.tolist() == [1, 3, 2, 0]


def test_every_item_is_named_once_equal_ones_and_certain_ones_too() -> None:
    chosen = rank(np.ones((6, 3)), uncertainty=np.zeros(6), count=10, answered=np.ones((2, 3)))
    assert sorted(chosen.tolist()) == list(range(6))


def test_no_items_give_no_positions() -> None:
    assert len(rank(np.empty((0, 5)), uncertainty=np.empty(0), count=3)) == 0


def test_the_margin_is_that_of_the_two_largest_probabilities() -> None:
    found = margin_uncertainty(np.array([[0.5, 0.1, 0.4], [1.0, 0.0, 0.0]]))
    assert found == pytest.approx([0.9, 0.0])


@pytest.mark.alone
@pytest.mark.parametrize("width", [64, 1_280])
def test_fifty_of_10000_items_take_a_fraction_of_a_second(width: int) -> None:
    random = np.random.default_rng(0)
    embedding = random.standard_normal((10_000, width), np.float32)
    answered = random.standard_normal((2_000, width), np.float32)

    def choose() -> None:
        rank(embedding, uncertainty=random.random(10_000), count=50, answered=answered)

    cost = relative_cost(choose, rounds=3)
    print(f"50 of 10,000 items: {cost:,.0f} small JSON")
    assert cost < 50_000  # half a second on the processor at hand
