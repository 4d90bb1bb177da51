"""normalized images ──▶ their random variants: mirrored, shifted, partly erased; on the images' own device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.network.presets import Recipe


def augment(x: Tensor, recipe: Recipe, *, mirror: bool, generator: torch.Generator) -> Tensor:
    """Random variants of a batch, float `[N, C, H, W]` in and out; 0 is the mean grey."""
    if mirror:
        x = _mirror(x, generator)
    x = _shift(x, round(recipe.shift_fraction * x.shape[-1]), generator)
    return _erase(x, recipe.erase_probability, generator)


def _mirror(x: Tensor, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(x), 1, 1, 1, device=x.device, generator=generator) < 0.5
    return torch.where(chosen, x.flip(3), x)


def _shift(x: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Shifts by up to `reach` pixels each way; the border is continued outwards."""
    if reach == 0:
        return x
    count, _, height, width = x.shape
    padded = nn.functional.pad(x, (reach,) * 4, mode="replicate").permute(0, 2, 3, 1)
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
