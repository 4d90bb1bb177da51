"""`Dataset` ──▶ `Split`: training, validation and test images; and folds, for out-of-fold predictions.

Images of one group, and copies of one image, are on one side unless parts are given, so a model is never tested on what
it has seen. Parts and folds are stratified: each has about the same share of every class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.data.dataset import Dataset, Labels
from training.data.images import Indices

TEST_FRACTION = 0.2
VALIDATION_FRACTION = 0.1
_MOST_UNSEEN = 2 / 3
"""At most this share of the images that a network has not seen are test images, as when the network was trained, so
that some are left as held-out images."""
FEWEST_GROUPS = 3  # one for the test, and two that evaluate each other
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Split:
    """Positions of the training, validation and test images; disjoint, together all of them.

    Attributes:
        train: to fit on.
        validation: held out while a network is fitted.
        test: measured at the end; nothing is chosen with them.
        copied: test images that have a copy, or another image of their group, in another part; empty unless the test
            images were given.
    """

    train: Indices
    validation: Indices
    test: Indices
    copied: Indices = field(default_factory=lambda: _NONE)

    @property
    def known(self) -> Indices:
        """All images except the test images, ascending."""
        return np.sort(np.concatenate([self.train, self.validation]))


def tie(dataset: Dataset, copies: Sequence[Sequence[int]]) -> Dataset:
    """Puts the copies of an image, and their groups, into one group.

    Args:
        dataset: N images, which may have groups.
        copies: for each image with copies, the positions of all of them.
    """
    count = len(dataset.labels)
    _, first, of_group = np.unique(dataset.unit, return_index=True, return_inverse=True)
    links = [(positions[0], position) for positions in copies for position in positions[1:]]
    of_copies = np.array(links, np.int64).reshape(-1, 2)
    of_groups = np.stack([np.arange(count), first[of_group]], 1)
    return replace(dataset, groups=linked(np.concatenate([of_copies, of_groups]), count))


def linked(links: NDArray[np.int64], count: int) -> Indices:
    """The group of each of `count` things, int64 `[count]` from 0 on: what is linked, however far round, is one.

    Args:
        links: positions of two things that are of one group, int64 `[L, 2]`.
        count: of things; one without a link is a group of its own.
    """
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    return np.asarray(group, np.int64)


def split(dataset: Dataset, seed: int, seen: NDArray[np.bool_] | None = None) -> Split:
    """Splits by class and group; test and validation images that the data set names are kept as they are.

    A group belongs to the class of most of its images. A class with two groups or more gives at least one to the test
    set and keeps at least one for training; with two groups it gives none to the validation set. A class with one group
    is for training only. If every class has one group, the test set is the smallest group whose classes others have.

    Args:
        dataset: labels and groups of N images.
        seed: of the choice.
        seen: which images a network was fitted on, `[N]`. They and their groups are training images; if they are given
            as test images, they are `copied`. None if no network was fitted.
    """
    seen = np.zeros(len(dataset.labels), bool) if seen is None else seen
    generator = np.random.default_rng(seed)
    official, held_out = dataset.official_test, dataset.official_validation
    test: list[Indices] = [_NONE if official is None else official]
    validation: list[Indices] = [_NONE if held_out is None else held_out]
    rest = np.setdiff1d(np.arange(len(dataset.labels)), np.concatenate([*test, *validation]))
    train = [_NONE]
    for units in _units(dataset.strata, dataset.unit, rest):
        shuffled = [units[position] for position in generator.permutation(len(units))]
        for_test, for_validation, others = _split_class(shuffled, seen, official is None, held_out is None)
        test += for_test
        validation += for_validation
        train += others
    if official is None and len(test) == 1:
        spared, train = _spared(train[1:], dataset.strata, seen)
        test += spared
    tested = np.sort(np.concatenate(test))
    return Split(
        train=np.sort(np.concatenate(train)),
        validation=np.sort(np.concatenate(validation)),
        test=tested,
        copied=_copied(dataset.unit, tested, seen),
    )


def _split_class(
    units: list[Indices], seen: NDArray[np.bool_], needs_test: bool, needs_validation: bool
) -> tuple[list[Indices], list[Indices], list[Indices]]:
    """The groups of one class, in random order, for test, validation and training."""
    left = [unit for unit in units if not seen[unit].any()]
    fixed = [unit for unit in units if seen[unit].any()]
    count, test, validation = _rows(units), list[Indices](), list[Indices]()
    if needs_test:
        share = TEST_FRACTION * count
        target = round(min(share, _MOST_UNSEEN * _rows(left)) if fixed else share)
        test, left = _take(left, target, keep_one=not fixed)
    if needs_validation:
        target = round(VALIDATION_FRACTION * (count - _rows(test)))
        validation, left = _take(left, target, keep_one=not fixed)
    return test, validation, [*fixed, *left]


def _rows(units: list[Indices]) -> int:
    return sum(len(unit) for unit in units)


def make_folds(strata: Labels, groups: Indices, count: int, seed: int) -> Indices:
    """The fold of each of N rows, int64 `[N]` from 0 to `count - 1`; groups stay together.

    Args:
        strata: every fold gets about the same share of each, int64 `[N]`.
        groups: int64 `[N]`.
        count: of folds.
        seed: of the choice within a stratum.
    """
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(strata), np.int64)
    totals = np.zeros(count, np.int64)
    for units in _units(strata, groups, np.arange(len(strata))):
        filled = np.zeros(count, np.int64)
        shuffled = [units[position] for position in generator.permutation(len(units))]
        for unit in sorted(shuffled, key=len, reverse=True):  # the largest first, so that the others even it out
            chosen = np.lexsort((totals, filled))[0]
            fold[unit] = chosen
            filled[chosen] += len(unit)
            totals[chosen] += len(unit)
    return fold


def _units(strata: Labels, groups: Indices, positions: Indices) -> list[list[Indices]]:
    """The groups of each stratum, as positions, ordered by their first; a group is of its most frequent stratum."""
    if not len(positions):
        return []
    order = positions[np.argsort(groups[positions], kind="stable")]
    units = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    units.sort(key=lambda unit: int(unit[0]))
    found: dict[int, list[Indices]] = {}
    for unit in units:
        stratum = strata[unit[0]] if len(unit) == 1 else np.bincount(strata[unit]).argmax()
        found.setdefault(int(stratum), []).append(unit)
    return [found[stratum] for stratum in sorted(found)]


def _take(units: list[Indices], target: int, *, keep_one: bool) -> tuple[list[Indices], list[Indices]]:
    """The first groups that make up `target` rows, at least one, and the others, of which one may have to stay."""
    taken: list[Indices] = []
    left: list[Indices] = []
    count = 0
    for unit in units:
        fits = count + len(unit) <= max(1, target)
        (taken if fits else left).append(unit)
        count += len(unit) if fits else 0
    if not taken and len(left) > keep_one:
        smallest = min(range(len(left)), key=lambda position: len(left[position]))
        taken = [left.pop(smallest)]
    if keep_one and not left and taken:
        left = [taken.pop()]
    return taken, left


def _spared(units: list[Indices], strata: Labels, seen: NDArray[np.bool_]) -> tuple[list[Indices], list[Indices]]:
    """The smallest unseen group whose strata other groups have as well, if there is one, and the other groups."""
    counts = [np.bincount(strata[unit], minlength=int(strata.max()) + 1) for unit in units]
    total = np.sum(counts, axis=0)
    spare = [
        (len(unit), position)
        for position, (unit, count) in enumerate(zip(units, counts, strict=True))
        if not seen[unit].any() and (total - count)[count > 0].all()
    ]
    if not spare or len(units) < FEWEST_GROUPS:
        return [], units
    position = min(spare)[1]
    return [units[position]], units[:position] + units[position + 1 :]


def _copied(groups: Indices, test: Indices, seen: NDArray[np.bool_]) -> Indices:
    others = np.delete(groups, test)
    copied: NDArray[np.int64] = test[np.isin(groups[test], others) | seen[test]]
    return copied
