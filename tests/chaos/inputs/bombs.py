"""figures ──▶ images of at most 10 MiB that are drawn to cost a decoder as much as they can, bit by bit."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.chaos.inputs.pictures import png
from tests.models.encoded import png_chunk

Bits = NDArray[np.uint8]

_ONE_CODE = bytes([1] + [0] * 15)  # a Huffman table of a single symbol, whose code is one 0


_PERIOD_BYTES = 20_000  # less than deflate's window of 32 KiB


@cache
def noisy(side: int) -> Image.Image:
    """What these are compared with: a photograph, soft shapes with the noise of a sensor."""
    dice = np.random.default_rng(0)
    shapes = Image.fromarray(dice.integers(0, 256, (side // 64 + 2, side // 64 + 2, 3), dtype=np.uint8))
    smooth = np.asarray(shapes.resize((side, side), Image.Resampling.BICUBIC))
    noise = dice.integers(-16, 17, (side, side, 1), dtype=np.int16)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


# ---------------------------------------------------------------- JPEG: scans


def segment(kind: int, data: bytes) -> bytes:
    """A marker and its data."""
    return struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data


def table(kind: int, symbol: int) -> bytes:
    """A Huffman table of one symbol, for DC (0) or AC (1)."""
    return segment(0xC4, bytes([kind << 4]) + _ONE_CODE + bytes([symbol]))


def scan(components: range, first: int, last: int, high: int, low: int, data: bytes) -> bytes:
    """A scan over coefficients `first` to `last` of the components, from bit `high` to bit `low`."""
    named = b"".join(bytes([component, 0]) for component in components)
    return segment(0xDA, bytes([len(components)]) + named + bytes([first, last, high << 4 | low])) + data


def jpeg_start(width: int, height: int, components: int, frame: int = 0xC2) -> bytes:
    """Everything before the first scan; the components are not subsampled."""
    named = b"".join(bytes([component, 0x11, 0]) for component in range(1, components + 1))
    size = struct.pack(">BHHB", 8, height, width, components)
    return b"\xff\xd8" + segment(0xDB, bytes(1) + b"\1" * 64) + segment(frame, size + named) + table(0, 0)


def jpeg_of_refinements(width: int, height: int, scans: int, components: int = 3, band: int = 4) -> bytes:
    """A progressive JPEG of so many scans, at most 14 a component: noise first, then a bit for each coefficient."""
    dice = np.random.default_rng(0)
    blocks = -(-width // 8) * -(-height // 8)
    every = range(1, components + 1)
    made = [jpeg_start(width, height, components), scan(every, 0, 0, 0, 13, bytes(blocks * components // 8 + 1))]
    made.append(table(1, 0x01))  # a coefficient of one bit follows
    signs = np.zeros((blocks * band, 2), np.uint8)
    for component in every:
        signs[:, 1] = dice.integers(0, 2, blocks * band)
        made.append(scan(range(component, component + 1), 1, band, 0, 13, _coded(signs.ravel())))
    made.append(table(1, 0xE0))  # a run of up to 32767 blocks without new coefficients
    for low in range(12, -1, -1):
        for component in every:
            made.append(scan(range(component, component + 1), 1, band, low + 1, low, _refinement(dice, blocks, band)))
    return b"".join(made[: 3 + scans]) + b"\xff\xd9"


def jpeg_of_flat_blocks(
    width: int, height: int, components: int, *, restarts: bool = False, sampling: int = 0x11
) -> bytes:
    """A baseline JPEG of two bits a block; with restart markers, those of each unit are padded to whole bytes.

    Args:
        width: in pixels.
        height: in pixels.
        components: at most 4.
        restarts: whether there is a restart marker between any two units.
        sampling: factors of the last component; those of the others are 1x1.
    """
    across, down = sampling >> 4, sampling & 15
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    blocks = components - 1 + across * down
    start = bytearray(jpeg_start(width, height, components, 0xC0))
    start[start.index(b"\xff\xc0") + 8 + 3 * components] = sampling
    coded = bytes(units * blocks // 4 + 1)
    if restarts:
        cycle = b"".join(bytes(blocks // 4 + 1) + bytes([0xFF, 0xD0 + number]) for number in range(8))
        coded = (cycle * (units // 8 + 1))[: units * (blocks // 4 + 3) - 2]
    interval = segment(0xDD, struct.pack(">H", restarts))
    return bytes(start) + table(1, 0) + interval + scan(range(1, components + 1), 0, 63, 0, 0, coded) + b"\xff\xd9"


def _refinement(dice: np.random.Generator, blocks: int, band: int) -> bytes:
    bits: list[Bits] = []
    for start in range(0, blocks, 32767):
        run = min(32767, blocks - start)
        bits += [np.array([0] + [1] * 14, np.uint8), dice.integers(0, 2, run * band, dtype=np.uint8)]
    return _coded(np.concatenate(bits))


def _coded(bits: Bits) -> bytes:
    return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\0")


# ---------------------------------------------------------------- PNG: rows and deflate blocks


def png_of_rows(width: int, height: int, *, depth: int = 8, colour: int = 6, blocks: int = 0) -> bytes:
    """A PNG of rows that no branch predictor guesses, behind so many empty deflate blocks, each with its tables.

    The bytes repeat within deflate's window, so that they take little room; undoing Paeth's filter makes noise of them.
    """
    noise = np.random.default_rng(0).bytes(_PERIOD_BYTES)
    row_bytes = width * depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour] // 8
    line = noise * (row_bytes // _PERIOD_BYTES + 2)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    check, rows = 1, []
    for number in range(height):
        start = number * row_bytes % _PERIOD_BYTES
        row = b"\4" + line[start : start + row_bytes]
        rows.append(packer.compress(row))
        check = zlib.adler32(row, check)
    stream = b"\x78\x01" + _empty_blocks(blocks) + b"".join(rows) + packer.flush() + struct.pack(">I", check)
    return png(width, height, png_chunk(b"IDAT", stream), png_chunk(b"IEND", b""), depth=depth, colour=colour)


def _empty_blocks(count: int) -> bytes:
    """Dynamic deflate blocks of no bytes whose tables have 256 codes of 8 bits; a multiple of 8 of them, RFC 1951."""
    # a code length of 8 is written 0, of none 10, and 11 with two bits repeats the last 3 to 6 times
    head = "0" + "01" + "00000" + "00000" + "1000" + "010" + "000" + "000" + "010" + "100"
    lengths = "0" + "1111" * 42 + "00" + "10" + "0"  # 8 for 255 bytes, none for the last, 8 for the block's end
    block = head + lengths + "10" + "1" * 8  # none for distances; then the end itself
    bits = np.frombuffer((block * 8).encode(), np.uint8) - ord("0")
    return np.packbits(bits, bitorder="little").tobytes() * (count // 8)


# ---------------------------------------------------------------- WebP: groups of Huffman codes


class _Writer:
    """Bits of a lossless WebP, lowest first."""

    def __init__(self) -> None:
        self.parts: list[Bits] = []

    def put(self, value: int, count: int) -> None:
        self.parts.append(np.array([value >> bit & 1 for bit in range(count)], np.uint8))

    def simple_code(self, *symbols: int) -> None:
        """A code of one symbol, which takes no bits, or of two."""
        self.put(1, 1)
        self.put(len(symbols) - 1, 1)
        self.put(1, 1)
        for symbol in symbols:
            self.put(symbol, 8)

    def byte_code(self, alphabet: int) -> None:
        """A code of 8 bits for each of 256 symbols of the alphabet."""
        self.put(0, 1)
        self.put(12 - 4, 4)
        for symbol in (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8):
            self.put(symbol in (0, 8), 3)
        self.put(0, 1)
        self.parts.append((np.arange(alphabet) < 256).astype(np.uint8))

    def image(self, width: int, height: int, groups: int, cache_bits: int) -> None:
        """An image without transforms whose blocks of 4x4 pixels use the groups in turn; a bit for each pixel."""
        self.put(0, 1)
        self.put(cache_bits > 0, 1)
        self.put(cache_bits, 4 if cache_bits else 0)
        self.put(1, 1)
        self.put(0, 3)
        self._indices(np.arange(-(-width // 4) * -(-height // 4)) % groups)
        group = _Writer()
        group.simple_code(3, 200)
        for _ in range(4):
            group.parts.append(np.array([1, 0, 0, 0], np.uint8))  # a code of the symbol 0
        self.parts.append(np.tile(np.concatenate(group.parts), groups))
        self.parts.append(np.random.default_rng(0).integers(0, 2, width * height, dtype=np.uint8))
        self.put(0, 64)

    def _indices(self, indices: NDArray[np.int64]) -> None:
        """The image that says which group a block uses: low byte in green, high byte in red."""
        self.put(0, 1)
        self.byte_code(280)
        self.byte_code(256)
        for _ in range(3):
            self.simple_code(0)
        shifts = np.array([*range(7, -1, -1), *range(15, 7, -1)])
        self.parts.append((indices[:, None] >> shifts & 1).astype(np.uint8).ravel())

    def data(self) -> bytes:
        return np.packbits(np.concatenate(self.parts), bitorder="little").tobytes()


def webp_of_groups(width: int, height: int, groups: int, cache_bits: int = 11) -> bytes:
    """A lossless WebP with so many groups of Huffman codes, each with a colour cache's alphabet."""
    writer = _Writer()
    for value, count in ((0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3)):
        writer.put(value, count)
    writer.image(width, height, groups, cache_bits)
    return riff((b"VP8L", writer.data()))


def webp_of_transparency(lossy: bytes, width: int, height: int, groups: int) -> bytes:
    """A lossy WebP with transparency that has so many groups of Huffman codes."""
    writer = _Writer()
    writer.image(width, height, groups, 11)
    canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff((b"VP8X", canvas), (b"ALPH", b"\1" + writer.data()), (b"VP8 ", lossy[20:]))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of the chunks."""
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(data)) + data + bytes(len(data) & 1) for k, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
