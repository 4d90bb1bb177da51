"""a fitted network ──▶ embeddings of its training images that a head is fitted on, so that they do not fool it.

A network knows the images that it was fitted on too well: their embeddings lie farther from the class borders
than those of new images, and a head fitted on them is over-confident. Three sources are tried; the validation images,
which the network has not seen, judge all of them.
"""

from __future__ import annotations

import numpy as np
import torch

from models.runtime.sessions import Embedder, Embedding
from training.data.dataset import Dataset
from training.data.split import Split
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of
from training.network.augmentation import augment
from training.network.embedding_cache import embed
from training.network.network import EmbeddingNetwork
from training.network.presets import Recipe

_BATCH = 500


def seen_sources(
    dataset: Dataset,
    parts: Split,
    embedding: Embedding,
    network: EmbeddingNetwork,
    embedder: Embedder,
    *,
    recipe: Recipe,
    seed: int,
) -> dict[str, LabelledEmbeddings]:
    """Rows that the network has seen, as it has and varied, by name.

    Args:
        dataset: images and labels.
        parts: which of them may be used; the test images are not.
        embedding: of all images, float32 `[N, D]`.
        network: gives mean and deviation for the random variants.
        embedder: the exported graph, which computes all embeddings.
        recipe: settings of the random variants.
        seed: of the random variants.
    """
    train = embeddings_of(dataset, embedding, parts.train)
    varied = embed(embedder, variants(dataset, parts, network, recipe, seed), "embedding variants")
    return {"training images": train, "augmented training images": LabelledEmbeddings(varied, train.labels, train.rows)}


def variants(dataset: Dataset, parts: Split, network: EmbeddingNetwork, recipe: Recipe, seed: int) -> np.ndarray:
    """One random variant of each training image, uint8 `[N, H, W, C]`."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, len(parts.train), _BATCH):
        images = torch.from_numpy(dataset.images[parts.train[start : start + _BATCH]])
        x = augment(network.normalize(images), recipe, mirror=dataset.mirror, generator=generator)
        pixels = x.permute(0, 2, 3, 1) * network.std + network.mean
        found.append(pixels.round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(found)
