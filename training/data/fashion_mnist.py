"""Fashion-MNIST ──▶ `Dataset`: 60,000 training and 10,000 test images of 28x28 grey pixels, 10 classes.

Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms,
2017, https://github.com/zalandoresearch/fashion-mnist (MIT licence).
"""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle.input_spec import InputSpec
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.exceptions import DataError

NAME = "fashion-mnist"
BACKGROUND = 0  # the pictures are light on black
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FOLDER_VARIABLE = "FASHION_MNIST_DIR"

_IDX_UNSIGNED_BYTE = 0x08
_TEST_COUNT = 10_000  # OpenML has both parts in one table, the test set last


def load(folder: Path | None = None) -> Dataset:
    """Loads the data set from `folder`, else `$FASHION_MNIST_DIR`, else Debian's folder, else OpenML.

    Raises:
        DataError: it is not found anywhere, or a file is damaged.
    """
    folder = folder or _find()
    images, labels, test_count = _from_openml() if folder is None else _from_idx(folder)
    return Dataset(
        name=NAME,
        images=images[..., None],
        labels=labels.astype(np.int64),
        classes=CLASSES,
        input=InputSpec(height=28, width=28, channels=1, background=BACKGROUND),
        mirror=True,
        official_test=np.arange(len(images) - test_count, len(images)),
    )


def stream(*, name: str, spec: InputSpec, folder: Path | None = None) -> Dataset:
    """The data set as a service decodes it for any input if the images are sent as PNG.

    Raises:
        DataError: as `load`.
    """
    dataset = load(folder)
    if spec == dataset.input:
        return replace(dataset, name=name)
    from training.export.bundle_files import encode_png  # noqa: PLC0415 (imports what fits heads, which a dry run does without)

    small = dataset.images
    images = Encoded(lambda position: encode_png(small[np.array([position])][0]), np.arange(len(small)), spec)
    return replace(dataset, name=name, images=images, input=spec)


def _find() -> Path | None:
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    return DEBIAN_FOLDER if DEBIAN_FOLDER.is_dir() else None


def _from_idx(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    parts = [_read_part(folder, part) for part in ("train", "t10k")]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels, len(parts[1][1])


def _read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images `[N, 28, 28]` and labels `[N]` of the training or the test set."""
    images = _read_idx(folder, f"{part}-images-idx3-ubyte")
    labels = _read_idx(folder, f"{part}-labels-idx1-ubyte")
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise DataError(
            f"{folder}: {part} has images of shape {images.shape} and labels of shape {labels.shape}, "
            "not (N, 28, 28) and (N,); this is not Fashion-MNIST"
        )
    if set(labels.tolist()) != set(range(len(CLASSES))):
        raise DataError(f"{folder}: the labels of {part} are not all of 0 to {len(CLASSES) - 1}; fetch them again")
    return images, labels


def _read_idx(folder: Path, stem: str) -> NDArray[np.uint8]:
    """Reads `stem` or `stem`.gz in the IDX format: two zero bytes, type, rank, big-endian sizes, data."""
    packed, plain = folder / f"{stem}.gz", folder / stem
    if not packed.is_file() and not plain.is_file():
        raise DataError(f"{folder} has neither {packed.name} nor {plain.name}; {_HOW_TO_GET}")
    file = packed if packed.is_file() else plain
    try:
        data = gzip.decompress(file.read_bytes()) if file is packed else file.read_bytes()
        rank = data[3]
        sizes = np.frombuffer(data, ">u4", count=rank, offset=4)
        if data[2] != _IDX_UNSIGNED_BYTE:
            raise ValueError(f"its data type is {data[2]:#04x}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(sizes)
    except (EOFError, IndexError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file} is not a complete IDX file of unsigned bytes ({error}); fetch it again, or {_HOW_TO_GET}"
        ) from error


def _from_openml() -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    from sklearn.datasets import fetch_openml  # noqa: PLC0415 (takes a second, and is rarely needed)

    try:
        data = fetch_openml("Fashion-MNIST", version=1, as_frame=False, parser="liac-arff")
    except (OSError, HTTPException, ValueError) as error:  # ValueError: OpenML's own errors, and damaged downloads
        raise DataError(
            f"Fashion-MNIST is not on this machine and OpenML does not give it ({error!r}); {_HOW_TO_GET}"
        ) from error
    return data.data.reshape(-1, 28, 28).astype(np.uint8), data.target.astype(np.uint8), _TEST_COUNT


_HOW_TO_GET = (
    "install Debian's package dataset-fashion-mnist, or put the four files of "
    "github.com/zalandoresearch/fashion-mnist into a folder and name it with --data or "
    f"${FOLDER_VARIABLE}"
)
