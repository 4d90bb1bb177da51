"""training images and their embeddings ──▶ `Examples`: what a head's answers are explained with."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.examples import Examples
from models.sessions import Embedding
from training.images import Indices

COUNT = 1000
"""Examples of a head: of 64 numbers and with thumbnails of 28x28 pixels 0.5 MB."""
_PIXELS = 48  # a side of a thumbnail at most
_JPEG_QUALITY = 80


def choose_examples(labels: NDArray[Any], positions: Indices, count: int, *, is_number: bool, seed: int) -> Indices:
    """Which of the training images stand for all: as many of each class as will go, or evenly spaced numbers.

    Args:
        labels: of the whole data set, class positions or numbers.
        positions: of the training images.
        count: how many to take at most.
        is_number: whether they are numbers.
        seed: of the choice within a class.
    """
    shuffled = np.random.default_rng(seed).permutation(positions)
    if is_number:
        ordered = shuffled[np.argsort(labels[shuffled], kind="stable")]
        return np.sort(
            ordered[np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))]
        )
    turns = np.empty(len(shuffled), np.int64)  # of each image within its class
    for label in np.unique(labels[shuffled]):
        members = labels[shuffled] == label
        turns[members] = np.arange(members.sum())
    return np.sort(shuffled[np.argsort(turns, kind="stable")][:count])


def make_examples(
    embedding: Embedding, labels: NDArray[Any], baseline: Embedding, thumbnails: list[bytes] | None = None
) -> Examples:
    """Examples of embeddings `[M, D]`, class positions or numbers `[M]`, the mean embedding `[D]` and thumbnails."""
    rounded = embedding.astype(np.float16).astype(np.float32)
    is_number = labels.dtype.kind == "f"
    answers = labels.astype(np.float32) if is_number else labels.astype(np.int64)
    return Examples(rounded, answers, baseline.astype(np.float32), thumbnails or ())


def thumbnail(image: NDArray[np.uint8]) -> bytes:
    """uint8 `[H, W, C]` as a PNG where it is small, else as a JPEG of at most 48 pixels a side."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    if max(picture.size) <= _PIXELS:
        picture.save(buffer, "PNG")
    else:
        picture.thumbnail((_PIXELS, _PIXELS))
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
