"""`Dataset` ──▶ `Prepared`: find copies, split the images, and drop those with findings, before a head is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from models.runtime.sessions import Embedding
from training.clean.copies.duplicates import Copies
from training.clean.copies.kept_images import kept_copies
from training.clean.findings.findings import Findings, drop, inspect
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.seen_images import find_seen
from training.data.split import FEWEST_GROUPS, Split, split, tie
from training.exceptions import DataError
from training.instances.photo_copies import instance_copies


@dataclass(frozen=True)
class Prepared:
    """A split data set.

    Attributes:
        dataset: N images; copies of one image are in one group.
        parts: training, validation and test images.
        copies: the copies that were found.
        seen: bool `[N]`: the network was fitted on the image, on a copy of it, or on an image of its group.
        unfitted: positions of doubtful images: no head is fitted on them, but they still validate heads.
    """

    dataset: Dataset
    parts: Split
    copies: Copies
    seen: NDArray[np.bool_]
    unfitted: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def checked(self) -> Prepared:
        """Returns itself if a head can be fitted and tested on it.

        Raises:
            DataError: there are no test images, or only copies of others; or all images of a class are test images.
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
    """The reason why there are no test images."""
    if prepared.seen.all():
        return "the bundle's network was fitted on all of these images, so none can test it; add others"
    groups = len(np.unique(prepared.dataset.unit))
    if groups < FEWEST_GROUPS:
        are = "all images are of one group" if groups == 1 else f"the images are of {groups} groups"
        return f"{are}, and {FEWEST_GROUPS} are needed: one for the test, and two to validate a head; add others"
    known = " or is known to the network" if prepared.seen.any() else ""
    return (
        f"each of the {groups} groups of images has a class that no other group has{known}, so none can be the test; "
        "add images of other groups"
    )


def prepare(dataset: Dataset, seed: int, cache: Path, bundle: Bundle | None = None) -> Prepared:
    """Finds copies and splits the images; all commands split a data set alike with the same seed.

    Args:
        dataset: images, labels and groups.
        seed: of the split.
        cache: directory of the image fingerprints that are kept.
        bundle: its network may have been fitted on some of the images. These images, their copies and their groups are
            neither test nor validation images.

    Raises:
        DataError: the bundle does not say which images its network was fitted on.
        ClientError, OSError: an image changed since it was first read.
    """
    found, photos = kept_copies(dataset.of_photos(), cache), dataset.photos
    copies = found if photos is None else instance_copies(found, photos)
    tied = tie(dataset, [group.positions for group in copies.groups])
    seen = np.zeros(len(dataset.labels), bool)
    if bundle is not None:
        known = find_seen(bundle, found.hashes)
        seen = np.isin(tied.unit, tied.unit[known if photos is None else photos.instance[known]])
    return Prepared(tied, split(tied, seed, seen), copies, seen)


def find_faults(prepared: Prepared, embedding: Embedding, seed: int) -> Findings:
    """Looks for wrong labels, outliers and copies; drops nothing.

    Args:
        prepared: N images.
        embedding: float32 `[N, D]`.
        seed: of the folds in which labels are checked.
    """
    return inspect(prepared.dataset, embedding, prepared.parts, prepared.copies, seed=seed)


def drop_faults(prepared: Prepared, findings: Findings, kinds: Sequence[str], *, force: bool) -> Prepared:
    """Drops training and validation images with findings of some kinds.

    Args:
        prepared: what the findings are about.
        findings: see `find_faults`.
        kinds: of `training.clean.findings.finding_kinds`; may be empty.
        force: drop label issues even if too few of them are estimated to be wrong labels.

    Raises:
        DataError: too few of the label issues are estimated to be wrong labels, and `force` is not set.
    """
    parts = drop(prepared.dataset, prepared.parts, findings, kinds, seen=prepared.seen, force=force)
    return replace(prepared, parts=parts, unfitted=findings.doubtful(kinds))
