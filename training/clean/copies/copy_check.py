"""hashes and candidates ──▶ pairs that are copies: one image is registered on the other, and compared with it.

How small that difference must be depends on the images: two plain trousers differ less than two photographs of one
dress. So the difference of a pair is compared with the differences between either image and its neighbours, most of
which are not copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.clean.copies.perceptual_hash import THUMBNAIL_SIDE, PerceptualHashes, thumbnails
from training.clean.copies.registration import Floats, Maps, similarity
from training.clean.copies.remainder import Match, match, remainders, sharpness
from training.data.images import Images, Indices
from training.progress import progress

CLOSE_SIDE = 96
"""Side in pixels at which pairs of larger images are compared once more."""
MAX_LEFT_SMALL = 0.025
"""Largest difference of copies, as a share of the usual one to the power of 2/3: 187 pairs of Fashion-MNIST's 70,000
images are below. Of the powers 0.6, 0.75 and 0.9, the smaller two found more of the planted copies at as many other
pairs."""
MAX_LEFT_CLOSE = 0.035
"""The same at 96 pixels; in the package elpv-dataset, pairs beyond 0.03 begin to show other marks."""
_EXPONENT = 2 / 3
_MAX_LEFT_FIRST = 0.1
"""The same for thumbnails of larger images, which are compared once more."""
_MAX_WORST_SMALL = 0.2
_MAX_WORST_CLOSE = 0.3
_MAX_EDGES = 0.5
"""A JPEG of quality 30 of a blurred photograph leaves up to 0.44; noise that differs, more."""
_MAX_PROMISING = 0.45
"""Share of the usual difference: 99 % of planted copies are below it, and 6 % of other candidates."""
_MAX_REMAINDER = 0.2
_USUAL = 12
"""The difference to the twelfth best neighbour is the usual one: up to eleven may be copies."""
_MIN_CONTRAST = 2.0
"""In levels of 255: an image with less contrast shows nothing that could be the same."""
_MAX_MOVE = 0.12
"""A turn by 3 degrees is 0.05, a pixel of 28 is 0.07."""
_RATIO = 1.25
"""Largest ratio of contrasts; above it, it is the same article in another colour."""
_BRIGHTNESS = 1.17
_COLOUR = 0.35
_COLOUR_LEVELS = 4
_CHUNK = 1000
_CLOSE_CHUNK = 200


def verify(hashes: PerceptualHashes, images: Images, candidates: Indices, mirrored: NDArray[np.bool_]) -> Indices:
    """Finds which candidates are copies.

    Args:
        hashes: of N images.
        images: the same images; those that seem to be copies are compared in full.
        candidates: for each image, positions of images that may be copies of it, int64 `[N, K]`.
        mirrored: whether they are mirrored, bool `[N, K]`.

    Returns:
        Positions of images that are copies of each other, `[P, 2]`, each pair once.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    left = remainders(hashes.thumbnails, candidates, mirrored)
    usual = np.sort(np.pad(left, ((0, 0), (0, _USUAL)), constant_values=1), axis=1)[:, _USUAL - 1]
    pairs, flips = _promising(
        hashes, candidates, mirrored, left <= np.minimum(_MAX_PROMISING * usual[:, None], _MAX_REMAINDER)
    )
    alike = _same_colours(hashes, pairs, flips)
    pairs, flips = pairs[alike], flips[alike]
    is_large = max(images.shape[1:3]) > THUMBNAIL_SIDE
    limits = usual[pairs].min(1) ** _EXPONENT
    maps = np.repeat(similarity()[None], len(pairs), 0)
    kept = np.zeros(len(pairs), np.bool_)
    for start in progress(range(0, len(pairs), _CHUNK), "comparing pairs", "chunk", part=True):
        rows = slice(start, start + _CHUNK)
        found = match(*_taken(hashes.thumbnails, pairs[rows], flips[rows]), maps[rows], steps=4)
        maps[rows] = found.maps
        limit = (_MAX_LEFT_FIRST if is_large else MAX_LEFT_SMALL) * limits[rows]
        kept[rows] = _agree(found) & (found.left <= limit) & (is_large | (found.worst <= _MAX_WORST_SMALL))
    pairs, flips, maps, limits = pairs[kept], flips[kept], maps[kept], limits[kept]
    return pairs[_close(images, pairs, flips, maps, MAX_LEFT_CLOSE * limits)] if is_large else pairs


