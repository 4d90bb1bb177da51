"""dice ──▶ JPEGs that must be decoded: samplings, scans, markers, EXIF, and damage that costs no pixel."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from tests.imaging_corpus.files import Dice, File, Levels, saved, ycc
from tests.imaging_corpus.jpeg_corpus.jpeg_writer import Coding, Plane, Sampling, write_jpeg
from tests.imaging_corpus.jpeg_corpus.segments import (
    APP0,
    APP1,
    APP2,
    APP13,
    APP14,
    COMMENT,
    DHT,
    DQT,
    DRI,
    SOF,
    SOS,
    app1,
    coded_start,
    exif,
    exif_of_thumbnail,
    position_of,
    put,
    segment,
    walk,
    without,
)

_1x1 = (1, 1)
SAMPLINGS: dict[str, Sampling] = {
    "4:4:4": [_1x1] * 3,
    "4:2:2": [(2, 1), _1x1, _1x1],
    "4:2:0": [(2, 2), _1x1, _1x1],
    "4:4:0": [(1, 2), _1x1, _1x1],
    "4:1:1": [(4, 1), _1x1, _1x1],
    "4:4:1": [(1, 4), _1x1, _1x1],
    "4:1:0": [(4, 2), _1x1, _1x1],
    "2x4": [(2, 4), _1x1, _1x1],
    "3x1": [(3, 1), _1x1, _1x1],
    "1x3": [(1, 3), _1x1, _1x1],
    "3x2": [(3, 2), _1x1, _1x1],
    "4:4:4 written 2x2 thrice, in scans": [(2, 2)] * 3,
    "4:4:4 written 2x1 thrice": [(2, 1)] * 3,
    "4:2:2 written 2x2 1x2 1x2": [(2, 2), (1, 2), (1, 2)],
    "4:4:0 written 2x2 2x1 2x1": [(2, 2), (2, 1), (2, 1)],
    "4:2:2 written 4x1 2x1 2x1": [(4, 1), (2, 1), (2, 1)],
    "mixed 2x2 2x1 1x2": [(2, 2), (2, 1), (1, 2)],
    "mixed 2x1 1x1 2x1": [(2, 1), _1x1, (2, 1)],
    "mixed 2x2 1x1 2x2": [(2, 2), _1x1, (2, 2)],
    "mixed 1x4 1x2 1x1": [(1, 4), (1, 2), _1x1],
    "chroma finer than luma": [_1x1, (2, 2), (2, 2)],
    "chroma finer across": [_1x1, (2, 1), (2, 1)],
    "4x4, in scans": [(4, 4), _1x1, _1x1],
}
_GREYS: tuple[Sampling, ...] = tuple([each] for each in (_1x1, (2, 1), (2, 2), (1, 2), (3, 1), (3, 2), (4, 4), (1, 4)))
_INKS: dict[str, Sampling] = {
    "1111": [_1x1] * 4,
    "2111": [(2, 1), _1x1, _1x1, _1x1],
    "2112": [(2, 1), _1x1, _1x1, (2, 1)],
    "4114": [(4, 1), _1x1, _1x1, (4, 1)],
    "2x2 and 1": [(2, 2), _1x1, _1x1, _1x1],
    "2x2 and 2x2": [(2, 2), _1x1, _1x1, (2, 2)],
    "1x2": [(1, 2), _1x1, _1x1, (1, 2)],
    "1x4 and 1": [(1, 4), _1x1, _1x1, _1x1],
    "2222": [(2, 1)] * 4,
    "1211": [_1x1, (2, 1), _1x1, _1x1],
}
_PLAIN = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1")
JFIF = segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    """Adobe's marker."""
    return segment(APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def planes_of(levels: Levels) -> list[Plane]:
    """A plane for each band."""
    return [levels[..., band] for band in range(levels.shape[-1])]


def _coding(dice: Dice, sampling: Sampling, **options: object) -> Coding:
    return Coding(
        sampling,
        quality=dice.pick([100, 95, 90, 75, 50, 1 + dice.below(100)]),
        restart=dice.pick([0, 0, 1, 2, 1 + dice.below(9)]),
        interleaved=sum(h * v for h, v in sampling) <= 10 and dice.below(4) > 0,
        progressive=dice.below(4) == 0,
        flat=dice.below(4) == 0,
        **options,
    )


def _described(coding: Coding) -> str:
    words = [f"quality {coding.quality}", f"restart {coding.restart}"]
    words += [name for name in ("progressive", "flat") if getattr(coding, name)]
    return ", ".join(words if coding.interleaved else [*words, "scan by scan"])


def sampled(dice: Dice, number: int) -> File:
    """YCbCr in any sampling."""
    name = list(SAMPLINGS)[number % len(SAMPLINGS)]
    height, width = dice.size()
    coding = _coding(dice, SAMPLINGS[name], markers=dice.pick([b"", JFIF, adobe(1)]))
    data = write_jpeg(planes_of(ycc(dice.picture(height, width))), coding)
    return File("jpeg sampling", f"{name} {width}x{height}, {_described(coding)}", data, data)


def grey(dice: Dice, number: int) -> File:
    """Grey, whose sampling factors mean nothing."""
    height, width = dice.size()
    coding = _coding(dice, _GREYS[number % len(_GREYS)], markers=dice.pick([b"", JFIF]))
    data = write_jpeg(planes_of(dice.picture(height, width, 1)), coding)
    return File("jpeg grey", f"{coding.sampling} {width}x{height}, {_described(coding)}", data, data)


def red_green_blue(dice: Dice, number: int) -> File:
    """RGB, known by Adobe's marker or by its components' names."""
    height, width = dice.size()
    markers = {"markers": adobe(0)} if number % 2 else {"ids": b"RGB\0"}
    sampling = dice.pick([[_1x1] * 3, [_1x1] * 3, [(2, 1)] * 3, [_1x1, (2, 1), _1x1]])
    coding = _coding(dice, sampling, **markers)
    data = write_jpeg(planes_of(dice.picture(height, width)), coding)
    return File("jpeg rgb", f"{number % 2} {sampling} {width}x{height}, {_described(coding)}", data, data)


def inks(dice: Dice, number: int) -> File:
    """CMYK and YCCK in any sampling, with Adobe's marker or, CMYK, without."""
    name = list(_INKS)[number % len(_INKS)]
    height, width = dice.size()
    transform = dice.pick([None, 0, 2])
    levels = dice.picture(height, width, 4)
    if transform == 2:
        levels = np.concatenate([ycc(levels[..., :3]), levels[..., 3:]], axis=-1)
    coding = _coding(dice, _INKS[name], markers=b"" if transform is None else adobe(transform))
    data = write_jpeg(planes_of(levels), coding)
    return File("jpeg inks", f"{name}, transform {transform}, {width}x{height}, {_described(coding)}", data, data)


def by_pillow(dice: Dice, number: int) -> File:
    """As libjpeg writes them: successive approximation, optimal tables."""
    height, width = dice.size()
    mode, bands = dice.pick([("RGB", 3), ("RGB", 3), ("L", 1), ("CMYK", 4)])
    options = {"quality": 1 + number % 100, "progressive": dice.below(2) == 1, "optimize": dice.below(2) == 1}
    options["restart_marker_blocks"] = dice.pick([0, 0, 1, 1 + dice.below(9)])
    if mode == "RGB":
        options["subsampling"] = dice.below(3)
    data = saved(dice.picture(height, width, bands), mode, "JPEG", **options)
    return File("jpeg of Pillow", f"{mode} {width}x{height} {options}", data, data)


def base(dice: Dice, **options: object) -> bytes:
    """An ordinary JPEG of three components."""
    height, width = dice.size()
    coding = _coding(dice, SAMPLINGS[dice.pick(_PLAIN)], markers=dice.pick([b"", JFIF]))
    coding = Coding(**{**vars(coding), **options})
    return write_jpeg(planes_of(ycc(dice.picture(height, width))), coding)


_XMP = segment(APP1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
_PHOTOSHOP = segment(APP13, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0")


def _icc(piece: bytes, number: int, count: int) -> bytes:
    return segment(APP2, b"ICC_PROFILE\0" + bytes([number, count]) + piece)


def _first(data: bytes) -> int:
    """Behind SOI and JFIF's segment."""
    return next(position for marker, position, _ in walk(data) if marker != APP0)


def turned(dice: Dice, number: int) -> File:
    """EXIF of its own, wherever it stands before the first scan."""
    data = base(dice)
    turn = 1 + number % 8
    tiff = exif(turn, order=dice.pick("<>"), start=dice.pick([8, 8, 8, 10, 26, 5000]), before=dice.below(4))
    places = {
        "first": lambda: put(data, 2, app1(tiff)),
        "behind JFIF": lambda: put(data, _first(data), app1(tiff)),
        "behind XMP": lambda: put(data, _first(data), _XMP + app1(tiff)),
        "before XMP": lambda: put(data, _first(data), app1(tiff) + _XMP),
        "behind a profile": lambda: put(data, _first(data), _icc(bytes(60_000), 1, 1) + app1(tiff)),
        "behind Photoshop's": lambda: put(data, _first(data), _PHOTOSHOP + segment(COMMENT, b"x") + app1(tiff)),
        "behind the tables": lambda: put(data, position_of(data, SOF, 0xC2), app1(tiff)),
        "behind the frame": lambda: put(data, position_of(data, DHT), app1(tiff)),
        "before the scan": lambda: put(data, position_of(data, SOS), app1(tiff)),
        "behind fill bytes": lambda: put(data, 2, b"\xff\xff" + app1(tiff)),
        "with a thumbnail that is turned": lambda: put(
            data, 2, app1(tiff + put(saved(np.zeros((8, 8, 3)), "RGB", "JPEG"), 2, app1(exif(1 + turn % 8))))
        ),
        "with another in a comment before": lambda: put(
            data, 2, segment(COMMENT, b"Exif\0\0" + exif(1 + turn % 8)) + app1(tiff)
        ),
    }
    place = list(places)[number // 8 % len(places)]
    return File("jpeg exif", f"{turn} {place}", places[place](), data, orientation=turn)


def not_turned(dice: Dice, number: int) -> File:
    """EXIF that is of something else, or says nothing."""
    data = base(dice)
    turn = 2 + number % 7
    tiff = exif(turn, order=dice.pick("<>"))
    other = put(base(dice), 2, app1(tiff))
    first = _first(data)
    places = {
        "in a comment": lambda: put(data, 2, segment(COMMENT, b"Exif\0\0" + tiff)),
        "in a comment, with its marker": lambda: put(data, first, segment(COMMENT, b"see " + app1(tiff))),
        "in APP2": lambda: put(data, first, segment(APP2, b"Exif\0\0" + tiff)),
        "in APP13": lambda: put(data, first, segment(APP13, b"Photoshop 3.0\0" + app1(tiff))),
        "within a profile": lambda: put(data, first, _icc(b"Exif\0\0" + tiff, 1, 1)),
        "within XMP": lambda: put(data, first, segment(APP1, b"http://ns.adobe.com/xap/1.0/\0" + app1(tiff))),
        "of a second JPEG": lambda: data + other,
        "of a second JPEG some bytes behind": lambda: data + bytes(64) + other,
        "of a motion photo": lambda: data + struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + app1(tiff),
        "behind the end": lambda: data + app1(tiff),
        "of the thumbnail alone": lambda: put(data, 2, app1(exif_of_thumbnail(turn))),
        "0": lambda: put(data, 2, app1(exif(0))),
        "9": lambda: put(data, 2, app1(exif(9))),
        "cut short": lambda: put(data, 2, app1(tiff[: 8 + dice.below(12)])),
        "of no byte order": lambda: put(data, 2, app1(b"XX" + tiff[2:])),
        "with a directory outside": lambda: put(data, 2, app1(tiff[:4] + b"\xff\xff\xff\x7f" + tiff[8:])),
        "empty": lambda: put(data, 2, app1(b"")),
    }
    place = list(places)[number % len(places)]
    return File("jpeg exif of another", f"{turn} {place}", places[place](), data)


def multi_picture(dice: Dice, number: int) -> File:
    """MPO: the first picture counts, and so does its EXIF."""
    turn = 1 + number % 8
    height, width = dice.size()
    first, second = (np.rint(dice.picture(height, width)).astype(np.uint8) for _ in range(2))
    body = io.BytesIO()
    options = {"quality": 90, "save_all": True, "append_images": [Image.fromarray(second)]}
    Image.fromarray(first).save(body, "MPO", exif=b"Exif\0\0" + exif(turn), **options)
    data = body.getvalue()
    return File("jpeg MPO", f"{turn} {width}x{height}", data, without(data, APP1, APP2), orientation=turn)


def profiled(dice: Dice, number: int) -> File:
    """Colour profiles, sound or not: pixels are as without."""
    data = base(dice)
    first, piece = _first(data), dice.bytes(200)
    kinds = {
        "whole": _icc(piece, 1, 1),
        "split": _icc(piece, 1, 3) + _icc(piece, 2, 3) + _icc(piece, 3, 3),
        "in another order": _icc(piece, 2, 2) + _icc(piece, 1, 2),
        "without its second chunk": _icc(piece, 1, 2),
        "without its first chunk": _icc(piece, 2, 2),
        "with a chunk twice": _icc(piece, 1, 2) + _icc(piece, 1, 2),
        "with chunks that disagree on their count": _icc(piece, 1, 2) + _icc(piece, 2, 3),
        "with chunk 0": _icc(piece, 0, 1),
        "with chunk 5 of 2": _icc(piece, 5, 2),
        "of 0 chunks": _icc(piece, 1, 0),
        "empty": _icc(b"", 1, 1),
        "cut off behind its name": segment(APP2, b"ICC_PROFILE\0"),
        "of 250 KB": b"".join(_icc(bytes(64_000), n, 4) for n in range(1, 5)),
    }
    kind = list(kinds)[number % len(kinds)]
    return File("jpeg profile", kind, put(data, first, kinds[kind]), data)


def marked(dice: Dice, number: int) -> File:
    """JFIF and Adobe markers of odd versions, transforms and lengths; other APPs."""
    data = base(dice, markers=b"")
    kinds = {
        "JFIF 1.0": segment(APP0, b"JFIF\0\1\0\0\0\1\0\1\0\0"),
        "JFIF 1.2": segment(APP0, b"JFIF\0\1\2\1\0\x48\0\x48\0\0"),
        "JFIF 2.0": segment(APP0, b"JFIF\0\2\0\0\0\1\0\1\0\0"),
        "JFIF 9.9": segment(APP0, b"JFIF\0\x09\x09\0\0\1\0\1\0\0"),
        "JFIF with a thumbnail": segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + bytes(12)),
        "JFIF that promises a thumbnail": segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\x20\x20"),
        "JFIF too short": segment(APP0, b"JFIF\0\1"),
        "JFIF with a density of 0": segment(APP0, b"JFIF\0\1\1\1\0\0\0\0\0\0"),
        "JFIF twice": JFIF + JFIF,
        "JFXX": JFIF + segment(APP0, b"JFXX\0\x10" + bytes(40)),
        "APP0 of another": segment(APP0, b"AVI1\0\0\0\0"),
        "Adobe 1": adobe(1),
        "Adobe 3": adobe(3),
        "Adobe 99": adobe(99),
        "Adobe 2 of three components": adobe(2),
        "Adobe and JFIF": JFIF + adobe(1),
        "Adobe 0 and JFIF": JFIF + adobe(0),
        "Adobe too short": segment(APP14, b"Adobe\0d"),
        "every APP": b"".join(segment(APP0 + n, b"some bytes") for n in range(1, 16)),
        "60 comments": segment(COMMENT, b"more") * 60,
        "an empty comment": segment(COMMENT, b""),
        "a comment of full length": segment(COMMENT, bytes(65533)),
    }
    kind = list(kinds)[number % len(kinds)]
    changed = put(data, 2, kinds[kind])
    twin = changed if kind.startswith("Adobe 0") else data
    return File("jpeg markers", kind, changed, twin)


def unknown_inks(dice: Dice, number: int) -> File:
    """Four components with an Adobe transform that nobody knows: libjpeg takes them for YCCK."""
    height, width = dice.size()
    levels = dice.picture(height, width, 4)
    planes = planes_of(np.concatenate([ycc(levels[..., :3]), levels[..., 3:]], axis=-1))
    known, unknown = (write_jpeg(planes, Coding([_1x1] * 4, markers=adobe(n))) for n in (2, dice.pick([1, 3, 77])))
    return File("jpeg markers", f"YCCK by an unknown transform {number}", unknown, known)


def mended(dice: Dice, number: int) -> File:
    """Faults that libjpeg warns of and that cost no pixel."""
    kinds = {
        "stray bytes before the tables": _before(DQT),
        "stray bytes before the frame": _before(SOF),
        "stray bytes before the Huffman tables": _before(DHT),
        "stray bytes before the scan": _before(SOS),
        "stray bytes before the end": _before_end,
        "stray bytes before a restart marker": _before_restart,
        "stray bytes before every restart marker": _before_restarts,
        "scan parameters of Samsung": _samsung,
        "other scan parameters": _parameters,
        "stray bytes with FF 00 before the tables": lambda dice, data: put(
            data, position_of(data, DHT), b"\0\xff\0" * (1 + dice.below(4))
        ),
        "a segment of length 0": lambda dice, data: put(data, 2, b"\xff\xe5\0\0"),
        "no end": lambda dice, data: data[:-2],
        "half an end": lambda dice, data: data[:-1],
        "zeros in place of the end": lambda dice, data: data[:-2] + bytes(16),
        "zeros behind the end": lambda dice, data: data + bytes(4096),
        "text behind the end": lambda dice, data: data + b"text\r\n" * 20,
    }
    kind = list(kinds)[number % len(kinds)]
    markers, plain = JFIF if number % 2 else b"", kind in ("scan parameters of Samsung", "other scan parameters")
    options: dict[str, object] = {"markers": markers}
    if "restart" in kind:
        options |= {"restart": 1 + dice.below(2)}
    if plain or "restart" in kind or number % 3:
        options |= {"progressive": False, "interleaved": True}
    data = base(dice, **options)
    return File("jpeg mended", f"{kind} {number}", kinds[kind](dice, data), data)


def filled(dice: Dice, number: int) -> File:
    """FF bytes before markers, which T.81 allows, and Huffman tables left out, as in Motion JPEG."""
    data = base(dice, flat=False, progressive=False)
    if number % 3 == 0:
        return File("jpeg fill", "no Huffman tables", without(data, DHT), data)
    places = [position for marker, position, _ in walk(data) if number % 3 == 1 or marker == SOS]
    changed = data
    for place in reversed(places):
        changed = put(changed, place, b"\xff" * (1 + dice.below(9)))
    return File("jpeg fill", f"fill bytes {number}", changed, data)


def tabled(dice: Dice, number: int) -> File:
    """Tables and markers in other ways than most programs write them, all of them legal."""
    data = base(dice, progressive=False, interleaved=True)
    start = position_of(data, SOS)
    kinds = {
        "quantization tables of 16 bits": _wide_tables,
        "quantization tables in one segment": lambda data: _in_one(data, DQT),
        "Huffman tables in one segment": lambda data: _in_one(data, DHT),
        "an extended frame": _as_extended,
        "an interval of 0 before its own": lambda data: put(data, position_of(data, DHT), segment(DRI, b"\0\0")),
        "a restart marker between segments": lambda data: put(data, start, b"\xff\xd3"),
        "TEM between segments": lambda data: put(data, start, b"\xff\x01"),
        "a restart marker before the end": lambda data: put(data, len(data) - 2, b"\xff\xd0"),
        "fill bytes before the end": lambda data: put(data, len(data) - 2, b"\xff" * 7),
        "tables twice": lambda data: put(data, start, data[position_of(data, DHT) : start]),
    }
    kind = list(kinds)[number % len(kinds)]
    return File("jpeg tables", f"{kind} {number}", kinds[kind](data), data)


def _in_one(data: bytes, marker: int) -> bytes:
    """All segments of a marker as one."""
    content = b"".join(content for found, _, content in walk(data) if found == marker)
    return put(without(data, marker), position_of(without(data, marker), SOS), segment(marker, content))


def _as_extended(data: bytes) -> bytes:
    at = position_of(data, SOF)
    return data[: at + 1] + b"\xc1" + data[at + 2 :]


def _wide_tables(data: bytes) -> bytes:
    tables = [content for marker, _, content in walk(data) if marker == DQT]
    wide = [
        segment(DQT, bytes([0x10 | table[0]]) + b"".join(bytes([0, step]) for step in table[1:])) for table in tables
    ]
    return _as_extended(put(without(data, DQT), _first(without(data, DQT)), b"".join(wide)))


def _before(marker: int):
    def change(dice: Dice, data: bytes) -> bytes:
        wanted = (SOF, 0xC2) if marker == SOF else (marker,)
        places = [position for found, position, _ in walk(data) if found in wanted and position > 2]
        if not places:  # a file that begins with its tables has nothing before them
            places = [position_of(data, SOF, 0xC2)]
        return put(data, places[0], dice.bytes(dice.pick([1, 2, 4, 16, 64]), but=0xFF))

    return change


def _before_end(dice: Dice, data: bytes) -> bytes:
    return put(data, len(data) - 2, dice.bytes(dice.pick([1, 4, 16, 300]), but=0xFF))


def _restarts(data: bytes) -> list[int]:
    start = coded_start(data)
    return [n for n in range(start, len(data) - 2) if data[n] == 0xFF and 0xD0 <= data[n + 1] <= 0xD7]


def _before_restart(dice: Dice, data: bytes) -> bytes:
    places = _restarts(data)
    return put(data, dice.pick(places), dice.bytes(dice.pick([1, 4, 16]), but=0xFF)) if places else data


def _before_restarts(dice: Dice, data: bytes) -> bytes:
    for place in reversed(_restarts(data)):
        data = put(data, place, dice.bytes(dice.pick([1, 2, 5]), but=0xFF))
    return data


def _samsung(dice: Dice, data: bytes) -> bytes:
    start = coded_start(data)
    return data[: start - 3] + bytes(3) + data[start:]


def _parameters(dice: Dice, data: bytes) -> bytes:
    start = coded_start(data)
    return data[: start - 3] + dice.pick([b"\x01\x05\x12", b"\0\0\x3f", b"\xff\xff\xff", b"\0\x3e\0"]) + data[start:]


MAKERS = {
    sampled: 460,
    grey: 64,
    red_green_blue: 50,
    inks: 120,
    by_pillow: 150,
    turned: 192,
    not_turned: 119,
    multi_picture: 16,
    profiled: 52,
    marked: 66,
    unknown_inks: 9,
    mended: 272,
    tabled: 60,
    filled: 30,
}
"""How many of each the whole corpus has."""
