"""`Dataset` ──▶ `Prepared`: copies found and tied together, and the images split, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from training.clean.duplicates import Copies
from training.clean.kept import kept_copies
from training.dataset import Dataset
from training.errors import DataError
from training.seen import find_seen
from training.split import Split, split, tie


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready for a training.

    Attributes:
        dataset: N images, in groups in which copies of an image are together.
        parts: how they are split.
        copies: what was found of them.
        seen: which images the network of a bundle was fitted on, `[N]`.
    """

    dataset: Dataset
    parts: Split
    copies: Copies
    seen: NDArray[np.bool_]


def prepare(dataset: Dataset, seed: int, cache: Path, bundle: Bundle | None = None) -> Prepared:
    """Finds copies and splits; every command splits a data set alike with the same seed.

    Args:
        dataset: images, labels and groups.
        seed: of the split.
        cache: where what was found of the images is kept.
        bundle: whose network may have been fitted on some of the images, which then are no test images.

    Raises:
        DataError: a class has no image but test images; every test image has a copy among the others.
        ClientError, OSError: an image changed since it was first read.
    """
    copies = kept_copies(dataset, cache)
    tied = tie(dataset, [group.positions for group in copies.groups])
    seen = find_seen(bundle, copies.looks) if bundle else np.zeros(len(dataset.labels), bool)
    parts = split(tied, seed, seen)
    _check(tied, parts)
    return Prepared(tied, parts, copies, seen)


def _check(dataset: Dataset, parts: Split) -> None:
    if len(parts.copied) == len(parts.test):
        raise DataError(
            f"all {len(parts.test)} test images have a copy, or an image of their group, among the training images, so "
            "there is nothing to test on; give other test images, or more groups"
        )
    known = set(dataset.labels[parts.known].tolist())
    if unknown := [name for position, name in enumerate(dataset.classes) if position not in known]:
        raise DataError(
            f"all images of {unknown[0]!r} are test images, so there is none to learn it from; "
            "move some of them to the training images, or leave the class out"
        )
