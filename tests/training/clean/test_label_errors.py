"""`training.clean.label_errors`: labels that are wrong are found, and how many of those that are listed are wrong is
told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, resolve
from models.runtime.sessions import Embedder, cpu_session
from tests.training.clean.conftest import embed
from training.clean.findings.finding_kinds import MIN_PRECISION
from training.clean.label_errors import LabelIssue, LabelReview, find_issues
from training.data import fashion_mnist
from training.exceptions import DataError
from training.network.embedding_cache import embed as embed_images

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
    return found / max(1, len(issues)), found / len(replaced)


def review(embedding: np.ndarray, labels: np.ndarray) -> LabelReview:
    return find_issues(embedding, labels, np.arange(len(labels)), seed=0)


def overlapping(count: int, classes: int, *, apart: float, seed: int, shape: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of uneven classes in a plane of 12 of 64 dimensions, float32 `[N, 64]`, and their labels, all right.

    The shape is the seed of where they lie.
    """
    world, dice = np.random.default_rng(shape), np.random.default_rng(seed)
    shares = np.exp(world.normal(0, 0.6, classes))
    labels = np.repeat(np.arange(classes), np.maximum(6, count * shares / shares.sum()).astype(int))
    hidden = world.normal(0, apart, (classes, 12))[labels] + dice.normal(0, 1, (len(labels), 12))
    embedding = hidden @ world.normal(0, 12**-0.5, (12, 64)) + dice.normal(0, 0.3, (len(labels), 64))
    return embedding.astype(np.float32), labels


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(600) % 4
    return embed(labels), labels


def test_replaced_labels_are_listed_with_the_right_ones(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = clouds
    given, replaced = replace_labels(labels, seed=3)
    issues = review(embedding, given).issues
    precision, recall = precision_and_recall(issues, replaced)
    assert precision >= 0.95
    assert recall >= 0.8  # as many as the others say are wrong, which is a guess
    for issue in issues:
        assert issue.given == given[issue.position]
        assert issue.suggested == labels[issue.position]


def test_estimates_are_near_what_is_true(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given, replaced = replace_labels(clouds[1], seed=3)
    found = review(clouds[0], given)
    precision, recall = precision_and_recall(found.issues, replaced)
    assert found.precision is not None
    assert found.recall is not None
    assert MIN_PRECISION <= found.precision <= precision + 0.05
    assert abs(found.recall - recall) <= 0.15


@pytest.mark.parametrize("shape", range(3))
def test_a_list_of_right_labels_is_not_believed(shape: int) -> None:
    found = review(*overlapping(300, 10, apart=0.8, seed=0, shape=shape))
    assert len(found.issues) >= 5
    assert found.precision is not None
    assert found.precision <= 0.5
    assert found.recall is not None
    assert found.recall >= 0.4


def test_the_worst_come_first(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given, _ = replace_labels(clouds[1], seed=3)
    doubts = [issue.doubt for issue in review(clouds[0], given).issues]
    assert doubts == sorted(doubts, reverse=True)
    assert all(0.5 < doubt <= 1 for doubt in doubts)


def test_right_labels_are_not_listed_and_planted_ones_are(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    found = review(*clouds)
    assert found.issues == ()
    assert found.precision is None
    assert found.recall is not None
    assert found.recall >= 0.6


def test_the_same_seed_gives_the_same_review(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given, _ = replace_labels(clouds[1], seed=3)
    assert review(clouds[0], given) == review(clouds[0], given)


def test_copies_do_not_vouch_for_each_others_label(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, given = clouds[0].copy(), clouds[1].copy()
    copies = np.arange(0, 100, 4)
    embedding[copies], given[copies] = embedding[0], 1
    groups = np.arange(600)
    groups[copies] = 0

    def listed(groups: np.ndarray) -> set[int]:
        found = find_issues(embedding, given, groups, seed=0)
        return {issue.position for issue in found.issues} & set(copies.tolist())

    assert listed(groups) == set(copies.tolist())
    assert listed(np.arange(600)) != set(copies.tolist())


def test_a_class_of_four_rows_is_neither_judged_nor_suggested(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = clouds
    kept = np.flatnonzero((labels != 1) | (np.arange(600) < 16))  # 1, 5, 9 and 13
    given = labels[kept].copy()
    given[0] = 3
    found = review(embedding[kept], given)
    (issue,) = found.issues
    assert (issue.position, issue.given, issue.suggested) == (0, 3, 0)
    assert found.checked == 450


def test_a_class_of_copies_alone_is_not_judged(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    groups = np.where(clouds[1] == 1, -1, np.arange(600))
    assert find_issues(*clouds, groups, seed=0).checked == 450


@pytest.mark.parametrize("count", [0, 4, 8])
def test_too_few_rows_have_no_issues(clouds: tuple[np.ndarray, np.ndarray], count: int) -> None:
    assert review(clouds[0][:count], clouds[1][:count]) == LabelReview((), 0)


def test_of_few_rows_nothing_is_estimated(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    given = clouds[1][:80].copy()
    given[7] = 0
    found = review(clouds[0][:80], given)
    assert [issue.position for issue in found.issues] == [7]
    assert found.precision is found.recall is None


@pytest.mark.slow
def test_a_hard_task_of_430_right_labels_is_never_believed() -> None:
    estimates = []
    for classes, apart in ((20, 0.95), (12, 0.85), (2, 0.5)):
        for shape in range(20):
            found = review(*overlapping(430, classes, apart=apart, seed=shape, shape=shape))
            estimates.append(found.precision or 0.0)
            print(f"{classes} classes: {len(found.issues)} listed, estimated {estimates[-1]:.2f}, {found.recall:.2f}")
            assert found.issues
    print(f"{np.mean(np.array(estimates) >= MIN_PRECISION):.3f} of {len(estimates)} believed")
    assert max(estimates) < MIN_PRECISION


@pytest.mark.slow
def test_an_easy_task_of_430_labels_is_believed_more_than_a_hard_one() -> None:
    estimates = []
    for seed in range(20):
        embedding, labels = overlapping(430, 12, apart=2.5, seed=seed)
        given, replaced = replace_labels(labels, seed=seed)
        found = review(embedding, given)
        precision, recall = precision_and_recall(found.issues, replaced)
        estimates.append(found.precision or 0.0)
        print(
            f"{len(found.issues)} listed, precision {precision:.2f}, estimated {found.precision:.2f}, "
            f"recall {recall:.2f}, estimated {found.recall:.2f}"
        )
    assert np.mean(estimates) >= 0.5
    assert max(estimates) >= MIN_PRECISION


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
            found = review(embedding, given)
            precision, recall = precision_and_recall(found.issues, replaced)
            noise = "the next class" if pair else "another class"
            print(
                f"{noise}, seed {seed}: {len(found.issues)} listed, precision {precision:.3f}, estimated "
                f"{found.precision:.3f}, recall {recall:.3f}, estimated {found.recall:.3f}"
            )
            assert precision >= 0.75
            assert recall >= 0.95
            assert found.precision is not None
            assert MIN_PRECISION <= found.precision <= precision + 0.25  # some of the others are wrong, too
            assert found.recall is not None
            assert abs(found.recall - recall) <= 0.1
