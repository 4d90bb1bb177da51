"""images ──▶ random variants of them: shifted by a few pixels, a little darker or brighter, with more or less contrast.

Only what leaves every label right: mirrored or turned images may show another thing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

_SHIFT = 1 / 14
"""Largest shift, as a share of the side."""
_CONTRAST = 0.15
_BRIGHTNESS = 16
"""Grey levels."""


def random_variants(images: Tensor, random: np.random.Generator) -> Tensor:
    """One variant of each image, uint8 `[N, H, W, C]` in and out."""
    count, height, width, _ = images.shape
    reach = max(1, round(_SHIFT * max(height, width)))
    pixels = images.permute(0, 3, 1, 2).float()
    padded = nn.functional.pad(pixels, (reach,) * 4, mode="replicate").permute(0, 2, 3, 1)
    tops, lefts = random.integers(0, 2 * reach + 1, size=(2, count))
    moved = torch.stack(
        [
            one[top : top + height, left : left + width]
            for one, top, left in zip(padded, tops.tolist(), lefts.tolist(), strict=True)
        ]
    )
    contrast = torch.from_numpy(random.uniform(1 - _CONTRAST, 1 + _CONTRAST, (count, 1, 1, 1))).float()
    brightness = torch.from_numpy(random.uniform(-_BRIGHTNESS, _BRIGHTNESS, (count, 1, 1, 1))).float()
    mean = moved.mean((1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean + brightness).round().clamp(0, 255).to(torch.uint8)
