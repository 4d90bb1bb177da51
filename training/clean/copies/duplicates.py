"""images ──▶ `Copies`: groups of images that are the same, exactly or nearly.

A near copy was mirrored, shifted, cropped, turned, made brighter or smaller, or saved again. Candidates are the 16
nearest neighbours of each image by its fingerprint. `training.clean.copies.copy_check` registers one image on the other
and compares them; images of more than 32 pixels a side are compared once more at up to 96. Only pixels count, so the
groups are known before the data are split and before any network runs. The embedding of a network that was trained on
classes is no help: it forgets what distinguishes images of one class.

Recall of copies among other images, by `pytest -s -m slow tests/training/clean/copies/test_duplicates.py`: 40 of 43
pieces of scikit-learn's two photographs, 300 of 10,000 images of Fashion-MNIST, and 80 of 500 of the package
elpv-dataset, solar cells that differ only in fine marks:

| change | photographs, 224 px | solar cells, 224 px | Fashion-MNIST, 28 px |
|---|---|---|---|
| mirrored | 1.00 | 1.00 | 1.00 |
| shifted by a pixel | 1.00 | 1.00 | 0.98 |
| cropped by 2 % | 1.00 | 0.84 | 1.00 |
| 10 % brighter, darker | 0.95, 0.98 | 0.94, 1.00 | 1.00, 1.00 |
| turned by 3, -3 degrees | 1.00, 1.00 | 0.82, 0.80 | 0.97, 0.94 |
| JPEG of quality 30 | 0.98 | 0.99 | 0.94 |
| half the size and back | 1.00 | 1.00 | 0.85 |

Without planted copies: 329 of Fashion-MNIST's 70,000 images are in 156 groups. Of 80 groups that were inspected, at
most 10 are not the same article, so about 0.03 % of the images are in a false pair. Of the 2,624 solar cells, 248 are
in 113 groups; 2 pairs show other marks, the others show the same cell photographed again. Of 1,000 woven fabrics
(simulated, conformal-clip-data) none are. On two busy cores 70,000 images of 28 pixels took 72 s (69 s of processor
time), 10,000 of 28 pixels 6 s, and 2,624 decoded images of 224 pixels 18 s (6 s).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from training.clean.copies.copy_check import verify
from training.clean.copies.fingerprint import fingerprints
from training.clean.copies.nearest_copies import nearest_or_mirrored
from training.clean.copies.perceptual_hash import PerceptualHashes, hash_images
from training.data.images import Images, Indices, select
from training.data.split import linked

NEIGHBOURS = 16
MIN_SIDE = 16
"""In pixels; among smaller images only equal ones are found."""


@dataclass(frozen=True)
class Group:
    """Images that are the same.

    Attributes:
        positions: at least two, ascending.
        exact: whether all pixels are equal in all of them.
    """

    positions: tuple[int, ...]
    exact: bool


@dataclass(frozen=True)
class Copies:
    """Hashes of N images, and which of them are the same.

    Attributes:
        hashes: of all of them.
        groups: images that are the same. Every image is in at most one group; groups are ordered by their first
            position.
    """

    hashes: PerceptualHashes
    groups: list[Group]


def find_copies(images: Images) -> Copies:
    """Finds copies; the same images always give the same groups.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    hashes = hash_images(images)
    return Copies(hashes, find_groups(hashes, images))


def find_groups(hashes: PerceptualHashes, images: Images) -> list[Group]:
    """Groups images that are the same; every image is in at most one group, and groups are ordered by first position.

    Args:
        hashes: of all images.
        images: the same images; those that seem to be copies are compared in full.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    _, first, same = np.unique(hashes.digests, axis=0, return_index=True, return_inverse=True)
    links = np.concatenate(
        [first[_near_pairs(hashes, images, first)], np.stack([first[same], np.arange(len(same))], 1)]
    )
    component = linked(links, len(same))
    order = np.argsort(component, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    groups = [
        Group(tuple(positions.tolist()), exact=len(set(same[positions].tolist())) == 1)
        for positions in members
        if len(positions) > 1
    ]
    return sorted(groups, key=lambda group: group.positions)


def _near_pairs(hashes: PerceptualHashes, images: Images, different: Indices) -> Indices:
    """Pairs `[P, 2]` of places in `different`, positions of images of which no two are equal, that are copies."""
    if min(images.shape[1:3]) < MIN_SIDE or len(different) < 2:
        return np.empty((0, 2), np.int64)
    hashes = PerceptualHashes(**{field.name: getattr(hashes, field.name)[different] for field in fields(hashes)})
    candidates, mirrored = nearest_or_mirrored(fingerprints(hashes.thumbnails), NEIGHBOURS)
    return verify(hashes, select(images, different), candidates, mirrored)
