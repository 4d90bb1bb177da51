"""`training.clean.labels`: labels that are wrong are found, and how many of those that are listed are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.bundle import Bundle
from models.sessions import Embedder, cpu_session
from models.store import DEFAULT_ROOT, resolve
from tests.training.clean.conftest import embed
from training import fashion_mnist
from training.clean.labels import LabelIssue, find_issues
from training.errors import DataError
from training.heads import embed as embed_images

SHARE = 0.05
"""Of the labels that are replaced."""


def replace_labels(labels: np.ndarray, *, seed: int, pair: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is another class, any or the next one, and the positions of those."""
    dice = np.random.default_rng(seed)
    classes = labels.max() + 1
    positions = dice.choice(len(labels), round(SHARE * len(labels)), replace=False)
    given = labels.copy()
    given[positions] += 1 if pair else dice.integers(1, classes, len(positions))
    return given % classes, positions


def precision_and_recall(issues: Sequence[LabelIssue], replaced: np.ndarray) -> tuple[float, float]:
    found = len({issue.position for issue in issues} & set(replaced.tolist()))
    return found / len(issues), found / len(replaced)


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(600) % 4
    return embed(labels), labels


def test_replaced_labels_are_listed_with_the_right_ones(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = clouds
    given, replaced = replace_labels(labels, seed=3)
    issues = find_issues(embedding, given, seed=0)
    precision, recall = precision_and_recall(issues, replaced)
    assert precision >= 0.95
    assert recall >= 0.8  # as many as the others say are wrong, which is a guess
    for issue in issues:
        assert issue.given == given[issue.position]
        assert issue.suggested == labels[issue.position]


def test_the_worst_come_first(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given, _ = replace_labels(clouds[1], seed=3)
    doubts = [issue.doubt for issue in find_issues(clouds[0], given, seed=0)]
    assert doubts == sorted(doubts, reverse=True)
    assert all(0.5 < doubt <= 1 for doubt in doubts)


def test_right_labels_are_not_listed(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    assert find_issues(*clouds, seed=0) == []


def test_the_same_seed_gives_the_same_list(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given, _ = replace_labels(clouds[1], seed=3)
    assert find_issues(clouds[0], given, seed=1) == find_issues(clouds[0], given, seed=1)


def test_a_class_of_four_rows_is_neither_judged_nor_suggested(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = clouds
    kept = np.flatnonzero((labels != 1) | (np.arange(600) < 16))  # 1, 5, 9 and 13
    given = labels[kept].copy()
    given[0] = 3
    (issue,) = find_issues(embedding[kept], given, seed=0)
    assert (issue.position, issue.given, issue.suggested) == (0, 3, 0)


@pytest.mark.parametrize("count", [0, 4, 8])
def test_too_few_rows_have_no_issues(clouds: tuple[np.ndarray, np.ndarray], count: int) -> None:
    assert find_issues(clouds[0][:count], clouds[1][:count], seed=0) == []


@pytest.mark.slow
def test_most_of_the_labels_replaced_in_fashion_mnist_are_listed_and_most_of_the_list_is_right() -> None:
    """On the test images, which the network of the default bundle never saw."""
    try:
        dataset = fashion_mnist.load()
    except DataError as error:
        pytest.skip(str(error))
    bundle = Bundle.open(resolve(DEFAULT_ROOT / fashion_mnist.NAME))
    images, labels = dataset.images[dataset.official_test], dataset.labels[dataset.official_test]
    embedding = embed_images(Embedder(cpu_session(bundle.embedder("fp32"))), images, "embedding")
    for pair in (False, True):
        for seed in range(3):
            given, replaced = replace_labels(labels, seed=seed, pair=pair)
            issues = find_issues(embedding, given, seed=0)
            precision, recall = precision_and_recall(issues, replaced)
            noise = "the next class" if pair else "another class"
            print(f"{noise}, seed {seed}: {len(issues)} listed, precision {precision:.3f}, recall {recall:.3f}")
            assert precision >= 0.6
            assert recall >= 0.8
