"""Small networks of blocks, one of convolutions and one of matrices, that were never fitted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.backbones.backbone import FrozenNetwork


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
