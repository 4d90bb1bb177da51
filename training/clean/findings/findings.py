"""data set, embeddings, parts and copies ──▶ `Findings`, and parts without the rows that are dropped.

Rows are dropped only on request, and never test rows: a model looks too good on a test set that it has corrected. For
the same reason labels of test rows are not checked; copies and outliers among them are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.clean.copies.duplicates import Copies, Group
from training.clean.findings.finding_kinds import DUPLICATES, LABEL_ISSUES, LEAKAGE, MIN_PRECISION, OUTLIERS
from training.clean.label_errors import LabelIssue, LabelReview, find_issues
from training.clean.outliers import Outlier, find_outliers
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import Split, tie
from training.data.split_parts import PARTS
from training.exceptions import DataError

_TEST = PARTS.index("test")
_NOWHERE = -1


@dataclass(frozen=True)
class Leak:
    """Images that are in several parts and should be in one: copies, or images of one given group.

    Attributes:
        positions: at least two, ascending, in at least two parts.
        copies: the same images as a group of copies; None if it is a given group.
    """

    positions: tuple[int, ...]
    copies: Group | None


@dataclass(frozen=True)
class Findings:
    """What is wrong with N images.

    Attributes:
        review: of the labels of training and validation images; None if they are numbers.
        groups: images that are the same.
        leaks: images in several parts that should be in one; those with a test image first.
        outliers: images unlike the others.
        unreadable: files left out, each with the reason.
        labels: the labels as given, `[N]`.
        part: positions in `PARTS`, int64 `[N]`; -1 for an image in none of them.
    """

    review: LabelReview | None
    groups: tuple[Group, ...]
    leaks: tuple[Leak, ...]
    outliers: tuple[Outlier, ...]
    unreadable: tuple[str, ...]
    labels: NDArray[Any]
    part: Indices

    @property
    def issues(self) -> tuple[LabelIssue, ...]:
        """Labels that seem wrong, the worst first."""
        return self.review.issues if self.review else ()

    @property
    def believed(self) -> bool:
        """Whether enough of the label issues are estimated to be wrong labels."""
        precision = self.review.precision if self.review else None
        return precision is not None and precision >= MIN_PRECISION

    def repeated(self) -> list[Group]:
        """Groups with several images in one part; those whose labels contradict each other first."""
        several = [group for group in self.groups if max(Counter(self._parts(group.positions)).values()) > 1]
        return sorted(several, key=lambda group: not self.contradicts(group))

    def contradicts(self, group: Group) -> bool:
        """Whether the same image has several labels."""
        return len({float(self.labels[position]) for position in group.positions}) > 1

    def leaked(self, part: str) -> list[int]:
        """Positions of the images of a part that leak from an earlier one."""
        index = PARTS.index(part)
        leaks = (leak.positions for leak in self.leaks if min(self._parts(leak.positions)) < index)
        return sorted(position for positions in leaks for position in positions if self.part[position] == index)

    def without_estimates(self) -> Findings:
        """The same without estimates for label issues: the network was trained on these labels."""
        return self if self.review is None else replace(self, review=replace(self.review, precision=None, recall=None))

    def positions(self, kinds: Iterable[str]) -> Indices:
        """The rows that are dropped for some of `KINDS`, ascending; never test rows.

        Label issues are dropped in order, up to half of the images of their class. All outliers are dropped. Of images
        that leak, those in the latest part stay. Of copies within a part the first one stays, or none if their labels
        contradict each other. A class that would lose all training images keeps the least doubtful one.
        """
        dropped = {position for kind in kinds for position in self._dropped(kind)}
        allowed = {position for position in dropped if self.part[position] not in (_TEST, _NOWHERE)}
        return np.array(sorted(allowed - self._last(allowed)), np.int64)

    def doubtful(self, kinds: Iterable[str]) -> Indices:
        """The rows that are dropped for some of `KINDS` because of their label or as outliers, not as copies."""
        kinds = set(kinds)
        return np.setdiff1d(self.positions(kinds), self.positions(kinds & {DUPLICATES, LEAKAGE}))

    def _dropped(self, kind: str) -> Iterator[int]:
        if kind == LABEL_ISSUES:
            yield from self._doubtful()
        elif kind == OUTLIERS:
            yield from (outlier.position for outlier in self.outliers)
        elif kind == LEAKAGE:
            for leak in self.leaks:
                latest = max(self._parts(leak.positions))
                yield from (position for position in leak.positions if self.part[position] < latest)
        else:
            for group in self.repeated():
                yield from self._spare(group)

    def _doubtful(self) -> Iterator[int]:
        known = self.labels[(self.part != _TEST) & (self.part != _NOWHERE)]
        left = Counter({label: count // 2 for label, count in Counter(known.tolist()).items()})
        for issue in self.issues:
            if left[issue.given] > 0:
                left[issue.given] -= 1
                yield issue.position

    def _last(self, dropped: set[int]) -> set[int]:
        """One training image of each class that would lose all of them."""
        doubts = {issue.position: issue.doubt for issue in self.issues}
        train = np.flatnonzero(self.part == PARTS.index("train"))
        strata = self.labels if self.review else np.zeros(len(self.labels))  # numbers are one stratum
        members = [train[strata[train] == stratum].tolist() for stratum in np.unique(strata[train])]
        return {min(each, key=lambda row: (doubts.get(row, 0.0), row)) for each in members if dropped.issuperset(each)}

    def _spare(self, group: Group) -> Iterator[int]:
        """Copies to drop within each part that has several."""
        for part, count in Counter(self._parts(group.positions)).items():
            if count > 1:
                members = [position for position in group.positions if self.part[position] == part]
                yield from members if self.contradicts(group) else members[1:]

    def _parts(self, positions: tuple[int, ...]) -> list[int]:
        return [int(self.part[position]) for position in positions]


def inspect(dataset: Dataset, embedding: Embedding, parts: Split, copies: Copies, *, seed: int) -> Findings:
    """Finds what is wrong with a data set; drops nothing.

    Args:
        dataset: N images and their labels.
        embedding: float32 `[N, D]` of all of them, by a network that was not trained on these labels: it would have
            learnt the wrong ones.
        parts: as `split` gives them.
        copies: among all of the images, as `find_copies` gives them.
        seed: of the folds, and of the labels that are made wrong.

    Raises:
        ValueError: not as many embeddings as images.
    """
    if len(embedding) != len(dataset.labels):
        raise ValueError(f"{len(embedding)} embeddings for {len(dataset.labels)} images")
    part = np.full(len(dataset.labels), _NOWHERE)
    for index, name in enumerate(PARTS):
        part[getattr(parts, name)] = index
    unit = tie(dataset, [group.positions for group in copies.groups]).unit
    groups = tuple(group for group in copies.groups if _NOWHERE not in part[list(group.positions)])
    return Findings(
        review=_review(dataset, embedding, parts.known, unit, seed) if dataset.classes else None,
        groups=groups,
        leaks=tuple(_leaks(unit, part, groups)),
        outliers=tuple(
            outlier for outlier in find_outliers(copies.hashes, embedding) if part[outlier.position] != _NOWHERE
        ),
        unreadable=dataset.skipped,
        labels=dataset.labels,
        part=part,
    )


def drop(
    dataset: Dataset,
    parts: Split,
    findings: Findings,
    kinds: Iterable[str],
    *,
    seen: NDArray[np.bool_] | None = None,
    force: bool = False,
) -> Split:
    """The parts without the rows of some of `KINDS`; the test part stays as it is, and each class in training.

    Args:
        dataset: whose groups say which test images are still copied.
        parts: as they are split.
        findings: of these parts.
        kinds: to drop.
        seen: images that a network was fitted on, which knows them still, `[N]`.
        force: drop label issues even if not enough of them are estimated to be wrong labels.

    Raises:
        DataError: label issues are not to be believed, and it is not forced.
    """
    kinds = tuple(kinds)
    if LABEL_ISSUES in kinds and findings.issues and not (findings.believed or force):
        precision = findings.review.precision if findings.review else None
        what = "cannot be estimated here" if precision is None else f"is {precision:.2f} here"
        raise DataError(
            f"--drop {LABEL_ISSUES} needs an estimated precision of at least {MIN_PRECISION}, which {what}; "
            "look at the list of `training clean` first, or add --force"
        )
    dropped = findings.positions(kinds)
    kept = replace(parts, train=np.setdiff1d(parts.train, dropped), validation=np.setdiff1d(parts.validation, dropped))
    elsewhere = np.union1d(kept.known, np.flatnonzero(seen) if seen is not None else [])
    return replace(kept, copied=parts.copied[np.isin(dataset.unit[parts.copied], dataset.unit[elsewhere.astype(int)])])


def _review(dataset: Dataset, embedding: Embedding, known: Indices, groups: Indices, seed: int) -> LabelReview:
    review = find_issues(embedding[known], dataset.labels[known], groups[known], seed=seed)
    issues = tuple(replace(issue, position=int(known[issue.position])) for issue in review.issues)
    return replace(review, issues=issues)


def _leaks(tied: Indices, part: Indices, copies: tuple[Group, ...]) -> list[Leak]:
    rows = np.flatnonzero(part != _NOWHERE)
    order = rows[np.argsort(tied[rows], kind="stable")]
    members = np.split(order, np.flatnonzero(np.diff(tied[order])) + 1) if len(order) else []
    same = {group.positions: group for group in copies}
    torn = [tuple(each.tolist()) for each in members if len(set(part[each].tolist())) > 1]
    leaks = [Leak(positions, same.get(positions)) for positions in torn]
    return sorted(leaks, key=lambda leak: (-max(part[list(leak.positions)]), leak.positions))
