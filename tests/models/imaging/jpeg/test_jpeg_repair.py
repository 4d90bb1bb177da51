"""`models.imaging.jpeg.jpeg_repair`: complete JPEGs that are harmlessly damaged, and those of which rows are
missing."""

from __future__ import annotations

import contextlib
import random
import re
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, ClientError
from models.imaging.decode import decode, read_header
from models.imaging.jpeg import jpeg_decoder
from models.imaging.jpeg.jpeg_segments import CUT, SCAN, segments
from models.imaging.types import Pixels
from tests.models import encoded, jpegs

WIDTH, HEIGHT = 96, 64
JUNK = (b"\0", bytes(4), b"\x12" * 16, bytes(range(1, 21)), b"\xab\xcd\xef" * 5)


def spec_of(data: bytes, channels: int = 3) -> InputSpec:
    header = read_header(data)
    return InputSpec(height=header.height, width=header.width, channels=1 if channels == 1 else 3)


def mended(data: bytes, channels: int = 3) -> tuple[Pixels, set[str]]:
    """Pixels at their own size, and the kinds of damage that were mended."""
    kinds: list[str] = []
    pixels = decode(data, spec_of(data, channels), warn=kinds.append)
    assert len(set(kinds)) == len(kinds)
    return pixels, set(kinds)


@cache
def noise(mode: str = "RGB") -> Image.Image:
    dice = np.random.default_rng(0)
    shapes = Image.fromarray(dice.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8))
    return shapes.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).convert(mode)


def written(mode: str = "RGB", **options: object) -> bytes:
    return encoded.encode(noise(mode), "JPEG", quality=85, **options)


def split_scans(data: bytes) -> bytes:
    """A JPEG of 1x1 in which each component has a scan of its own; all three alike."""
    mark = jpegs.scans_of(data)[0]
    coded = data[mark[2] : -2]
    scans = [jpegs.segment(0xDA, bytes([1, id_, 0, 0, 63, 0])) + coded for id_ in (1, 2, 3)]
    return data[: mark[1]] + b"".join(scans) + jpegs.END


def with_three(data: bytes) -> bytes:
    """A grey JPEG whose frame tells of three components."""
    frame = data.index(b"\xff\xc0")
    body = data[frame + 4 : frame + 9] + b"\3" + b"".join(bytes([id_, 0x11, 0]) for id_ in (1, 2, 3))
    return data[:frame] + jpegs.segment(0xC0, body) + data[frame + 13 :]


FILES = {
    "baseline": written(),
    "baseline, not subsampled": written(subsampling=0),
    "baseline, grey": written("L"),
    "baseline, CMYK": written("CMYK"),
    "baseline, a restart marker a row": written(restart_marker_rows=1),
    "baseline, a restart marker every 3 units": written(restart_marker_blocks=3),
    "baseline, grey, a restart marker every 2 units": written("L", restart_marker_blocks=2),
    "baseline, a scan for each component": split_scans(with_three(written("L", restart_marker_blocks=5))),
    "progressive": written(progressive=True),
    "progressive, grey": written("L", progressive=True),
    "progressive, a restart marker a row": written(progressive=True, restart_marker_rows=1),
    "progressive, CMYK, a restart marker every 4 units": written("CMYK", progressive=True, restart_marker_blocks=4),
    "4:1:0, which TurboJPEG refuses": jpegs.sampled([(4, 2), (1, 1), (1, 1)]),
    "3x1 with restart markers": jpegs.sampled([(3, 1), (1, 1), (1, 1)], interval=2),
    "CMYK 2111": jpegs.sampled([(2, 1), (1, 1), (1, 1), (1, 1)], start=jpegs.adobe(0), interval=3),
}
every_file = pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in FILES.items()])
every_channels = pytest.mark.parametrize("channels", [1, 3], ids=["grey input", "colour input"])
baseline_files = pytest.mark.parametrize(
    "data", [pytest.param(data, id=name) for name, data in FILES.items() if b"\xff\xc0" in data]
)


def check_mended(data: bytes, intact: bytes, kinds: set[str], channels: int = 3) -> None:
    """Pixels as of the intact file, and damage of the kinds or, where libjpeg never looks at it, of none."""
    pixels, found = mended(data, channels)
    np.testing.assert_array_equal(pixels, mended(intact, channels)[0])
    assert found <= kinds


