"""a file of the corpus ──▶ the pixels it must have: OpenCV's, or those that a lossless file was made of.

What OpenCV 5 shows otherwise than the formats' specifications, so that it is no judge of PNG here: it leaves out tRNS
of grey and RGB, and cuts 16 bits to their upper 8 before anything is blended. Of a PNG the levels that were
written are known anyway, and a test compares OpenCV with them where it can.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.imaging_corpus.files import File, Levels

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601
_TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""Stored picture ──▶ upright, Exif 2.32, table 6: where row 0 and column 0 lie."""

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it prints what is wrong with files


def expected(file: File, channels: int, background: int = 255) -> Levels:
    """The pixels upright, over the background, 0..255, `[H, W, channels]`.

    Raises:
        AssertionError: OpenCV cannot read the file's twin.
    """
    levels = by_opencv(file.twin, grey=channels == 1) if file.levels is None else file.levels
    assert levels is not None, f"OpenCV cannot read {file.kind}: {file.name}"
    return in_channels(turn(levels, file.orientation), channels, background)


def turn(levels: Levels, orientation: int) -> Levels:
    """Upright."""
    return _TURNS[orientation](levels)


def in_channels(rgba: Levels, channels: int, background: int) -> Levels:
    """RGB or RGBA laid over the background, in grey where one channel is wanted."""
    rgb = rgba[..., :3]
    if rgba.shape[-1] == 4:
        alpha = rgba[..., 3:] / 255
        rgb = alpha * rgb + (1 - alpha) * background
    return rgb if channels == 3 else rgb @ np.array(GREY_WEIGHTS)[:, None]


def by_opencv(data: bytes, *, grey: bool = False) -> NDArray[np.float64] | None:
    """RGB or, of what is transparent, RGBA; as it is stored. None where OpenCV does not read it.

    Of a JPEG in `grey` the luma, which RGB no longer tells where it was clipped.
    """
    mode = cv2.IMREAD_UNCHANGED
    if data.startswith(b"\xff\xd8"):
        mode = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if found is None:
        return None
    if found.dtype == np.uint16:
        found = found / 257
    if found.ndim == 2:
        found = found[..., None].repeat(3, axis=-1)
    return found[..., [2, 1, 0, 3][: found.shape[-1]]].astype(np.float64)
