"""Encoded images as attackers send them, each with the statuses that may answer it as a request's only image."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PIL import Image

from tests.models.encoded import animated, encode, jpeg_with_scans, oriented, picture, png_chunk, png_with_two_headers

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SNEAKER = (EXAMPLES / "sneaker.png").read_bytes()
BAD, LARGE, TYPE, GOOD, BAD_OR_LARGE = {400}, {413}, {415}, {200}, {400, 413}
ANY = {200, 400, 413, 415}

Picture = tuple[str, bytes, set[int]]


@cache
def pictures() -> tuple[Picture, ...]:
    """Name, bytes and allowed statuses; all small, so that they are good to mutate."""
    return (*_good(), *_cut(), *_bombs(), *_damaged(), *_foreign())


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    """Signature, IHDR with a right checksum, and the chunks given."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks)


def idat(data: bytes) -> bytes:
    """The chunk with compressed rows, and the end."""
    return png_chunk(b"IDAT", zlib.compress(data, 9)) + png_chunk(b"IEND", b"")


def _good() -> Iterator[Picture]:
    yield "png", SNEAKER, GOOD
    yield "jpeg", encode(picture(), "JPEG"), GOOD
    yield "jpeg, progressive", encode(picture(), "JPEG", progressive=True), GOOD
    yield "jpeg, cmyk", encode(picture(mode="CMYK"), "JPEG"), GOOD
    yield "jpeg on its side", oriented("JPEG", 6), GOOD
    yield "webp, lossy", encode(picture(), "WEBP"), GOOD
    yield "webp, lossless", encode(picture(), "WEBP", lossless=True), GOOD
    yield "webp, extended", oriented("WEBP", 8), GOOD
    yield "png, palette", encode(picture().quantize(16), "PNG"), GOOD
    yield "png, 16 bits", encode(picture(mode="I;16"), "PNG"), GOOD
    yield "png, transparent", encode(picture(mode="RGBA"), "PNG"), GOOD
    level = png_chunk(b"tRNS", bytes(6))
    yield "png, 16 bits, one colour clear", png(8, 8, level, idat(bytes(392)), depth=16, colour=2), GOOD
    yield "png, animation of one frame", png(8, 8, png_chunk(b"acTL", b"\0\0\0\1" + bytes(4)), idat(bytes(72))), GOOD
    yield "webp, animation of one frame", _webp_of_frames(1), GOOD
    yield "png of one pixel", png(1, 1, idat(bytes(2))), GOOD
    yield "png, 25000 wide and 1 high", png(25000, 1, idat(bytes(25001))), GOOD
    yield "png, 1 wide and 25000 high", png(1, 25000, idat(bytes(50000))), GOOD


def _cut() -> Iterator[Picture]:
    whole = {name: data for name, data, _ in _good()}
    for size in (1, 4, 8, 16, 24, 29, 33, 60, 100, len(SNEAKER) - 12, len(SNEAKER) - 1):
        yield f"png cut after {size} bytes", SNEAKER[:size], BAD
    jpeg = whole["jpeg"]
    stations = {
        "in its signature": 2,
        "after its signature": 3,
        "in its tables": 40,
        "at its frame": jpeg.index(b"\xff\xc0") + 6,
        "before its scan": jpeg.index(b"\xff\xda"),
        "in its scan": jpeg.index(b"\xff\xda") + 20,
        "before its end": len(jpeg) - 2,
    }
    for where, size in stations.items():
        yield f"jpeg cut {where}", jpeg[:size], GOOD if where == "before its end" else BAD  # all its rows are there
    for size in (4, 12, 15, 16, 20, 25, 29, 30, 40, len(whole["webp, lossy"]) - 1):
        yield f"webp cut after {size} bytes", whole["webp, lossy"][:size], BAD if size > 12 else BAD | TYPE
    for size in (20, 21, 24, 25, 30):
        yield f"lossless webp cut after {size} bytes", whole["webp, lossless"][:size], BAD
        yield f"extended webp cut after {size} bytes", whole["webp, extended"][:size], BAD
    yield "no bytes", b"", BAD


