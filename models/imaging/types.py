"""What is known of an encoded image before it is decoded, and what decoding gives."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import BadImage
from models.imaging import work
from models.imaging.exif import SIDEWAYS, UPRIGHT

ImageType = Literal["jpeg", "png", "webp"]

Pixels = NDArray[np.uint8]


class Header(NamedTuple):
    """What the first bytes of an image say of it; sizes in pixels, before EXIF orientation."""

    type: ImageType
    width: int
    height: int
    colorspace: str = ""
    """JPEG only, as libjpeg names it: Gray, YCbCr, RGB, CMYK, YCCK."""
    extra_pixels: int = 0
    """Work that its coding makes beside its area, see `models.imaging.work`."""
    orientation: int = UPRIGHT
    """EXIF's, 1 to 8, of this image and of none that is embedded in it or follows it."""
    coded_pixels: int = 0
    """JPEG only: work of reading its coded data, at whatever fraction of its size it is decoded."""
    divisor: int = 1
    """JPEG only: 1, 2, 4 or 8; it is decoded at that fraction of its size or a smaller one, to stay within a limit."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height once the image is turned by its orientation."""
        return (self.height, self.width) if self.orientation in SIDEWAYS else (self.width, self.height)

    @property
    def aspect(self) -> float:
        """Width over height, upright."""
        width, height = self.upright_size
        return width / height

    @property
    def work_pixels(self) -> int:
        """Pixels of an ordinary photograph whose decoding costs at least half as much; no fewer than its own."""
        width, height, divisor = self.width, self.height, self.divisor
        if divisor > 1:
            width, height = -(-width // divisor), -(-height // divisor)
        return max(work.area(width, height), self.coded_pixels) + self.extra_pixels

    def within(self, max_pixels: int) -> Header:
        """The header of the same image; a JPEG is decoded at the largest fraction that is no more work than that.

        Where none is, it is decoded at an eighth of its sides.
        """
        if self.type != "jpeg":
            return self
        fractions = (self._replace(divisor=divisor) for divisor in (2, 4, 8))
        return next((each for each in fractions if each.work_pixels <= max_pixels), self._replace(divisor=8))


def checked(header: Header) -> Header:
    """The header, if it has a size.

    Raises:
        BadImage: width or height is 0.
    """
    if header.width < 1 or header.height < 1:
        raise BadImage(f"damaged {header.type} header: size {header.width}x{header.height}")
    return header
