"""`training.clean.label_noise`: the share of wrong labels is measured where errors of a model are told from it."""

from __future__ import annotations

import numpy as np
import pytest

from training.clean.label_noise import confused_labels, noise_share, other_labels

CLASSES = 8


def answers(count: int, *, hard: bool) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `[N, 8]` of a calibrated model, which hesitates between two classes, and labels drawn by them."""
    dice = np.random.default_rng(0)
    true = np.arange(count) % CLASSES
    other = (true + 1) % CLASSES
    doubt = dice.uniform(0, 0.5, count) if hard else np.zeros(count)
    probabilities = np.full((count, CLASSES), 1e-4)
    probabilities[np.arange(count), true] += 1 - doubt
    probabilities[np.arange(count), other] += doubt
    probabilities *= dice.uniform(0.9, 1.1, probabilities.shape)
    labels = np.where(dice.random(count) < doubt, other, true)
    return probabilities / probabilities.sum(1, keepdims=True), labels


def make_wrong(labels: np.ndarray, share: float) -> np.ndarray:
    dice = np.random.default_rng(1)
    rows = dice.choice(len(labels), round(share * len(labels)), replace=False)
    given = labels.copy()
    given[rows] = other_labels(labels, rows, CLASSES, dice)
    return given


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_of_many_labels_the_share_is_measured_whether_or_not_the_model_errs(hard: bool, share: float) -> None:
    probabilities, labels = answers(10_000, hard=hard)
    assert noise_share(probabilities, make_wrong(labels, share), seed=0) == pytest.approx(share, rel=0.2, abs=0.02)


def test_of_few_labels_less_is_believed() -> None:
    probabilities, labels = answers(200, hard=False)
    share = noise_share(probabilities, make_wrong(labels, 0.1), seed=0)
    assert 0.02 <= share <= 0.08


def test_one_label_shows_nothing() -> None:
    probabilities, labels = answers(200, hard=False)
    labels[3] = (labels[3] + 4) % CLASSES
    assert noise_share(probabilities, labels, seed=0) == 0


def test_a_label_is_made_wrong_by_any_other() -> None:
    labels = np.arange(CLASSES).repeat(200)
    given = other_labels(labels, np.arange(len(labels)), CLASSES, np.random.default_rng(0))
    pairs = set(zip(labels.tolist(), given.tolist(), strict=True))
    assert pairs == {(one, other) for one in range(CLASSES) for other in range(CLASSES) if one != other}


def test_the_class_that_one_is_confused_with_is_what_the_model_says_instead() -> None:
    probabilities, labels = answers(800, hard=True)
    assert confused_labels(probabilities, np.arange(800) % CLASSES).tolist() == [1, 2, 3, 4, 5, 6, 7, 0]
    assert len(labels) == 800