@every_channels
@every_file
def test_intact_files_need_no_mending(data: bytes, channels: int) -> None:
    assert mended(data, channels)[1] == set()


@every_channels
@every_file
def test_stray_bytes_before_any_segment_are_passed_over(data: bytes, channels: int) -> None:
    for number, (_, start, _) in enumerate(segments(data)):
        check_mended(jpegs.inserted(data, start, JUNK[number % 5]), data, {"stray_bytes"}, channels)


@every_channels
@every_file
def test_stray_bytes_before_any_restart_marker_are_passed_over(data: bytes, channels: int) -> None:
    places = jpegs.restarts(data)
    for number, place in enumerate(places[:: max(len(places) // 9, 1)]):
        check_mended(jpegs.inserted(data, place, JUNK[number % 5]), data, {"stray_bytes"}, channels)


@every_file
def test_stray_bytes_before_all_restart_markers_are_passed_over(data: bytes) -> None:
    start = jpegs.scans_of(data)[0][1]
    damaged = data[:start] + re.sub(rb"\xff[\xd0-\xd7]", lambda marker: bytes(20) + marker[0], data[start:])
    check_mended(damaged, data, {"stray_bytes"})


@every_file
def test_fill_bytes_before_any_marker_are_no_damage(data: bytes) -> None:
    for place in [*jpegs.restarts(data)[:5], *(start for _, start, _ in segments(data))]:
        check_mended(jpegs.inserted(data, place, b"\xff\xff\xff"), data, set())


def test_stray_bytes_are_told_of() -> None:
    data = FILES["baseline, a restart marker a row"]
    places = [data.index(b"\xff\xdb"), jpegs.restarts(data)[1], len(data) - 2]
    assert [mended(jpegs.inserted(data, place, bytes(16)))[1] for place in places] == [{"stray_bytes"}] * 3


@pytest.mark.parametrize(
    "parameters",
    [b"\0\0\0", b"\0\x3f\x11", b"\1\x3f\0", b"\0\x40\0", b"\0\5\0", b"\xff\xff\xff"],
    ids=["zeros, as Samsung's", "bits", "no DC", "64", "5", "all ones"],
)
@baseline_files
def test_scan_parameters_of_a_baseline_jpeg_do_not_matter(data: bytes, parameters: bytes) -> None:
    damaged = data
    for _, _, end in jpegs.scans_of(data):
        damaged = damaged[: end - 3] + parameters + damaged[end:]
    check_mended(damaged, data, {"scan_parameters"})
    if data not in (FILES["4:1:0, which TurboJPEG refuses"],):
        assert mended(damaged)[1] == {"scan_parameters"}


@pytest.mark.parametrize("parameters", [b"\0\0\0", b"\1\x3f\0"], ids=["zeros", "no DC"])
def test_scan_parameters_of_a_progressive_jpeg_do_matter(parameters: bytes) -> None:
    data = FILES["progressive"]
    end = jpegs.scans_of(data)[-1][2]
    with pytest.raises(BadImage):
        mended(data[: end - 3] + parameters + data[end:])


def chunk(number: int, count: int, profile: bytes = b"profile") -> bytes:
    """One part of a colour profile."""
    return jpegs.segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + profile)


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(chunk(1, 2), id="a chunk missing"),
        pytest.param(chunk(2, 2) + chunk(3, 3), id="the first missing"),
        pytest.param(chunk(0, 1), id="counted from 0"),
        pytest.param(chunk(1, 0), id="of 0 chunks"),
        pytest.param(chunk(1, 2) * 2, id="a chunk twice"),
        pytest.param(chunk(1, 2) + chunk(2, 3), id="two counts"),
        pytest.param(chunk(5, 2), id="number over the count"),
    ],
)
@every_file
def test_a_damaged_colour_profile_is_dropped(data: bytes, profile: bytes) -> None:
    check_mended(jpegs.inserted(data, 2, profile), data, {"icc_profile"})
    assert mended(jpegs.inserted(FILES["baseline"], 2, profile))[1] == {"icc_profile"}


@pytest.mark.parametrize(
    "profile", [chunk(1, 1), chunk(2, 2) + chunk(1, 2), chunk(1, 1, b"")], ids=["one chunk", "two, turned", "no bytes"]
)
def test_a_sound_colour_profile_is_no_damage(profile: bytes) -> None:
    check_mended(jpegs.inserted(FILES["baseline"], 2, profile), FILES["baseline"], set())


