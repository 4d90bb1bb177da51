"""`Looks` and candidates ──▶ pairs that are copies: once one image lies on the other, next to nothing is left.

How little that is depends on the images: two plain trousers differ less than two photographs of one dress. So what is
left of a pair is compared with what is left between either image and its neighbours, most of which are no copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.clean.copies.perceptual_hash import THUMBNAIL_SIDE, Looks, thumbnails
from training.clean.copies.registration import Floats, Maps, similarity
from training.clean.copies.remainder import Match, match, remainders, sharpness
from training.data.images import Images, Indices
from training.progress import progress

CLOSE_SIDE = 96
"""Pixels a side at which pairs of larger images are compared once more."""
MAX_LEFT_SMALL = 0.025
"""Of what is usual, to the power of 2/3: 187 pairs of Fashion-MNIST's 70,000 images are below. Of the powers 0.6, 0.75
and 0.9, the smaller two found more of the planted copies at as many other pairs."""
MAX_LEFT_CLOSE = 0.035
"""Likewise, at 96 pixels; of the package elpv-dataset, pairs beyond 0.03 begin to show other marks."""
_EXPONENT = 2 / 3
_MAX_LEFT_FIRST = 0.1
"""Of the thumbnails of larger images, which are compared closely."""
_MAX_WORST_SMALL = 0.2
_MAX_WORST_CLOSE = 0.3
_MAX_EDGES = 0.5
"""A JPEG of quality 30 of a blurred photograph leaves up to 0.44; noise that differs, more."""
_MAX_PROMISING = 0.45
"""Of what is usual: 99 % of planted copies are below it, 6 % of other candidates."""
_MAX_REMAINDER = 0.2
_USUAL = 12
"""What is left of the twelfth best neighbour is usual: up to eleven may be copies."""
_MIN_CONTRAST = 2.0
"""Levels of 255: an image of less shows nothing that could be the same."""
_MAX_MOVE = 0.12
"""A turn by 3 degrees is 0.05, a pixel of 28 is 0.07."""
_RATIO = 1.25
"""Of contrasts; beyond, another colour of the same article."""
_BRIGHTNESS = 1.17
_COLOUR = 0.35
_COLOUR_LEVELS = 4
_CHUNK = 1000
_CLOSE_CHUNK = 200


def verify(looks: Looks, images: Images, candidates: Indices, mirrored: NDArray[np.bool_]) -> Indices:
    """Positions of images that are copies of each other, `[P, 2]`, each pair once.

    Args:
        looks: of N images.
        images: the same, of which those that seem to be copies are looked at closely.
        candidates: positions of images that may be copies of each, int64 `[N, K]`.
        mirrored: whether they are mirrored, bool `[N, K]`.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    left = remainders(looks.thumbnails, candidates, mirrored)
    usual = np.sort(np.pad(left, ((0, 0), (0, _USUAL)), constant_values=1), axis=1)[:, _USUAL - 1]
    pairs, flips = _promising(
        looks, candidates, mirrored, left <= np.minimum(_MAX_PROMISING * usual[:, None], _MAX_REMAINDER)
    )
    alike = _same_colours(looks, pairs, flips)
    pairs, flips = pairs[alike], flips[alike]
    is_large = max(images.shape[1:3]) > THUMBNAIL_SIDE
    limits = usual[pairs].min(1) ** _EXPONENT
    maps = np.repeat(similarity()[None], len(pairs), 0)
    kept = np.zeros(len(pairs), np.bool_)
    for start in progress(range(0, len(pairs), _CHUNK), "comparing pairs", "chunk", part=True):
        rows = slice(start, start + _CHUNK)
        found = match(*_taken(looks.thumbnails, pairs[rows], flips[rows]), maps[rows], steps=4)
        maps[rows] = found.maps
        limit = (_MAX_LEFT_FIRST if is_large else MAX_LEFT_SMALL) * limits[rows]
        kept[rows] = _agree(found) & (found.left <= limit) & (is_large | (found.worst <= _MAX_WORST_SMALL))
    pairs, flips, maps, limits = pairs[kept], flips[kept], maps[kept], limits[kept]
    return pairs[_close(images, pairs, flips, maps, MAX_LEFT_CLOSE * limits)] if is_large else pairs


def _promising(
    looks: Looks, candidates: Indices, mirrored: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> tuple[Indices, NDArray[np.bool_]]:
    """Pairs `[P, 2]`, the sharper image first, as it explains the other one, and whether that is mirrored, `[P]`."""
    row, column = np.nonzero(kept & (looks.contrast >= _MIN_CONTRAST)[:, None])
    other, flip = candidates[row, column], mirrored[row, column]
    found = np.unique(np.stack([np.minimum(row, other), np.maximum(row, other), flip], axis=1), axis=0)
    pairs, flips = found[:, :2], found[:, 2].astype(np.bool_)
    sharp = sharpness(looks.thumbnails)[pairs]
    return np.where((sharp[:, :1] >= sharp[:, 1:]), pairs, pairs[:, ::-1]), flips


def _same_colours(looks: Looks, pairs: Indices, flips: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the blocks' differences from grey are the same, within a third or so."""
    sketches = looks.sketches.reshape(len(looks.sketches), 8, 8, -1)
    same = np.ones(len(pairs), np.bool_)
    if sketches.shape[3] == 1:
        return same
    for start in range(0, len(pairs), _CHUNK):
        rows = slice(start, start + _CHUNK)
        first, second = _taken(sketches, pairs[rows], flips[rows])
        first, second = (colours - colours.mean(3, keepdims=True) for colours in (first, second))
        apart, most = _spread(first - second), np.maximum(_spread(first), _spread(second))
        same[rows] = apart <= _COLOUR * most + _COLOUR_LEVELS
    return same


def _spread(colours: Floats) -> Floats:
    spread: Floats = np.sqrt((colours**2).mean((1, 2, 3)))
    return spread


def _close(images: Images, pairs: Indices, flips: NDArray[np.bool_], maps: Maps, limits: Floats) -> NDArray[np.bool_]:
    """Whether pairs stay the same in larger pictures; each is decoded once for some pairs."""
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
    """Whether the move, the contrast and the brightness are those of a copy."""
    moves = np.abs(found.maps - similarity()).max((1, 2))
    agree: NDArray[np.bool_] = (
        (moves <= _MAX_MOVE)
        & (found.contrast <= _RATIO) & (found.contrast >= 1 / _RATIO)
        & (found.brightness <= _BRIGHTNESS) & (found.brightness >= 1 / _BRIGHTNESS)
    )  # fmt: skip
    return agree
