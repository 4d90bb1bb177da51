"""What the corpus is made of: files, what must be said of them, and small pictures to put in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.float64]

BAD = frozenset({"bad_image"})
TYPE = frozenset({"unsupported_type"})
EITHER = BAD | TYPE


@dataclass(frozen=True)
class File:
    """An encoded picture and what is right of it."""

    kind: str
    """For counting, such as `jpeg sampling`."""
    name: str
    data: bytes
    twin: bytes = b""
    """What a second decoder is given in its place: the same picture, intact and without EXIF."""
    levels: Levels | None = None
    """The picture as it was before it was encoded without loss: RGBA, 0..255, `[H, W, 4]`."""
    orientation: int = 1
    """By which it must be turned upright."""
    codes: frozenset[str] = frozenset()
    """It must be refused with one of them; accepted where there is none."""

    @property
    def suffix(self) -> str:
        """Of its file name."""
        return {b"\xff\xd8\xff": ".jpg", b"\x89PN": ".png", b"RIF": ".webp"}.get(self.data[:3], ".jpg")


class Dice:
    """Random choices from a seed."""

    def __init__(self, seed: int) -> None:
        self.numbers = np.random.default_rng(seed)

    def below(self, end: int) -> int:
        """0 to `end` - 1."""
        return int(self.numbers.integers(end))

    def pick(self, options: Any) -> Any:
        """One of them."""
        return options[self.below(len(options))]

    def bytes(self, count: int, *, but: int = -1) -> bytes:
        """So many bytes, none of them `but`."""
        return bytes(value if value != but else 7 for value in self.numbers.bytes(count))

    def size(self) -> tuple[int, int]:
        """Height and width: mostly small, odd as often as even, now and then a line or one pixel."""
        kind = self.below(12)
        if kind == 0:
            return 1, 1
        if kind == 1:
            return (1, 1 + self.below(130)) if self.below(2) else (1 + self.below(100), 1)
        limit = (130, 100, 70, 50, 40, 33)[self.below(6)]
        return 1 + self.below(min(limit, 100)), 1 + self.below(limit)

    def picture(self, height: int, width: int, bands: int = 3) -> Levels:
        """Soft shapes with some grain, as photographs have; 0..255, `[H, W, bands]`."""
        coarse = self.numbers.integers(0, 256, (height // 24 + 2, width // 24 + 2, bands)).astype(np.uint8)
        soft = [
            np.asarray(Image.fromarray(coarse[..., band]).resize((width, height), Image.Resampling.BICUBIC))
            for band in range(bands)
        ]
        grain = self.numbers.normal(0, 3, (height, width, 1))
        return np.clip(np.stack(soft, axis=-1) + grain, 0, 255)


def ycc(rgb: Levels) -> Levels:
    """RGB ──▶ YCbCr of JFIF, both 0..255."""
    matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    found: Levels = rgb @ matrix.T + [0, 128, 128]
    return found


def saved(levels: Levels, mode: str, format_: str, **options: Any) -> bytes:
    """Encoded by Pillow."""
    body = io.BytesIO()
    array = np.rint(levels).astype(np.uint8)
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array, mode).save(body, format_, **options)
    return body.getvalue()


Maker = Callable[[Dice, int], File]
"""Dice and a number that counts up ──▶ a file of one kind."""
