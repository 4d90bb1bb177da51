"""training images and their embeddings ──▶ `Examples`, which explain a head's answers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats.qmc import Halton

from models.bundle.examples import Examples
from models.runtime.sessions import Embedding
from training.data.images import Indices, with_aspect

LIMIT_BYTES = 2_000_000
"""Limit of one head's examples with their thumbnails."""
COUNT = 100_000
"""Default number of examples: more than fit within the limit."""
AXES = 128
"""Numbers kept of a wide embedding, at least, if not all examples fit otherwise: of 6,400 EfficientNet-Lite0
embeddings of Fashion-MNIST 0.83 of the true 5 nearest are found by 128 numbers of 1,280, by 256 of them 0.90."""
_ARRAY_BYTES = 9 * 128  # headers of the arrays
_PIXELS = 48  # a side of a thumbnail at most
_WEBP_QUALITY = 80


def choose_examples(labels: NDArray[Any], positions: Indices, count: int, *, is_number: bool, seed: int) -> Indices:
    """Positions of training images that represent all of them; so do the first few of these.

    Classes take turns, so a rare class has as many examples as a frequent one until it has no more images. Numbers are
    evenly spaced.

    Args:
        labels: of all N images, class positions or numbers, `[N]`.
        positions: of the training images.
        count: number of examples, at most.
        is_number: whether labels are numbers.
        seed: of the choice within a class.
    """
    shuffled = np.random.default_rng(seed).permutation(positions)
    if is_number:
        return shuffled[np.argsort(labels[shuffled], kind="stable")][_spread(len(shuffled))][:count]
    turns = np.empty(len(shuffled), np.int64)  # of each image within its class
    for label in np.unique(labels[shuffled]):
        members = labels[shuffled] == label
        turns[members] = np.arange(members.sum())
    return shuffled[np.argsort(turns, kind="stable")][:count]


def make_examples(
    embedding: Embedding,
    labels: NDArray[Any],
    baseline: Embedding,
    thumbnails: list[bytes] | None = None,
    limit_bytes: int = LIMIT_BYTES,
) -> Examples:
    """Makes examples of the first images, as many as fit.

    Args:
        embedding: float32 `[N, D]`.
        labels: class positions or numbers, `[N]`.
        baseline: mean embedding of training, float32 `[D]`.
        thumbnails: N encoded images; None for none.
        limit_bytes: total size of the files.
    """
    width, baseline = embedding.shape[1], baseline.astype(np.float32)
    left = limit_bytes - _ARRAY_BYTES - 4 * width  # the baseline
    beside = np.array([4 + len(data) + 4 for data in thumbnails] if thumbnails else [4] * len(labels))
    numbers = _numbers(left - int(beside.sum()), len(labels), width)
    is_whole = numbers == width
    rows = np.cumsum(beside + (numbers if is_whole else numbers + 4))
    left -= numbers * (8 if is_whole else 8 + 2 * width)
    count = max(1, int(np.searchsorted(rows, left, side="right")))
    offset = embedding[:count] - baseline
    axes = None if is_whole else _principal_axes(offset, numbers)
    points = offset if axes is None else offset @ axes.T.astype(np.float32)
    lows = points.min(0)
    steps = np.maximum((points.max(0) - lows) / 255, np.finfo(np.float32).tiny)
    return Examples(
        codes=((points - lows) / steps).round().astype(np.uint8),
        lows=lows,
        steps=steps,
        answers=labels[:count].astype(np.float32) if labels.dtype.kind == "f" else labels[:count].astype(np.int32),
        baseline=baseline,
        axes=axes,
        rest=None if axes is None else ((offset**2).sum(1) - (points**2).sum(1)).clip(min=0),
        thumbnails=(thumbnails or ())[:count],
    )


def thumbnail(image: NDArray[np.uint8], aspect: float | None = None) -> bytes:
    """Encodes uint8 `[H, W, C]` as a WebP of at most 48 pixels a side.

    Args:
        image: the pixels.
        aspect: width over height of the thumbnail; None for that of the image.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    if aspect is not None:
        picture = with_aspect(picture, aspect)
    picture.thumbnail((_PIXELS, _PIXELS))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_WEBP_QUALITY)
    return buffer.getvalue()


def _spread(count: int) -> Indices:
    """The numbers below `count` in an order in which any first few are evenly spaced (van der Corput 1935)."""
    order: Indices = np.argsort(Halton(1, scramble=False).random(count)[:, 0])
    return order


def _numbers(left: int, count: int, width: int) -> int:
    """How many numbers of each embedding to keep: of wide ones so few that all examples fit in, but `AXES` at least."""
    if width <= AXES or left >= width * (count + 8):
        return width
    return max(AXES, (left - 4 * count) // (count + 8 + 2 * width))


def _principal_axes(offset: Embedding, count: int) -> NDArray[np.float16]:
    """Of offsets `[M, D]`, the ones of most spread, float16 `[count, D]`."""
    _, axes = np.linalg.eigh(offset.T @ offset)
    return axes[:, ::-1][:, :count].T.astype(np.float16)
