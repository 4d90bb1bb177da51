"""`training.network.network`: shapes, and an embedding that does not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.runtime.sessions import Embedder
from training.data.dataset import Dataset
from training.network.network import EmbeddingNetwork
from training.network.presets import PRESETS

RECIPE = PRESETS["quick"]


def built(side: int, channels: int) -> EmbeddingNetwork:
    torch.manual_seed(0)
    return EmbeddingNetwork(RECIPE, channels=channels, image_size=side, classes=5)


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (64, 3), (48, 3), (47, 3), (8, 3), (8, 1)])
def test_images_of_any_size_give_one_embedding_each(side: int, channels: int) -> None:
    network = built(side, channels).eval()
    with torch.no_grad():
        embedding = network(torch.randint(0, 256, (3, side, side, channels), dtype=torch.uint8))
    assert (embedding.shape, embedding.dtype) == ((3, 32 + 64 + RECIPE.embedding_width), torch.float32)
    assert (embedding >= 0).all()
    assert network.classifier(embedding).shape == (3, 5)


@pytest.mark.parametrize(("side", "map_side"), [(28, 4), (47, 6), (48, 3), (64, 4)])
def test_small_images_are_halved_three_times_and_large_ones_four_times(side: int, map_side: int) -> None:
    features = built(side, 1).eval().features
    with torch.no_grad():
        assert features.layers(torch.zeros(1, 1, side, side)).shape[2:] == (map_side, map_side)


def test_two_images_of_the_smallest_size_can_be_fitted() -> None:
    network = built(8, 1).train()
    network(torch.randint(0, 256, (2, 8, 8, 1), dtype=torch.uint8)).sum().backward()
    assert all(p.grad is not None for p in network.features.parameters())


def test_scaling_is_part_of_the_network() -> None:
    network = built(8, 3)
    network.mean.copy_(torch.tensor([10.0, 20.0, 30.0]))
    network.std.copy_(torch.tensor([1.0, 2.0, 4.0]))
    image = torch.tensor([11, 24, 38], dtype=torch.uint8).expand(1, 8, 8, 3)
    assert network.normalize(image)[0, :, 0, 0].tolist() == [1.0, 2.0, 2.0]


def test_an_exported_embedding_does_not_depend_on_its_batch(embedder: Embedder, dataset: Dataset) -> None:
    together = embedder(dataset.images[:32])
    one_by_one = np.concatenate([embedder(image[None]) for image in dataset.images[:32]])
    np.testing.assert_array_equal(together, one_by_one)
