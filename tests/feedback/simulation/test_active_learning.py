from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedback.simulation.active_learning import Simulation, simulate
from models.errors import DataError
from tests.feedback.clothes import Clothes
from tests.feedback.simulation.worlds_of_rows import rare_and_frequent


def test_where_classes_are_rare_ours_is_better_than_random_choice() -> None:
    found = simulate(*rare_and_frequent(), answers=(50, 100, 200), seeds=3)
    gain, _ = found.gain("ours")
    assert found.strategy == "ours"
    assert gain[0] == 0, "all strategies begin with the same labels"
    assert gain[1] > 0.002, f"gained {gain[1]:.4f}"


def test_the_same_seeds_give_the_same_curves() -> None:
    rows = rare_and_frequent(300)
    first, second = (simulate(*rows, answers=(50, 100), seeds=3) for _ in range(2))
    assert all((first.accuracy[name] == second.accuracy[name]).all() for name in first.accuracy)


def test_copies_are_never_on_both_sides() -> None:
    random = np.random.default_rng(0)
    embedding = np.repeat(random.standard_normal((150, 100)), 4, axis=0)  # what is learnt is of copies alone
    labels = np.repeat(random.integers(0, 2, 150), 4)
    apart = simulate(embedding, labels, unit=np.repeat(np.arange(150), 4), answers=(100, 200), seeds=3)
    assert apart.accuracy["random"].mean() < 0.62
    assert simulate(embedding, labels, answers=(100, 200), seeds=3).accuracy["random"].mean() > 0.62


@pytest.mark.parametrize(("rows", "classes"), [(100, 2), (600, 1)], ids=["too few rows", "one class"])
def test_what_cannot_be_simulated_is_refused_with_the_numbers(rows: int, classes: int) -> None:
    with pytest.raises(DataError, match=f"at least 400 labelled rows of two classes; there are {rows} of {classes}"):
        simulate(np.ones((rows, 4)), np.arange(rows) % classes)


def curves(ours: float) -> Simulation:
    noise = np.array([[0.0, 0.001], [0.0, -0.001], [0.0, 0.0]])
    return Simulation((100, 200), {"random": 0.9 + noise, "ours": 0.9 + noise[::-1] + [0, ours]}, 500, 500)


def test_ours_is_used_only_if_it_is_not_worse() -> None:
    assert curves(0.001).strategy == "ours"
    assert curves(-0.02).strategy == "random"
    assert curves(-0.02).sentence.startswith("ours is worse: choose at random (-2.00 points on average over 200 to 200")


def test_noise_is_wider_with_fewer_seeds() -> None:
    many = curves(0.0)
    tripled = replace(many, accuracy={name: np.tile(found, (3, 1)) for name, found in many.accuracy.items()})
    assert tripled.gain("ours")[1][1] < many.gain("ours")[1][1] / 1.7


@pytest.mark.slow
def test_on_clothes_ours_is_at_least_as_good_as_random_choice_at_every_number_of_answers(clothes: Clothes) -> None:
    found = simulate(clothes.embedding, clothes.labels)
    gain, noise = found.gain("ours")
    print(found.sentence, gain.round(4), noise.round(4))
    assert (gain >= -noise).all()
    assert gain[1:].mean() > 0, f"gained {gain[1:].mean():.4f} on average"
