"""`Looks` and images ──▶ groups that are the same: to the last pixel, or written anew with other losses.

Candidates are the 10 nearest of each image by its sketch of 8x8 blocks, and the sketches have to agree everywhere, so
that another print on the same shirt is another image; the edges of the thumbnails confirm, and those of the few that
are left once more, in images of up to 96 pixels a side. The sketch, and not the embedding, because a network that was
fitted to tell classes apart forgets what tells images of a class apart: of Fashion-MNIST's 70,000 images, the 5 nearest
by the default bundle's embedding hold a JPEG of quality 75 of the same image in 49 %, one with noise of 3 levels in
82 %; the 5 nearest by the sketch hold both in 100 % (of 200).

Thresholds were chosen there, too: 32 pairs agree so far, all of them the same article to the eye, and there is no
other with an edge correlation above 0.92; with a limit of 12 levels, 53 do, among them shirts with different prints. Of
1,000 images saved as JPEG, quality 90, more than 99 % are found, at quality 75 some 95 %, of 28x28 pixels. Larger ones
lose less: photographs at quality 30, or at half their size, keep an edge correlation of 0.97 at 96 pixels, where
different noise on nearly the same stripes has 0.89, and 0.98 at 32.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.clean.fingerprint import fingerprints
from training.clean.looks import Looks, look
from training.clean.neighbours import nearest_or_mirrored
from training.clean.verify import verify
from training.images import Images, Indices, select

NEIGHBOURS = 16
MIN_SIDE = 16
"""Pixels; of smaller images only equal ones are found."""


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
    """What is known of N images from their pixels.

    Attributes:
        looks: of all of them.
        groups: those that are the same; every image is in one group at most; ordered by the first position.
    """

    looks: Looks
    groups: list[Group]


def find_copies(images: Images) -> Copies:
    """Looks at all images once, and again at those that may be copies; the same images always give the same groups.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    looks = look(images)
    return Copies(looks, find_groups(looks, images))


def find_groups(looks: Looks, images: Images) -> list[Group]:
    """Every image is in one group at most; ordered by the first position.

    Args:
        looks: of all images.
        images: the same, of which those that seem to be copies are looked at closely.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    _, first, same = np.unique(looks.digests, axis=0, return_index=True, return_inverse=True)
    links = np.concatenate([first[_near_pairs(looks, images, first)], np.stack([first[same], np.arange(len(same))], 1)])
    count = len(same)
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    groups = [
        Group(tuple(positions.tolist()), exact=len(set(same[positions].tolist())) == 1)
        for positions in members
        if len(positions) > 1
    ]
    return sorted(groups, key=lambda group: group.positions)


def _near_pairs(looks: Looks, images: Images, different: Indices) -> Indices:
    """Pairs `[P, 2]` of places in `different`, positions of images of which no two are equal, that are copies."""
    if min(images.shape[1:3]) < MIN_SIDE or len(different) < 2:
        return np.empty((0, 2), np.int64)
    looks = Looks(**{field.name: getattr(looks, field.name)[different] for field in fields(looks)})
    candidates, mirrored = nearest_or_mirrored(fingerprints(looks.thumbnails), NEIGHBOURS)
    return verify(looks, select(images, different), candidates, mirrored)
