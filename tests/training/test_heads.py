"""`training.heads`: heads fitted, calibrated and judged."""

from __future__ import annotations

import numpy as np
import pytest

from models.sessions import Embedder
from tests.training.squares import squares
from training.catalogue import CATALOGUE
from training.dataset import Dataset
from training.heads import Candidate, Lesson, embed, fit_classifiers

BOOSTING, LOGISTIC = CATALOGUE["hist_gradient_boosting"], CATALOGUE["logistic_regression"]


@pytest.fixture(scope="module")
def lesson(dataset: Dataset, embedder: Embedder) -> Lesson:
    return Lesson(embedder(np.asarray(dataset.images)), dataset.labels)


def parts(lesson: Lesson) -> tuple[Lesson, Lesson]:
    return lesson.part(np.arange(60, len(lesson))), lesson.part(np.arange(60))


def test_every_setting_of_every_kind_is_tried_and_the_least_log_loss_comes_first(lesson: Lesson) -> None:
    found = fit_classifiers([BOOSTING, LOGISTIC], *parts(lesson), seed=0, suffix="fitted on squares")
    assert {candidate.name for candidate in found} == {
        "gradient boosting, fitted on squares",
        *(f"logistic regression, {setting}, fitted on squares" for setting in LOGISTIC.settings),
    }
    losses = [candidate.scores.log_loss for candidate in found]
    assert losses == sorted(losses)
    assert found[0].scores.accuracy == 1.0


def test_without_rows_to_judge_by_the_first_setting_is_taken(lesson: Lesson) -> None:
    found = fit_classifiers([LOGISTIC], lesson, lesson.part(np.arange(0)), seed=0)
    assert found[0].name == f"logistic regression, {next(iter(LOGISTIC.settings))}"
    assert np.isnan(found[0].scores.log_loss)
    assert found[0].judged.shape == (0, 3)


def test_the_same_seed_gives_the_same_heads(lesson: Lesson) -> None:
    def once() -> list[Candidate]:
        return fit_classifiers([BOOSTING], *parts(lesson), seed=5)

    assert [candidate.scores for candidate in once()] == [candidate.scores for candidate in once()]


def test_even_two_images_a_class_are_told_apart(embedder: Embedder) -> None:
    few = squares(6)
    lesson = Lesson(embedder(few.images), few.labels)
    (head,) = fit_classifiers([BOOSTING], lesson, lesson.part(np.arange(0)), seed=0)
    assert head.decider(lesson.embedding).argmax(1).tolist() == few.labels.tolist()


@pytest.mark.parametrize("count", [0, 1, 499, 501])
def test_images_are_embedded_in_batches_and_in_order(embedder: Embedder, count: int) -> None:
    images = squares(501).images[:count]
    embedding = embed(embedder, images, "embedding")
    assert embedding.shape == (count, 64)
    assert embedding.dtype == np.float32
    if count:
        np.testing.assert_array_equal(embedding[-1], embedder(images[-1:])[0])
