"""JPEG ──▶ header and pixels, by libjpeg-turbo (simplejpeg).

A bundle may have large JPEGs decoded at a fraction of their size, for which the decoder computes fewer pixels. Of
libjpeg's eighths only 1/2, 1/4 and 1/8 have fast code: a photograph of 640x427 pixels takes 0.73 ms at 1/1, 0.93 at
5/8, 0.60 at 1/2, 0.65 at 3/8 and 0.56 at 1/4 (libjpeg-turbo 3.1, AMD EPYC with AVX-512, one thread), and resizing less
saves more. A side may end up to an eighth too short and is then enlarged, so 640x427 can be decoded at 1/2 for an input
of 224x224. This moves EfficientNet-Lite0's embeddings of photographs less (cosine distance 0.008 on average, 0.014 at
most, at 6/7 of the side) than decoding exactly at the input's size instead of above it (0.016 and 0.028).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import simplejpeg
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from models.bundle.input_spec import InputSpec
from models.errors import BadImage
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.jpeg.jpeg_repair import JpegWarning, Repaired, repair
from models.imaging.jpeg.jpeg_segments import Frame, read_structure
from models.imaging.resizing import divisor_of
from models.imaging.types import Header, Pixels, checked

SIGNATURE = b"\xff\xd8"
# A damaged JPEG is decoded twice more to prove that it is whole, if reading its coded data costs no more than this: 25
# MP in 10 scans. With the two failed decodings before, that is less than twice the reference of `models.imaging.work`.
_PROVEN_PIXELS = 10_500_000
# Parts of TurboJPEG's messages, which are libjpeg's first warning or an error that cannot be repaired.
_REFUSED, _STRAY, _END_MARKER = "Could not determine subsampling", "extraneous bytes before marker", "0xd9"
_RESTARTS = b"\xff\xdd"  # a restart interval is defined
_REPAIRABLE = (
    *(_REFUSED, _STRAY, "Invalid SOS parameters", "bad ICC marker", "Premature end of JPEG file"),
    *("unknown JFIF revision", "Unknown Adobe color transform", "two SOI markers"),
)


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged, or of too many scans or segments.
        UnsupportedType: arithmetically coded or lossless.
    """
    found = read_structure(data)
    height, width = found.frame.height, found.frame.width
    coded_pixels = work.of_jpeg(work.area(width, height), found.scans, found.kept_coefficients)
    return checked(Header("jpeg", width, height, found.colorspace, 0, found.orientation, coded_pixels))


def decode(data: bytes, header: Header, spec: InputSpec, warn: Callable[[JpegWarning], None]) -> Pixels:
    """Pixels as stored, uint8 `[H, W, C]`.

    Raises:
        BadImage: rows are missing, or as `read_header`.
        ValueError, OSError: other damage, from libjpeg.
    """
    try:
        # strict: libjpeg's warnings are errors, otherwise half a file would give half an image
        return _by_turbojpeg(data, header, spec)
    except ValueError as error:
        if not any(text in str(error) for text in _REPAIRABLE):
            raise
    structure = read_structure(data)
    repaired = repair(data, structure)
    pixels = _decode_repaired(repaired, structure.frame, header, spec)
    for kind in sorted(repaired.kinds):
        warn(kind)
    return pixels


def _decode_repaired(repaired: Repaired, frame: Frame, header: Header, spec: InputSpec) -> Pixels:
    """Decodes a repaired JPEG and proves that it is whole; adds `stray_bytes` to its kinds if there are any."""
    warning = ""
    try:
        pixels = _by_turbojpeg(repaired.data, header, spec)
        if not repaired.is_doubtful:
            return pixels
    except ValueError as error:
        warning = str(error)
        if _REFUSED not in warning and _STRAY not in warning:
            raise
    if _REFUSED in warning:
        frame.check_ratios()
    if _STRAY in warning:
        repaired.kinds.add("stray_bytes")
    if _is_after_all_rows(repaired.data, warning) and not repaired.is_doubtful:
        return _by_turbojpeg(repaired.data, header, spec, strict=False)
    if header.coded_pixels > _PROVEN_PIXELS:
        raise BadImage(f"JPEG of {header.pixels} pixels with damage that is repaired in smaller ones only: {warning}")
    read = _by_pillow if _REFUSED in warning else partial(_by_turbojpeg, strict=False)
    # The proof is in colour and at full size, if the header allows it: grey would hide missing colours, and a fraction
    # missing detail.
    proof = spec.model_copy(update={"channels": 3, "decoder": "full"})
    pixels = repaired.whole(lambda data: read(data, header, proof))
    return pixels if spec == proof else read(repaired.data, header, spec)


def _is_after_all_rows(data: bytes, warning: str) -> bool:
    """Whether libjpeg warned about stray bytes only after it had decoded all rows.

    If a restart marker is lost, it gives the same warning and skips the rows that follow.
    """
    return _STRAY in warning and warning.endswith(_END_MARKER) and _RESTARTS not in data


def _by_turbojpeg(data: bytes, header: Header, spec: InputSpec, *, strict: bool = True) -> Pixels:
    height, width = least_size(header, spec)
    if header.colorspace not in ("CMYK", "YCCK"):
        colours = "GRAY" if spec.channels == 1 else "RGB"
        pixels: Pixels = simplejpeg.decode_jpeg(data, colours, strict=strict, min_height=height, min_width=width)
        return pixels
    inks = simplejpeg.decode_jpeg(
        data, "CMYK", strict=strict, fastdct=False, fastupsample=False, min_height=height, min_width=width
    )
    np.invert(inks, out=inks)  # Adobe's programs write no ink as 255
    return to_array(Image.fromarray(inks, "CMYK"), spec)


def _by_pillow(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Decodes samplings that TurboJPEG refuses; Pillow's libjpeg does not report damage."""
    divisor = divisor_of(header, spec)
    with JpegImageFile(io.BytesIO(data)) as image:
        image.draft("L" if spec.channels == 1 else "RGB", (header.width // divisor or 1, header.height // divisor or 1))
        return to_array(image, spec)


def least_size(header: Header, spec: InputSpec) -> tuple[int, int]:
    """Minimum height and width, as stored, that make simplejpeg decode at the divisor; zeros for the full size.

    simplejpeg takes the smallest of libjpeg's scales that is not below them. They are the fraction's sides rounded up,
    as libjpeg rounds, so it takes exactly that scale.
    """
    divisor = divisor_of(header, spec)
    return (0, 0) if divisor == 1 else (-(-header.height // divisor), -(-header.width // divisor))
