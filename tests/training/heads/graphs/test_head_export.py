"""`training.heads.graphs.head_export`: the graph answers as the head does, or is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from tests.training.conftest import HEAD, boosted
from tests.training.squares import CLASSES
from training.data.dataset import Dataset
from training.exceptions import ExportError
from training.heads.calibration import AsIs
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head


@pytest.fixture(scope="module")
def embedding(embedder: Embedder, dataset: Dataset) -> np.ndarray:
    return embedder(dataset.images)


@pytest.fixture(scope="module")
def head(embedding: np.ndarray, dataset: Dataset) -> FittedHead:
    return boosted(embedding, dataset.labels)


def test_the_head_s_graph_answers_as_the_head_does(head: FittedHead, head_graph: bytes, embedding: np.ndarray) -> None:
    found = Head(cpu_session(head_graph), HEAD)(embedding)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, head(embedding), atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_a_head_of_two_classes_gives_two_probabilities(embedding: np.ndarray, dataset: Dataset) -> None:
    two = dataset.labels < 2
    head = boosted(embedding[two], dataset.labels[two])
    spec = HEAD.model_copy(update={"classes": CLASSES[:2]})
    graph = export_head(head, spec, embedding[two])
    assert Head(cpu_session(graph), spec)(embedding[:4]).shape == (4, 2)


class Rolled(AsIs):
    """Which the graph does not do."""

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.roll(scores, 1, axis=1)


def test_a_head_that_answers_otherwise_than_its_graph_is_refused(head: FittedHead, embedding: np.ndarray) -> None:
    other = replace(head, calibration=Rolled())
    with pytest.raises(ExportError, match=r"^head-category\.onnx does not compute .* same class for 0\.0000%"):
        export_head(other, HEAD, embedding)
