"""bytes ──decode──▶ pixels: the one place where bytes become pixels, for training and serving alike.

The steps: type from the first bytes, size from the header, decoding, channels, EXIF orientation, resizing.
`DECODE_MIB` bounds the memory, `models.imaging.work` the CPU time.
"""

from __future__ import annotations

from collections.abc import Callable

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, ClientError, TooLarge, UnsupportedType
from models.imaging import unsupported, webp
from models.imaging.jpeg import jpeg_decoder
from models.imaging.jpeg.jpeg_repair import WARNINGS, JpegWarning
from models.imaging.png import png_decoder
from models.imaging.resizing import fit
from models.imaging.types import Header, Pixels

__all__ = ["DECODE_MIB", "DEFAULT_MAX_PIXELS", "WARNINGS", "Warn", "decode", "read_checked_header", "read_header"]

DEFAULT_MAX_PIXELS = 25_000_000
DECODE_MIB = 512
"""Most memory that decoding one image of `DEFAULT_MAX_PIXELS` takes beside its bytes. Growth of the process with Pillow
13: WebP with 65,536 groups of Huffman codes 458 MiB, other WebP 392, progressive JPEG of 41 MP 352, other JPEG 287, PNG
161; `tests/chaos/failures/test_memory_bounds.py` measures the worst ones."""
Warn = Callable[[JpegWarning], None]
"""Called with the kind of each harmless fault that decoding repaired, one of `WARNINGS`."""
_OTHERS = {"png": png_decoder, "webp": webp}


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation; the type comes from the first bytes, never from a client's header.

    Raises:
        BadImage: no bytes, a damaged or truncated header, or a JPEG of too many scans or segments.
        UnsupportedType: not JPEG, PNG or WebP; an animated WebP; an arithmetically coded or lossless JPEG.
    """
    try:
        return _read_header(data)
    except ClientError:
        raise
    except Exception as error:  # a damaged image can make a decoder raise anything
        raise _damaged("header of an", data, error) from error


def _read_header(data: bytes) -> Header:
    if not data:
        raise BadImage("the image is empty (0 bytes)")
    if data.startswith(jpeg_decoder.SIGNATURE):
        return jpeg_decoder.read_header(data)
    if data.startswith(png_decoder.SIGNATURE):
        return png_decoder.read_header(data)
    if webp.is_webp(data):
        return webp.read_header(data)
    if jpeg_decoder.SIGNATURE.startswith(data) or png_decoder.SIGNATURE.startswith(data):
        raise BadImage(f"the image is cut short: only {len(data)} bytes")
    raise UnsupportedType(unsupported.describe(data))


def read_checked_header(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Reads the header and checks the limit; a larger JPEG gets a `divisor` at which it is within the limit.

    Raises:
        BadImage: empty or damaged.
        UnsupportedType: not JPEG, PNG or WebP; animated.
        TooLarge: more than `max_pixels` pixels, or as expensive to decode as more than that.
    """
    header = read_header(data)
    if header.work_pixels <= max_pixels or (header := header.within(max_pixels)).work_pixels <= max_pixels:
        return header
    work = f", which its shape and coding make as much work as {header.work_pixels}"
    if header.type == "jpeg":
        work += " even at an eighth of its sides"
    raise TooLarge(
        f"the image has {header.width}x{header.height} = {header.pixels} pixels"
        f"{work if header.pixels <= max_pixels or header.type == 'jpeg' else ''}; the limit is {max_pixels}"
    )


def decode(data: bytes, spec: InputSpec, header: Header | None = None, *, warn: Warn | None = None) -> Pixels:
    """Decodes an encoded image to uint8 `[spec.height, spec.width, spec.channels]`.

    Args:
        data: the encoded image.
        spec: the bundle's rule for channels, size and background.
        header: from `read_checked_header`, so that it is not read twice.
        warn: called with the kind of each harmless fault that was repaired.

    Raises:
        BadImage, UnsupportedType, TooLarge: as `read_checked_header`; BadImage also for damage after the header.
    """
    header = header or read_checked_header(data)
    repaired: list[JpegWarning] = []
    try:
        if header.type == "jpeg":
            array = jpeg_decoder.decode(data, header, spec, repaired.append)
        else:
            array = _OTHERS[header.type].decode(data, header, spec)
        pixels = fit(array, header, spec)
    except ClientError:
        raise
    except Exception as error:  # a damaged image can make a decoder raise anything
        raise _damaged(header.type, data, error) from error
    if warn is not None:
        for kind in repaired:
            warn(kind)
    return pixels


def _damaged(what: str, data: bytes, error: Exception) -> BadImage:
    reason = f"{error}" if isinstance(error, (OSError, SyntaxError, ValueError)) else f"{type(error).__name__} {error}"
    return BadImage(f"damaged {what} image of {len(data)} bytes: {reason}")