def _promising(
    hashes: PerceptualHashes, candidates: Indices, mirrored: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> tuple[Indices, NDArray[np.bool_]]:
    """Pairs `[P, 2]`, the sharper image first, and whether the second is mirrored, `[P]`."""
    row, column = np.nonzero(kept & (hashes.contrast >= _MIN_CONTRAST)[:, None])
    other, flip = candidates[row, column], mirrored[row, column]
    found = np.unique(np.stack([np.minimum(row, other), np.maximum(row, other), flip], axis=1), axis=0)
    pairs, flips = found[:, :2], found[:, 2].astype(np.bool_)
    sharp = sharpness(hashes.thumbnails)[pairs]
    return np.where((sharp[:, :1] >= sharp[:, 1:]), pairs, pairs[:, ::-1]), flips


def _same_colours(hashes: PerceptualHashes, pairs: Indices, flips: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the blocks differ from grey in the same way, within about a third."""
    block_means = hashes.block_means.reshape(len(hashes.block_means), 8, 8, -1)
    same = np.ones(len(pairs), np.bool_)
    if block_means.shape[3] == 1:
        return same
    for start in range(0, len(pairs), _CHUNK):
        rows = slice(start, start + _CHUNK)
        first, second = _taken(block_means, pairs[rows], flips[rows])
        first, second = (colours - colours.mean(3, keepdims=True) for colours in (first, second))
        apart, most = _spread(first - second), np.maximum(_spread(first), _spread(second))
        same[rows] = apart <= _COLOUR * most + _COLOUR_LEVELS
    return same


def _spread(colours: Floats) -> Floats:
    spread: Floats = np.sqrt((colours**2).mean((1, 2, 3)))
    return spread


def _close(images: Images, pairs: Indices, flips: NDArray[np.bool_], maps: Maps, limits: Floats) -> NDArray[np.bool_]:
    """Whether pairs are also the same in larger pictures, which are decoded once for a group of pairs."""
    kept = np.zeros(len(pairs), np.bool_)
    for start in progress(range(0, len(pairs), _CLOSE_CHUNK), "comparing pairs closely", "chunk", part=True):
        rows = slice(start, start + _CLOSE_CHUNK)
        positions, places = np.unique(pairs[rows], return_inverse=True)
        pictures = thumbnails(images[positions], CLOSE_SIDE)
        found = match(*_taken(pictures, places.reshape(-1, 2), flips[rows]), maps[rows], steps=3)
        kept[rows] = (
            _agree(found)
            & (found.left <= limits[rows])
            & (found.worst <= _MAX_WORST_CLOSE)
            & (found.edges <= _MAX_EDGES)
        )
    return kept


def _taken(values: NDArray[Any], pairs: Indices, flips: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = values[pairs[:, 0]], values[pairs[:, 1]]
    second[flips] = second[flips][:, :, ::-1]
    return first, second


def _agree(found: Match) -> NDArray[np.bool_]:
    """Whether the move, the contrast and the brightness are within the limits of a copy."""
    moves = np.abs(found.maps - similarity()).max((1, 2))
    agree: NDArray[np.bool_] = (
        (moves <= _MAX_MOVE)
        & (found.contrast <= _RATIO) & (found.contrast >= 1 / _RATIO)
        & (found.brightness <= _BRIGHTNESS) & (found.brightness >= 1 / _BRIGHTNESS)
    )  # fmt: skip
    return agree
