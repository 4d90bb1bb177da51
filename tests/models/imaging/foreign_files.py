"""Images in the formats that training reads and the service does not, made of numbers; and what is seen of them."""

from __future__ import annotations

import io
import struct
from typing import Any, Literal

import numpy as np
import tifffile
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.convert import servable
from models.imaging.decode import decode

HEIGHT, WIDTH = 20, 27
HALF = 128  # of an alpha


def grey() -> np.ndarray:
    """uint8 `[20, 27]`, no two rows or columns alike."""
    rows, columns = np.arange(HEIGHT), np.arange(WIDTH)
    return (rows[:, None] * 7 + columns * 4).astype(np.uint8)


def colour() -> np.ndarray:
    """uint8 `[20, 27, 3]`."""
    return np.stack([grey(), grey()[::-1] // 2, 255 - grey()[:, ::-1]], axis=-1)


def with_alpha(pixels: np.ndarray, alpha: int | np.ndarray) -> np.ndarray:
    """A channel more."""
    return np.dstack([pixels, np.broadcast_to(np.uint8(alpha), pixels.shape[:2])])


def under_half(pixels: np.ndarray) -> np.ndarray:
    """What shows of half transparent pixels on a white background."""
    return np.round(pixels * (HALF / 255) + (255 - HALF))


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    """As tifffile writes it, which is no kin of Pillow's reader."""
    body = io.BytesIO()
    tifffile.imwrite(body, pixels, **options)
    return body.getvalue()


def tiff_by_tags(tags: dict[int, tuple[int, int]], samples: bytes) -> bytes:
    """A little-endian TIFF of one strip; `tags` are pairs of type and value, without size and strip."""
    tags |= {256: (4, WIDTH), 257: (4, HEIGHT), 278: (4, HEIGHT), 279: (4, len(samples))}
    tags[273] = (4, 8 + 2 + 12 * (len(tags) + 1) + 4)
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + samples


def tiff_of_12_bits(levels: np.ndarray) -> bytes:
    """Grey levels from 0 to 4095, two of them in three bytes; rows end with a whole byte."""
    bits = (levels.astype(np.uint16)[..., None] >> np.arange(11, -1, -1)) & 1
    rows = np.packbits(bits.reshape(HEIGHT, -1).astype(np.uint8), axis=1)
    return tiff_by_tags({258: (3, 12), 259: (3, 1), 262: (3, 1), 277: (3, 1)}, rows.tobytes())


def bmp(
    bits: int, rows: bytes, *, compression: int = 0, masks: bytes = b"", palette: bytes = b"", is_flipped: bool = False
) -> bytes:
    """A BMP by its parts: a header of 40 bytes, or of 108 where there are four masks."""
    header_bytes = 108 if len(masks) == 16 else 40
    after = masks.ljust(header_bytes - 40, b"\0") if header_bytes == 108 else masks
    start = 14 + 40 + len(after) + len(palette)
    height = -HEIGHT if is_flipped else HEIGHT
    sizes = (header_bytes, WIDTH, height, 1, bits, compression, len(rows), 2835, 2835, len(palette) // 4, 0)
    header = struct.pack("<IiiHHIIiiII", *sizes)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + after + palette + rows


def bmp_rows(pixels: np.ndarray) -> bytes:
    """Rows from the lowest, each filled up to four bytes."""
    return b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in pixels[::-1])


def gif(pixels: np.ndarray, palette: np.ndarray, **options: Any) -> bytes:
    """uint8 `[20, 27]` positions in a palette `[N, 3]`."""
    image = Image.fromarray(pixels, "P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    body = io.BytesIO()
    image.save(body, "GIF", **options)
    return body.getvalue()


def gif_at(data: bytes, left: int, top: int, canvas: tuple[int, int]) -> bytes:
    """The same with its frame elsewhere on a canvas of another width and height."""
    found = data.index(b"," + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT))
    moved = data[: found + 1] + struct.pack("<HH", left, top) + data[found + 5 :]
    return moved[:6] + struct.pack("<HH", *canvas) + moved[10:]


def shown(data: bytes, *, height: int = HEIGHT, width: int = WIDTH, channels: Literal[1, 3] = 3) -> np.ndarray:
    """Pixels as a bundle sees them, on white; signed, so that they can be compared."""
    return decode(servable(data)[0], InputSpec(height=height, width=width, channels=channels)).astype(np.int64)


def as_colour(pixels: np.ndarray) -> np.ndarray:
    """Three channels of one."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
