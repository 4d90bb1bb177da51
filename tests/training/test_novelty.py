"""`training.novelty`: what lies far from the training images is told, by a graph that agrees with the model."""

from __future__ import annotations

import numpy as np
import pytest

from models.audit import audit_onnx
from models.sessions import Novelty, cpu_session
from training.errors import ExportError
from training.novelty import Familiar, export_familiar, fit_familiar

RANDOM = np.random.default_rng(5)


def groups(count: int, width: int, *, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings about a few centres, and which."""
    labels = np.arange(count) % classes
    centres = np.random.default_rng(1).normal(0, 4, (classes, width))
    spread = np.linspace(0.2, 2.0, width)
    return (centres[labels] + RANDOM.normal(0, 1, (count, width)) * spread).astype(np.float32), labels


@pytest.mark.parametrize("width", [8, 160], ids="{} numbers".format)
def test_images_like_those_of_training_are_near_and_others_far(width: int) -> None:
    embedding, labels = groups(900, width)
    familiar = fit_familiar(embedding, labels, seed=0)
    near = familiar(groups(300, width)[0])
    far = familiar(RANDOM.normal(0, 6, (300, width)).astype(np.float32))
    assert np.quantile(near, 0.98) < np.quantile(far, 0.02)


def test_without_classes_clusters_stand_for_them() -> None:
    embedding, _ = groups(900, 8)
    familiar = fit_familiar(embedding, None, seed=0)
    near, far = familiar(groups(300, 8)[0]), familiar(RANDOM.normal(0, 8, (300, 8)).astype(np.float32))
    assert np.quantile(near, 0.95) < np.median(far)


def test_more_classes_than_are_kept_apart_become_clusters() -> None:
    embedding, _ = groups(900, 8)
    assert len(fit_familiar(embedding, np.arange(900) % 70, seed=0).centres) == 10


@pytest.mark.parametrize("width", [8, 160], ids="{} numbers".format)
def test_the_graph_measures_the_same(width: int) -> None:
    embedding, labels = groups(600, width)
    familiar = fit_familiar(embedding, labels, seed=0)
    graph = export_familiar(familiar, embedding, "novelty-x.onnx")
    audit_onnx(graph, "novelty-x.onnx")
    others = RANDOM.normal(0, 9, (50, width)).astype(np.float32)
    novelty = Novelty.checked(cpu_session(graph), "novelty-x.onnx", width)
    np.testing.assert_allclose(novelty(others), familiar(others), rtol=1e-4)
    assert novelty(others).shape == (50,)


@pytest.mark.parametrize("rows", [2, 6], ids="{} images".format)
def test_few_images_and_equal_ones_give_finite_distances(rows: int) -> None:
    embedding = np.repeat(RANDOM.normal(0, 1, (2, 8)).astype(np.float32), rows // 2, axis=0)
    familiar = fit_familiar(embedding, np.arange(rows) // (rows // 2), seed=0)
    export_familiar(familiar, embedding, "novelty-x.onnx")
    assert np.isfinite(familiar(RANDOM.normal(0, 1, (5, 8)).astype(np.float32))).all()


class Off(Familiar):
    """What the graph does not compute."""

    def __call__(self, embedding: np.ndarray) -> np.ndarray:
        return super().__call__(embedding) + 1


def test_a_graph_that_measures_otherwise_is_refused() -> None:
    embedding, labels = groups(60, 8)
    with pytest.raises(ExportError, match=r"^novelty-x\.onnx does not compute what was learnt"):
        export_familiar(Off(**vars(fit_familiar(embedding, labels, seed=0))), embedding, "novelty-x.onnx")
