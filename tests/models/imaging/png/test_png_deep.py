"""`models.imaging.png.png_decoder`, `png_deep`: samples of every depth, opaque or not, are shown as the PNG
specification says."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.input_spec import InputSpec
from models.errors import BadImage
from models.imaging.decode import decode, read_header
from tests.chaos.inputs.pictures import png
from tests.models.encoded import png_chunk
from tests.models.imaging.png.pngs import (
    CHANNELS,
    END,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    Samples,
    levels,
    noise,
    shown,
    write,
)

BACKGROUNDS = [0, 100, 255]
KINDS = [(depth, GREY) for depth in (1, 2, 4, 8, 16)] + [(depth, RGB) for depth in (8, 16)]
NAMES = {GREY: "grey", RGB: "RGB", GREY_ALPHA: "grey with opacity", RGBA: "RGB with opacity", PALETTE: "a palette"}

both_orders = pytest.mark.parametrize("interlace", [0, 1], ids=["in order", "interlaced"])
every_background = pytest.mark.parametrize("background", BACKGROUNDS, ids="over {}".format)


def named(kind: tuple[int, int]) -> str:
    return f"{NAMES[kind[1]]} of {kind[0]} bits"


def pixels_of(data: bytes, samples: Samples, background: int = 0, channels: int = 3) -> NDArray[np.int64]:
    height, width, _ = samples.shape
    spec = InputSpec(height=height, width=width, channels=channels, background=background)
    return decode(data, spec).astype(np.int64)


def off_by(found: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    return float(np.abs(found - expected).max())


@both_orders
@every_background
@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_exactly_the_pixels_of_the_transparent_level_show_the_background(
    kind: tuple[int, int], background: int, interlace: int
) -> None:
    depth, colour = kind
    samples = noise(depth, colour, levels=5)
    clear = samples[3, 4]
    samples[0, :3] = clear
    samples[0, 1, -1] ^= 1  # the lowest bit is another: not transparent
    if depth == 16:
        samples[0, 2, 0] ^= 0x100  # as is this, by a high byte alone
    data = write(samples, depth, colour, levels(*clear), interlace=interlace)
    opaque = (samples != clear).any(axis=2, keepdims=True)
    assert 0 < opaque.sum() < opaque.size
    expected = shown(samples * 255 / ((1 << depth) - 1), opaque, background)
    found = pixels_of(data, samples, background)
    assert off_by(found, np.broadcast_to(expected, found.shape)) < 1
    assert (found[~opaque[:, :, 0]] == background).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[0] < 16], ids=named)
def test_bits_of_the_transparent_level_above_the_depth_do_not_count(kind: tuple[int, int]) -> None:
    depth, colour = kind
    samples = noise(depth, colour, levels=3)
    clear = samples[0, 0]
    high = clear | 1 << depth | 1 << 15
    plain = pixels_of(write(samples, depth, colour, levels(*clear)), samples, 77)
    np.testing.assert_array_equal(pixels_of(write(samples, depth, colour, levels(*high)), samples, 77), plain)
    assert (plain[0, 0] == 77).all()


def test_a_level_whose_low_bytes_are_a_pixels_high_bytes_is_not_that_pixels() -> None:
    samples = np.broadcast_to([0x1200, 0x1200, 0x1200], (4, 4, 3))
    data = write(samples, 16, RGB, levels(0x0012, 0x0012, 0x0012))
    assert (pixels_of(data, samples, 255) == 0x12).all()


@both_orders
@every_background
@pytest.mark.parametrize("kind", [(8, GREY_ALPHA), (16, GREY_ALPHA), (8, RGBA), (16, RGBA)], ids=named)
def test_half_transparent_pixels_are_blended_within_a_level(
    kind: tuple[int, int], background: int, interlace: int
) -> None:
    depth, colour = kind
    highest = (1 << depth) - 1
    samples = noise(depth, colour, (60, 50))
    samples[0, :5, -1] = 0, 1, highest - 1, highest, highest // 2
    expected = shown(samples[:, :, :-1] * 255 / highest, samples[:, :, -1:] / highest, background)
    found = pixels_of(write(samples, depth, colour, interlace=interlace), samples, background)
    assert off_by(found, np.broadcast_to(expected, found.shape)) < 1
    assert (found[0, 0] == background).all()


@pytest.mark.parametrize("channels", [1, 3], ids=["to grey", "to colour"])
@pytest.mark.parametrize("colour", [GREY, RGB, GREY_ALPHA, RGBA], ids=NAMES.__getitem__)
def test_16_bits_become_8_within_a_level_and_white_stays_white(colour: int, channels: int) -> None:
    samples = noise(16, colour, (60, 50))
    samples[0, 0] = 65535
    if colour in (GREY_ALPHA, RGBA):
        samples[:, :, -1] = 65535
    colours = samples[:, :, : 1 if colour in (GREY, GREY_ALPHA) else 3] / 257
    grey = colours @ [0.299, 0.587, 0.114] if colours.shape[2] == 3 else colours[:, :, 0]
    found = pixels_of(write(samples, 16, colour), samples, channels=channels)
    expected = grey[:, :, None] if channels == 1 else np.broadcast_to(colours, found.shape)
    assert off_by(found, expected) <= 1.5  # Pillow's grey of three rounded bytes is half a level off
    assert (found[0, 0] == 255).all()


@both_orders
@every_background
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_colours_of_a_palette_have_the_opacity_given_and_the_others_are_opaque(
    depth: int, background: int, interlace: int
) -> None:
    colours = 1 << depth
    dice = np.random.default_rng(depth)
    palette = dice.integers(0, 256, (colours, 3))
    opacity = dice.integers(0, 256, colours // 2 + 1)
    chunks = png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()), png_chunk(b"tRNS", bytes(opacity.tolist()))
    samples = noise(depth, PALETTE)
    shares = np.concatenate([opacity, np.full(colours - len(opacity), 255)])[samples] / 255
    expected = shown(palette[samples[:, :, 0]].astype(float), shares, background)
    data = write(samples, depth, PALETTE, *chunks, interlace=interlace)
    assert off_by(pixels_of(data, samples, background), expected) < 1


def test_a_colour_that_the_palette_lacks_is_black() -> None:
    samples = np.arange(256).reshape(16, 16, 1)
    found = pixels_of(write(samples, 8, PALETTE, png_chunk(b"PLTE", bytes([9, 8, 7] * 16))), samples)
    assert (found[0] == [9, 8, 7]).all()
    assert not found[1:].any()


def test_strips_change_no_pixel_of_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for colour in (GREY, GREY_ALPHA, RGBA):
        samples = noise(16, colour, (40, 30))
        data = write(samples, 16, colour)
        at_once = pixels_of(data, samples, 50)
        with monkeypatch.context() as patched:
            patched.setattr("models.imaging.channels._STRIP_PIXELS", 30 * 7)
            np.testing.assert_array_equal(pixels_of(data, samples, 50), at_once)


@pytest.mark.parametrize(
    ("colour", "transparency", "passes"),
    [
        (RGB, b"", 1),
        (RGB, levels(1, 2, 3), 2),
        (RGBA, b"", 2),
        (GREY, levels(1), 1),
        (GREY_ALPHA, b"", 1),
    ],
    ids=["opaque RGB", "RGB with a transparent level", "RGB with opacity", "grey", "grey with opacity"],
)
def test_filters_that_are_undone_twice_are_counted_twice(colour: int, transparency: bytes, passes: int) -> None:
    samples = noise(16, colour, (30, 30))
    filters = 900 * 16 * CHANNELS[colour] // 44
    counted = read_header(write(samples, 16, colour, transparency)).work_pixels
    assert counted == max(filters + 360, 900) + (passes - 1) * (filters + 450)


@pytest.mark.parametrize("place", ["its rows end early", "its rows are damaged", "its checksum is wrong"])
def test_damage_of_rows_that_are_read_twice_is_a_bad_image(place: str) -> None:
    samples = noise(16, RGBA, (20, 30))
    rows = zlib.compress(bytes(20 * 241 - 1 if place == "its rows end early" else 20 * 241))
    if place == "its rows are damaged":
        rows = rows[:9] + b"\xff" + rows[10:]
    elif place == "its checksum is wrong":
        rows = rows[:-1] + bytes([rows[-1] ^ 1])
    data = png(30, 20, png_chunk(b"IDAT", rows), END, depth=16, colour=RGBA)
    with pytest.raises(BadImage):
        pixels_of(data, samples)
