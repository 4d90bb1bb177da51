"""`models.imaging.webp`: chunks of WebP, and animations of one frame."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, ClientError, UnsupportedType
from models.imaging.decode import decode, read_header
from tests.chaos.inputs.bombs import riff, webp_of_groups
from tests.models import encoded

WIDTH, HEIGHT = 24, 16
ANIMATED, HAS_EXIF, HAS_OPACITY = 0x02, 0x08, 0x10
COLOUR = InputSpec(height=HEIGHT, width=WIDTH, channels=3, background=200)
LOSSLESS = encoded.encode(encoded.picture(), "WEBP", lossless=True)
Chunk = tuple[bytes, bytes]


def canvas(flags: int, width: int = WIDTH, height: int = HEIGHT) -> Chunk:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", struct.pack("<I", flags) + sides


def frame(image: bytes, left: int = 0, top: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Chunk:
    """The chunks of a still WebP as a frame at an even place of a canvas."""
    sides = b"".join(number.to_bytes(3, "little") for number in (left // 2, top // 2, width - 1, height - 1, 100))
    return b"ANMF", sides + b"\0" + image[12:]


def still(width: int, height: int, level: int = 50, opacity: int = 255, *, lossless: bool = True) -> bytes:
    """One colour, of one opacity."""
    image = Image.new("RGBA", (width, height), (level, level, level, opacity))
    if opacity == 255:
        image = image.convert("RGB")
    return encoded.encode(image, "WEBP", lossless=lossless, exact=True)


def exif(orientation: int) -> Chunk:
    image = Image.Exif()
    image[encoded.ORIENTATION] = orientation
    return b"EXIF", image.tobytes()


ANIM = b"ANIM", bytes(6)
IMAGE = LOSSLESS[12:16], LOSSLESS[20 : 20 + int.from_bytes(LOSSLESS[16:20], "little")]


def test_an_animation_of_one_frame_shows_it_as_the_still_image() -> None:
    data = riff(canvas(ANIMATED), ANIM, frame(LOSSLESS))
    np.testing.assert_array_equal(decode(data, COLOUR), decode(LOSSLESS, COLOUR))


@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
@pytest.mark.parametrize("flags", [ANIMATED, ANIMATED | HAS_OPACITY], ids=["opaque by its flags", "with opacity"])
def test_a_frame_lies_where_its_container_says_and_the_background_around_it(flags: int, lossless: bool) -> None:
    data = riff(canvas(flags), ANIM, frame(still(6, 4, lossless=lossless), 8, 2, 6, 4))
    expected = np.full((HEIGHT, WIDTH, 3), 200)
    expected[2:6, 8:14] = 50
    np.testing.assert_allclose(decode(data, COLOUR), expected, atol=0 if lossless else 2)


@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
def test_transparent_parts_of_a_frame_are_laid_over_the_background(lossless: bool) -> None:
    image = still(WIDTH, HEIGHT, 50, 128, lossless=lossless)
    if image[12:16] == b"VP8X":
        image = image[:12] + image[30:]  # a frame has no canvas of its own
    data = riff(canvas(ANIMATED | HAS_OPACITY), ANIM, frame(image))
    np.testing.assert_allclose(decode(data, COLOUR), 200 + (50 - 200) * 128 / 255, atol=2)


@pytest.mark.parametrize("frames", [2, 12, 300])
def test_an_animation_of_more_frames_is_refused_by_their_number(frames: int) -> None:
    with pytest.raises(UnsupportedType, match=rf"animated webp of {frames} frames; send a single frame"):
        read_header(riff(canvas(ANIMATED), ANIM, *[frame(LOSSLESS)] * frames))


def test_an_animation_of_very_many_frames_is_refused_before_they_are_counted() -> None:
    with pytest.raises(UnsupportedType, match=r"animated webp of \d+ or more frames"):
        read_header(riff(canvas(ANIMATED), ANIM, *[frame(LOSSLESS)] * 5000))


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([canvas(ANIMATED), ANIM], id="no frame"),
        pytest.param([canvas(ANIMATED), ANIM, IMAGE], id="an image that is no frame"),
        pytest.param([canvas(ANIMATED), ANIM, frame(LOSSLESS, 8)], id="a frame beyond its canvas"),
        pytest.param([canvas(ANIMATED), ANIM, (b"ANMF", frame(LOSSLESS)[1][:60])], id="half a frame"),
        pytest.param([canvas(ANIMATED), ANIM, (b"ANMF", b"")], id="a frame of no bytes"),
        pytest.param(
            [canvas(ANIMATED), ANIM, (b"ANMF", bytes(16) + b"ANMF\xff\xff\xff\xff" * 9)], id="frames in a frame"
        ),
    ],
)
def test_a_damaged_animation_is_a_bad_image(chunks: list[Chunk]) -> None:
    with pytest.raises(BadImage):
        decode(riff(*chunks), COLOUR)


def test_a_frame_counts_as_much_work_as_the_same_still_image() -> None:
    image = webp_of_groups(WIDTH, HEIGHT, 20)
    data = riff(canvas(ANIMATED), ANIM, frame(image))
    assert read_header(data).work_pixels == read_header(image).work_pixels > WIDTH * HEIGHT


def test_work_that_hides_in_a_frame_behind_another_chunk_is_counted() -> None:
    kind, data = frame(webp_of_groups(WIDTH, HEIGHT, 20))
    hidden = kind, data[:16] + b"JUNK" + struct.pack("<I", 3) + bytes(4) + data[16:]
    assert read_header(riff(canvas(ANIMATED), ANIM, hidden)).extra_pixels > 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_the_exif_chunk(orientation: int) -> None:
    assert read_header(riff(canvas(HAS_EXIF), IMAGE, exif(orientation))).orientation == orientation
    assert read_header(riff(canvas(HAS_EXIF), exif(orientation), IMAGE, exif(2))).orientation == orientation


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(riff(canvas(0), IMAGE, exif(6)), id="of which the flags know nothing"),
        pytest.param(riff(canvas(HAS_EXIF), IMAGE, (b"XMP ", b"EXIF" + exif(6)[1])), id="in a comment"),
        pytest.param(riff(canvas(HAS_EXIF), IMAGE) + riff(canvas(HAS_EXIF), IMAGE, exif(6)), id="of a second image"),
        pytest.param(riff(IMAGE, exif(6)), id="of a file without a canvas"),
        pytest.param(riff(canvas(HAS_EXIF), IMAGE, (b"EXIF", b"")), id="of no bytes"),
    ],
)
def test_other_exif_turns_nothing(data: bytes) -> None:
    assert read_header(data).orientation == 1
    np.testing.assert_array_equal(decode(data, COLOUR), decode(LOSSLESS, COLOUR))


def test_damage_anywhere_in_an_animation_gives_pixels_or_a_client_error() -> None:
    dice = np.random.default_rng(0)
    data = np.frombuffer(riff(canvas(ANIMATED | HAS_EXIF), ANIM, frame(LOSSLESS), exif(6)), np.uint8)
    for _ in range(300):
        damaged = data.copy()
        damaged[dice.integers(0, len(data), 2)] = dice.integers(0, 256, 2)
        with contextlib.suppress(ClientError):
            assert decode(damaged.tobytes(), COLOUR).shape == (HEIGHT, WIDTH, 3)
