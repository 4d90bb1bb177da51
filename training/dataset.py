"""images on disk ──▶ `Dataset`: images with their labels, and how they are split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.manifest import InputSpec
from training.errors import DataError
from training.images import Images, Indices, select

Labels = NDArray[np.int64]

TEST_FRACTION = 0.2
VALIDATION_FRACTION = 0.1
_CHUNK = 500


@dataclass(frozen=True)
class Dataset:
    """Images with their labels.

    Attributes:
        name: the bundle's name.
        images: uint8 `[N, H, W, C]`, as `models.pixels.decode` gives them; the network's training needs an array.
        labels: int64 `[N]`, positions in `classes`.
        classes: class names.
        input: the rule by which the images were decoded.
        mirror: whether a mirrored image is as likely as the image itself (clothes yes, digits no).
        official_test: positions of a published test set, where there is one.
        skipped: files left out, each with the reason.
    """

    name: str
    images: Images
    labels: Labels
    classes: tuple[str, ...]
    input: InputSpec
    mirror: bool = False
    official_test: Indices | None = None
    skipped: tuple[str, ...] = field(default=())

    def fingerprint(self) -> str:
        """SHA-256 over pixels, labels and class names."""
        digest = hashlib.sha256(repr((self.images.shape, self.classes)).encode())
        for start in range(0, len(self.images), _CHUNK):
            chunk = np.arange(start, min(start + _CHUNK, len(self.images)))
            digest.update(np.ascontiguousarray(self.images[chunk]).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """Positions of the training, validation and test images; disjoint, together all of them."""

    train: Indices
    validation: Indices
    test: Indices


def split(dataset: Dataset, seed: int) -> Split:
    """Splits class by class; a published test set is kept as it is.

    Every class gives at least one image to the test set and keeps at least one for training; a class of
    only two images gives none to the validation set.
    """
    generator = np.random.default_rng(seed)
    official = dataset.official_test
    test: list[Indices] = [] if official is None else [official]
    rest = np.setdiff1d(np.arange(len(dataset.labels)), official if official is not None else [])
    train, validation = [], []
    for label in range(len(dataset.classes)):
        members = generator.permutation(rest[dataset.labels[rest] == label])
        if official is None:
            count = max(1, round(TEST_FRACTION * len(members)))
            test.append(members[:count])
            members = members[count:]
        count = min(max(1, round(VALIDATION_FRACTION * len(members))), len(members) - 1)
        validation.append(members[:count])
        train.append(members[count:])
    return Split(*(np.sort(np.concatenate(part)) for part in (train, validation, test)))


def subset(dataset: Dataset, limit: int, seed: int) -> Dataset:
    """About `limit` images outside a published test set, and as large a share of it, class by class.

    Raises:
        DataError: fewer than the 2 images that each class needs.
    """
    if limit < 2 * len(dataset.classes):
        raise DataError(
            f"{limit} images are too few for {len(dataset.classes)} classes; take at least {2 * len(dataset.classes)}"
        )
    if limit >= len(dataset.labels):
        return dataset
    generator = np.random.default_rng(seed)
    official = dataset.official_test if dataset.official_test is not None else np.empty(0, np.int64)
    rest = np.setdiff1d(np.arange(len(dataset.labels)), official)
    share = min(1.0, limit / len(rest))
    kept_rest = _stratified(dataset.labels, rest, share, generator)
    kept_test = _stratified(dataset.labels, official, share, generator)
    kept = np.concatenate([kept_rest, kept_test])
    return Dataset(
        name=dataset.name,
        images=select(dataset.images, kept),
        labels=dataset.labels[kept],
        classes=dataset.classes,
        input=dataset.input,
        mirror=dataset.mirror,
        official_test=np.arange(len(kept_rest), len(kept)) if len(official) else None,
        skipped=dataset.skipped,
    )


def _stratified(labels: Labels, positions: Indices, share: float, generator: np.random.Generator) -> Indices:
    kept = [np.empty(0, np.int64)]
    for label in np.unique(labels[positions]):
        members = generator.permutation(positions[labels[positions] == label])
        kept.append(members[: max(2, round(share * len(members)))])
    return np.sort(np.concatenate(kept))
