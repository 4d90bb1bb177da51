"""noisy images, noise level and class ──▶ the noise in them: a U-Net of a million weights for images of 32 pixels.

Ho et al. 2020, https://arxiv.org/abs/2006.11239, without attention, which so few pixels do not need.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SIDE = 32
_WIDTH = 32
_CODE = 128
_GROUPS = 8


class _Block(nn.Module):
    """Two convolutions beside a shortcut; level and class shift what lies between them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(_GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, 1, 1))
        self.shift = nn.Linear(_CODE, outputs)
        self.second = nn.Sequential(nn.GroupNorm(_GROUPS, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, 1, 1))
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        shifted = self.first(x) + self.shift(code)[:, :, None, None]
        return self.second(shifted) + self.shortcut(x)  # type: ignore[no-any-return]


class Denoiser(nn.Module):
    """Predicts noise.

    Args:
        channels: of the images, 1 or 3.
        classes: K; the class K stands for any class.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = nn.Embedding(classes + 1, _CODE)
        self.level = nn.Sequential(nn.Linear(_CODE, _CODE), nn.SiLU(), nn.Linear(_CODE, _CODE))
        self.stem = nn.Conv2d(channels, _WIDTH, 3, 1, 1)
        self.down = nn.ModuleList([_Block(_WIDTH, _WIDTH), _Block(_WIDTH, 2 * _WIDTH), _Block(2 * _WIDTH, 3 * _WIDTH)])
        self.middle = _Block(3 * _WIDTH, 3 * _WIDTH)
        self.up = nn.ModuleList(
            [_Block(6 * _WIDTH, 2 * _WIDTH), _Block(4 * _WIDTH, _WIDTH), _Block(2 * _WIDTH, _WIDTH)]
        )
        self.last = nn.Sequential(nn.GroupNorm(_GROUPS, _WIDTH), nn.SiLU(), nn.Conv2d(_WIDTH, channels, 3, 1, 1))

    def forward(self, x: Tensor, level: Tensor, classes: Tensor) -> Tensor:
        """Predicts.

        Args:
            x: noisy images, float `[N, C, 32, 32]`.
            level: share of time from image to noise, float `[N]` in [0, 1].
            classes: int64 `[N]`.
        """
        code = self.level(_waves(level)) + self.classes(classes)
        x, kept = self.stem(x), list[Tensor]()
        for block in self.down:
            x = block(x, code)
            kept.append(x)
            x = nn.functional.avg_pool2d(x, 2)
        x = self.middle(x, code)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2.0)
            x = block(torch.cat([x, kept.pop()], 1), code)
        return self.last(x)  # type: ignore[no-any-return]


def _waves(level: Tensor) -> Tensor:
    """Sines and cosines of a level, `[N]` to `[N, 128]`."""
    frequencies = torch.exp(torch.linspace(0, math.log(1000), _CODE // 2, device=level.device))
    angles = level[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)
