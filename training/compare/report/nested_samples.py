"""`Dataset` ──▶ nested samples of it: so many images for every contender, and one test set for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.compare.report.comparison_rows import LeftOut
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import Split, split
from training.exceptions import DataError

ALL = "all"
DEFAULT_SIZES = f"100,1000,10000,{ALL}"
PER_CLASS = 4
"""Images of each class that a size needs on average: some to fit on, some to be held out."""


@dataclass(frozen=True)
class Sample:
    """What contenders of one size may look at.

    Attributes:
        size: images to fit on and held-out ones together.
        parts: images to fit on, held-out ones to calibrate and to choose by, and the common test set, in which no image
            is that has a copy elsewhere, or another image of its group.
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

    A group of images enters a sample as a whole, so that a sample may be smaller than was asked for.

    Raises:
        DataError: not one of the sizes can be had; fewer than two classes can be learnt; nothing is left to be tested.
    """
    whole = split(dataset, seed)
    whole = replace(whole, test=np.setdiff1d(whole.test, whole.copied))
    _check(dataset, whole)
    known = len(whole.known)
    least = PER_CLASS * len(dataset.classes)
    wanted = sorted({known if size is None else size for size in sizes})
    left_out = [
        LeftOut(size=size, name="every row", reason=reason)
        for size in wanted
        if (reason := _reason(size, known, least, len(dataset.classes)))
    ]
    refused = {each.size for each in left_out}
    train, validation = (_order(dataset, pool, seed) for pool in (whole.train, whole.validation))
    samples = {
        sample.size: sample
        for size in wanted
        if size not in refused
        for sample in [_sample(size, train, validation, whole)]
    }
    if not samples:
        listed = "; ".join(f"{each.size:,}: {each.reason}" for each in left_out)
        raise DataError(f"none of the sizes can be compared ({listed}); give others with --sizes, or more images")
    return list(samples.values()), left_out


def _check(dataset: Dataset, whole: Split) -> None:
    if len(np.unique(dataset.labels[whole.train])) < 2:
        raise DataError("the training images are of one class, so there is nothing to be told apart")
    if not len(whole.test):
        raise DataError("each test image has a copy among the others, or belongs to a group there; give other ones")


def _reason(size: int, known: int, least: int, classes: int) -> str:
    if size > known:
        return f"there are {known:,} training images"
    return f"{classes} classes need at least {least:,} images, {PER_CLASS} of each" if size < least else ""


def _sample(size: int, train: Sequence[Indices], validation: Sequence[Indices], whole: Split) -> Sample:
    held_out = round(size * len(whole.validation) / len(whole.known))
    fitted_on, kept = _first(train, size - held_out), _first(validation, held_out)
    return Sample(len(fitted_on) + len(kept), replace(whole, train=fitted_on, validation=kept))


def _first(units: Sequence[Indices], count: int) -> Indices:
    """The first units that make up `count` images or less, ascending."""
    ends = np.cumsum([len(unit) for unit in units])
    taken = units[: int(np.searchsorted(ends, count, side="right"))]
    return np.sort(np.concatenate([np.empty(0, np.int64), *taken]))


def _order(dataset: Dataset, pool: Indices, seed: int) -> list[Indices]:
    """The groups of `pool`, ordered so that every beginning has each class in about its share, one of each at first."""
    generator = np.random.default_rng(seed)
    groups = dataset.unit[pool]
    order = np.argsort(groups, kind="stable")
    units = np.split(pool[order], np.flatnonzero(np.diff(groups[order])) + 1) if len(pool) else []
    labels = np.array([np.bincount(dataset.labels[unit]).argmax() for unit in units], np.int64)
    ranks = np.empty(len(units))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        ranks[members] = np.arange(len(members)) / len(members)
    shuffled = generator.permutation(len(units))
    return [units[position] for position in shuffled[np.argsort(ranks[shuffled], kind="stable")]]
