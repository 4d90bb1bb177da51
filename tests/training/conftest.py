"""Fixtures of the training's tests; what takes seconds is made once."""

from __future__ import annotations

from collections.abc import Iterator
from signal import SIGINT, SIGTERM, default_int_handler, getsignal, signal

import numpy as np
import pytest
import torch

from models.sessions import Embedder, cpu_session
from tests.training.squares import squares
from training.catalogue import CATALOGUE
from training.dataset import Dataset
from training.decider import Decider
from training.export import export_embedder
from training.heads import Lesson, fit_classifier
from training.network import EmbeddingNetwork
from training.recipe import PRESETS
from training.split import Split, split


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell that starts the tests in the background has SIGINT ignored, here and in all processes below."""
    before = signal(SIGINT, default_int_handler)
    yield
    signal(SIGINT, before)


@pytest.fixture(autouse=True)
def _handler_restored() -> Iterator[None]:
    """`main` takes SIGTERM over."""
    before = getsignal(SIGTERM)
    yield
    signal(SIGTERM, before)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return squares(180)


@pytest.fixture(scope="session")
def parts(dataset: Dataset) -> Split:
    return split(dataset, 0)


@pytest.fixture(scope="session")
def network() -> EmbeddingNetwork:
    """The network of the presets, never fitted: random features tell colours apart, too."""
    torch.manual_seed(0)
    network = EmbeddingNetwork(PRESETS["quick"], channels=3, image_size=8, classes=3).eval()
    network.mean.fill_(95.0)
    network.std.fill_(80.0)
    return network


@pytest.fixture(scope="session")
def embedder_graph(network: EmbeddingNetwork, dataset: Dataset) -> bytes:
    return export_embedder(network, network.classifier, np.asarray(dataset.images))


@pytest.fixture(scope="session")
def embedder(embedder_graph: bytes) -> Embedder:
    return Embedder(cpu_session(embedder_graph))


def boosted(embedding: np.ndarray, labels: np.ndarray) -> Decider:
    """Gradient boosting, uncalibrated."""
    kind = CATALOGUE["hist_gradient_boosting"]
    return fit_classifier(kind, kind.settings[""], Lesson(embedding, labels), seed=0)
