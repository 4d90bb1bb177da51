"""`training.data.fashion_mnist`: where the data set is looked for, and what is said when it is not there."""

from __future__ import annotations

import gzip
import struct
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data import fashion_mnist
from training.exceptions import DataError

TRAIN, TEST = 30, 20
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def images(count: int, side: int = 28) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)


def labels(count: int) -> NDArray[np.uint8]:
    return (np.arange(count) % 10).astype(np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, array in zip(FILES, (images(TRAIN), labels(TRAIN), images(TEST), labels(TEST)), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the data set."""
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "not-installed")


def test_plain_idx_files_are_read(folder: Path) -> None:
    dataset = fashion_mnist.load(folder)
    assert dataset.images.shape == (TRAIN + TEST, 28, 28, 1)
    np.testing.assert_array_equal(dataset.images[TRAIN:, :, :, 0], images(TEST))
    np.testing.assert_array_equal(dataset.labels[:TRAIN], labels(TRAIN))
    assert dataset.official_test is not None
    assert dataset.official_test.tolist() == list(range(TRAIN, TRAIN + TEST))
    assert (len(dataset.classes), dataset.mirror, dataset.input.channels) == (10, True, 1)


def test_packed_idx_files_are_read(folder: Path) -> None:
    plain = fashion_mnist.load(folder)
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    assert fashion_mnist.load(folder).fingerprint() == plain.fingerprint()


def test_the_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    assert len(fashion_mnist.load().labels) == TRAIN + TEST


def test_debian_s_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", folder)
    assert len(fashion_mnist.load().labels) == TRAIN + TEST


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_is_named_with_the_way_out(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(DataError, match=rf"neither {missing}\.gz nor {missing}; install .*dataset-fashion-mnist"):
        fashion_mnist.load(folder)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0", id="a header cut short"),
        pytest.param(idx(images(TRAIN))[:9], id="sizes cut short"),
        pytest.param(idx(images(TRAIN))[:-1], id="pixels cut short"),
        pytest.param(idx(images(TRAIN)) + b"\0", id="a byte too many"),
        pytest.param(b"\0\0\x0d" + idx(images(TRAIN))[3:], id="floats"),
        pytest.param(b"<html>not found</html>", id="a web page"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(folder: Path, content: bytes) -> None:
    (folder / FILES[0]).write_bytes(content)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is not a complete IDX file .*; fetch it again"):
        fashion_mnist.load(folder)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(idx(labels(TEST)))[:-9], id="cut short"),
        pytest.param(idx(labels(TEST)), id="not packed"),
        pytest.param(gzip.compress(idx(labels(TEST)))[:12] + b"\xff" * 20, id="damaged inside"),
    ],
)
def test_a_damaged_packed_file_is_named_with_the_way_out(folder: Path, content: bytes) -> None:
    (folder / f"{FILES[3]}.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is not a complete IDX file .*; fetch it again"):
        fashion_mnist.load(folder)


@pytest.mark.parametrize(
    ("file", "array", "reason"),
    [
        pytest.param(FILES[0], images(TRAIN, 32), "not Fashion-MNIST", id="images of another size"),
        pytest.param(FILES[1], labels(TRAIN - 1), "not Fashion-MNIST", id="a label too few"),
        pytest.param(FILES[3], labels(TEST) + np.uint8(1), "not all of 0 to 9", id="a label of 10"),
    ],
)
def test_files_of_another_data_set_are_refused(folder: Path, file: str, array: NDArray[np.uint8], reason: str) -> None:
    (folder / file).write_bytes(idx(array))
    with pytest.raises(DataError, match=reason):
        fashion_mnist.load(folder)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "failure", [URLError("no network"), TimeoutError(), IncompleteRead(b""), ValueError("md5 checksum differs")]
)
def test_without_a_network_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("sklearn.datasets.fetch_openml", refuse)
    with pytest.raises(
        DataError, match=r"OpenML does not give it .*dataset-fashion-mnist.*--data or \$FASHION_MNIST_DIR"
    ):
        fashion_mnist.load()


@pytest.mark.usefixtures("nowhere")
def test_openml_s_table_becomes_images(monkeypatch: pytest.MonkeyPatch) -> None:
    table = images(12_000).reshape(-1, 784).astype(np.float64)
    answer = SimpleNamespace(data=table, target=labels(12_000).astype(str).astype(object))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *_, **__: answer)
    dataset = fashion_mnist.load()
    np.testing.assert_array_equal(dataset.images[..., 0], images(12_000))
    np.testing.assert_array_equal(dataset.labels, labels(12_000))
    assert dataset.official_test is not None
    assert dataset.official_test[0] == 2_000
