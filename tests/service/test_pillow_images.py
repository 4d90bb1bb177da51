"""The images of Pillow's own tests, many of them broken on purpose, against a real server and a second decoder."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image, UnidentifiedImageError

from models.bundle.input_spec import InputSpec
from models.imaging.decode import decode
from tests.chaos.rig.servers import Server, serving
from tests.imaging_corpus.second_decoder import by_opencv, in_channels, turn
from tests.imaging_corpus.verdict import MEAN_LEVELS

FETCH_WITHIN_S = 420
ANSWERED_WITHIN_S = 10.0
PNG_LEVELS = 2.0  # OpenCV cuts 16 bits to 8 before it blends, the decoder after
STATUSES = {200, 400, 413, 415}
LARGEST_SIDE = 4096  # of a bundle's input, so that larger ones are not compared
ORIENTATION = 0x0112
NOT_COMPARED = {
    "i_trns.png": "OpenCV leaves out tRNS of grey",
    "syntax_num_frames_zero_default.png": "OpenCV does not read an animation of no frames; its picture is there",
    "truncated_jpeg.jpg": "OpenCV does not read a progressive JPEG without its end marker; every scan is there",
}
REFUSED_THOUGH_PILLOW_READS = {
    "hopper_bad_exif.jpg": "its restart intervals hold other data than they should: every decoder shows stripes",
    "syntax_num_frames_invalid.png": "an animation that says to have 2,147,483,649 frames",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `Tests/images` of the source of the Pillow that is installed."""
    folder = tmp_path_factory.mktemp("pillow")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "pillow", "--dest", str(folder)]
    try:
        subprocess.run(
            [*command, f"pillow=={PIL.__version__}"], check=True, capture_output=True, timeout=FETCH_WITHIN_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the source of Pillow {PIL.__version__} cannot be fetched: {str(error.stderr)[-300:]}")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("*/Tests/images"))


@pytest.fixture(scope="module")
def files(images: Path) -> dict[str, bytes]:
    """Every file, by its path in the folder."""
    found = {str(path.relative_to(images)): path.read_bytes() for path in sorted(images.rglob("*")) if path.is_file()}
    assert len(found) > 500
    return found


@pytest.fixture(scope="module")
def statuses(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What a server answers to each."""
    with serving(tmp_path_factory.mktemp("server"), workers=1) as server:
        return {name: _status(server, data) for name, data in files.items()}


def _status(server: Server, data: bytes) -> int:
    return server.predict(data, timeout_s=ANSWERED_WITHIN_S).status


@pytest.mark.slow
def test_each_is_answered_in_time_and_none_with_500(statuses: dict[str, int]) -> None:
    assert not {name: status for name, status in statuses.items() if status not in STATUSES}
    accepted = sum(status == 200 for status in statuses.values())
    print(f"\n{len(statuses)} files, {accepted} accepted")
    assert accepted > 300


@pytest.mark.slow
def test_accepted_ones_look_as_opencv_shows_them(files: dict[str, bytes], statuses: dict[str, int]) -> None:
    complaints = {
        name: _complaint(data)
        for name, data in files.items()
        if statuses[name] == 200 and Path(name).name not in NOT_COMPARED
    }
    assert not {name: complaint for name, complaint in complaints.items() if complaint}


@pytest.mark.slow
def test_jpegs_pngs_and_webps_that_pillow_reads_whole_are_accepted(
    files: dict[str, bytes], statuses: dict[str, int]
) -> None:
    refused = {Path(name).name for name, data in files.items() if statuses[name] != 200 and _is_whole(data)}
    assert refused == set(REFUSED_THOUGH_PILLOW_READS)


def _is_whole(data: bytes) -> bool:
    """Whether Pillow reads a single JPEG, PNG or WebP without an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
                image.load()
                return getattr(image, "n_frames", 1) == 1
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False


def _complaint(data: bytes) -> str:
    found = by_opencv(data)
    if found is None:
        return "OpenCV does not read it"
    wanted = in_channels(turn(found, _orientation(data)), 3, 255)
    height, width, _ = wanted.shape
    if max(height, width) > LARGEST_SIDE:
        return ""
    apart = np.abs(decode(data, InputSpec(height=height, width=width, channels=3)) - wanted)
    png = data.startswith(b"\x89PNG")
    difference, limit = (apart.max(), PNG_LEVELS) if png else (apart.mean(), MEAN_LEVELS)
    return f"{difference:.2f} levels apart" if difference > limit else ""


def _orientation(data: bytes) -> int:
    """By the EXIF that Pillow finds; not by XMP or text, in which Pillow looks too."""
    found = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF
            with Image.open(io.BytesIO(data)) as image:
                image.load()  # a PNG's may come behind its rows
                found.load(image.info.get("exif", b""))
    except (OSError, SyntaxError, ValueError, struct.error):
        return 1  # it is damaged, or another chunk is
    turned = found.get(ORIENTATION, 1)
    return turned if turned in range(1, 9) else 1
