"""dice ──▶ WebPs: lossy, lossless, transparent, with EXIF, of one frame; and broken ones. Other types, too."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from tests.imaging_corpus.files import BAD, EITHER, TYPE, Dice, File, saved
from tests.imaging_corpus.jpeg_corpus.segments import exif

_EXIF_FLAG, _ANIMATION_FLAG, _ALPHA_FLAG = 0x08, 0x02, 0x10


def _picture(dice: Dice, **options: object) -> tuple[bytes, str]:
    """An encoded picture and what it is."""
    height, width = dice.size()
    bands = dice.pick([3, 3, 4])
    chosen = {"lossless": dice.below(2) == 1, "quality": 20 + dice.below(81), "method": dice.below(5), **options}
    levels = dice.picture(height, width, bands)
    if bands == 4:
        levels[..., 3] = np.clip(levels[..., 3] * 2 - 128, 0, 255)
        levels[0, 0, 3] = 100  # never opaque, for then it has no alpha at all
    data = saved(levels, "RGBA" if bands == 4 else "RGB", "WEBP", exact=True, **chosen)
    return data, f"{'RGBA' if bands == 4 else 'RGB'} {width}x{height} {chosen}"


def chunk(kind: bytes, content: bytes) -> bytes:
    """With its padding."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    """A WebP of chunks."""
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def parts(data: bytes) -> tuple[tuple[int, int], bool, bytes]:
    """Size, whether it is transparent, and the chunks of the picture alone."""
    with Image.open(io.BytesIO(data)) as image:
        size, transparent = image.size, image.mode == "RGBA"
    start = 12
    if data[12:16] == b"VP8X":
        start += 8 + 10
    return size, transparent, data[start:]


def extended(data: bytes, flags: int, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """The picture in an extended file."""
    (width, height), transparent, picture = parts(data)
    flags |= _ALPHA_FLAG if transparent else 0
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff(chunk(b"VP8X", struct.pack("<I", flags) + sizes), before, picture, after)


def plain(dice: Dice, number: int) -> File:
    """Lossy, lossless, with alpha."""
    data, name = _picture(dice)
    return File("webp", name, data, data)


def turned(dice: Dice, number: int) -> File:
    """EXIF behind the picture; in another chunk it is none."""
    data, name = _picture(dice)
    turn = 1 + number % 8
    tiff = exif(turn, order=dice.pick("<>"), before=dice.below(3))
    other = exif(1 + turn % 8)
    kinds = {
        "as it is": (extended(data, _EXIF_FLAG, after=chunk(b"EXIF", tiff)), turn),
        "with a prefix": (extended(data, _EXIF_FLAG, after=chunk(b"EXIF", b"Exif\0\0" + tiff)), turn),
        "behind XMP that names another": (
            extended(data, _EXIF_FLAG | 4, after=chunk(b"XMP ", b"EXIF    " + other) + chunk(b"EXIF", tiff)),
            turn,
        ),
        "behind a profile that names another": (
            extended(data, _EXIF_FLAG | 32, before=chunk(b"ICCP", b"xEXIF    " + other), after=chunk(b"EXIF", tiff)),
            turn,
        ),
        "in XMP": (extended(data, 4, after=chunk(b"XMP ", b"EXIF    " + tiff)), 1),
        "behind the end": (data + chunk(b"EXIF", tiff), 1),
        "cut short": (extended(data, _EXIF_FLAG, after=chunk(b"EXIF", tiff[:15])), 1),
    }
    kind = list(kinds)[number // 8 % len(kinds)]
    changed, right = kinds[kind]
    return File("webp exif", f"{turn} {kind}, {name}", changed, data, orientation=right)


def one_frame(dice: Dice, number: int) -> File:
    """An animation of one frame, which is the picture."""
    data, name = _picture(dice)
    return File("webp of one frame", name, animation(data, 1, number % 3), data)


def animation(data: bytes, frames: int, loops: int = 0) -> bytes:
    """The picture in each frame of an animation."""
    (width, height), transparent, picture = parts(data)
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = chunk(b"ANMF", bytes(6) + sizes + (100).to_bytes(3, "little") + b"\x02" + picture)
    flags = _ANIMATION_FLAG | (_ALPHA_FLAG if transparent else 0)
    head = chunk(b"VP8X", struct.pack("<I", flags) + sizes)
    return riff(head, chunk(b"ANIM", b"\xff\xff\xff\xff" + struct.pack("<H", loops)), *[frame] * frames)


def odd(dice: Dice, number: int) -> File:
    """Unknown chunks, profiles and bytes behind the end."""
    data, name = _picture(dice)
    kinds = {
        "an unknown chunk": extended(data, 0, after=chunk(b"prVt", dice.bytes(dice.below(60)))),
        "a profile": extended(data, 32, before=chunk(b"ICCP", dice.bytes(333))),
        "zeros behind the end": data + bytes(100),
        "text behind the end": data + b"text",
    }
    kind = list(kinds)[number % len(kinds)]
    return File("webp odd", f"{kind}, {name}", kinds[kind], data)


def broken(dice: Dice, number: int) -> File:
    """Cut short, without a picture, animated."""
    data, name = _picture(dice)
    if number % 5 == 4:
        return File("webp animated", name, animation(data, 2 + number % 3), codes=TYPE)
    if number % 5 == 3:
        damaged = riff(chunk(b"VP8X", bytes(10)), chunk(b"EXIF", exif(6)))
        return File("webp broken", "no picture", damaged, codes=BAD)
    place = 12 + dice.below(len(data) - 12) if number % 2 else len(data) - 1 - dice.below(3)
    place = min(place, len(data) - 1 - (data[-1] == 0))  # the last byte may be mere padding
    return File("webp cut", f"{place} of {len(data)} bytes, {name}", data[:place], codes=BAD)


def other_types(dice: Dice, number: int) -> File:
    """What is neither JPEG, PNG nor WebP."""
    levels = dice.picture(*dice.size())
    kinds = ("GIF", "BMP", "TIFF", "AVIF", "PPM", "ICO", "JPEG2000", "TGA", "DDS")
    texts = {
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "SVG with a declaration": b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg/>',
        "PDF": b"%PDF-1.7\n",
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
        "text": b"hello, this is no image",
        "HTML": b"<!doctype html><title>x</title>",
        "zeros": bytes(200),
        "JSON": b'{"image": 1}',
    }
    kind = [*kinds, *texts][number % (len(kinds) + len(texts))]
    if kind in texts:
        return File("other types", kind, texts[kind], codes=TYPE)
    return File("other types", kind, saved(levels, "RGB", kind), codes=TYPE)


def nothing(dice: Dice, number: int) -> File:
    """A few bytes, or none."""
    data = (b"", b"\xff", b"\xff\xd8", b"\x89PNG", b"R", b"RIFF", b"\x89PNG\r\n\x1a\n")[number % 7]
    return File("a few bytes", repr(data), data, codes=EITHER if data.startswith(b"R") else BAD)


MAKERS = {plain: 130, turned: 56, one_frame: 24, odd: 24, broken: 60, other_types: 34, nothing: 7}
