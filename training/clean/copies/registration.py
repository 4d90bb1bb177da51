"""pairs of images ──▶ how one has to be moved so that it lies on the other: shifted, turned, made larger or smaller.

Maps are float64 `[B, 2, 3]`: the point (y, x, 1) of the fixed image is at `map @ (y, x, 1)` in the moving one; 0 is the
centre, and 1 half of the longer side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Maps = NDArray[np.float64]

_MAX_STEP = 0.1
_MIN_CONTRAST = 0.2
"""Of the moving image, as a multiple of the fixed one's; with less, a step would be too long."""
_RIDGE = 1e-2
"""Of each term's own size: in a smooth image a shift may look like another contrast, and neither is believed then."""


def similarity(*, shift: tuple[float, float] = (0, 0), scale: float = 1, degrees: float = 0) -> Maps:
    """One map, `[2, 3]`."""
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def points(height: int, width: int) -> tuple[Floats, Floats, float]:
    """Coordinates y and x of all pixels, `[H, W]`, and how many pixels are 1."""
    unit = max(height, width) / 2
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return (y - (height - 1) / 2) / unit, (x - (width - 1) / 2) / unit, unit


def warp(images: Floats, maps: Maps) -> tuple[Floats, NDArray[np.bool_]]:
    """Images `[B, H, W]` brought onto the fixed ones, bilinearly, and where they reach, bool `[B, H, W]`."""
    count, height, width = images.shape
    y, x, unit = points(height, width)
    moved = (maps * unit).astype(np.float32) @ np.stack([y.ravel(), x.ravel(), np.ones(y.size, np.float32)])
    down, across = moved[:, 0] + (height - 1) / 2, moved[:, 1] + (width - 1) / 2
    inside = (down > -0.01) & (down < height - 0.99) & (across > -0.01) & (across < width - 0.99)
    down, across = np.clip(down, 0, height - 1.001), np.clip(across, 0, width - 1.001)
    top, left = down.astype(np.int32), across.astype(np.int32)
    down, across = (down - top).astype(np.float32), (across - left).astype(np.float32)
    corner = np.arange(count)[:, None] * (height * width) + top * width + left
    flat = images.ravel()
    above = flat[corner] + across * (flat[corner + 1] - flat[corner])
    corner += width
    below = flat[corner] + across * (flat[corner + 1] - flat[corner])
    return (above + down * (below - above)).reshape(images.shape), inside.reshape(images.shape)


def slopes(images: Floats) -> tuple[Floats, Floats]:
    """How images `[B, H, W]` change downwards and to the right, per unit of a map."""
    unit = max(images.shape[1:]) / 2
    return np.gradient(images, axis=1) * unit, np.gradient(images, axis=2) * unit


def register(fixed: Floats, moving: Floats, maps: Maps, *, steps: int) -> Maps:
    """Better maps by Gauss-Newton on brightness, contrast and an affine move (Baker and Matthews 2004).

    Args:
        fixed: float32 `[B, H, W]`, blurred so that a pixel more or less matters little.
        moving: the others.
        maps: where to begin.
        steps: how many to take.
    """
    count, height, width = fixed.shape
    y, x, _ = points(height, width)
    down, across = slopes(fixed)
    inner = _inner(height, width)
    terms = [fixed, np.ones_like(fixed), down, across, y * down, x * down, y * across, x * across]
    basis = (np.stack(terms, axis=1) * inner).reshape(count, len(terms), height * width)
    normal = basis @ basis.transpose(0, 2, 1)
    ridge = np.einsum("bii->bi", normal) * _RIDGE + 1e-3
    normal += ridge[:, :, None] * np.eye(len(terms), dtype=np.float32)
    for _ in range(steps):
        moved, _ = warp(moving, maps)
        found = np.linalg.solve(normal, basis @ (moved - fixed).reshape(count, height * width, 1))[:, :, 0]
        step = found[:, 2:].astype(np.float64) / np.maximum(1 + found[:, :1], _MIN_CONTRAST)
        step = np.clip(step, -_MAX_STEP, _MAX_STEP)
        maps = _undo(maps, step)
    return maps


def _inner(height: int, width: int) -> Floats:
    """1, and 0 at the border, where images begin and end differently."""
    inner = np.zeros((height, width), np.float32)
    rows, columns = round(height * 0.06), round(width * 0.06)
    inner[rows : height - rows, columns : width - columns] = 1
    return inner


def _undo(maps: Maps, step: Maps) -> Maps:
    """`maps` after the inverse of small moves `[B, 6]`: down, right, and by y and x down and right."""
    move = np.zeros((len(maps), 3, 3))
    move[:, 0] = np.stack([1 + step[:, 2], step[:, 3], step[:, 0]], axis=1)
    move[:, 1] = np.stack([step[:, 4], 1 + step[:, 5], step[:, 1]], axis=1)
    move[:, 2, 2] = 1
    undone: Maps = np.concatenate([maps, move[:, 2:] * 1.0], axis=1) @ np.linalg.inv(move)
    return undone[:, :2]
