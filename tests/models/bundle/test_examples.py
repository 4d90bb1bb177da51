"""`models.bundle.examples`: the training examples nearest to an embedding, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from models.bundle.examples import Examples
from models.errors import BundleError

EMBEDDING = np.array([[0, 0], [3, 4], [6, 8], [30, 40]], np.float32)
EXAMPLES = Examples(
    codes=np.array([[0, 0], [3, 2], [6, 4], [30, 20]], np.uint8),
    lows=np.array([-10, -10], np.float32),
    steps=np.array([1, 2], np.float32),
    answers=np.arange(4, dtype=np.int32),
    baseline=np.array([10, 10], np.float32),
    thumbnails=[b"a", b"bc", b"", b"def"],
)
"""Of these embeddings."""
PROJECTED = replace(
    EXAMPLES,
    codes=np.array([[0], [5], [10], [50]], np.uint8),
    lows=np.zeros(1, np.float32),
    steps=np.ones(1, np.float32),
    axes=np.array([[0.6, 0.8]], np.float16),
    rest=np.array([0, 0, 9, 0], np.float32),
    baseline=np.zeros(2, np.float32),
)
"""On the line that most of them lie on."""
FILES = PROJECTED.to_files("examples-x")


def read(files: dict[str, bytes]) -> Examples:
    return Examples.from_files("examples-x", files, lambda name: np.load(io.BytesIO(files[name])), 2)


def npy(array: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.save(body, array)
    return body.getvalue()


def test_the_nearest_come_first_with_their_distances() -> None:
    positions, distances = EXAMPLES.nearest(np.array([3, 4], np.float32), 3)
    assert positions.tolist()[0] == 1
    assert set(positions.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(distances, [0, 5, 5], atol=1e-5)


def test_what_a_projection_misses_counts() -> None:
    beside_the_line = np.array([6 - 3.2, 8 + 2.4], np.float32)  # 4 away from [6, 8], at right angles
    positions, distances = PROJECTED.nearest(beside_the_line, 3)
    assert positions.tolist()[0] == 2
    np.testing.assert_allclose(distances, [5, 41**0.5, 116**0.5], rtol=2e-3)  # axes are half precision


def test_fewer_examples_than_asked_for_are_all_given() -> None:
    positions, _ = EXAMPLES.nearest(np.array([30, 40], np.float32), 9)
    assert positions.tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("examples", [EXAMPLES, PROJECTED], ids=["whole", "projected"])
def test_what_was_written_is_read_back(examples: Examples) -> None:
    found = read(examples.to_files("examples-x"))
    for name in ("codes", "lows", "steps", "answers", "baseline", "axes", "rest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(examples, name))
    assert found.thumbnails == examples.thumbnails


def test_without_thumbnails_there_are_none() -> None:
    values = np.arange(4, dtype=np.float32)
    assert read(replace(EXAMPLES, answers=values, thumbnails=()).to_files("examples-x")).thumbnails == ()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("codes", np.zeros((4, 1), np.int8)),
        ("codes", np.zeros((3, 1), np.uint8)),
        ("codes", np.uint8(0)),
        ("lows", np.zeros(2, np.float32)),
        ("steps", np.zeros((1, 1), np.float32)),
        ("axes", np.zeros((2, 2), np.float16)),
        ("rest", np.zeros(3, np.float32)),
        ("baseline", np.zeros(3, np.float32)),
        ("answers", np.zeros((4, 1), np.int32)),
        ("answers", np.zeros(4)),
        ("answers", np.zeros(0, np.int32)),
        ("ends", np.array([1, 3, 3], np.int32)),
        ("ends", np.array([1, 3, 2, 6], np.int32)),
        ("ends", np.array([1, 3, 3, 7], np.int32)),
        ("thumbnails", np.zeros(6, np.int32)),
    ],
    ids=[
        "type",
        "rows",
        "a number",
        "lows",
        "steps",
        "axes",
        "rest",
        "width",
        "shape",
        "float64",
        "none",
        "an end less",
        "ends that fall",
        "an end behind the end",
        "no bytes",
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(name: str, array: np.ndarray) -> None:
    with pytest.raises(BundleError, match="examples-x/"):
        read({**FILES, f"examples-x/{name}.npy": npy(array)})


def test_whole_codes_are_as_wide_as_the_embedding() -> None:
    files = {**EXAMPLES.to_files("examples-x"), "examples-x/codes.npy": npy(np.zeros((4, 1), np.uint8))}
    with pytest.raises(BundleError, match=r"codes\.npy: holds uint8 of shape \(4, 1\)"):
        read(files)
