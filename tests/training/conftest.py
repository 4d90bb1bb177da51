"""Fixtures of the training's tests; what takes seconds is made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT, SIGTERM, default_int_handler, getsignal, signal

import numpy as np
import pytest
import torch

from models.bundle.head_spec import HeadSpec
from models.runtime.sessions import Embedder, Embedding, cpu_session
from tests.test_default_bundle import digits, noise
from tests.training.squares import CLASSES, squares
from tests.training.workflows.still_network import Still, plan_of
from training.backbones.names import DEFAULT, load_backbone
from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.data.split import Split, split
from training.export.bundle_files import encode_png
from training.export.network_export import export_embedder
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting, HeadFit
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY
from training.network.network import EmbeddingNetwork
from training.network.presets import PRESETS
from training.workflows.transfer import transfer

HEAD = HeadSpec(name="category", kind="hist_gradient_boosting", classes=CLASSES)


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


@pytest.fixture(scope="session")
def head_graph(embedder: Embedder, dataset: Dataset) -> bytes:
    """Of a head on the squares, `HEAD`."""
    embedding = embedder(dataset.images)
    return export_head(boosted(embedding, dataset.labels), HEAD, embedding)


@pytest.fixture(scope="session")
def transferred(network: EmbeddingNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, which has a bundle of 90 squares on a network that stays as it is, and a cache.

    A test that writes to the store takes a copy.
    """
    folder = tmp_path_factory.mktemp("transferred")
    transfer(squares(90), Still(network).eval(), plan_of(folder, 3))
    return folder


EACH, UNSEEN, STRANGE = 240, 200, 250
"""Images of each class of Fashion-MNIST, and strange ones, that the slow tests of few photos embed."""


@pytest.fixture(scope="session")
def lite() -> dict[str, np.ndarray]:
    """EfficientNet-Lite0's embeddings of Fashion-MNIST, known and unseen, of digits and of noise."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir() and fashion_mnist.FOLDER_VARIABLE not in os.environ:
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    data, random = fashion_mnist.load(), np.random.default_rng(0)
    of_class = [random.permutation(np.flatnonzero(data.labels == label))[: EACH + UNSEEN] for label in range(10)]
    known, unseen = (
        np.concatenate(parts) for parts in zip(*((part[:EACH], part[EACH:]) for part in of_class), strict=True)
    )
    backbone = load_backbone(DEFAULT)
    spec, network = backbone.input.model_copy(update={"background": fashion_mnist.BACKGROUND}), backbone.network
    sample = random.integers(0, 256, (4, spec.height, spec.width, spec.channels), dtype=np.uint8)
    embedder = Embedder(cpu_session(export_embedder(network, network.classifier, sample)))

    def embed(images: list[np.ndarray] | np.ndarray) -> Embedding:
        decoded = Encoded(lambda position: encode_png(images[position]), np.arange(len(images)), spec)
        return np.concatenate([embedder(decoded[[position]]) for position in range(len(images))])

    embedded = {"known": data.images[known], "unseen": data.images[unseen], "digits": digits()[:STRANGE]}
    embedded |= {"noise": noise()[-STRANGE:]}
    labels = {"labels": data.labels[known], "unseen_labels": data.labels[unseen]}
    return labels | {name: embed(images) for name, images in embedded.items()}


def boosted(embedding: np.ndarray, labels: np.ndarray) -> FittedHead:
    """Gradient boosting, uncalibrated."""
    kind = REGISTRY["hist_gradient_boosting"]
    fitting = Fitting(classes=int(labels.max()) + 1)
    return HeadFit(kind, kind.settings[""], kind.preparations[0], fitting)(LabelledEmbeddings(embedding, labels))
