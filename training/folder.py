"""`DIR/<class>/*.{jpg,png,webp}` ──▶ `Dataset`: anyone's images, decoded as the service will decode them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from models.errors import ClientError
from models.manifest import InputSpec
from models.pixels import Pixels, decode
from training.dataset import Dataset
from training.errors import DataError
from training.progress import progress

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MIN_IMAGES_PER_CLASS = 2


def load(folder: Path, *, name: str, image_size: int = 64, mirror: bool = False) -> Dataset:
    """Reads a folder of one sub-folder a class; files that cannot be decoded are skipped and listed.

    Hidden sub-folders, whose names begin with a dot, are no classes. Grey images (every pixel of every image) give
    a one-channel data set, all others three channels.

    Raises:
        DataError: no classes, only one, or classes with fewer than 2 readable images (named); a class name that is
            not UTF-8.
    """
    classes = _classes(folder)
    files = [(path, label) for label, class_ in enumerate(classes) for path in _images(folder / class_)]
    spec = InputSpec(height=image_size, width=image_size, channels=3)
    with ThreadPoolExecutor() as threads:
        results = threads.map(lambda file: _decode(file[0], spec), files)
        decoded = list(progress(results, "reading", "image", total=len(files)))
    kept = [(pixels, label) for pixels, (_, label) in zip(decoded, files, strict=True) if not isinstance(pixels, str)]
    skipped = tuple(reason for reason in decoded if isinstance(reason, str))
    _check_counts(folder, classes, Counter(label for _, label in kept), len(skipped))
    images = np.stack([pixels for pixels, _ in kept])
    if (images == images[..., :1]).all():
        images, spec = images[..., :1], spec.model_copy(update={"channels": 1})
    return Dataset(
        name=name,
        images=images,
        labels=np.array([label for _, label in kept], dtype=np.int64),
        classes=tuple(classes),
        input=spec,
        mirror=mirror,
        skipped=skipped,
    )


def _classes(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a directory; name one that holds a sub-folder of images for each class")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for name in classes:
        if _printable(name) != name:
            raise DataError(f"the name of the folder {_printable(name)!r} in {folder} is not UTF-8; rename it")
    return classes


def _printable(text: object) -> str:
    """Bytes of file names that are not UTF-8 come as lone surrogates, which no report can hold."""
    return str(text).encode(errors="backslashreplace").decode()


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _decode(path: Path, spec: InputSpec) -> Pixels | str:
    """The pixels, or why there are none."""
    try:
        return decode(path.read_bytes(), spec)
    except (ClientError, OSError) as error:
        return _printable(f"{path}: {error}")


def _check_counts(folder: Path, classes: list[str], counts: Counter[int], skipped: int) -> None:
    if len(classes) < 2:
        raise DataError(f"{folder} has {len(classes)} class folders; at least 2 are needed to tell classes apart")
    few = {class_: counts[label] for label, class_ in enumerate(classes) if counts[label] < MIN_IMAGES_PER_CLASS}
    if few:
        listed = ", ".join(f"{class_} ({count})" for class_, count in few.items())
        raise DataError(
            f"classes with fewer than {MIN_IMAGES_PER_CLASS} readable images in {folder}: {listed}; "
            f"add images or remove the folders ({skipped} files could not be read)"
        )
