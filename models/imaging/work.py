"""shape and coding of an image ──▶ its decoding cost, in pixels of an ordinary photograph.

An image made by an attacker can cost hundreds of times as much as a photograph of its size: a line one pixel wide, a
JPEG of many scans, a lossless WebP of many Huffman codes. The cost is the number of pixels of a photograph whose
decoding takes at least half as long. The constants were measured with libjpeg-turbo 3.1, libwebp 1.6 and Pillow 13 on
an AMD EPYC, where the reference, a lossy WebP photograph, takes 27 ns a pixel; `tests/chaos/hostile/test_cpu.py`
measures them again.
"""

from __future__ import annotations

_SIDE = 64  # however narrow an image is, a row of a PNG or a block of a JPEG costs as much as this many pixels
_SCANS = 24  # scans of a JPEG that together cost as much as the reference
_COEFFICIENTS = 6.7  # of 2 bytes, held for each pixel of the limit: 320 MiB at 25 MP, enough for 25 MP of CMYK
_PNG_BITS = 44  # a pixel of a PNG that cost as much as the reference: at worst 40 ns to undo the filter
# A compressed byte of a PNG costs at most 45 ns, in deflate blocks of tables without data. At the limit of pixels, 0.4
# bytes a pixel fill a body of 10 MiB. More are not counted, since photographs have more.
_PNG_BYTES = 0.4
_CODE_BYTES = 2.5  # the least size of a group of Huffman codes in a lossless WebP: five codes of 4 bits
_MAX_CODES = 65536  # groups in a WebP, whose index has 16 bits
_CODE_PIXELS = 48  # cost of reading a group, 2 µs
_BUILT_PIXELS = 160  # cost of building it, 7 µs, if a block of at least 4x4 pixels uses it


def area(width: int, height: int) -> int:
    """Width times height; a very long image counts as at least 64 pixels wide."""
    if width < 2 * _SIDE > height:
        return width * height  # the same as below, in a third of the time
    short, long = sorted((width, height))
    return long * max(short, min(_SIDE, long // _SIDE))


def of_jpeg(pixels: int, scans: int, kept_coefficients: int) -> int:
    """Cost of reading a JPEG's coded data, whatever fraction of its size is decoded.

    It covers memory too: the coefficients that a decoder holds until the last scan of a progressive JPEG.
    """
    return max(pixels * scans // _SCANS, int(kept_coefficients / _COEFFICIENTS))


def of_png(pixels: int, bits: int, size_bytes: int) -> int:
    """Cost of a PNG beside that of its area; `bits` is of a pixel, `size_bytes` of the file."""
    return max(pixels * bits // _PNG_BITS + min(size_bytes, int(pixels * _PNG_BYTES)) - pixels, 0)


def of_webp(pixels: int, lossless_bytes: int, transparent: bool) -> int:
    """Cost of a WebP beside that of its area; `lossless_bytes` is of its largest losslessly coded chunk."""
    codes = min(int(lossless_bytes / _CODE_BYTES), _MAX_CODES)
    built = min(codes, pixels // 16)
    return (pixels // 2 if transparent else 0) + _CODE_PIXELS * codes + _BUILT_PIXELS * built
