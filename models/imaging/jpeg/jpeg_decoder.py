"""JPEG ──▶ header and pixels, by libjpeg-turbo (simplejpeg).

Where the bundle says so, large JPEGs are decoded at a fraction of their size, which the decoder reaches by computing
fewer pixels. Of libjpeg's eighths only 1/2, 1/4 and 1/8 have fast code: of a photograph of 640x427 pixels 1/1 takes
0.73 ms, 5/8 0.93 ms, 1/2 0.60 ms, 3/8 0.65 ms, 1/4 0.56 ms (libjpeg-turbo 3.1, AMD EPYC with AVX-512, one thread), and
what is left to resize saves more. A side may end up to an eighth too short and is then enlarged: it is
that which lets 640x427 be decoded at 1/2 for an input of 224x224, and EfficientNet-Lite0's embeddings of photographs
move less by it (cosine distance 0.008 on average, 0.014 at most, at 6/7 of the side) than by decoding exactly at the
input's size instead of above it (0.016 and 0.028).
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
from models.imaging.jpeg.jpeg_repair import Repaired, Warning_, repair
from models.imaging.jpeg.jpeg_segments import Frame, read_structure
from models.imaging.resizing import divisor_of
from models.imaging.types import Header, Pixels, checked

SIGNATURE = b"\xff\xd8"
# Work of reading a JPEG's coded data up to which it is decoded twice more, to prove that it is whole: of 25 MP in 10
# scans. With the two decodings that failed before, it costs less than twice the yardstick of `models.imaging.work`.
_PROVEN_PIXELS = 10_500_000
# Of what TurboJPEG says, which is the first thing that libjpeg warns of, or an error that nothing mends.
_REFUSED, _STRAY, _END_MARKER = "Could not determine subsampling", "extraneous bytes before marker", "0xd9"
_RESTARTS = b"\xff\xdd"  # a restart interval is defined
_MENDED = (
    *(_REFUSED, _STRAY, "Invalid SOS parameters", "bad ICC marker", "Premature end of JPEG file"),
    *("unknown JFIF revision", "Unknown Adobe color transform", "two SOI markers"),
)


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged, or of more scans or segments than any has.
        UnsupportedType: arithmetically coded or lossless.
    """
    found = read_structure(data)
    height, width = found.frame.height, found.frame.width
    coded_pixels = work.of_jpeg(work.area(width, height), found.scans, found.kept_coefficients)
    return checked(Header("jpeg", width, height, found.colorspace, 0, found.orientation, coded_pixels))


def decode(data: bytes, header: Header, spec: InputSpec, warn: Callable[[Warning_], None]) -> Pixels:
    """Pixels as they are stored, uint8 `[H, W, C]`.

    Raises:
        BadImage: rows are missing, or as `read_header`.
        ValueError, OSError: libjpeg finds other damage.
    """
    try:
        # strict: libjpeg's warnings are errors, since half a file would otherwise give half an image
        return _by_turbojpeg(data, header, spec)
    except ValueError as error:
        if not any(text in str(error) for text in _MENDED):
            raise
    structure = read_structure(data)
    repaired = repair(data, structure)
    pixels = _decode_repaired(repaired, structure.frame, header, spec)
    for kind in sorted(repaired.kinds):
        warn(kind)
    return pixels


def _decode_repaired(repaired: Repaired, frame: Frame, header: Header, spec: InputSpec) -> Pixels:
    """Decodes it with proof that it is whole, and notes stray bytes that are found meanwhile."""
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
        raise BadImage(f"JPEG of {header.pixels} pixels with damage that is only mended in smaller ones: {warning}")
    read = _by_pillow if _REFUSED in warning else partial(_by_turbojpeg, strict=False)
    # In colour and at full size, where the header allows it: in grey missing colours would not be seen, and at a
    # fraction missing detail.
    proof = spec.model_copy(update={"channels": 3, "decoder": "full"})
    pixels = repaired.whole(lambda data: read(data, header, proof))
    return pixels if spec == proof else read(repaired.data, header, spec)


def _is_after_all_rows(data: bytes, warning: str) -> bool:
    """Whether all rows were decoded before libjpeg warned of bytes before the end marker.

    With restart markers it warns of the same where one of them is lost, and passes over the rows behind it.
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
    np.invert(inks, out=inks)  # as Adobe's programs write it, 255 is no ink
    return to_array(Image.fromarray(inks, "CMYK"), spec)


def _by_pillow(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """For samplings that TurboJPEG refuses; Pillow's libjpeg tells of no damage."""
    divisor = divisor_of(header, spec)
    with JpegImageFile(io.BytesIO(data)) as image:
        image.draft("L" if spec.channels == 1 else "RGB", (header.width // divisor or 1, header.height // divisor or 1))
        return to_array(image, spec)


def least_size(header: Header, spec: InputSpec) -> tuple[int, int]:
    """Least height and width, as stored, that simplejpeg has to reach when it decodes a JPEG; zeros for its full size.

    They are those of one of the fractions rounded up, as libjpeg rounds, so that simplejpeg, which takes the smallest
    of libjpeg's scales that is not below them, takes just that one.
    """
    divisor = divisor_of(header, spec)
    return (0, 0) if divisor == 1 else (-(-header.height // divisor), -(-header.width // divisor))
