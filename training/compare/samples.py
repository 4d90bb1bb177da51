"""`Dataset` ──▶ nested samples of it: so many images for every contender, and one test set for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.compare.rows import LeftOut
from training.dataset import Dataset, Labels
from training.errors import DataError
from training.images import Indices
from training.split import Split, split

ALL = "all"
DEFAULT_SIZES = f"100,1000,10000,{ALL}"
PER_CLASS = 4
"""Images of each class that a size needs on average: some to fit on, some to be held out."""


@dataclass(frozen=True)
class Sample:
    """What contenders of one size may look at.

    Attributes:
        size: images to fit on and held-out ones together.
        parts: images to fit on, held-out ones to calibrate and to choose by, and the common test set.
    """

    size: int
    parts: Split


def parse_sizes(text: str) -> tuple[int | None, ...]:
    """`100,1000,all` as numbers, None standing for all.

    Raises:
        DataError: what is neither a whole number above 0 nor `all`; none at all.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word != ALL and not (word.isascii() and word.isdigit() and int(word) > 0):
            raise DataError(f"{word!r} is no size; give numbers of images, or {ALL}: --sizes {DEFAULT_SIZES}")
    if not words:
        raise DataError(f"no sizes; give numbers of images, or {ALL}: --sizes {DEFAULT_SIZES}")
    return tuple(None if word == ALL else int(word) for word in words)


def draw(dataset: Dataset, sizes: Sequence[int | None], seed: int) -> tuple[list[Sample], list[LeftOut]]:
    """Draws the samples, each class by class and containing the smaller ones; and says which sizes cannot be had.

    Raises:
        DataError: not one of the sizes can be had.
    """
    whole = split(dataset, seed)
    known = len(whole.train) + len(whole.validation)
    least = PER_CLASS * len(dataset.classes)
    wanted = sorted({known if size is None else size for size in sizes})
    left_out = [
        LeftOut(size=size, name="every row", reason=reason)
        for size in wanted
        if (reason := _reason(size, known, least, len(dataset.classes)))
    ]
    refused = {each.size for each in left_out}
    ordered = Split(
        _order(dataset.labels, whole.train, seed), _order(dataset.labels, whole.validation, seed), whole.test
    )
    samples = [_sample(size, ordered) for size in wanted if size not in refused]
    if not samples:
        listed = "; ".join(f"{each.size:,}: {each.reason}" for each in left_out)
        raise DataError(f"none of the sizes can be compared ({listed}); give others with --sizes, or more images")
    return samples, left_out


def _reason(size: int, known: int, least: int, classes: int) -> str:
    if size > known:
        return f"there are {known:,} training images"
    return f"{classes} classes need at least {least:,} images, {PER_CLASS} of each" if size < least else ""


def _sample(size: int, ordered: Split) -> Sample:
    held_out = round(size * len(ordered.validation) / (len(ordered.train) + len(ordered.validation)))
    fitted_on, kept = ordered.train[: size - held_out], ordered.validation[:held_out]
    return Sample(size, Split(np.sort(fitted_on), np.sort(kept), ordered.test))


def _order(labels: Labels, pool: Indices, seed: int) -> Indices:
    """All of `pool` in an order whose every beginning has each class in about its share, and one of each at first."""
    generator = np.random.default_rng(seed)
    ranks = np.empty(len(pool))
    for label in np.unique(labels[pool]):
        members = generator.permutation(np.flatnonzero(labels[pool] == label))
        ranks[members] = np.arange(len(members)) / len(members)
    shuffled = generator.permutation(len(pool))
    return pool[shuffled[np.argsort(ranks[shuffled], kind="stable")]]