def _bombs() -> Iterator[Picture]:
    yield "png, announced 50,000 x 50,000", png(50_000, 50_000, idat(bytes(100))), LARGE
    yield "png, announced 2^31 - 1 square", png(2**31 - 1, 2**31 - 1, idat(bytes(100))), LARGE
    yield "png, announced 2^32 - 1 wide", png(2**32 - 1, 1, idat(bytes(100))), BAD_OR_LARGE
    yield "png, one pixel over the limit", png(5001, 5000, idat(bytes(100))), LARGE
    yield "png, 24 MP of nothing", png(6000, 4000, idat(bytes(6001))), BAD
    yield "png whose rows end early", png(8, 8, idat(bytes(36))), BAD
    yield "png whose rows go on for 20 MB", png(8, 8, idat(bytes(20_000_000))), ANY
    yield "png with two headers", png_with_two_headers(), BAD_OR_LARGE
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8_000_000), 9))
    yield "png with 8 MB of compressed text", png(8, 8, text, idat(bytes(72))), ANY
    profile = png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(8_000_000), 9))
    yield "png with 8 MB of colour profile", png(8, 8, profile, idat(bytes(72))), ANY
    yield "png with 2,000 text chunks", png(8, 8, png_chunk(b"tEXt", b"a\0b") * 2000, idat(bytes(72))), ANY
    yield "png, interlaced", png(9, 9, idat(bytes(200)), interlace=1), ANY
    profiles = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes((1 << 20) - 1), 9)) * 50
    yield "png with 50 colour profiles of 1 MB", png(8, 8, profiles, idat(bytes(72))), GOOD
    yield "png with 50,000 empty chunks", png(8, 8, png_chunk(b"teSt", b"") * 50_000, idat(bytes(72))), BAD
    yield "png with 2,000 empty chunks of rows", png(8, 8, png_chunk(b"IDAT", b"") * 2000, idat(bytes(72))), GOOD
    yield "png, 1 wide and 1,000,000 high", png(1, 1_000_000, idat(bytes(2_000_000))), LARGE
    yield "png, 1,000,000 wide and 1 high", png(1_000_000, 1, idat(bytes(1_000_001))), LARGE
    yield "png, 25 MP of 16 bits and transparency", png(5000, 5000, idat(bytes(100)), depth=16, colour=6), LARGE
    yield "jpeg of 500 scans", jpeg_with_scans(500), BAD
    jpeg = encode(picture(), "JPEG")
    yield "jpeg of 400 segments", jpeg[:2] + b"\xff\xfe\0\2" * 400 + jpeg[2:], BAD
    frame = jpeg.index(b"\xff\xc0")
    huge = jpeg[: frame + 5] + struct.pack(">HH", 65535, 65535) + jpeg[frame + 9 :]
    yield "jpeg, announced 65,535 square", huge, BAD_OR_LARGE  # libjpeg knows sizes to 65,500
    large = jpeg[: frame + 5] + struct.pack(">HH", 5000, 5000) + jpeg[frame + 9 :]
    yield "jpeg, announced 25 MP and not there", large, BAD_OR_LARGE
    webp = encode(picture(), "WEBP", exif=b"Exif\0\0")
    yield "webp, announced 16,777,216 square", webp[:24] + b"\xff" * 6 + webp[30:], LARGE
    yield "webp with two sizes", webp[:24] + b"\x07\0\0\x07\0\0" + webp[30:], BAD
    lossless = encode(picture(), "WEBP", lossless=True)
    yield "lossless webp, announced 16,384 square", lossless[:21] + b"\xff\xff\xff\x0f" + lossless[25:], LARGE


