"""`training.export.example_selection`: which training images stand for all, how many fit, and their pictures."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from models.bundle.examples import Examples
from models.runtime.sessions import Embedding
from training.export.example_selection import AXES, LIMIT_BYTES, choose_examples, make_examples, thumbnail


def test_rare_classes_have_as_many_examples_as_will_go() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    chosen = choose_examples(labels, np.arange(1000), 60, is_number=False, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [25, 25, 10]
    assert len(set(chosen.tolist())) == 60


def test_the_first_few_examples_are_those_that_would_be_chosen_of_fewer() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 1000)
    many = choose_examples(labels, np.arange(1000), 600, is_number=False, seed=0)
    few = choose_examples(labels, np.arange(1000), 60, is_number=False, seed=0)
    assert many[:60].tolist() == few.tolist()


def test_only_training_images_are_taken() -> None:
    positions = np.arange(100, 130)
    chosen = choose_examples(np.zeros(200, np.int64), positions, 1000, is_number=False, seed=0)
    assert sorted(chosen.tolist()) == positions.tolist()


@pytest.mark.parametrize("count", [11, 100, 1000])
def test_numbers_are_spread_over_their_range(count: int) -> None:
    numbers = np.random.default_rng(0).permutation(1000).astype(np.float64)
    chosen = np.sort(numbers[choose_examples(numbers, np.arange(1000), count, is_number=True, seed=0)])
    assert len(set(chosen.tolist())) == count
    assert np.diff(chosen, prepend=0, append=999).max() <= 2 * 1000 / count


def test_answers_are_positions_or_numbers() -> None:
    embedding = np.ones((3, 4), np.float32)
    assert make_examples(embedding, np.arange(3), embedding[0]).answers.dtype == np.int32
    assert make_examples(embedding, np.arange(3) / 2, embedding[0]).answers.dtype == np.float32


def clusters(count: int, width: int) -> Embedding:
    """Embeddings as networks make them: classes apart, and 0.84 of the variance of 1,280 numbers in 128 directions."""
    generator = np.random.default_rng(0)
    spread = np.arange(1, width + 1) ** -0.6
    centres = generator.normal(0, 3, (10, width)) * spread
    points = centres[generator.integers(0, 10, count)] + generator.normal(0, 1, (count, width)) * spread
    return np.maximum(points, -1).astype(np.float32)


def files_bytes(examples: Examples) -> int:
    return sum(map(len, examples.to_files("examples-x").values()))


@pytest.mark.parametrize(
    ("available", "width", "pictures", "limit_bytes", "kept"),
    [
        pytest.param(400, 300, 0, 200_000, 400, id="few and wide"),
        pytest.param(800, 300, 0, 200_000, 800, id="several and wide"),
        pytest.param(3000, 300, 0, 200_000, 850, id="many and wide"),
        pytest.param(3000, 300, 700, 200_000, 140, id="many and wide with pictures"),
        pytest.param(30_000, 64, 0, LIMIT_BYTES, 29_000, id="many and narrow"),
        pytest.param(8000, 64, 300, LIMIT_BYTES, 5_300, id="narrow with pictures"),
    ],
)
def test_as_many_examples_are_kept_as_fit(
    available: int, width: int, pictures: int, limit_bytes: int, kept: int
) -> None:
    embedding = np.random.default_rng(0).normal(size=(available, width)).astype(np.float32)
    thumbnails = [bytes(pictures)] * available if pictures else None
    examples = make_examples(embedding, np.zeros(available, np.int64), embedding.mean(0), thumbnails, limit_bytes)
    assert kept <= len(examples.answers) <= available
    assert len(examples.thumbnails) == (len(examples.answers) if pictures else 0)
    assert files_bytes(examples) <= limit_bytes
    if len(examples.answers) < available:
        assert files_bytes(examples) > 0.99 * limit_bytes
        assert examples.codes.shape[1] == min(width, AXES)


@pytest.mark.parametrize(
    ("count", "width", "recall"),
    [(1000, 1280, 0.95), (2000, 1280, 0.9), (5000, 64, 0.9)],
    ids=["whole", "projected", "narrow"],
)
def test_codes_find_the_neighbours_that_are_really_nearest(count: int, width: int, recall: float) -> None:
    embedding = clusters(count + 50, width)
    known, asked = embedding[:count], embedding[count:]
    examples = make_examples(known, np.zeros(count, np.int64), known.mean(0))
    found_share, off = [], []
    for one in asked:
        exact = np.linalg.norm(known - one, axis=1)
        positions, distances = examples.nearest(one, 5)
        found_share.append(np.isin(positions, np.argsort(exact)[:5]).mean())
        off.append(np.abs(distances / exact[positions] - 1).mean())
    print(f"{count} x {width}: recall {np.mean(found_share):.3f}, distances off by {np.mean(off):.4f}")
    assert np.mean(found_share) >= recall
    assert np.mean(off) <= 0.03


def test_an_image_that_is_an_example_itself_is_found_at_once() -> None:
    embedding = clusters(1000, 256)
    examples = make_examples(embedding, np.zeros(1000, np.int64), embedding.mean(0))
    positions, distances = examples.nearest(embedding[17], 2)
    assert positions[0] == 17
    assert distances[0] < 0.1 * distances[1]


@pytest.mark.slow
@pytest.mark.parametrize("width", [64, 1280])
def test_the_neighbours_take_about_a_millisecond(width: int) -> None:
    embedding = clusters(30_000, width)
    examples = make_examples(embedding, np.zeros(30_000, np.int64), embedding.mean(0))
    took_ms = []
    for one in embedding[:200]:
        started = time.perf_counter()
        examples.nearest(one, 5)
        took_ms.append(1e3 * (time.perf_counter() - started))
    print(
        f"{len(examples.answers)} examples of {width} numbers: {np.median(took_ms):.2f} ms, {min(took_ms):.2f} at best"
    )
    assert min(took_ms) <= 2


@pytest.mark.parametrize(
    ("shape", "aspect", "size"),
    [((28, 28, 1), None, (28, 28)), ((224, 112, 3), None, (24, 48)), ((224, 224, 3), 1.5, (48, 32))],
    ids=["small and grey", "large and in colour", "of a wide photo"],
)
def test_a_thumbnail_is_small(shape: tuple[int, int, int], aspect: float | None, size: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(thumbnail(np.full(shape, 99, np.uint8), aspect)))
    assert (picture.format, picture.size) == ("WEBP", size)
