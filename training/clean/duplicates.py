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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.clean.looks import THUMBNAIL_SIDE, Looks, look, thumbnails
from training.clean.neighbours import nearest
from training.images import Images, Indices

NEIGHBOURS = 10
MAX_BLOCK_DIFFERENCE = 8
"""Of 255 levels, in the block and channel where two sketches differ most."""
MIN_EDGE_CORRELATION = 0.95
CLOSE_SIDE = 96
"""Pixels a side at which the pairs that are left are compared."""
_CHUNK = 10_000
_CHUNK_PIXELS = 500 * 224 * 224  # decoded at once


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
    """What was found."""

    looks: Looks
    groups: list[Group]


def find_copies(images: Images) -> Copies:
    """Looks at images and finds copies."""
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
    _, same = np.unique(looks.digests, axis=0, return_inverse=True)
    first = np.full(same.max(initial=-1) + 1, -1)
    first[same[::-1]] = np.arange(len(same))[::-1]
    pairs = _near_pairs(looks)
    pairs = _close_pairs(images, pairs[same[pairs[:, 0]] != same[pairs[:, 1]]])
    links = np.concatenate([pairs, np.stack([first[same], np.arange(len(same))], 1)])
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


def _near_pairs(looks: Looks) -> Indices:
    """Positions of images that seem to be the same, `[P, 2]`, each pair once."""
    _, neighbours = nearest(looks.sketches, NEIGHBOURS)
    ones = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    pairs = np.unique(np.sort(np.stack([ones, neighbours.ravel()], axis=1), axis=1), axis=0)
    kept = [_confirmed(looks, pairs[start : start + _CHUNK]) for start in range(0, len(pairs), _CHUNK)]
    return np.concatenate([np.empty((0, 2), np.int64), *kept])


def _confirmed(looks: Looks, pairs: Indices) -> Indices:
    one, other = pairs.T
    agree = np.abs(looks.sketches[one] - looks.sketches[other]).max(1) < MAX_BLOCK_DIFFERENCE
    pairs = pairs[agree]
    return pairs[_correlate(looks.thumbnails[pairs[:, 0]], looks.thumbnails[pairs[:, 1]])]


def _close_pairs(images: Images, pairs: Indices) -> Indices:
    """Those of the pairs `[P, 2]` that stay the same in larger pictures."""
    height, width = images.shape[1:3]
    if max(height, width) <= THUMBNAIL_SIDE:
        return pairs
    step = max(1, _CHUNK_PIXELS // (2 * height * width))
    kept = [_close(images, pairs[start : start + step]) for start in range(0, len(pairs), step)]
    return np.concatenate([np.empty((0, 2), np.int64), *kept])


def _close(images: Images, pairs: Indices) -> Indices:
    one, other = (thumbnails(images[positions], CLOSE_SIDE) for positions in pairs.T)
    return pairs[_correlate(one, other)]


def _correlate(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether the edges of grey images `[B, S, T]` and `[B, S, T]` are the same, `[B]`."""
    same: NDArray[np.bool_] = (_edges(one) * _edges(other)).sum(1) >= MIN_EDGE_CORRELATION
    return same


def _edges(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Differences of neighbouring pixels, less their mean, at length 1, float32 `[B, E]`; 0 where there are none."""
    grey = thumbnails.astype(np.float32)
    down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
    flat = [each.reshape(len(each), np.prod(each.shape[1:], dtype=int)) for each in (down, across)]  # also of none
    edges = np.concatenate(flat, axis=1)
    edges -= edges.mean(1, keepdims=True)
    unit: NDArray[np.float32] = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    return unit
