"""`models.imaging.work`: what an image costs beside its pixels, by its header alone."""

from __future__ import annotations

import contextlib
import statistics
import time
import zlib

import pytest

from models.bundle.input_spec import InputSpec
from models.errors import ClientError, TooLarge
from models.imaging import work
from models.imaging.decode import DEFAULT_MAX_PIXELS, decode, read_checked_header, read_header
from tests.chaos.inputs import bombs
from tests.chaos.inputs.photos import photo
from tests.chaos.inputs.pictures import idat, png
from tests.models import encoded
from tests.models.encoded import png_chunk

SPEC = InputSpec(height=28, width=28, channels=1)
PIXELS = 1_000_000
SIDE = 1000


@pytest.mark.parametrize(
    ("width", "height", "area"),
    [
        pytest.param(5000, 5000, 25_000_000, id="a square"),
        pytest.param(1, 1, 1, id="a pixel"),
        pytest.param(65, 65 * 64, 65 * 65 * 64, id="a long one"),
        pytest.param(1, 25_000_000, 64 * 25_000_000, id="a column"),
        pytest.param(25_000_000, 1, 64 * 25_000_000, id="a row"),
        pytest.param(3, 640, 640 * 10, id="a short column"),
    ],
)
def test_very_long_images_count_as_wider(width: int, height: int, area: int) -> None:
    assert work.area(width, height) == area


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(photo(640, 480), id="baseline JPEG"),
        pytest.param(encoded.encode(encoded.picture(640, 480), "JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(
            encoded.encode(encoded.picture(640, 480, "CMYK"), "JPEG", progressive=True), id="progressive CMYK JPEG"
        ),
        pytest.param(photo(640, 480, format_="WEBP"), id="lossy WebP"),
        pytest.param(photo(640, 480, format_="PNG"), id="PNG"),
        pytest.param(encoded.encode(encoded.picture(640, 480, "RGBA"), "PNG"), id="PNG with transparency"),
        pytest.param(encoded.encode(encoded.picture(640, 480, "I;16"), "PNG"), id="16-bit grey PNG"),
    ],
)
def test_an_ordinary_image_is_the_work_of_its_pixels(data: bytes) -> None:
    assert read_header(data).work_pixels == 640 * 480


@pytest.mark.parametrize(
    ("data", "times"),
    [
        pytest.param(encoded.jpeg_with_scans(48), 2.0, id="JPEG of 48 scans"),
    ],
)
def test_more_passes_are_more_work(data: bytes, times: float) -> None:
    assert read_header(data).work_pixels == times * 24 * 16


@pytest.mark.parametrize(
    ("bits", "size_bytes", "times"),
    [
        pytest.param(8, 10**7, 1.0, id="grey"),
        pytest.param(24, 10**7, 1.0, id="RGB"),
        pytest.param(32, 250_000, 1.0, id="RGBA"),
        pytest.param(32, 10**7, 1.1273, id="RGBA, large"),
        pytest.param(48, 1, 1.0909, id="RGB of 16 bits"),
        pytest.param(48, 10**7, 1.4909, id="RGB of 16 bits, large"),
        pytest.param(64, 1, 1.4545, id="RGBA of 16 bits"),
    ],
)
def test_pngs_are_the_more_work_the_more_bits_and_bytes_they_have(bits: int, size_bytes: int, times: float) -> None:
    assert PIXELS + work.of_png(PIXELS, bits, size_bytes) == pytest.approx(times * PIXELS, rel=1e-4)


def test_lossless_webps_are_the_more_work_the_more_codes_they_may_have() -> None:
    assert work.of_webp(PIXELS, 0, False) == 0
    assert work.of_webp(PIXELS, 2500, False) == 1000 * (48 + 160)
    assert work.of_webp(160, 2500, False) == 1000 * 48 + 10 * 160
    assert work.of_webp(DEFAULT_MAX_PIXELS, 10**7, False) == 65536 * (48 + 160)
    assert work.of_webp(PIXELS, 2500, True) == 1000 * (48 + 160) + PIXELS // 2


