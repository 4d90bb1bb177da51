"""`Header`, what is known of an encoded image before it is decoded, and `Pixels`, what decoding gives."""

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
    """An encoded image's type, size in pixels before EXIF orientation, and decoding cost."""

    type: ImageType
    width: int
    height: int
    colorspace: str = ""
    """JPEG only, as libjpeg names it: Gray, YCbCr, RGB, CMYK, YCCK."""
    extra_pixels: int = 0
    """Cost of its coding beside that of its area, see `models.imaging.work`."""
    orientation: int = UPRIGHT
    """EXIF orientation, 1 to 8."""
    coded_pixels: int = 0
    """JPEG only: cost of reading its coded data, whatever fraction of its size is decoded."""
    divisor: int = 1
    """JPEG only: 1, 2, 4 or 8, by which its sides are divided at least, to stay within a limit."""

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
        """Decoding cost: pixels of an ordinary photograph that costs at least half as much; never less than its own."""
        width, height, divisor = self.width, self.height, self.divisor
        if divisor > 1:
            width, height = -(-width // divisor), -(-height // divisor)
        return max(work.area(width, height), self.coded_pixels) + self.extra_pixels

    def within(self, max_pixels: int) -> Header:
        """For a JPEG, sets the smallest divisor at which `work_pixels` is within the limit, or 8 if none is."""
        if self.type != "jpeg":
            return self
        fractions = (self._replace(divisor=divisor) for divisor in (2, 4, 8))
        return next((each for each in fractions if each.work_pixels <= max_pixels), self._replace(divisor=8))


def checked(header: Header) -> Header:
    """Returns the header if its size is valid.

    Raises:
        BadImage: width or height is 0.
    """
    if header.width < 1 or header.height < 1:
        raise BadImage(f"damaged {header.type} header: size {header.width}x{header.height}")
    return header
