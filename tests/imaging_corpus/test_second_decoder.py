"""The corpus itself: what it writes is what a decoder of another make reads, and a seed always gives the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.imaging_corpus.corpus_files import corpus_files, make_file
from tests.imaging_corpus.files import Dice, File, ycc
from tests.imaging_corpus.jpeg_corpus.jpeg_files import SAMPLINGS, planes_of, sampled
from tests.imaging_corpus.jpeg_corpus.jpeg_writer import Coding, write_jpeg
from tests.imaging_corpus.second_decoder import by_opencv, in_channels

# OpenCV reads no JPEG without its end marker.
WITHOUT_END = ("no end", "half an end", "in place of the end")
# OpenCV leaves these transparent pixels opaque, or blends after cutting 16 bits to 8.
LEFT_TO_THE_SPECIFICATION = ("tRNS", "alpha of 16 bits", "RGBA of 16 bits")


def test_a_seed_gives_the_same_file_again() -> None:
    assert make_file(sampled, 7) == make_file(sampled, 7)
    assert make_file(sampled, 7).data != make_file(sampled, 7 + len(SAMPLINGS)).data


def test_names_say_what_a_file_is_and_few_are_the_same_bytes() -> None:
    files = corpus_files(0.1)
    assert len(files) >= 300
    assert all(file.name for file in files)
    assert len({file.data for file in files}) > 0.95 * len(files)


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS.keys())
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_the_jpeg_writer_writes_what_opencv_reads(sampling: list[tuple[int, int]], progressive: bool) -> None:
    rgb = np.full((37, 53, 3), [200.0, 90.0, 60.0]) + np.linspace(-40, 40, 53)[:, None]  # chroma of one level
    interleaved = sum(h * v for h, v in sampling) <= 10
    coding = Coding(sampling, quality=100, restart=3, interleaved=interleaved, progressive=progressive)
    found = by_opencv(write_jpeg(planes_of(ycc(rgb)), coding))
    assert found is not None
    assert np.abs(found - rgb).max() <= 4


def test_opencv_reads_the_pngs_as_they_were_meant_where_it_follows_the_specification() -> None:
    files = [file for file in corpus_files(0.3) if file.levels is not None and _is_left_to(file)]
    assert len(files) > 100
    for file in files:
        found = by_opencv(file.data)
        assert found is not None, file.name
        apart = np.abs(in_channels(found, 3, 255) - in_channels(file.levels, 3, 255)).max()
        assert apart <= 1, f"{file.name}: {apart}"


def _is_left_to(file: File) -> bool:
    return not any(word in f"{file.kind} {file.name}" for word in LEFT_TO_THE_SPECIFICATION)


def test_opencv_shows_every_damaged_jpeg_as_the_intact_one() -> None:
    files = [file for file in corpus_files(0.3) if file.twin and file.twin != file.data]
    assert len(files) > 200
    ended = [file for file in files if not any(word in file.name for word in WITHOUT_END)]
    assert len(ended) < len(files)
    assert not [file.name for file in ended if not _looks_alike(file)]


def _looks_alike(file: File) -> bool:
    found, twin = by_opencv(file.data), by_opencv(file.twin)
    return found is not None and twin is not None and np.array_equal(found, twin)


def test_refused_pngs_are_refused_by_opencv_too() -> None:
    files = [file for file in corpus_files(0.3) if file.kind in ("png broken", "png cut", "png flipped")]
    assert not [file.name for file in files if by_opencv(file.data) is not None]


def test_dice_make_sizes_of_every_parity() -> None:
    sizes = [Dice(seed).size() for seed in range(300)]
    assert {(height % 2, width % 2) for height, width in sizes} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert (1, 1) in sizes