@pytest.mark.parametrize(
    ("data", "lossless"),
    [
        pytest.param(encoded.encode(encoded.picture(), "WEBP"), False, id="lossy"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP", exif=b"Exif\0\0MM\0*"), False, id="lossy, extended"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP", lossless=True), True, id="lossless"),
        pytest.param(
            encoded.encode(encoded.picture(), "WEBP", lossless=True, icc_profile=b"x" * 99), True, id="with a profile"
        ),
        pytest.param(bombs.riff((b"VP8X", bytes(10)), *[(b"JUNK", b"")] * 5000), True, id="of more chunks than any"),
    ],
)
def test_webps_that_may_be_losslessly_coded_are_known(data: bytes, lossless: bool) -> None:
    assert (read_header(data).extra_pixels > 0) is lossless


@pytest.mark.parametrize(
    ("scans", "kept", "times"),
    [
        pytest.param(1, 0, 1 / 24, id="baseline"),
        pytest.param(10, PIXELS * 3 // 2, 10 / 24, id="progressive, 4:2:0"),
        pytest.param(10, PIXELS * 3, 3 / 6.7, id="progressive, not subsampled"),
        pytest.param(1, PIXELS * 4, 4 / 6.7, id="one scan that is kept"),
        pytest.param(48, PIXELS * 4, 2.0, id="many scans"),
    ],
)
def test_passes_over_a_jpeg_and_what_it_keeps_are_work_at_any_fraction(scans: int, kept: int, times: float) -> None:
    assert work.of_jpeg(PIXELS, scans, kept) == pytest.approx(times * PIXELS, rel=1e-4)


def test_work_over_the_limit_is_refused_with_both_numbers() -> None:
    data = encoded.jpeg_with_scans(48)
    assert read_checked_header(data, 768).work_pixels == 768
    with pytest.raises(
        TooLarge, match=r"24x16 = 384 pixels, .* as much work as 768 even at an eighth of its sides; the limit is 767"
    ):
        read_checked_header(data, 767)


def cost_s(data: bytes) -> float:
    """CPU seconds for checking and decoding under a limit of 1 MP."""
    started = time.thread_time()
    with contextlib.suppress(ClientError):
        decode(data, SPEC, read_checked_header(data, PIXELS))
    return time.thread_time() - started


def cost_ratio(data: bytes, reference: bytes) -> float:
    """The median of seven pairs, each measured at one time, since the clock of a shared processor changes."""
    return statistics.median(cost_s(data) / cost_s(reference) for _ in range(7))


def test_bombs_cost_no_more_than_twice_an_ordinary_image() -> None:
    profile = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes((1 << 20) - 1), 9))
    hostile = {
        "24 scans": bombs.jpeg_of_refinements(SIDE, SIDE, 24),
        "42 scans": bombs.jpeg_of_refinements(SIDE, SIDE, 42),
        "500 scans": encoded.jpeg_with_scans(500),
        "300 colour profiles": png(8, 8, profile * 300, idat(bytes(72))),
        "rows that go on for 200 MB": png(8, 8, idat(bytes(200_000_000))),
        "noise behind 5,000 deflate blocks": bombs.png_of_rows(SIDE, SIDE, blocks=5000),
        "16 bits of noise": bombs.png_of_rows(SIDE, SIDE, depth=16),
        "16 bits of noise that are read twice": bombs.png_of_rows(510, 510, depth=16),
        "a column": png(1, PIXELS, idat(bytes(2 * PIXELS))),
        "65,536 codes": bombs.webp_of_groups(SIDE, SIDE, 65536),
    }
    ordinary = encoded.encode(bombs.noisy(SIDE), "WEBP", quality=90)
    times = {name: cost_ratio(data, ordinary) for name, data in hostile.items()}
    assert max(times.values()) <= 2.0, times