@pytest.mark.parametrize("major", [0, 2, 3, 255])
def test_other_versions_of_jfif_are_read(major: int) -> None:
    data = FILES["progressive"].replace(b"JFIF\0\1", b"JFIF\0" + bytes([major]), 1)
    check_mended(data, FILES["progressive"], {"jfif_version"})
    assert mended(data)[1] == {"jfif_version"}


@pytest.mark.parametrize(
    ("factors", "transform", "as_if"),
    [
        pytest.param([(2, 2), (1, 1), (1, 1)], 7, 1, id="three components are YCbCr"),
        pytest.param([(1, 1)] * 4, 7, 2, id="four are YCCK"),
        pytest.param([(1, 1)] * 4, 1, 2, id="four with YCbCr's transform are YCCK"),
    ],
)
def test_an_unknown_adobe_transform_is_what_libjpeg_assumes(
    factors: list[jpegs.Factors], transform: int, as_if: int
) -> None:
    found, expected = (jpegs.sampled(factors, start=jpegs.adobe(each)) for each in (transform, as_if))
    check_mended(found, expected, {"adobe_transform"})
    assert mended(found)[1] == {"adobe_transform"}


@pytest.mark.parametrize(
    "tail",
    [b"", b"\xff", bytes(50), b"\xff\xd8 a second image", FILES["baseline"]],
    ids=["nothing", "half a marker", "zeros", "a start", "a whole image"],
)
@every_channels
@every_file
def test_a_missing_end_is_mended_where_every_row_is_there(data: bytes, tail: bytes, channels: int) -> None:
    pixels, kinds = mended(data[:-2] + tail, channels)
    np.testing.assert_array_equal(pixels, mended(data, channels)[0])
    assert kinds in ({"no_end"}, {"no_end", "stray_bytes"})


@every_channels
@every_file
def test_of_a_file_cut_short_only_whole_pictures_are_taken(data: bytes, channels: int) -> None:
    whole, spec = mended(data, channels)[0], spec_of(data, channels)
    for cut in {*range(2, len(data), len(data) // 40), *range(len(data) - 12, len(data))}:
        try:
            pixels = decode(data[:cut], spec)
        except BadImage:
            continue
        assert cut > len(data) - 12, cut
        np.testing.assert_array_equal(pixels, whole)


@every_file
def test_coded_data_cut_short_before_any_marker_is_refused(data: bytes) -> None:
    marks = list(segments(data))
    coded = [(end, after) for (kind, _, end), (_, after, _) in pairwise(marks) if kind == SCAN]
    for start, end in coded:
        places = [start, *(place for place in jpegs.restarts(data) if start < place < end), end]
        for before, place in list(pairwise(places))[::3]:
            if place - before >= 12:
                with pytest.raises(BadImage):
                    mended(data[: place - 8] + data[place:])


def test_a_restart_interval_that_is_missing_or_comes_twice_is_refused() -> None:
    data = FILES["3x1 with restart markers"]
    first, second, third, *_ = jpegs.restarts(data)
    for damaged in (data[:second] + data[third:], data[:second] + data[first:], data[:first] + data[second:]):
        with pytest.raises(BadImage):
            mended(damaged)


@pytest.mark.parametrize("setting", [("rows", 4), ("rows", 15), ("blocks", 16)], ids=str)
@pytest.mark.parametrize("stray", [b"", b"\0\0"], ids=["", "stray bytes in its place"])
def test_rows_behind_a_lost_restart_marker_are_missed(setting: tuple[str, int], stray: bytes) -> None:
    what, count = setting
    levels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    data = encoded.encode(Image.fromarray(levels), "JPEG", quality=90, **{f"restart_marker_{what}": count})
    spec = InputSpec(height=480, width=640, channels=3)
    decode(data, spec)
    last = max(data.rfind(bytes([0xFF, 0xD0 + number])) for number in range(8))
    without_marker = data[:last] + data[last + 2 :]
    without_interval = data[:last] + stray + data[-2:]
    for cut in (without_marker, without_interval):
        with pytest.raises(BadImage):
            decode(cut, spec)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["no end", "an end behind them"])
@pytest.mark.parametrize("tail", [b"\0", b"\xaa"], ids=["zeros", "other bytes"])
@pytest.mark.parametrize("settings", [{"quality": 100, "subsampling": 0}, {"quality": 90, "optimize": True}], ids=str)
def test_a_picture_of_which_only_a_part_was_written_is_refused(
    settings: dict[str, Any], tail: bytes, end: bytes
) -> None:
    smooth = np.asarray(encoded.picture(200, 150), np.int64)
    levels = smooth + np.random.default_rng(1).integers(0, 25, smooth.shape)
    data = encoded.encode(Image.fromarray(levels.astype(np.uint8)), "JPEG", **settings)
    spec = InputSpec(height=150, width=200, channels=3)
    for tenths in (3, 5, 7, 9):
        kept = len(data) * tenths // 10
        with pytest.raises(BadImage):
            decode(data[:kept] + tail * (len(data) - kept) + end, spec)


@pytest.mark.parametrize(
    "tail", [bytes(16), bytes(64), bytes(3000), b"\xaa" * 3000], ids=["16", "64", "3000", "others"]
)
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["no end", "an end behind them"])
def test_a_whole_picture_with_padding_is_taken(tail: bytes, end: bytes) -> None:
    data = encoded.encode(encoded.picture(200, 150), "JPEG", quality=90)
    spec = InputSpec(height=150, width=200, channels=3)
    np.testing.assert_array_equal(decode(data[:-2] + tail + end, spec), decode(data, spec))