def _damaged() -> Iterator[Picture]:
    rows = idat(bytes(72))
    yield "png, 0 wide", png(0, 8, rows), BAD
    yield "png, 0 high", png(8, 0, rows), BAD
    yield "png of depth 3", png(8, 8, rows, depth=3), BAD
    yield "png of colour type 9", png(8, 8, rows, colour=9), BAD
    yield "png of a palette that is missing", png(8, 8, rows, colour=3), BAD
    yield "png, interlace 7", png(8, 8, rows, interlace=7), BAD
    yield "png with a wrong checksum", SNEAKER[:29] + b"\0\0\0\0" + SNEAKER[33:], BAD
    yield "png whose chunk has 2^32 - 1 bytes", png(8, 8, b"\xff\xff\xff\xffIDAT", rows), BAD
    yield "png whose rows are not compressed", png(8, 8, png_chunk(b"IDAT", bytes(72)), rows), BAD
    yield "png without rows", png(8, 8, png_chunk(b"IEND", b"")), BAD
    yield "png with a long transparency chunk", png(8, 8, png_chunk(b"tRNS", bytes(9999)), rows), GOOD
    yield "png with half a transparency chunk", png(8, 8, png_chunk(b"tRNS", b"\0"), rows), GOOD
    yield "png with a gamma of 0", png(8, 8, png_chunk(b"gAMA", bytes(4)), rows), ANY
    yield "png with half a pHYs chunk", png(8, 8, png_chunk(b"pHYs", b"\1"), rows), ANY
    yield "png with text that is no text", png(8, 8, png_chunk(b"iTXt", b"\xff\0\1\xfe\0\0\xff"), rows), ANY
    yield "png with EXIF of nonsense", png(8, 8, png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff" * 9), rows), ANY
    yield "jpeg of its first marker alone", b"\xff\xd8\xff", BAD
    yield "jpeg of fill bytes", b"\xff\xd8" + b"\xff" * 5000, BAD
    jpeg = encode(picture(), "JPEG")
    frame = jpeg.index(b"\xff\xc0")
    yield "jpeg, 0 wide", jpeg[: frame + 7] + b"\0\0" + jpeg[frame + 9 :], BAD
    yield "jpeg, 0 high", jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :], BAD
    yield "jpeg of 200 components", jpeg[: frame + 9] + b"\xc8" + jpeg[frame + 10 :], BAD
    for kind in (b"\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\xff\xff\0\0"):
        segment = b"Exif\0\0" + kind
        exif = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
        yield f"jpeg with EXIF {kind[:4].hex()}", jpeg[:2] + exif + jpeg[2:], GOOD | BAD
    yield "jpeg with EXIF longer than the file", jpeg[:2] + b"\xff\xe1\xff\xffExif\0\0MM", BAD
    yield "jpeg, arithmetic coding", jpeg.replace(b"\xff\xc0", b"\xff\xc9", 1), TYPE
    yield "jpeg, lossless", jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1), TYPE
    yield "webp of an unknown chunk", b"RIFF\x20\0\0\0WEBPVP9 " + bytes(20), BAD
    yield "webp, RIFF size of 4 GB", b"RIFF\xff\xff\xff\xffWEBP" + encode(picture(), "WEBP")[12:], ANY
    yield "webp of zeros", b"RIFF\x40\0\0\0WEBPVP8 " + bytes(48), BAD


def _foreign() -> Iterator[Picture]:
    for format_ in ("PNG", "WEBP"):
        yield f"animated {format_}", animated(format_), TYPE
    yield "webp, animation of 2,000 frames", _webp_of_frames(2000), TYPE
    for format_ in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA"):
        yield format_, encode(picture(), format_), TYPE
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', TYPE
    lol = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "' + b"a" * 99 + b'"><!ENTITY b "&a;&a;&a;">]><s>&b;</s>'
    yield "SVG with entities", lol, TYPE
    for brand in (b"heic", b"avif", b"mif1"):
        yield brand.decode(), b"\0\0\0\x18ftyp" + brand + bytes(12) + b"mif1", TYPE
    yield "PSD", b"8BPS\0\1" + bytes(30), TYPE
    yield "JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), TYPE
    yield "PDF", b"%PDF-1.7\n", TYPE
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", TYPE
    yield "zip", b"PK\x03\x04" + bytes(40), TYPE
    yield "pickle", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x02os\x94.", TYPE
    yield "text", b"hello, this is no image", TYPE
    yield "zeros", bytes(3000), TYPE


def blank_png(width: int, height: int) -> bytes:
    """A valid grey PNG, black all over: a thousandth of its pixels in size."""
    body = io.BytesIO()
    Image.new("L", (width, height)).save(body, "PNG", compress_level=9)
    return body.getvalue()


def _webp_of_frames(count: int) -> bytes:
    """A WebP animation of one small picture, so many times."""
    image = encode(picture(), "WEBP", lossless=True)[12:]
    frame = bytes(6) + b"\x17\0\0\x0f\0\0" + bytes(4) + image
    chunk = b"ANMF" + struct.pack("<I", len(frame)) + frame
    canvas = b"VP8X\x0a\0\0\0\2\0\0\0\x17\0\0\x0f\0\0ANIM\6\0\0\0" + bytes(6)
    body = b"WEBP" + canvas + chunk * count
    return b"RIFF" + struct.pack("<I", len(body)) + body
