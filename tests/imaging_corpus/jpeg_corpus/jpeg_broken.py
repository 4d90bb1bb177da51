"""dice ──▶ JPEGs that must be refused: rows missing, codes that are none, headers that make no sense, other coding."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.imaging_corpus.files import BAD, EITHER, TYPE, Dice, File, ycc
from tests.imaging_corpus.jpeg_corpus.jpeg_files import JFIF, SAMPLINGS, base, planes_of
from tests.imaging_corpus.jpeg_corpus.jpeg_writer import Coding, write_jpeg
from tests.imaging_corpus.jpeg_corpus.segments import DHT, DQT, SOF, SOS, coded_start, position_of, put, without


def cut(dice: Dice, number: int) -> File:
    """Cut short anywhere: in its header, in the coded data, in the last byte of them."""
    data = base(dice, progressive=number % 4 == 3, interleaved=number % 5 > 0)
    start, end = coded_start(data), len(data) - 2
    last = end - (2 if data[end - 2] == 0xFF else 1)  # without the last byte, or FF 00
    place = [2 + dice.below(start - 2), start, last, start + dice.below(max(last - start, 1)), last][number % 5]
    ended = b"\xff\xd9" if number % 3 == 0 and place >= start else b""
    place -= data[place - 1] == 0xFF and place > 2  # half a marker is cut off, too
    return File(
        "jpeg cut", f"{place} of {len(data)} bytes{', with an end' if ended else ''}", data[:place] + ended, codes=BAD
    )


def rows_missing(dice: Dice, number: int) -> File:
    """The frame is said to be higher or wider than what is coded."""
    data = base(dice, progressive=False, interleaved=True)
    at = position_of(data, SOF) + 5
    height, width = struct.unpack_from(">HH", data, at)
    size = (height + 64, width) if number % 2 else (height, width + 64)
    end = b"" if number % 3 else b"\xff\xd9"
    return File(
        "jpeg rows missing", f"{size}", data[:at] + struct.pack(">HH", *size) + data[at + 4 : -2] + end, codes=BAD
    )


def bad_codes(dice: Dice, number: int) -> File:
    """Ones where no code is all ones; a restart marker that is missing, or followed by the wrong number."""
    height, width = 40 + dice.below(60), 40 + dice.below(60)
    coding = Coding(SAMPLINGS["4:2:0"], quality=80, restart=2, markers=JFIF)
    data = write_jpeg(planes_of(ycc(dice.picture(height, width))), coding)
    start = coded_start(data)
    restarts = [n for n in range(start, len(data) - 2) if data[n] == 0xFF and 0xD0 <= data[n + 1] <= 0xD7]
    place = dice.pick(restarts)
    if number % 2:
        changed = data[: place + 2] + b"\xff\x00" * 8 + data[place + 10 :]
        return File("jpeg bad codes", f"ones behind restart {place}", changed, codes=BAD)
    following = next((n for n in restarts if n > place), len(data) - 2)
    return File("jpeg bad codes", f"coded data gone behind {place}", data[: place + 2] + data[following:], codes=BAD)


_Change = Callable[[Dice, bytes], bytes]


def _set(marker: int, offset: int, *values: int) -> _Change:
    """Changes bytes of a segment, counted behind its length."""

    def change(dice: Dice, data: bytes) -> bytes:
        at = position_of(data, marker) + 4 + offset
        return data[:at] + bytes(values) + data[at + len(values) :]

    return change


def _twice(dice: Dice, data: bytes) -> bytes:
    position = position_of(data, SOF)
    return put(data, position, data[position : position_of(data, DHT)])


_HEADERS: dict[str, _Change] = {
    "height 0": _set(SOF, 1, 0, 0),
    "width 0": _set(SOF, 3, 0, 0),
    "no components": _set(SOF, 5, 0),
    "a sampling factor of 0": _set(SOF, 7, 0x01),
    "a sampling factor of 5": _set(SOF, 7, 0x51),
    "a quantization table that is not there": _set(SOF, 8, 3),
    "a component that is not there": _set(SOS, 1, 77),
    "a component twice": _set(SOS, 3, 1),
    "two frames": _twice,
    "no quantization tables": lambda dice, data: without(data, DQT),
    "no frame": lambda dice, data: without(data, SOF),
    "no scan": lambda dice, data: data[: position_of(data, SOS)] + b"\xff\xd9",
    "a segment longer than the file": lambda dice, data: put(data, position_of(data, SOS), b"\xff\xe5\xff\xff")[:3000],
    "nothing but a start": lambda dice, data: data[:2] + b"\xff",
    "nothing but a start and an end": lambda dice, data: b"\xff\xd8\xff\xd9",
    "Huffman counts beyond 256": _set(DHT, 1, *[255] * 16),
}


def headers(dice: Dice, number: int) -> File:
    """Headers that make no sense."""
    data = base(dice, progressive=False, interleaved=True, flat=False)
    kind = list(_HEADERS)[number % len(_HEADERS)]
    return File("jpeg headers", kind, _HEADERS[kind](dice, data), codes=BAD)


def other_coding(dice: Dice, number: int) -> File:
    """Frames that neither browsers nor the decoder show: 12 bits, lossless, hierarchical, arithmetic coding."""
    data = base(dice, progressive=False)
    position = position_of(data, SOF)
    kinds = [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7, 0xC0, 0xC1, 0xC2]
    kind = kinds[number % len(kinds)]
    bits = 12 if kind in (0xC0, 0xC1, 0xC2) else 8
    changed = data[: position + 1] + bytes([kind]) + data[position + 2 : position + 4] + bytes([bits])
    codes = EITHER if kind in (0xF7, 0xC0) else TYPE  # JPEG-LS; baseline has no 12 bits
    return File("jpeg of another coding", f"{kind:02x}, {bits} bits", changed + data[position + 5 :], codes=codes)


def odd_components(dice: Dice, number: int) -> File:
    """Two components; sampling factors that are no multiples of each other; more blocks than a scan may have."""
    height, width = 8 + dice.below(40), 8 + dice.below(40)
    sampling = (
        [(1, 1), (1, 1)],
        [(2, 1), (3, 1), (1, 1)],
        [(1, 2), (1, 3), (1, 1)],
        [(4, 4), (1, 1), (1, 1)],
        [(2, 2), (2, 2), (2, 2)],
    )[number % 5]
    planes = planes_of(dice.picture(height, width, len(sampling)))
    return File("jpeg of odd components", f"{sampling}", write_jpeg(planes, Coding(sampling)), codes=EITHER)


MAKERS = {cut: 160, rows_missing: 30, bad_codes: 30, headers: 48, other_coding: 28, odd_components: 15}
