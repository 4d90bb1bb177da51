"""Embeddings of Fashion-MNIST's test images by the committed bundle, whose network has not seen them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from models.runtime.head_sessions import open_head
from models.runtime.sessions import Embedder, Embedding, cpu_session
from tests.test_default_bundle import digits
from training.data import fashion_mnist

_BATCH = 100


@dataclass(frozen=True)
class Clothes:
    """Test images as the service sees them.

    Attributes:
        embedding: float32 `[10000, 64]`.
        dark: of the same images with 20 % less brightness.
        digits: of handwritten digits, float32 `[1797, 64]`.
        named: what the bundle's head calls the images, objects `[10000]`.
        labels: int64 `[10000]`.
    """

    embedding: Embedding
    dark: Embedding
    digits: Embedding
    named: NDArray[np.object_]
    labels: NDArray[np.int64]


@pytest.fixture(scope="session")
def clothes() -> Clothes:
    if not fashion_mnist.DEBIAN_FOLDER.is_dir() and fashion_mnist.FOLDER_VARIABLE not in os.environ:
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    bundle = Bundle.open(Store(DEFAULT_ROOT).path("fashion-mnist"))
    embedder = Embedder(cpu_session(bundle.embedder("int8")))
    dataset = fashion_mnist.load()
    images = np.asarray(dataset.images)[dataset.official_test]
    head = open_head(bundle, bundle.manifest.default_head)
    embedding = _embed(embedder, images)
    named = np.array(head.spec.classes, object)[head(embedding).argmax(axis=1)]
    dark = _embed(embedder, (images * 0.8).astype(np.uint8))
    return Clothes(embedding, dark, _embed(embedder, np.stack(digits())), named, dataset.labels[dataset.official_test])


def _embed(embedder: Embedder, images: NDArray[np.uint8]) -> Embedding:
    return np.concatenate([embedder(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)])
