"""Small networks of blocks, one of convolutions and one of matrices, that were never fitted; and images to tune to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from models.bundle.input_spec import InputSpec
from training.backbones.backbone import FrozenNetwork
from training.data.dataset import Dataset


class Shortcut(nn.Module):
    """What it wraps, beside a shortcut."""

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Convolutions(FrozenNetwork):
    """Grey levels, a stem, four blocks, a mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.classifier = nn.Identity()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.ModuleList(Shortcut(nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU()) for _ in range(4))
        self.last = nn.Conv2d(8, 12, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.stem(images.permute(0, 3, 1, 2).float() / 255 - 0.5))
        for block in self.blocks:
            x = block(x)
        return torch.relu(self.last(x)).mean((2, 3))


class Matrices(FrozenNetwork):
    """Patches, three blocks of matrices, a mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.classifier = nn.Identity()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.blocks = nn.ModuleList(
            Shortcut(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)) for _ in range(3)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images.permute(0, 3, 1, 2).float() / 255 - 0.5).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x.mean(1)


def stripes(count: int) -> Dataset:
    """Noisy stripes, across or down, of 16 x 16 x 3, which a mean of unfitted filters hardly tells apart."""
    random, labels = np.random.default_rng(0), np.arange(count) % 2
    line = (np.arange(16) + random.integers(0, 4, (count, 1))) // 2 % 2 * 80
    pixels = np.where(labels[:, None, None] == 0, line[:, None, :], line[:, :, None])[..., None]
    images = (pixels + random.normal(80, 80, (count, 16, 16, 3))).clip(0, 255).astype(np.uint8)
    return Dataset("stripes", images, labels, ("across", "down"), InputSpec(height=16, width=16, channels=3))
