"""images ──▶ `PerceptualHashes`: a kilobyte of each image, so that all images can be compared in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.types import Pixels
from training.data.images import Images
from training.progress import progress

BLOCKS_SIDE = 8
THUMBNAIL_SIDE = 32
_CHUNK_PIXELS = 500 * 64 * 64  # decoded at once


@dataclass(frozen=True)
class PerceptualHashes:
    """Hashes and small pictures of N images: 1.1 kB of each, 1.3 kB in colour.

    Attributes:
        digests: of the pixels, equal if all pixels are; uint64 `[N, 2]`.
        brightness: mean of the pixels, float32 `[N]`, in [0, 255].
        contrast: standard deviation of the pixels in the channel where it is largest, float32 `[N]`.
        block_means: means of 8x8 blocks, float32 `[N, 64 * C]`, in [0, 255].
        thumbnails: grey, at most 32 pixels a side, uint8 `[N, S, T]`.
    """

    digests: NDArray[np.uint64]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    block_means: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]


def hash_images(images: Images) -> PerceptualHashes:
    """Hashes all images, a few of them in memory at a time.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    count, height, width, _ = images.shape
    step = max(1, _CHUNK_PIXELS // (height * width))
    starts = progress(range(0, max(1, count), step), "looking at images", "chunk", part=True)
    chunks = [_hash(images[np.arange(start, min(start + step, count))]) for start in starts]
    return PerceptualHashes(*(np.concatenate(values) for values in zip(*chunks, strict=True)))


def thumbnails(pixels: Pixels, side: int) -> NDArray[np.uint8]:
    """uint8 `[B, H, W, C]` in grey, at most `side` pixels a side, uint8 `[B, S, T]`."""
    height, width = (min(length, side) for length in pixels.shape[1:3])
    return _shrunk(pixels.mean(3).round().astype(np.uint8), height, width)


def _hash(pixels: Pixels) -> tuple[NDArray[np.generic], ...]:
    """The attributes of `PerceptualHashes`, in order, for uint8 `[B, H, W, C]`."""
    channels = [_shrunk(pixels[..., c], BLOCKS_SIDE, BLOCKS_SIDE) for c in range(pixels.shape[3])]
    return (
        np.frombuffer(b"".join(_digest(image) for image in pixels), np.uint64).reshape(-1, 2),
        pixels.mean((1, 2, 3), dtype=np.float32),
        pixels.std((1, 2), dtype=np.float32).max(1),
        np.stack(channels, axis=3).reshape(len(pixels), BLOCKS_SIDE**2 * len(channels)).astype(np.float32),
        thumbnails(pixels, THUMBNAIL_SIDE),
    )


def _digest(image: Pixels) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def _shrunk(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[B, H, W]` to `[B, height, width]`, averaging areas."""
    shrunk = [Image.fromarray(image).resize((width, height), Image.Resampling.BOX) for image in grey]
    return np.stack([np.asarray(image) for image in shrunk]) if shrunk else np.empty((0, height, width), np.uint8)
