"""images on disk ──▶ `Dataset`: images with their labels, columns and groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import Task
from models.bundle.input_spec import InputSpec
from models.columns import Column
from training.data.images import Encoded, Images, Indices, aspects, select, unpadded
from training.exceptions import DataError
from training.heads.features.encoding import Rows
from training.instances.instance_photos import Photos
from training.progress import progress

Labels = NDArray[np.int64]

_CHUNK = 500
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Dataset:
    """Images with their labels.

    Attributes:
        name: the bundle's name.
        images: uint8 `[N, H, W, C]`, as `models.imaging.decode` gives them; the network's training needs an array.
        labels: int64 `[N]`, positions in `classes`; or numbers to predict, float64 `[N]`.
        classes: class names; empty if labels are numbers.
        input: the rule that the images were decoded by.
        mirror: whether a mirrored image is as likely as the image itself (clothes yes, digits no).
        official_test: positions of a given test set; None if there is none.
        official_validation: positions of a given validation set; None if there is none.
        columns: the columns beside the image.
        rows: their values, one mapping for each image; empty if there are no columns.
        keys: SHA-256 of the encoded images, if they are files.
        skipped: files left out, each with the reason.
        not_used: how many files are left out for each reason, including those that are not listed one by one.
        notes: sentences on how files and names were read.
        described: type and contents of each column of a table, as people read them.
        files: relative, printable names of the images' files; empty if they have none.
        aspects: width over height by `keys`, for images in memory that were stretched to the input; otherwise empty.
        groups: int64 `[N]`: images of one group (one product, patient or recording), or copies of each other, are on
            one side of every split; None if each image is its own group.
        weights: of the images when heads are fitted, float64 `[N]`; None if all have the same.
        photos: of N instances, of which `images`, `keys` and `files` have the first photo each; None if each is one
            image.
    """

    name: str
    images: Images
    labels: NDArray[Any]
    classes: tuple[str, ...]
    input: InputSpec
    mirror: bool = False
    official_test: Indices | None = None
    official_validation: Indices | None = None
    columns: tuple[Column, ...] = ()
    rows: Rows = ()
    keys: tuple[bytes, ...] = ()
    skipped: tuple[str, ...] = field(default=())
    not_used: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    described: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    aspects: Mapping[bytes, float] = field(default_factory=dict)
    groups: Indices | None = None
    weights: NDArray[np.float64] | None = None
    photos: Photos | None = None

    @property
    def task(self) -> Task:
        """Classification if there are classes, else regression."""
        return "classification" if self.classes else "regression"

    @property
    def strata(self) -> Labels:
        """The stratum of each image, int64 `[N]`: its class; numbers are one stratum."""
        strata: Labels = self.labels if self.classes else np.zeros(len(self.labels), np.int64)
        return strata

    @property
    def unit(self) -> Indices:
        """The group of each image, int64 `[N]`; without groups each image is its own."""
        return np.arange(len(self.labels)) if self.groups is None else self.groups

    def of_photos(self) -> Dataset:
        """The photos as images of their own, those of one instance in one group; the data set itself if it has none."""
        if self.photos is None:
            return self
        instance = self.photos.instance
        return replace(
            self,
            images=self.photos.images,
            labels=self.labels[instance],
            keys=self.photos.keys,
            official_test=None,
            official_validation=None,
            columns=(),
            rows=(),
            files=(),
            groups=self.unit[instance],
            weights=None,
            photos=None,
        )

    def in_order_of(self, classes: tuple[str, ...]) -> Dataset:
        """The data set with its classes in the given order; unchanged if they are not the same classes."""
        if classes == self.classes or set(classes) != set(self.classes):
            return self
        positions = np.array([classes.index(name) for name in self.classes], np.int64)
        return replace(self, labels=positions[self.labels], classes=classes)

    def named(self, label: float) -> str:
        """A label as people read it: the name of the class, or the number."""
        return self.classes[int(label)] if self.classes else f"{label:g}"

    def beside(self, positions: Indices) -> Rows:
        """The columns' values beside the images at some positions."""
        return [self.rows[int(position)] for position in positions] if self.columns else ()

    def as_compared(self) -> Images:
        """The images as they are compared to find copies: without padding, which all images of one shape share."""
        if self.input.fit != "pad" or not (self.aspects or isinstance(self.images, Encoded)):
            return self.images
        return unpadded(self.images, [self.aspects[key] for key in self.keys] if self.aspects else (), self.input)

    def aspects_at(self, positions: Indices) -> list[float]:
        """Width over height to show images with: the original one if they were stretched."""
        if self.input.fit != "stretch":
            return [self.input.width / self.input.height] * len(positions)
        if self.aspects:
            return [self.aspects[self.keys[position]] for position in positions.tolist()]
        return aspects(self.images, positions)

    def fingerprint(self) -> str:
        """SHA-256 over pixels, labels, class names and columns."""
        images = self.images if self.photos is None else self.photos.images
        digest = hashlib.sha256(repr((images.shape, self.classes)).encode())
        starts = range(0, len(images), _CHUNK)
        for start in progress(starts, "fingerprint of all images", "chunk", part=True):
            chunk = np.arange(start, min(start + _CHUNK, len(images)))
            digest.update(np.ascontiguousarray(images[chunk]).data)
        if self.photos is not None:
            digest.update(np.ascontiguousarray(self.photos.counts).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        if self.columns:
            digest.update(json.dumps([dict(row) for row in self.rows], sort_keys=True).encode())
        return digest.hexdigest()


def subset(dataset: Dataset, limit: int, seed: int) -> Dataset:
    """A stratified sample: about `limit` images outside given parts, and the same share of each given part.

    Raises:
        DataError: the limit is below 2 images for each class.
    """
    if limit < 2 * max(1, len(dataset.classes)):
        raise DataError(
            f"{limit} images are too few for {len(dataset.classes)} classes; take at least {2 * len(dataset.classes)}"
        )
    if limit >= len(dataset.labels):
        return dataset
    generator = np.random.default_rng(seed)
    given = [_NONE if part is None else part for part in (dataset.official_validation, dataset.official_test)]
    rest = np.setdiff1d(np.arange(len(dataset.labels)), np.concatenate(given))
    share = min(1.0, limit / len(rest))
    parts = [_stratified(dataset.strata, part, share, generator) for part in (rest, *given)]
    kept, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
    return replace(
        dataset,
        images=select(dataset.images, kept),
        labels=dataset.labels[kept],
        official_validation=np.arange(ends[0], ends[1]) if len(given[0]) else None,
        official_test=np.arange(ends[1], ends[2]) if len(given[1]) else None,
        rows=dataset.beside(kept),
        keys=tuple(dataset.keys[position] for position in kept) if dataset.keys else (),
        files=tuple(dataset.files[position] for position in kept.tolist()) if dataset.files else (),
        groups=None if dataset.groups is None else dataset.groups[kept],
        weights=None if dataset.weights is None else dataset.weights[kept],
        photos=None if dataset.photos is None else dataset.photos.of(kept),
    )


def _stratified(labels: Labels, positions: Indices, share: float, generator: np.random.Generator) -> Indices:
    kept = [np.empty(0, np.int64)]
    for label in np.unique(labels[positions]):
        members = generator.permutation(positions[labels[positions] == label])
        kept.append(members[: max(2, round(share * len(members)))])
    return np.sort(np.concatenate(kept))
