"""positions ──▶ pixels: images of a data set, in memory or decoded whenever they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.convert import servable
from models.imaging.decode import decode, read_header
from models.imaging.resizing import fit, fitted_size
from models.imaging.types import Header, Pixels
from models.runtime.embedding_files import key_of
from training.exceptions import DataError

Indices = NDArray[np.int64]

_LONGEST = 1 << 16  # pixels of a side, by which a width over a height is known to be a fraction

SERVABLE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".apng", ".webp")
"""Names of files that usually hold what the service takes as well; the type itself comes from the bytes."""
SUFFIXES = (*SERVABLE_SUFFIXES, ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif", ".heic", ".heif", ".hif")
"""Names of files that training reads, in lower case."""


class Read(NamedTuple):
    """An image file."""

    data: bytes
    """What `decode` takes: the file's own bytes, or a lossless PNG."""
    key: bytes
    """Identifies the file by its own bytes, see `key_of`."""
    format: str
    """What it was converted from, such as `tiff`; empty if the service takes the file as it is."""


def read_image(path: Path) -> Read:
    """Reads an image file of any type that training takes.

    Raises:
        OSError: it cannot be read.
        ClientError: it is damaged, too large, or of a type that needs converting and cannot be.
    """
    data = path.read_bytes()
    converted, format_ = servable(data)
    return Read(converted, key_of(data), format_)


class Images(Protocol):
    """An array of images uint8 `[N, H, W, C]`, or anything else that can be indexed by positions."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N, H, W and C."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: Indices, /) -> Pixels:
        """Pixels of the images at some positions, in memory."""


@dataclass(frozen=True)
class Encoded:
    """Images too many for memory: only positions are kept, and `read` returns the encoded image at a position.

    Indexing raises what `read` raises, and ClientError for images that cannot be decoded.
    """

    read: Callable[[int], bytes]
    positions: Indices
    spec: InputSpec

    @property
    def shape(self) -> tuple[int, ...]:
        """N, H, W and C."""
        return len(self.positions), self.spec.height, self.spec.width, self.spec.channels

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, positions: Indices, /) -> Pixels:
        wanted = self.positions[positions]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            pixels = list(threads.map(lambda position: decode(self.read(int(position)), self.spec), wanted))
        return np.stack(pixels) if pixels else np.empty((0, *self.shape[1:]), np.uint8)


@dataclass(frozen=True)
class Gone:
    """Images of which only embeddings are left: their number and the rule that they were decoded by."""

    count: int
    spec: InputSpec

    @property
    def shape(self) -> tuple[int, ...]:
        """N, H, W and C."""
        return self.count, self.spec.height, self.spec.width, self.spec.channels

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, positions: Indices) -> Pixels:
        """No pixels of no images.

        Raises:
            DataError: pixels of an image are asked for.
        """
        if len(positions):
            raise DataError("only the embeddings of these images are left, so they cannot be shown")
        return np.empty((0, *self.shape[1:]), np.uint8)


def select(images: Images, positions: Indices) -> Images:
    """The images at some positions, without decoding any."""
    if isinstance(images, Encoded):
        return Encoded(images.read, images.positions[positions], images.spec)
    return images[positions]


def aspects(images: Images, positions: Indices) -> list[float]:
    """Width over height of the images at some positions before they were stretched to a network's input.

    For images in memory the original is not known; it is the array's.

    Raises:
        ClientError: an encoded image is damaged.
    """
    if isinstance(images, Encoded):
        return [aspect(images.read(int(position))) for position in images.positions[positions]]
    return [images.shape[2] / images.shape[1]] * len(positions)


def aspect(data: bytes) -> float:
    """Width over height of an encoded image, upright.

    Raises:
        ClientError: it is damaged, or no JPEG, PNG or WebP.
    """
    return read_header(data).aspect


def unpadded(images: Images, aspects: Sequence[float], spec: InputSpec) -> Images:
    """Padded images without their padding, as if they had been stretched.

    Args:
        images: decoded by `spec`.
        aspects: width over height of each of those that are in memory.
        spec: with the fit `pad`.
    """
    stretched = spec.model_copy(update={"fit": "stretch"})
    if isinstance(images, Encoded):
        return replace(images, spec=stretched)
    pixels = images[np.arange(len(images))]
    pairs = zip(pixels, aspects, strict=True)
    return np.stack([_stretched(_without_padding(image, aspect, spec), stretched) for image, aspect in pairs])


def _stretched(image: Pixels, spec: InputSpec) -> Pixels:
    return fit(image, Header("png", image.shape[1], image.shape[0]), spec)


def _without_padding(image: Pixels, aspect: float, spec: InputSpec) -> Pixels:
    width, height = fitted_size(*Fraction(aspect).limit_denominator(_LONGEST).as_integer_ratio(), spec)
    left, top = (spec.width - width) // 2, (spec.height - height) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def with_aspect(picture: Image.Image, aspect: float) -> Image.Image:
    """The picture widened or heightened, by up to four times, until width over height is `aspect`."""
    width, height = picture.size
    wide, high = round(min(height * aspect, 4 * width)), round(min(width / aspect, 4 * height))
    return picture.resize((wide, height) if wide >= width else (width, high))
