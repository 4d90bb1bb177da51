"""`training.network.residual`, `transformer` and `recurrent`: what they have in common."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from models.runtime.sessions import Embedder, cpu_session
from training.export.network_export import export_embedder
from training.network.network import EmbeddingNetwork
from training.network.presets import PRESETS, NetworkKind
from training.quantization.variants import to_fp16, to_int8


def built(kind: NetworkKind, side: int, channels: int) -> EmbeddingNetwork:
    torch.manual_seed(0)
    return EmbeddingNetwork(PRESETS["quick"].of(kind), channels=channels, image_size=side, classes=5)


@pytest.mark.parametrize("kind", get_args(NetworkKind))
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (64, 3), (9, 3), (8, 1)])
def test_images_of_any_size_give_one_embedding_each(kind: NetworkKind, side: int, channels: int) -> None:
    network = built(kind, side, channels).eval()
    with torch.no_grad():
        embedding = network(torch.randint(0, 256, (3, side, side, channels), dtype=torch.uint8))
    assert embedding.shape == (3, {"cnn": 32 + 64 + 64, "cct": 128, "gru": 128}[kind])
    assert network.classifier(embedding).shape == (3, 5)


@pytest.mark.parametrize("kind", get_args(NetworkKind))
def test_everything_of_it_is_fitted(kind: NetworkKind) -> None:
    network = built(kind, 8, 1).train()
    network(torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8)).square().sum().backward()
    assert all(p.grad is not None for p in network.features.parameters())


@pytest.mark.parametrize("kind", ["cct", "gru"])
def test_other_precisions_come_close(kind: NetworkKind) -> None:
    network = built(kind, 12, 1).eval()
    images = np.random.default_rng(0).integers(0, 256, (16, 12, 12, 1), dtype=np.uint8)
    graph = export_embedder(network, network.classifier, images)
    expected = Embedder(cpu_session(graph))(images)
    for made, most in ((to_fp16(graph), 0.02), (to_int8(graph, images), 0.2)):
        found = Embedder(cpu_session(made))(images)
        assert np.abs(found - expected).mean() <= most * expected.std(0).mean()


@pytest.mark.parametrize("kind", ["cct", "gru"])
def test_the_exported_graph_computes_the_same_for_any_number_of_images(kind: NetworkKind) -> None:
    network = built(kind, 12, 3).eval()
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3), dtype=np.uint8)
    graph = export_embedder(network, network.classifier, images)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    embedder = Embedder(cpu_session(graph))
    for count in (1, 2, 9):
        np.testing.assert_allclose(embedder(images[:count]), expected[:count], atol=1e-5)
