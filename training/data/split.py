"""`Dataset` ──▶ `Split`: training, validation and test images; and folds, for answers that are out of fold.

Images of one group, and copies of one image, are on one side unless parts are given: what a model is tested on is then
nothing that it has seen. Parts and folds are stratified, so that each has about the same share of every class.
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
"""Of the images that a network has not seen, at most so many are for the test, as in the training of the network, so
that others are left to judge."""
FEWEST_GROUPS = 3  # one for the test, and two that judge each other
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Split:
    """Positions of the training, validation and test images; disjoint, together all of them.

    Attributes:
        train: to fit on.
        validation: held out while a network is fitted.
        test: measured at the end; nothing is chosen by them.
        copied: test images of which another part has a copy, or another image of the same group. There are none
            unless the test images were given.
    """

    train: Indices
    validation: Indices
    test: Indices
    copied: Indices = field(default_factory=lambda: _NONE)

    @property
    def known(self) -> Indices:
        """All that are not test images, ascending."""
        return np.sort(np.concatenate([self.train, self.validation]))


def tie(dataset: Dataset, copies: Sequence[Sequence[int]]) -> Dataset:
    """The data set with groups in which the copies of an image are together, and stay with their groups.

    Args:
        dataset: N images, which may have groups.
        copies: positions of images that are the same, for each of those.
    """
    count = len(dataset.labels)
    _, first, of_group = np.unique(dataset.unit, return_index=True, return_inverse=True)
    links = [(positions[0], position) for positions in copies for position in positions[1:]]
    ones, others = np.array(links, np.int64).reshape(-1, 2).T
    ones, others = np.concatenate([ones, np.arange(count)]), np.concatenate([others, first[of_group]])
    graph = coo_array((np.ones(len(ones), bool), (ones, others)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return replace(dataset, groups=component.astype(np.int64))


def split(dataset: Dataset, seed: int, seen: NDArray[np.bool_] | None = None) -> Split:
    """Splits class by class and group by group; test and validation images that are given are kept as they are.

    A group counts as of the class that most of its images are of. A class of at least two groups gives one or more to
    the test set and keeps one or more for training. A class of one group is for training alone, one of two gives none
    to the validation set. Where each class is of one group, the smallest without which no class is lost is the test.

    Args:
        dataset: labels and groups of N images.
        seed: of the choice.
        seen: which images a network was fitted on, `[N]`: they and their groups are training images, and those of them
            that are given as test images are `copied`. None where no network was fitted on any.
    """
    seen = np.zeros(len(dataset.labels), bool) if seen is None else seen
    generator = np.random.default_rng(seed)
    official, judging = dataset.official_test, dataset.official_validation
    test: list[Indices] = [_NONE if official is None else official]
    validation: list[Indices] = [_NONE if judging is None else judging]
    rest = np.setdiff1d(np.arange(len(dataset.labels)), np.concatenate([*test, *validation]))
    train = [_NONE]
    for units in _units(dataset.strata, dataset.unit, rest):
        shuffled = [units[position] for position in generator.permutation(len(units))]
        left = [unit for unit in shuffled if not seen[unit].any()]
        fixed = [unit for unit in shuffled if seen[unit].any()]
        count = sum(len(unit) for unit in shuffled)
        if official is None:
            unseen = sum(len(unit) for unit in left)
            target = round(min(TEST_FRACTION * count, _MOST_UNSEEN * unseen) if fixed else TEST_FRACTION * count)
            taken, left = _take(left, target, keep_one=not fixed)
            test += taken
            count -= sum(len(unit) for unit in taken)
        if judging is None:
            taken, left = _take(left, round(VALIDATION_FRACTION * count), keep_one=not fixed)
            validation += taken
        train += [*fixed, *left]
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


def make_folds(strata: Labels, groups: Indices, count: int, seed: int) -> Indices:
    """The fold of each of N rows, int64 `[N]` from 0 to `count - 1`; groups stay together.

    Args:
        strata: of which every fold gets about the same share, int64 `[N]`.
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
    """For each stratum the groups whose most frequent stratum it is, as positions; ordered by their first ones."""
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
    """The first units that make up `target` rows, at least one of them, and the others, of which one may be kept."""
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
    """The smallest unseen group whose strata others have, too, if there is one, and the others."""
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
