"""`Table` ──▶ `Dataset`: its images, decoded as the service will decode them, labels and columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.input_spec import Fit, InputSpec
from training.data.dataset import Dataset
from training.data.file_reading import Found, counted, read_all
from training.data.folder import MIN_IMAGES_PER_CLASS
from training.data.images import Encoded, Images, Indices, read_image, select
from training.data.picture import Picture, notes_of, read_picture
from training.exceptions import DataError
from training.instances.instance_photos import Photos
from training.notation.label_notes import class_notes
from training.tables.table import Table

_SHOWN = 5


def load(table: Table, *, name: str, image_size: int = 64, mirror: bool = False, fit: Fit = "stretch") -> Dataset:
    """Decodes the images of a table, to train a network on them.

    Images that cannot be decoded are skipped and listed, with their rows.

    Raises:
        DataError: classes with fewer than 2 readable images (named), or only one class; or rows with several images.
    """
    if table.counts is not None:
        raise DataError("rows name several images each, on which no network can be fitted; use `training table`")
    spec = InputSpec(height=image_size, width=image_size, channels=3, decoder="fraction", fit=fit)

    found = read_all(table.images, lambda path: read_picture(path, spec, keep=True))
    pixels = [picture.pixels for picture in found.values if picture.pixels is not None]
    images = np.stack(pixels) if pixels else np.empty((0, 1, 1, 3), np.uint8)
    aspects = {picture.key: picture.aspect for picture in found.values}
    return replace(dataset_of(table, found, images, spec, name=name, mirror=mirror), aspects=aspects)


def stream(table: Table, *, name: str, spec: InputSpec, known: Container[bytes] = ()) -> Dataset:
    """The same for any input; images are decoded once to check them, and again whenever they are needed.

    Args:
        table: what was read.
        name: the bundle's.
        spec: the input.
        known: keys of images that were decoded before and are not decoded again.

    Raises:
        DataError: as `load`.
    """
    found = read_all(table.images, lambda path: read_picture(path, spec, known=known))
    paths = [picture.path for picture in found.values]
    images = Encoded(lambda position: read_image(paths[position]).data, np.arange(len(paths)), spec)
    return dataset_of(table, found, images, spec, name=name)


def dataset_of(
    table: Table, found: Found[Picture], images: Images, spec: InputSpec, *, name: str, mirror: bool = False
) -> Dataset:
    """A data set of the rows whose images can be read; of several images, those that can.

    Args:
        table: what was read.
        found: its files that can be read.
        images: of these files.
        spec: how they were decoded.
        name: the bundle's.
        mirror: whether a mirrored image is as likely as the image itself.

    Raises:
        DataError: as `load`.
    """
    rows, first, counts = np.unique(table.rows_of(found.positions), return_index=True, return_counts=True)
    labels, classes = _labels([table.labels[row] for row in rows.tolist()])
    parts = {part: np.flatnonzero(np.isin(rows, members)) for part, members in (table.parts or {}).items()}
    keys = tuple(picture.key for picture in found.values)
    return Dataset(
        name=name,
        images=images if table.counts is None else select(images, first),
        labels=labels,
        classes=classes,
        input=spec,
        mirror=mirror,
        official_test=parts.get("test"),
        official_validation=parts["validation"] if len(parts.get("validation", ())) else None,
        columns=table.columns,
        rows=[table.rows[row] for row in rows.tolist()] if table.columns else (),
        keys=tuple(keys[position] for position in first.tolist()),
        skipped=(*table.skipped, *found.skipped),
        not_used=not_used(table, found),
        notes=(*table.how, *notes_of(found.values), *on_photos(table, found)),
        described=table.described,
        files=tuple(table.names[found.positions[position]] for position in first.tolist()) if table.names else (),
        groups=None if table.groups is None else _groups([table.groups[row] for row in rows.tolist()]),
        photos=None if table.counts is None else Photos(images, keys, counts),
    )


def on_photos(table: Table, found: Found[Picture]) -> Iterator[str]:
    """Sentences on rows of several photos, and on photos that are left out; none if each row is one image."""
    if table.counts is None or not found.positions:
        return
    _, counts = np.unique(table.rows_of(found.positions), return_counts=True)
    yield f"{len(counts):,} rows with {counts.sum():,} photos, up to {counts.max():,} in a row: each row is one thing"
    if lost := len(table.images) - int(counts.sum()):
        rest = len(table.counts) - len(counts)
        without = f"; rows that have no other and are left out, too: {rest:,}" if rest else ""
        yield f"{lost:,} photos cannot be read and are left out{without}"


def not_used(table: Table, found: Found[Picture]) -> dict[str, int]:
    """How many rows are left out for each reason."""
    without_label = {"no label": len(table.skipped)} if table.skipped else {}
    return {**without_label, **counted(found.not_used)}


def _groups(given: Sequence[str | None]) -> Indices:
    """A number for each group, int64 `[N]`; a row without a group is its own."""
    names = [f"row {row}" if name is None else f"group {name}" for row, name in enumerate(given)]
    _, groups = np.unique(names, return_inverse=True)
    return groups.astype(np.int64)


def _labels(given: Sequence[str | float]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Class positions int64 `[N]` and the classes, or numbers float64 `[N]` and no classes."""
    if len(given) < MIN_IMAGES_PER_CLASS * 2:
        raise DataError(f"{len(given)} readable images are too few; at least {MIN_IMAGES_PER_CLASS * 2} are needed")
    if isinstance(given[0], float):
        return np.array(given, np.float64), ()
    counts = Counter(str(label) for label in given)
    if len(counts) < 2:
        raise DataError(f"the labels are all {given[0]!r}; at least 2 classes are needed")
    if few := [f"{label!r}" for label, count in sorted(counts.items()) if count < MIN_IMAGES_PER_CLASS]:
        more = f" and {len(few) - _SHOWN:,} others" if len(few) > _SHOWN else ""
        raise DataError(
            f"labels of fewer than {MIN_IMAGES_PER_CLASS} readable images: {', '.join(few[:_SHOWN])}{more}; add "
            "rows or leave them out, or say --task regression if the labels are numbers"
            + "".join(f". {note}" for note in class_notes(tuple(counts)))
        )
    classes = tuple(sorted(counts))
    position = {label: index for index, label in enumerate(classes)}
    return np.array([position[str(label)] for label in given], np.int64), classes