def test_a_progressive_jpeg_without_end_that_lacks_a_scan_is_refused() -> None:
    data = FILES["progressive"]
    for _, start, _ in jpegs.scans_of(data)[1:]:
        with pytest.raises(BadImage, match="cut short, scans are missing"):
            mended(data[:start])


def test_several_kinds_of_damage_at_once_are_mended() -> None:
    data = FILES["baseline, a restart marker a row"]
    end = jpegs.scans_of(data)[0][2]
    damaged = data[: end - 3] + bytes(3) + data[end:-2]
    damaged = jpegs.inserted(damaged, jpegs.restarts(damaged)[2], bytes(9))
    damaged = jpegs.inserted(damaged.replace(b"JFIF\0\1", b"JFIF\0\2", 1), 2, chunk(1, 2) + bytes(3))
    check_mended(damaged, data, {"stray_bytes", "scan_parameters", "icc_profile", "jfif_version", "no_end"})
    assert len(mended(damaged)[1]) == 5


@every_file
def test_flipped_bytes_give_pixels_or_a_client_error(data: bytes) -> None:
    dice, spec = random.Random(len(data)), spec_of(data)
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(dice.choice([1, 2, 8])):
            damaged[dice.randrange(2, len(data))] = dice.randrange(256)
        with contextlib.suppress(ClientError):
            assert decode(bytes(damaged), spec).shape == (spec.height, spec.width, 3)


def test_what_costs_much_to_prove_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = FILES["baseline, a restart marker a row"]
    damaged = jpegs.inserted(data, jpegs.restarts(data)[0], bytes(16))
    monkeypatch.setattr(jpeg_decoder, "_PROVEN_PIXELS", WIDTH * HEIGHT // 24 - 1)
    with pytest.raises(BadImage, match="damage that is repaired in smaller ones only"):
        mended(damaged)


def test_stray_bytes_among_very_many_restart_markers_are_refused_at_once() -> None:
    data = FILES["baseline, a restart marker a row"]
    damaged = jpegs.inserted(data, jpegs.restarts(data)[0], bytes(16))
    damaged = damaged[:-2] + b"".join(bytes([0xFF, 0xD0 + number]) for number in range(8)) * 40_000 + jpegs.END
    with pytest.raises(BadImage, match="more than 262144 restart markers"):
        mended(damaged)


def test_a_file_without_end_ends_with_its_bytes() -> None:
    data = FILES["baseline"]
    assert [*segments(data[:-2])][-1] == (CUT, len(data) - 2, len(data) - 2)


@pytest.mark.parametrize("name", ["baseline, a restart marker a row", "4:1:0, which TurboJPEG refuses"])
def test_a_fraction_of_a_mended_picture_is_that_of_the_intact_one(name: str) -> None:
    data = FILES[name]
    damaged = jpegs.inserted(data, len(data) - 2, bytes(16))
    spec = InputSpec(height=8, width=8, channels=3, decoder="fraction")
    np.testing.assert_array_equal(decode(damaged, spec), decode(data, spec))
    assert not np.array_equal(decode(data, spec), decode(data, spec.model_copy(update={"decoder": "full"})))
