"""dice ──▶ PNGs: every colour type and depth, transparency, EXIF, odd chunks; and broken ones."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

from tests.imaging_corpus.files import BAD, TYPE, Dice, File, Levels
from tests.imaging_corpus.jpeg_corpus.segments import exif, exif_of_thumbnail
from tests.imaging_corpus.png_writer import (
    CHANNELS,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGB_ALPHA,
    SIGNATURE,
    Layout,
    Samples,
    chunk,
    end,
    header,
    rows,
    rows_chunks,
    write_png,
)

TYPES = (
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((RGB, depth) for depth in (8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (GREY_ALPHA, RGB_ALPHA) for depth in (8, 16)),
)
_NAMES = {GREY: "grey", RGB: "RGB", PALETTE: "palette", GREY_ALPHA: "grey and alpha", RGB_ALPHA: "RGBA"}


def _samples(dice: Dice, colour: int, depth: int, size: tuple[int, int] | None = None) -> Samples:
    """A picture, or noise; of a palette, indices."""
    height, width = size or dice.size()
    shape = (height, width, CHANNELS[colour])
    if colour == PALETTE or dice.below(3) == 0:
        return dice.numbers.integers(0, 1 << depth, shape).astype(np.uint16)
    levels = dice.picture(*shape) / 255 * ((1 << depth) - 1)
    found = np.rint(levels).astype(np.uint16)
    if colour in (GREY_ALPHA, RGB_ALPHA):  # all the way from clear to opaque, both there
        found[..., -1] = np.clip(levels[..., -1] * 1.6 - 0.3 * ((1 << depth) - 1), 0, (1 << depth) - 1)
    return found


def _layout(dice: Dice, colour: int, depth: int, **options: object) -> Layout:
    filters = dice.pick([(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4), (4, 2)])
    found = {"interlaced": dice.below(2) == 1, "filters": filters, "level": dice.below(10)}
    return Layout(colour, depth, **{**found, "pieces": dice.pick([1, 1, 2, 5, 40]), **options})


def _palette(dice: Dice, depth: int) -> bytes:
    return dice.bytes(3 << depth)


def _levels(samples: Samples, layout: Layout, palette: bytes = b"", clear: bytes = b"") -> Levels:
    """RGBA, 0..255, as the PNG specification has it; `palette` and `clear` are the contents of PLTE and tRNS."""
    scale = 255 / ((1 << layout.depth) - 1)
    if layout.colour == PALETTE:
        colours = np.frombuffer(palette, np.uint8).reshape(-1, 3).astype(float)
        alpha = np.full(len(colours), 255.0)
        alpha[: len(clear)] = list(clear)
        return np.concatenate([colours, alpha[:, None]], axis=1)[samples[..., 0]]
    colour = samples if layout.colour in (GREY, RGB) else samples[..., :-1]
    alpha = np.full((*samples.shape[:2], 1), 255.0)
    if clear:
        alpha[(samples == np.frombuffer(clear, ">u2")).all(-1)] = 0
    elif layout.colour in (GREY_ALPHA, RGB_ALPHA):
        alpha = samples[..., -1:] * scale
    rgb = np.broadcast_to(colour, (*samples.shape[:2], 3)) * scale
    return np.concatenate([rgb, alpha], axis=-1)


def _name(samples: Samples, layout: Layout) -> str:
    height, width, _ = samples.shape
    interlaced = ", interlaced" if layout.interlaced else ""
    how = f"filters {layout.filters}, level {layout.level}, {layout.pieces} pieces"
    return f"{_NAMES[layout.colour]} of {layout.depth} bits, {width}x{height}{interlaced}, {how}"


def plain(dice: Dice, number: int) -> File:
    """Every colour type and depth."""
    colour, depth = TYPES[number % len(TYPES)]
    samples, layout = _samples(dice, colour, depth), _layout(dice, colour, depth)
    palette = _palette(dice, depth) if colour == PALETTE else b""
    before = chunk(b"PLTE", palette) if palette else b""
    if colour in (RGB, RGB_ALPHA) and dice.below(4) == 0:
        before = chunk(b"PLTE", dice.bytes(48))  # a suggestion, which changes no pixel
    levels = _levels(samples, layout, palette)
    return File("png", _name(samples, layout), write_png(samples, layout, before), levels=levels)


_CLEAR = [(colour, depth) for colour, depth in TYPES if colour in (GREY, RGB, PALETTE)]


def clear(dice: Dice, number: int) -> File:
    """tRNS: one level or colour that is there, one that is nearly there, or alpha of a palette."""
    colour, depth = _CLEAR[number % len(_CLEAR)]
    samples, layout = _samples(dice, colour, depth), _layout(dice, colour, depth)
    palette = content = b""
    how = number // len(_CLEAR) % 4
    if colour == PALETTE:
        palette = _palette(dice, depth)
        content = dice.bytes(dice.pick([1, 1 << depth, 1 + dice.below(1 << depth)]))
    else:
        samples[: 1 + len(samples) // 2] = samples[0, 0]  # so that much of it is clear
        level = samples[0, 0].copy()
        if how == 1:
            level[0] ^= 1  # only the lowest bit of one sample
        elif how == 2 and depth == 16:
            level = (level & 255) * 257  # whose low bytes are the same
        elif how == 3 and depth == 16:
            level = level & 0xFF00  # whose high bytes are the same
        content = level.astype(">u2").tobytes()
    before = (chunk(b"PLTE", palette) if palette else b"") + chunk(b"tRNS", content)
    levels = _levels(samples, layout, palette, content)
    name = f"{how} tRNS {content[:8].hex()}, {_name(samples, layout)}"
    return File("png tRNS", name, write_png(samples, layout, before), levels=levels)


def solid(dice: Dice, number: int) -> File:
    """One level everywhere, which is the clear one, or is not."""
    colour, depth = [each for each in _CLEAR if each[0] != PALETTE][number % 7]
    level = dice.numbers.integers(0, 1 << depth, CHANNELS[colour]).astype(np.uint16)
    samples = np.broadcast_to(level, (*dice.size(), len(level))).copy()
    wanted = level if number // 7 % 2 else level ^ 1
    layout, content = _layout(dice, colour, depth), wanted.astype(">u2").tobytes()
    data = write_png(samples, layout, chunk(b"tRNS", content))
    return File(
        "png tRNS",
        f"all {level} clear {wanted}, {_name(samples, layout)}",
        data,
        levels=_levels(samples, layout, clear=content),
    )


def clear_oddly(dice: Dice, number: int) -> File:
    """tRNS that is not as it should be: libpng passes over all of it, or over its bits above the depth."""
    how = ("bits above the depth", "too short", "too long", "empty", "beside alpha", "behind the rows")[number % 6]
    types = (
        [(GREY_ALPHA, 8), (RGB_ALPHA, 8), (GREY_ALPHA, 16), (RGB_ALPHA, 16)]
        if how == "beside alpha"
        else [each for each in _CLEAR if each[0] != PALETTE and (how != "bits above the depth" or each[1] < 16)]
    )
    colour, depth = types[number // 6 % len(types)]
    samples, layout = _samples(dice, colour, depth), _layout(dice, colour, depth)
    level = samples[0, 0][: 1 if colour in (GREY, GREY_ALPHA) else 3]
    content = level.astype(">u2").tobytes()
    written = {
        "bits above the depth": (level.astype(int) | 0xA5 << depth & 0xFFFF).astype(">u2").tobytes(),
        "too short": content[:-1],
        "too long": content + b"\0\0",
        "empty": b"",
    }.get(how, content)
    chunks = (b"", chunk(b"tRNS", written)) if how == "behind the rows" else (chunk(b"tRNS", written), b"")
    levels = _levels(samples, layout, clear=content if how == "bits above the depth" else b"")
    return File("png odd tRNS", f"{how}, {_name(samples, layout)}", write_png(samples, layout, *chunks), levels=levels)


def _simple(dice: Dice) -> tuple[Samples, Layout, bytes]:
    """Samples, layout and palette chunk of any type."""
    colour, depth = dice.pick(TYPES)
    samples, layout = _samples(dice, colour, depth), _layout(dice, colour, depth)
    return samples, layout, _palette(dice, depth) if colour == PALETTE else b""


def turned(dice: Dice, number: int) -> File:
    """eXIf before or behind the rows; in text it is none."""
    samples, layout, palette = _simple(dice)
    turn = 1 + number % 8
    tiff = exif(turn, order=dice.pick("<>"), before=dice.below(3))
    plte = chunk(b"PLTE", palette) if palette else b""
    text = chunk(b"tEXt", b"Comment\0eXIf" + tiff)
    other = chunk(b"tEXt", b"eXIf\0" + exif(1 + turn % 8))
    places = {
        "before the rows": (chunk(b"eXIf", tiff) + plte, b"", turn),
        "behind the palette": (plte + chunk(b"eXIf", tiff), b"", turn),
        "behind the rows": (plte, chunk(b"eXIf", tiff), turn),
        "with a prefix": (plte + chunk(b"eXIf", b"Exif\0\0" + tiff), b"", turn),
        "behind text that names another": (plte + other + chunk(b"eXIf", tiff), b"", turn),
        "behind a long text": (plte + chunk(b"tEXt", b"Comment\0" + bytes(90_000)) + chunk(b"eXIf", tiff), b"", turn),
        "in text": (plte + text, b"", 1),
        "in a private chunk": (plte + chunk(b"prVt", chunk(b"eXIf", tiff)), b"", 1),
        "of the thumbnail alone": (plte + chunk(b"eXIf", exif_of_thumbnail(turn)), b"", 1),
        "cut short": (plte + chunk(b"eXIf", tiff[:15]), b"", 1),
        "empty": (plte + chunk(b"eXIf", b""), b"", 1),
    }
    place = list(places)[number // 8 % len(places)]
    before, after, right = places[place]
    data = write_png(samples, layout, before, after)
    name = f"{turn} {place}, {_name(samples, layout)}"
    return File("png exif", name, data, levels=_levels(samples, layout, palette), orientation=right)


def behind_the_end(dice: Dice, number: int) -> File:
    """What comes behind IEND, and holds EXIF, is no part of the picture."""
    samples, layout, palette = _simple(dice)
    plte = chunk(b"PLTE", palette) if palette else b""
    tails = (
        bytes(1),
        bytes(4096),
        b"text",
        chunk(b"eXIf", exif(6)),
        write_png(samples, layout, plte),
        b"\x89PNG",
        chunk(b"IDAT", b"") + chunk(b"eXIf", exif(3)),
    )
    tail = tails[number % len(tails)]
    data = write_png(samples, layout, plte) + tail
    return File(
        "png bytes behind",
        f"{tail[:9]!r} behind, {_name(samples, layout)}",
        data,
        levels=_levels(samples, layout, palette),
    )


def _text(content: bytes) -> bytes:
    return b"Comment\0\0" + zlib.compress(content)


def ancillary(dice: Dice, number: int) -> File:
    """Chunks that change no pixel, sound or not."""
    samples, layout, palette = _simple(dice)
    plte = chunk(b"PLTE", palette) if palette else b""
    kinds = {
        "gAMA": chunk(b"gAMA", struct.pack(">I", dice.pick([45455, 100000, 1, 0]))),
        "cHRM": chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        "sRGB": chunk(b"sRGB", b"\0"),
        "iCCP": chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(3000))),
        "iCCP that is none": chunk(b"iCCP", b"name\0\0" + dice.bytes(40)),
        "pHYs": chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        "tIME": chunk(b"tIME", struct.pack(">HBBBBB", 2024, 2, 30, 25, 61, 61)),
        "tEXt": chunk(b"tEXt", b"Title\0" + dice.bytes(300)),
        "tEXt without its zero": chunk(b"tEXt", b"Title"),
        "zTXt": chunk(b"zTXt", _text(b"words " * 999)),
        "zTXt that is none": chunk(b"zTXt", b"Comment\0\0" + dice.bytes(30)),
        "iTXt": chunk(b"iTXt", b"Title\0\0\0de\0Titel\0" + "Größe".encode()),
        "sBIT": chunk(b"sBIT", bytes([1] * {PALETTE: 3}.get(layout.colour, CHANNELS[layout.colour]))),
        "private": chunk(b"prVt", dice.bytes(dice.below(100))),
        "empty private": chunk(b"prVt", b""),
        "many private": chunk(b"prVt", b"x") * 50,
        "a wrong checksum": chunk(b"tEXt", b"Title\0x")[:-1] + b"!",
        "hIST": (chunk(b"PLTE", palette) + chunk(b"hIST", bytes(2 * (len(palette) // 3)))) if palette else b"",
        "bKGD": b"",
    }
    kind = list(kinds)[number % len(kinds)]
    content = {PALETTE: b"\0", GREY: b"\0\1", GREY_ALPHA: b"\0\1"}.get(layout.colour, bytes(6))
    before = kinds[kind] + plte if kind != "hIST" else kinds[kind]
    after = chunk(b"tEXt", b"End\0x") if number % 2 else b""
    data = write_png(samples, layout, plte + chunk(b"bKGD", content) if kind == "bKGD" else before, after)
    return File("png chunks", f"{kind}, {_name(samples, layout)}", data, levels=_levels(samples, layout, palette))


def _frame_control(samples: Samples, number: int) -> bytes:
    height, width, _ = samples.shape
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))


def one_frame(dice: Dice, number: int) -> File:
    """An animation of one frame, which is the picture."""
    samples, layout, palette = _simple(dice)
    plte = chunk(b"PLTE", palette) if palette else b""
    control = chunk(b"acTL", struct.pack(">II", 1, number % 3)) + _frame_control(samples, 0)
    data = write_png(samples, layout, control + plte if number % 2 else plte + control)
    return File("png of one frame", _name(samples, layout), data, levels=_levels(samples, layout, palette))


def one_frame_behind(dice: Dice, number: int) -> File:
    """An animation of one frame that is not the picture before it, but the same."""
    samples, layout, palette = _simple(dice)
    plte = chunk(b"PLTE", palette) if palette else b""
    frame = chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(rows(samples, layout)))
    before = plte + chunk(b"acTL", struct.pack(">II", 1, 0))
    data = write_png(samples, layout, before, _frame_control(samples, 0) + frame)
    return File("png of one frame", f"behind, {_name(samples, layout)}", data, levels=_levels(samples, layout, palette))


def animated(dice: Dice, number: int) -> File:
    """Two frames or more."""
    samples, layout, palette = _simple(dice)
    plte = chunk(b"PLTE", palette) if palette else b""
    frames = 2 + number % 3
    before = plte + chunk(b"acTL", struct.pack(">II", frames, 0)) + _frame_control(samples, 0)
    coded = zlib.compress(rows(samples, layout))
    after = b"".join(
        _frame_control(samples, 2 * n + 1) + chunk(b"fdAT", struct.pack(">I", 2 * n + 2) + coded)
        for n in range(frames - 1)
    )
    data = write_png(samples, layout, before, after)
    return File("png animated", f"{frames} frames, {_name(samples, layout)}", data, codes=TYPE)


def cut(dice: Dice, number: int) -> File:
    """Cut short: in the header, in the rows, before the end."""
    samples, layout, palette = _simple(dice)
    data = write_png(samples, layout, chunk(b"PLTE", palette) if palette else b"")
    place = [8 + dice.below(25), dice.below(len(data)), len(data) - 1 - dice.below(12), dice.below(8)][number % 4]
    codes = BAD
    return File(
        "png cut", f"{place} of {len(data)} bytes, {_name(samples, layout)}", data[: max(place, 3)], codes=codes
    )


_Parts = tuple[Samples, Layout, bytes]


def _short(parts: _Parts, share: float) -> bytes:
    """Rows that end too early, in a sound zlib stream."""
    samples, layout, before = parts
    whole = rows(samples, layout)
    stream = zlib.compress(whole[: int(len(whole) * share)])
    height, width, _ = samples.shape
    return SIGNATURE + header(width, height, layout) + before + rows_chunks(stream, 1) + end()


def _with_header(parts: _Parts, **changes: int) -> bytes:
    samples, layout, before = parts
    fields = {
        "width": samples.shape[1],
        "height": samples.shape[0],
        "depth": layout.depth,
        "colour": layout.colour,
        "compression": 0,
        "filter": 0,
        "interlaced": int(layout.interlaced),
        **changes,
    }
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *fields.values()))
    return SIGNATURE + head + before + rows_chunks(zlib.compress(rows(samples, layout)), 1) + end()


def _bad_filter(parts: _Parts) -> bytes:
    samples, layout, before = parts
    coded = b"\x07" + rows(samples, layout)[1:]
    height, width, _ = samples.shape
    return SIGNATURE + header(width, height, layout) + before + rows_chunks(zlib.compress(coded), 1) + end()


def _damaged(parts: _Parts) -> bytes:
    """A deflate block of a type that there is not."""
    samples, layout, before = parts
    stream = bytearray(zlib.compress(rows(samples, layout)))
    stream[2] |= 0x06
    height, width, _ = samples.shape
    return SIGNATURE + header(width, height, layout) + before + rows_chunks(bytes(stream), 1) + end()


_BROKEN: dict[str, Callable[[_Parts], bytes]] = {
    "no rows at all": lambda parts: _short(parts, 0),
    "half of the rows": lambda parts: _short(parts, 0.5),
    "all but the last byte": lambda parts: _short(parts, 0.9999),
    "higher than it is": lambda parts: _with_header(parts, height=parts[0].shape[0] + 1),
    "twice as wide": lambda parts: _with_header(parts, width=2 * parts[0].shape[1] + 8),
    "of width 0": lambda parts: _with_header(parts, width=0),
    "of height 0": lambda parts: _with_header(parts, height=0),
    "of depth 3": lambda parts: _with_header(parts, depth=3),
    "of depth 0": lambda parts: _with_header(parts, depth=0),
    "of colour type 1": lambda parts: _with_header(parts, colour=1),
    "of colour type 7": lambda parts: _with_header(parts, colour=7),
    "of an unknown compression": lambda parts: _with_header(parts, compression=1),
    "of unknown filters": lambda parts: _with_header(parts, filter=1),
    "of an unknown interlacing": lambda parts: _with_header(parts, interlaced=2),
    "a filter that there is not": _bad_filter,
    "a deflate block that there is not": _damaged,
    "no palette": lambda parts: write_png(parts[0] % 2, Layout(PALETTE, 8)),
    "no IDAT": lambda parts: SIGNATURE + header(9, 9, parts[1]) + parts[2] + end(),
    "no header": lambda parts: SIGNATURE + write_png(*parts)[33:],
    "two headers": lambda parts: write_png(*parts[:2], header(9, 9, parts[1]) + parts[2]),
    "RGB of 4 bits": lambda parts: write_png(np.zeros((8, 8, 3), np.uint16), Layout(RGB, 4)),
    "palette of 16 bits": lambda parts: write_png(
        np.zeros((8, 8, 1), np.uint16), Layout(PALETTE, 16), chunk(b"PLTE", bytes(6))
    ),
    "an unknown critical chunk": lambda parts: write_png(*parts[:2], parts[2] + chunk(b"CRIT", b"x")),
    "a wrong checksum of the header": lambda parts: write_png(*parts)[:32] + b"?" + write_png(*parts)[33:],
}


def flipped(dice: Dice, number: int) -> File:
    """One bit of the compressed rows, which their checksum tells."""
    samples, layout, palette = _simple(dice)
    height, width, _ = samples.shape
    stream = bytearray(rows_chunks(zlib.compress(rows(samples, layout), layout.level), layout.pieces))
    place = 8 + dice.below(int.from_bytes(stream[:4], "big"))  # within the first chunk's data
    stream[place] ^= 1 << dice.below(8)
    before = SIGNATURE + header(width, height, layout) + (chunk(b"PLTE", palette) if palette else b"")
    return File("png flipped", f"bit at {place}, {_name(samples, layout)}", before + bytes(stream) + end(), codes=BAD)


def broken(dice: Dice, number: int) -> File:
    """Rows missing, headers that make no sense."""
    samples, layout, palette = _simple(dice)
    kind = list(_BROKEN)[number % len(_BROKEN)]
    data = _BROKEN[kind]((samples, layout, chunk(b"PLTE", palette) if palette else b""))
    return File("png broken", f"{kind}, {_name(samples, layout)}", data, codes=BAD)


MAKERS = {
    plain: 240,
    clear: 132,
    solid: 42,
    turned: 88,
    behind_the_end: 28,
    ancillary: 76,
    one_frame: 16,
    one_frame_behind: 8,
    clear_oddly: 48,
    animated: 12,
    cut: 72,
    broken: 96,
    flipped: 160,
}
