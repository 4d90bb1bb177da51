"""`training.linear`: a head for embeddings of a network that never saw the images."""

from __future__ import annotations

import numpy as np
import pytest

from models.manifest import HeadSpec
from models.sessions import Embedder, Head, cpu_session
from tests.training.squares import CLASSES
from training.dataset import Dataset
from training.export import export_head
from training.heads import Judge
from training.linear import KIND, STRENGTHS, fit_candidates, fit_head


@pytest.fixture(scope="module")
def embedding(dataset: Dataset, embedder: Embedder) -> np.ndarray:
    return embedder(np.asarray(dataset.images))


def test_every_strength_is_tried_and_the_least_log_loss_comes_first(embedding: np.ndarray, dataset: Dataset) -> None:
    judge = Judge(embedding[:60], dataset.labels[:60])
    candidates = fit_candidates(embedding[60:], dataset.labels[60:], judge)
    assert {candidate.name for candidate in candidates} == {
        f"logistic regression, C = {strength:g}" for strength in STRENGTHS
    }
    losses = [candidate.scores.log_loss for candidate in candidates]
    assert losses == sorted(losses)
    assert candidates[0].scores.accuracy == 1.0


def test_without_images_to_judge_by_the_first_strength_is_taken(embedding: np.ndarray, dataset: Dataset) -> None:
    judge = Judge(embedding[:0], dataset.labels[:0])
    candidates = fit_candidates(embedding, dataset.labels, judge)
    assert candidates[0].name == f"logistic regression, C = {STRENGTHS[0]:g}"
    assert np.isnan(candidates[0].scores.log_loss)


@pytest.mark.parametrize("classes", [2, 3], ids="{} classes".format)
def test_its_graph_answers_as_it_does(embedding: np.ndarray, dataset: Dataset, classes: int) -> None:
    few = dataset.labels < classes
    head = fit_head(embedding[few], dataset.labels[few], 0.1)
    spec = HeadSpec(name="colour", kind=KIND, classes=CLASSES[:classes])
    found = Head(cpu_session(export_head(head, spec, embedding[few])), spec)(embedding[few])
    np.testing.assert_allclose(found, head.predict_proba(embedding[few]), atol=1e-5)
