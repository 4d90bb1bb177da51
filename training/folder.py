"""`DIR/<class>/*.{jpg,png,webp}` ──▶ `Dataset`: anyone's images, decoded as the service will decode them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from models.imaging.decode import decode
from models.imaging.types import Pixels
from models.manifest import InputSpec
from training.dataset import Dataset
from training.errors import DataError
from training.images import Encoded, Images, aspect, key_of
from training.reading import printable, read_all

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MIN_IMAGES_PER_CLASS = 2

T = TypeVar("T")


def load(folder: Path, *, name: str, image_size: int = 64, mirror: bool = False) -> Dataset:
    """Reads a folder of one sub-folder a class; files that cannot be decoded are skipped and listed.

    Hidden sub-folders, whose names begin with a dot, are no classes. Grey images (every pixel of every image) give
    a one-channel data set, all others three channels.

    Raises:
        DataError: no classes, only one, or classes with fewer than 2 readable images (named); a class name that is
            not UTF-8.
    """
    spec = InputSpec(height=image_size, width=image_size, channels=3, decoder="fraction")

    aspects: dict[bytes, float] = {}

    def look(path: Path) -> tuple[Pixels, bytes]:
        data = path.read_bytes()
        pixels, key = decode(data, spec), key_of(data)
        aspects[key] = aspect(data)
        return pixels, key

    listing = _read(folder, look)
    images = np.stack([pixels for pixels, _ in listing.found])
    if (images == images[..., :1]).all():
        images, spec = images[..., :1], spec.model_copy(update={"channels": 1})
    return replace(_dataset(name, images, spec, listing, mirror=mirror), aspects=aspects)


def stream(folder: Path, *, name: str, spec: InputSpec) -> Dataset:
    """The same for any input, with images that are decoded whenever they are asked for, and now to see if they can be.

    Raises:
        DataError: as `load`.
    """

    def look(path: Path) -> tuple[Path, bytes]:
        data = path.read_bytes()
        decode(data, spec)
        return path, key_of(data)

    listing = _read(folder, look)
    images = Encoded(lambda position: listing.found[position][0].read_bytes(), np.arange(len(listing.found)), spec)
    return _dataset(name, images, spec, listing)


@dataclass(frozen=True)
class _Listing(Generic[T]):
    """What was found of each readable file, its class and name, and why the others are left out."""

    classes: list[str]
    found: list[T]
    labels: list[int]
    names: tuple[str, ...]
    skipped: tuple[str, ...]


def _read(folder: Path, look: Callable[[Path], T]) -> _Listing[T]:
    """Looks at each file of each class, in order."""
    classes = _classes(folder)
    files = [(path, label) for label, class_ in enumerate(classes) for path in _images(folder / class_)]
    found = read_all([path for path, _ in files], look)
    labels = [files[position][1] for position in found.positions]
    _check_counts(folder, classes, Counter(labels), len(found.skipped))
    names = tuple(printable(files[position][0].relative_to(folder)) for position in found.positions)
    return _Listing(classes, found.values, labels, names, found.skipped)


def _dataset(
    name: str, images: Images, spec: InputSpec, listing: _Listing[tuple[Any, bytes]], *, mirror: bool = False
) -> Dataset:
    return Dataset(
        name=name,
        images=images,
        labels=np.array(listing.labels, dtype=np.int64),
        classes=tuple(listing.classes),
        input=spec,
        mirror=mirror,
        keys=tuple(key for _, key in listing.found),
        skipped=listing.skipped,
        files=listing.names,
    )


def _classes(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a directory; name one that holds a sub-folder of images for each class")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    for name in classes:
        if printable(name) != name:
            raise DataError(f"the name of the folder {printable(name)!r} in {folder} is not UTF-8; rename it")
    return classes


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


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
