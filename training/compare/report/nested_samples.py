"""`Dataset` ──▶ nested samples: the same images for every model of a size, and one test set for all."""

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
"""Mean number of images of each class that a size needs: some to fit on, some to hold out."""


@dataclass(frozen=True)
class Sample:
    """The images for the models of one size.

    Attributes:
        size: images to fit on and held-out ones together.
        parts: images to fit on, held-out ones to calibrate and choose with, and the common test set. No test image has
            a copy, or another image of its group, among the others.
    """

    size: int
    parts: Split


def parse_sizes(text: str) -> tuple[int | None, ...]:
    """Parses sizes such as `100,1000,all`; None stands for all.

    Raises:
        DataError: there are none, or one is neither a whole number above 0 nor `all`.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word != ALL and not (word.isascii() and word.isdigit() and int(word) > 0):
            raise DataError(f"{word!r} is no size; give numbers of images, or {ALL}: --sizes {DEFAULT_SIZES}")
    if not words:
        raise DataError(f"no sizes; give numbers of images, or {ALL}: --sizes {DEFAULT_SIZES}")
    return tuple(None if word == ALL else int(word) for word in words)


def draw(dataset: Dataset, sizes: Sequence[int | None], seed: int) -> tuple[list[Sample], list[LeftOut]]:
    """Draws stratified samples, each containing the smaller ones, and says which sizes are impossible.

    A group of images is taken as a whole, so a sample may be smaller than asked for.

    Raises:
        DataError: no size is possible; the training images are of one class; no test image is left.
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
    """The groups of `pool`, ordered so that the first ones of any number have about the same share of each class."""
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
