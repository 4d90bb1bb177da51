"""thumbnails ──▶ `Fingerprints`, which are near each other for an image and its shifted, cropped or turned copy.

A fingerprint is made of low frequencies of the cosine transform, which say where things are, and of magnitudes of the
Fourier transform, which a shift leaves as they are. Their weights are learnt from the images themselves: some are
shifted, cropped, turned and blurred, and what changes then counts less than what tells images apart (linear
discriminant analysis, each image with its copies being a class). A mirrored image has the same even part, and the odd
part with the other sign, so one search finds both.

Of 200 changed images of Fashion-MNIST among 20,000, the original is one of the 16 nearest for each of the changes that
`training.clean.copies.duplicates` lists. By cosines alone it is for 31 % of those shifted by a pixel, by magnitudes
alone for
90 % of those made 4 % larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.clean.copies.registration import Floats, similarity, warp

_COSINES = 8
"""Frequencies along each side."""
_MAGNITUDES = 6
_SAMPLE = 600
"""Images that the weights are learnt from."""
_EVEN, _ODD = 32, 24
"""Numbers of a fingerprint that are kept."""
_RIDGE = 0.02
_CHUNK = 5000
_COPIES = (
    similarity(shift=(0.07, 0.07)), similarity(shift=(-0.07, 0.07)), similarity(scale=0.96),
    similarity(scale=0.98, shift=(0.02, 0.02)), similarity(degrees=3), similarity(degrees=-3),
)  # fmt: skip
"""As `training.clean.copies.registration` has them; a shift of 0.07 is one of 28 pixels."""


@dataclass(frozen=True)
class Fingerprints:
    """Of N images, float32.

    Attributes:
        even: the part that a mirrored image has, too, `[N, D]`.
        odd: the part that changes its sign, `[N, E]`.
    """

    even: Floats
    odd: Floats


def fingerprints(thumbnails: NDArray[np.uint8]) -> Fingerprints:
    """Fingerprints of grey images uint8 `[N, H, W]`, at least one, the same whatever their brightness and contrast."""
    step = max(1, len(thumbnails) // _SAMPLE)
    sample = thumbnails[::step][:_SAMPLE].astype(np.float32)
    changed = [warp(sample, np.repeat(move[None], len(sample), 0))[0] for move in _COPIES]
    changed.append(gaussian_filter(sample, (0, 1, 1)))
    before, after = _describe(sample), [_describe(images) for images in changed]
    weights = [
        _weights(before[part], np.concatenate([each[part] - before[part] for each in after]), count)
        for part, count in enumerate((_EVEN, _ODD))
    ]
    chunks = [_describe(thumbnails[start : start + _CHUNK]) for start in range(0, max(1, len(thumbnails)), _CHUNK)]
    even, odd = (np.concatenate([chunk[part] @ weights[part] for chunk in chunks]) for part in (0, 1))
    return Fingerprints(even, odd)


def _describe(thumbnails: NDArray[Any]) -> tuple[Floats, Floats]:
    """Even and odd features of `[B, H, W]`."""
    images: Floats = thumbnails.astype(np.float32)
    parts = zip(_cosines(images), _magnitudes(images), strict=True)
    even, odd = (np.concatenate(part, axis=1) for part in parts)
    return even, odd


def _cosines(images: Floats) -> tuple[Floats, Floats]:
    down, across = (np.sin(np.pi * (np.arange(side) + 0.5) / side) for side in images.shape[1:])
    window = np.sqrt(np.outer(down, across)).astype(np.float32)
    mean = np.average(images, axis=(1, 2), weights=np.broadcast_to(window, images.shape))
    rows, columns = (_waves(side) for side in images.shape[1:])
    found = rows @ ((images - mean[:, None, None].astype(np.float32)) * window) @ columns.T
    found[:, 0, 0] = 0
    found = _unit(found)
    return _flat(found[:, :, 0::2]), _flat(found[:, :, 1::2])


def _waves(side: int) -> Floats:
    count = min(_COSINES, side)
    waves = np.cos(np.pi / side * np.outer(np.arange(count), np.arange(side) + 0.5))
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


def _magnitudes(images: Floats) -> tuple[Floats, Floats]:
    count = min(_MAGNITUDES, (min(images.shape[1:]) - 1) // 2)
    spectrum = np.abs(np.fft.fft2(images)[:, : count + 1]).astype(np.float32)
    right, left = spectrum[:, :, : count + 1], np.roll(spectrum[:, :, ::-1], 1, axis=2)[:, :, : count + 1]
    both = np.concatenate([right, left[:, :, 1:]], axis=2)
    both[:, 0, 0] = 0
    both = _unit(np.sqrt(_unit(both)))
    right, left = both[:, :, 1 : count + 1], both[:, :, count + 1 :]
    even = np.concatenate([both[:, :, :1], (right + left) / np.sqrt(2)], axis=2)
    return _flat(even), _flat((right - left)[:, 1:] / np.sqrt(2))


def _weights(features: Floats, changes: Floats, count: int) -> Floats:
    """float32 `[F, count]`: directions in which images differ most, measured by how little copies do."""
    within, axes = np.linalg.eigh(changes.T.astype(np.float64) @ changes / len(changes))
    scale = axes / np.sqrt(np.maximum(within, 0) + _RIDGE * within.mean() + 1e-9)
    spread = (features - features.mean(0)) @ scale
    _, directions = np.linalg.eigh(spread.T @ spread)
    return np.asarray(scale @ directions[:, ::-1][:, :count], np.float32)


def _unit(values: Floats) -> Floats:
    length = np.sqrt((values**2).sum((1, 2), keepdims=True))
    unit: Floats = values / np.maximum(length, 1e-6)
    return unit


def _flat(values: Floats) -> Floats:
    return values.reshape(len(values), np.prod(values.shape[1:], dtype=int))
