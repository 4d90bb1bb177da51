"""images ──▶ random variants: mirrored, shifted, partly erased."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.runtime.sessions import Embedder
from training.data.dataset import Dataset
from training.data.split import Split
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.network.embedding_cache import embed
from training.network.network import EmbeddingNetwork
from training.network.presets import Hyperparameters

_BATCH = 500


def augmented_rows(
    dataset: Dataset,
    parts: Split,
    network: EmbeddingNetwork,
    embedder: Embedder,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
) -> LabelledEmbeddings:
    """Labelled embeddings of one random variant of each training image.

    A network knows the images that it was fitted on too well: their embeddings lie farther from the class borders than
    those of new images, so a head that is fitted on them is over-confident. Variants come closer to new images.

    Args:
        dataset: images, labels and columns.
        parts: names the training images.
        network: the fitted one; gives mean and deviation.
        embedder: the network's exported graph.
        hyperparameters: of the augmentation.
        seed: of the variants.
    """
    images = augmented_images(dataset, parts, network, hyperparameters, seed)
    embedding = embed(embedder, images, "embedding variants")
    return LabelledEmbeddings(embedding, dataset.labels[parts.train], dataset.beside(parts.train))


def augmented_images(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, hyperparameters: Hyperparameters, seed: int
) -> NDArray[np.uint8]:
    """One random variant of each training image, uint8 `[N, H, W, C]`."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for start in range(0, len(parts.train), _BATCH):
        images = torch.from_numpy(dataset.images[parts.train[start : start + _BATCH]])
        x = augment(network.normalize(images), hyperparameters, mirror=dataset.mirror, generator=generator)
        pixels = x.permute(0, 2, 3, 1) * network.std + network.mean
        batches.append(pixels.round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(batches)


def augment(x: Tensor, hyperparameters: Hyperparameters, *, mirror: bool, generator: torch.Generator) -> Tensor:
    """Random variants of normalized images, float `[N, C, H, W]` in and out, on the images' device; 0 is mean grey."""
    if mirror:
        x = _mirror(x, generator)
    x = shift(x, round(hyperparameters.shift_fraction * x.shape[-1]), generator)
    return _erase(x, hyperparameters.erase_probability, generator)


def _mirror(x: Tensor, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(x), 1, 1, 1, device=x.device, generator=generator) < 0.5
    return torch.where(chosen, x.flip(3), x)


def shift(
    x: Tensor, reach: int, generator: torch.Generator, border: Literal["replicate", "reflect"] = "replicate"
) -> Tensor:
    """Shifts each image of `[N, C, H, W]` by up to `reach` pixels each way; what comes in repeats or mirrors pixels."""
    if reach == 0:
        return x
    count, _, height, width = x.shape
    padded = nn.functional.pad(x, (reach,) * 4, mode=border).permute(0, 2, 3, 1)
    offsets = torch.randint(0, 2 * reach + 1, (2, count, 1), device=x.device, generator=generator)
    rows = offsets[0] + torch.arange(height, device=x.device)
    columns = offsets[1] + torch.arange(width, device=x.device)
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded[images, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _erase(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Fills a rectangle of 1/7 to 1/2 of each side with noise, in a share `probability` of the images."""
    count, _, height, width = x.shape
    rows = _interval(count, height, x.device, generator)
    columns = _interval(count, width, x.device, generator)
    chosen = torch.rand(count, 1, 1, device=x.device, generator=generator) < probability
    inside = (rows[:, :, None] & columns[:, None, :] & chosen)[:, None]
    noise = torch.empty_like(x).normal_(generator=generator)
    return torch.where(inside, noise, x)


def _interval(count: int, side: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """One random interval an image, as a boolean mask `[count, side]`."""
    length = torch.randint(max(1, side // 7), side // 2 + 1, (count, 1), device=device, generator=generator)
    start = (torch.rand(count, 1, device=device, generator=generator) * (side - length + 1)).long()
    position = torch.arange(side, device=device)
    return (position >= start) & (position < start + length)
