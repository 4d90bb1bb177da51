"""`Dataset` ──▶ `Prepared`: copies found and tied together, and the images split, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from training.clean.copies.duplicates import Copies
from training.clean.copies.kept_images import kept_copies
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.seen_images import find_seen
from training.data.split import FEWEST_GROUPS, Split, split, tie
from training.exceptions import DataError


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready for a training.

    Attributes:
        dataset: N images, in groups in which copies of an image are together.
        parts: how they are split.
        copies: what was found of them.
        seen: which images are those that the network of a bundle was fitted on, or copies or of a group of them, `[N]`.
        unfitted: positions of images that judge, and are not fitted on, as they were dropped for being doubtful.
    """

    dataset: Dataset
    parts: Split
    copies: Copies
    seen: NDArray[np.bool_]
    unfitted: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def checked(self) -> Prepared:
        """The same, if it can be learnt and tested.

        Raises:
            DataError: there are no test images; each has a copy among the others; a class has no other images.
        """
        dataset, parts = self.dataset, self.parts
        if not len(parts.test):
            raise DataError(_untestable(self))
        if len(parts.copied) == len(parts.test):
            raise DataError(
                f"all {len(parts.test)} test images have a copy, or an image of their group, among the others, so "
                "there is nothing to test on; give other test images, or more groups"
            )
        known = set(dataset.labels[parts.known].tolist())
        if unknown := [name for position, name in enumerate(dataset.classes) if position not in known]:
            raise DataError(
                f"all images of {unknown[0]!r} are test images, so there is none to learn it from; "
                "move some of them to the training images, or leave the class out"
            )
        return self


def _untestable(prepared: Prepared) -> str:
    """Why no image is left for the test."""
    if prepared.seen.all():
        return "the bundle's network was fitted on all of these images, so none can test it; add others"
    groups = len(np.unique(prepared.dataset.unit))
    if groups < FEWEST_GROUPS:
        are = "all images are of one group" if groups == 1 else f"the images are of {groups} groups"
        return f"{are}, and {FEWEST_GROUPS} are needed: one for the test, and two that judge each other; add others"
    known = " or is known to the network" if prepared.seen.any() else ""
    return (
        f"each of the {groups} groups of images has a class that no other group has{known}, so none can be the test; "
        "add images of other groups"
    )


def prepare(dataset: Dataset, seed: int, cache: Path, bundle: Bundle | None = None) -> Prepared:
    """Finds copies and splits; every command splits a data set alike with the same seed.

    Args:
        dataset: images, labels and groups.
        seed: of the split.
        cache: where what was found of the images is kept.
        bundle: whose network may have been fitted on some of the images; these, their copies and their groups are then
            no test images, and judge nothing.

    Raises:
        DataError: the bundle does not say which images its network was fitted on.
        ClientError, OSError: an image changed since it was first read.
    """
    copies = kept_copies(dataset, cache)
    tied = tie(dataset, [group.positions for group in copies.groups])
    seen = np.zeros(len(dataset.labels), bool)
    if bundle is not None:
        seen = np.isin(tied.unit, tied.unit[find_seen(bundle, copies.hashes)])
    return Prepared(tied, split(tied, seed, seen), copies, seen)
