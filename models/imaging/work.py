"""shape and coding of an image ──▶ work: pixels of an ordinary photograph whose decoding costs at least half as much.

What an attacker draws may cost hundreds of times as much as a photograph of its size: a line of one pixel, a JPEG of
many scans, a lossless WebP of many Huffman codes. Measured with libjpeg-turbo 3.1, libwebp 1.6 and Pillow 13 on an AMD
EPYC, where the yardstick, a lossy WebP photograph, takes 27 ns a pixel; `tests/chaos/hostile/test_cpu.py` measures
anew.
"""

from __future__ import annotations

_SIDE = 64  # a row of a PNG, or a block of a JPEG, costs as much as so many pixels however narrow the image is
_SCANS = 24  # passes over a JPEG that cost together as much as the yardstick
_COEFFICIENTS = 6.7  # of two bytes, kept for a pixel of the limit: 320 MiB, which leave room for 25 MP of four inks
_PNG_BITS = 44  # of a PNG's pixel: at worst 40 ns to undo their filter
# Compressed bytes of a PNG cost 45 ns each at worst, in deflate blocks of tables without data. So many a pixel fill a
# body of 10 MiB at the limit of pixels; more are not counted, since photographs have more.
_PNG_BYTES = 0.4
_CODE_BYTES = 2.5  # the least that a group of Huffman codes takes in a lossless WebP: five codes of 4 bits
_MAX_CODES = 65536  # groups that there can be: their index has 16 bits
_CODE_PIXELS = 48  # reading a group, 2 µs
_BUILT_PIXELS = 160  # building it, 7 µs, where a block of at least 4x4 pixels uses it


def area(width: int, height: int) -> int:
    """Width times height, at least 64 pixels being counted across an image that is very long."""
    if width < 2 * _SIDE > height:
        return width * height  # as below, for a third of its time
    short, long = sorted((width, height))
    return long * max(short, min(_SIDE, long // _SIDE))


def of_jpeg(pixels: int, scans: int, kept_coefficients: int) -> int:
    """Work of reading the coded data of a JPEG of so many passes, whatever fraction of its pixels is computed.

    Memory counts as well: it is what a decoder keeps until the last scan of a progressive JPEG.
    """
    return max(pixels * scans // _SCANS, int(kept_coefficients / _COEFFICIENTS))


def of_png(pixels: int, bits: int, size_bytes: int) -> int:
    """Work beside the area of a PNG of so many bits a pixel and so many bytes in all."""
    return max(pixels * bits // _PNG_BITS + min(size_bytes, int(pixels * _PNG_BYTES)) - pixels, 0)


def of_webp(pixels: int, lossless_bytes: int, transparent: bool) -> int:
    """Work beside the area of a WebP, a chunk of which has so many bytes of losslessly coded pixels or transparency."""
    codes = min(int(lossless_bytes / _CODE_BYTES), _MAX_CODES)
    built = min(codes, pixels // 16)
    return (pixels // 2 if transparent else 0) + _CODE_PIXELS * codes + _BUILT_PIXELS * built
