"""images ──▶ random variants of them: shifted by a few pixels, a little darker or brighter, with more or less contrast.

Only what leaves every label right: mirrored or turned images may show another thing, and border pixels that are
repeated look like a defect in a texture.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.network.augmentation import shift

_SHIFT = 1 / 14
"""Largest shift, as a share of the side."""
_CONTRAST = 0.15
_BRIGHTNESS = 16
"""Grey levels."""


def random_variants(images: Tensor, random: np.random.Generator) -> Tensor:
    """One variant of each image, uint8 `[N, H, W, C]` in and out."""
    generator = torch.Generator().manual_seed(int(random.integers(1 << 31)))
    sides = images.shape[1:3]
    reach = min(max(1, round(_SHIFT * max(sides))), min(sides) - 1)  # a border can only mirror what there is
    moved = shift(images.permute(0, 3, 1, 2).float(), reach, generator, border="reflect")
    contrast, brightness = torch.rand(2, len(images), 1, 1, 1, generator=generator) * 2 - 1
    mean = moved.mean((1, 2, 3), keepdim=True)
    found = (moved - mean) * (1 + _CONTRAST * contrast) + mean + _BRIGHTNESS * brightness
    variants: Tensor = found.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return variants
