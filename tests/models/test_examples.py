"""`models.examples`: the training examples nearest to an embedding, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from models.errors import BundleError
from models.examples import Examples

EMBEDDING = np.array([[0, 0], [3, 4], [6, 8], [30, 40]], np.float32)
EXAMPLES = Examples(EMBEDDING, np.arange(4), EMBEDDING.mean(0), [b"a", b"bc", b"", b"def"])
FILES = EXAMPLES.to_files("examples-x")


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


def test_fewer_examples_than_asked_for_are_all_given() -> None:
    positions, _ = EXAMPLES.nearest(np.array([30, 40], np.float32), 9)
    assert positions.tolist() == [3, 2, 1, 0]


def test_what_was_written_is_read_back() -> None:
    found = read(FILES)
    np.testing.assert_array_equal(found.embedding, EMBEDDING)
    np.testing.assert_array_equal(found.answers, np.arange(4))
    assert found.thumbnails == [b"a", b"bc", b"", b"def"]


def test_without_thumbnails_there_are_none() -> None:
    files = Examples(EMBEDDING, np.arange(4) / 2, EMBEDDING[0]).to_files("examples-x")
    with pytest.raises(BundleError, match=r"answers\.npy: holds float64"):  # numbers are float32
        read(files)
    files["examples-x/answers.npy"] = npy(np.arange(4, dtype=np.float32))
    assert read(files).thumbnails == ()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("embedding", EMBEDDING),
        ("embedding", EMBEDDING[:3].astype(np.float16)),
        ("baseline", np.zeros(3, np.float32)),
        ("answers", np.zeros((4, 1), np.int64)),
        ("ends", np.array([1, 3, 3], np.int64)),
        ("ends", np.array([1, 3, 2, 6], np.int64)),
        ("ends", np.array([1, 3, 3, 7], np.int64)),
        ("thumbnails", np.zeros(6, np.int32)),
    ],
    ids=["type", "rows", "width", "shape", "an end less", "ends that fall", "an end behind the end", "no bytes"],
)
def test_arrays_that_do_not_belong_together_are_refused(name: str, array: np.ndarray) -> None:
    with pytest.raises(BundleError, match="examples-x/"):
        read({**FILES, f"examples-x/{name}.npy": npy(array)})
