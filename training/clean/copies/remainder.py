"""images, and others that may be their copies ──▶ what is left of the others that a small change cannot explain.

Small changes are a shift, a turn, another scale, brightness and contrast, and some blur; each of them adds a multiple
of an image that is known beforehand. What is left after the best multiples is the tangent distance (Simard,
LeCun and Denker 1993), here as a share of the variance: 0 for a copy, 1 where nothing is alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.clean.copies.registration import Floats, Maps, points, register, slopes, warp
from training.data.images import Indices

_BORDER = 0.06
"""Of a side: what a crop, a turn or a frame changes is not compared."""
_BLUR = 1.5 / 28
"""Of the longer side: a shift by a pixel of 28 is small beside it."""
_SPOT = 1.5
_EDGE_BLUR = 0.5
_NOISE = 0.3
"""Variance, in squared levels of 255, that rounding and encoding leave in any image."""
_CHUNK = 2000


def remainders(thumbnails: NDArray[np.uint8], others: Indices, mirrored: NDArray[np.bool_]) -> Floats:
    """What is left of the candidates of each image, from blurred images of half the size, float32 `[N, K]`.

    Args:
        thumbnails: of N images, uint8 `[N, H, W]`.
        others: positions of their candidates, int64 `[N, K]`.
        mirrored: whether those are to be mirrored, bool `[N, K]`.
    """
    sigma = _BLUR * max(thumbnails.shape[1:])
    starts = range(0, max(1, len(thumbnails)), _CHUNK)
    chunks = (thumbnails[start : start + _CHUNK].astype(np.float32) for start in starts)
    small = np.concatenate([_halved(_blurred(chunk, sigma)) for chunk in chunks])
    values, flipped = _inner(small), _inner(small[:, :, ::-1])
    left = np.empty(others.shape, np.float32)
    for start in range(0, len(others), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found = np.where(mirrored[rows, :, None], flipped[others[rows]], values[others[rows]])
        variance = (found**2).sum(2)
        explained = ((found @ _directions(small[rows])) ** 2).sum(2)
        left[rows] = np.maximum(variance - explained, 0) / (variance + _NOISE * found.shape[2])
    return left


@dataclass(frozen=True)
class Match:
    """How much alike the two images of P pairs are, once the second lies on the first.

    Attributes:
        maps: where each point of the first is in the second, float64 `[P, 2, 3]`.
        left: what is left of blurred images, float32 `[P]`; or half of what is left of images of half the size, where
            that is less: of a copy that was made smaller and larger again.
        worst: what is left in the worst spot, as a multiple of the variance, float32 `[P]`.
        edges: what is left of the differences of neighbouring pixels, slightly blurred, as a share of their squares,
            float32 `[P]`.
        contrast: of the second, as a multiple of the first's, float32 `[P]`.
        brightness: likewise.
    """

    maps: Maps
    left: Floats
    worst: Floats
    edges: Floats
    contrast: Floats
    brightness: Floats


def match(fixed: NDArray[np.uint8], moving: NDArray[np.uint8], maps: Maps, *, steps: int) -> Match:
    """Registers images uint8 `[P, H, W]` and compares them.

    Args:
        fixed: the first image of each pair.
        moving: the second.
        maps: where to begin.
        steps: of the registration.
    """
    first, second = fixed.astype(np.float32), moving.astype(np.float32)
    soft, soft_second = _blurred(first, 1), _blurred(second, 1)
    maps = register(soft, soft_second, maps, steps=steps)
    moved, inside = warp(second, maps)
    weight = _weight(inside)
    soft_moved, _ = warp(soft_second, maps)
    left, worst = _compare(soft, soft_moved, weight)
    contrast = np.sqrt(_variance(soft_moved, weight) / _variance(soft, weight))
    coarse, _ = _compare(_halved(first), _halved(moved), (_halved(weight) == 1).astype(np.float32))
    brightness = ((moved * weight).sum((1, 2)) + 1) / ((first * weight).sum((1, 2)) + 1)
    edges = _compare_edges(_blurred(first, _EDGE_BLUR), warp(_blurred(second, _EDGE_BLUR), maps)[0], weight)
    return Match(maps, np.minimum(left, coarse / 2), worst, edges, contrast, brightness)


def _compare(fixed: Floats, moved: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """What is left in all and in the worst spot, each `[P]`."""
    terms = np.stack([*_terms(fixed), np.ones_like(fixed)], axis=1) * weight[:, None]
    target = moved * weight
    left = _fit(terms, target)
    pixels = np.maximum(weight.sum((1, 2)), 1)
    variance = _variance(moved, weight)
    spots = gaussian_filter(left, (0, _SPOT, _SPOT)).max((1, 2))
    return left.sum((1, 2)) / pixels / variance, spots / variance


def _variance(images: Floats, weight: Floats) -> Floats:
    pixels = np.maximum(weight.sum((1, 2)), 1)
    mean = (images * weight).sum((1, 2)) / pixels
    variance: Floats = (images**2 * weight).sum((1, 2)) / pixels - mean**2 + _NOISE
    return variance


def _compare_edges(fixed: Floats, moved: Floats, weight: Floats) -> Floats:
    terms, target = _differences(np.stack(_terms(fixed), axis=1)), _differences(moved)
    both = np.concatenate([weight[:, 1:, :-1], weight[:, :-1, 1:]], axis=1)
    left = _fit(terms * both[:, None], target * both)
    edges: Floats = left.sum((1, 2)) / ((target**2 * both).sum((1, 2)) + _NOISE * both.sum((1, 2)) + 1e-6)
    return edges


def _differences(images: Floats) -> Floats:
    """Of neighbouring pixels, first downwards and then to the right, `[..., 2 * (H - 1), W - 1]`."""
    down, across = np.diff(images, axis=-2)[..., :-1], np.diff(images, axis=-1)[..., :-1, :]
    return np.concatenate([down, across], axis=-2)


def _fit(terms: Floats, target: Floats) -> Floats:
    """Squares of what least squares with `[P, T, H, W]` leave of `[P, H, W]`."""
    basis = terms.reshape(*terms.shape[:2], -1)
    normal = basis @ basis.transpose(0, 2, 1)
    normal += (np.einsum("ptt->pt", normal) * 1e-5 + 1e-3)[:, :, None] * np.eye(terms.shape[1], dtype=np.float32)
    shares = np.linalg.solve(normal, basis @ target.reshape(len(target), -1, 1))
    left = target - (shares.transpose(0, 2, 1) @ basis).reshape(target.shape)
    squares: Floats = left**2
    return squares


def sharpness(thumbnails: NDArray[np.uint8]) -> Floats:
    """Mean square of the differences of neighbouring pixels, as a multiple of the variance, float32 `[N]`."""
    found = [np.empty(0, np.float32)]
    for start in range(0, len(thumbnails), _CHUNK):
        images = thumbnails[start : start + _CHUNK].astype(np.float32)
        found.append((_differences(images) ** 2).mean((1, 2)) / (images.var((1, 2)) + _NOISE))
    return np.concatenate(found)


def _weight(inside: NDArray[np.bool_]) -> Floats:
    weight = inside.astype(np.float32)
    rows, columns = (max(1, round(side * _BORDER)) for side in inside.shape[1:])
    weight[:, :rows] = weight[:, -rows:] = 0
    weight[:, :, :columns] = weight[:, :, -columns:] = 0
    return weight


def _directions(images: Floats) -> Floats:
    """Orthonormal directions of small changes, float32 `[B, pixels, T]`."""
    terms = np.stack([_inner(term) for term in _terms(images)], axis=1).astype(np.float64)
    normal = terms @ terms.transpose(0, 2, 1)
    normal += (np.einsum("btt->bt", normal) * 1e-6 + 1e-6)[:, :, None] * np.eye(terms.shape[1])
    return np.linalg.solve(np.linalg.cholesky(normal), terms).transpose(0, 2, 1).astype(np.float32)


def _terms(images: Floats) -> list[Floats]:
    """What contrast, shifts, scale, a turn and blur add to images `[B, H, W]`."""
    y, x, _ = points(*images.shape[1:])
    down, across = slopes(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), "edge")
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return [images, down, across, y * down + x * across, y * across - x * down, around - 4 * images]


def _inner(images: Floats) -> Floats:
    """Without a border of a pixel, less the mean, `[B, pixels]`."""
    count, height, width = images.shape
    inner: Floats = images[:, 1:-1, 1:-1].reshape(count, (height - 2) * (width - 2)).copy()
    inner -= inner.mean(1, keepdims=True)
    return inner


def _blurred(images: Floats, sigma: float) -> Floats:
    blurred: Floats = gaussian_filter(images, (0, sigma, sigma), mode="nearest")
    return blurred


def _halved(images: Floats) -> Floats:
    """Means of 2x2 pixels."""
    count, height, width = images.shape
    even = images[:, : height // 2 * 2, : width // 2 * 2]
    halved: Floats = even.reshape(count, height // 2, 2, width // 2, 2).mean((2, 4))
    return halved
