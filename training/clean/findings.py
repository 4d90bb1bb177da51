"""data set, embeddings and parts ──▶ `Findings`, and parts without the rows that are not wanted.

Nothing is dropped unless it is asked for, and no test row ever: a test set that is mended by a model flatters the
model. For the same reason the labels of test rows are not judged; copies and odd images among them are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.sessions import Embedding
from training.clean.duplicates import Copies, Group
from training.clean.kinds import LABEL_ISSUES, LEAKAGE, ODD
from training.clean.labels import LabelIssue, find_issues
from training.clean.odd import Odd, find_odd
from training.dataset import Dataset
from training.errors import DataError
from training.images import Indices
from training.split import Split

PARTS = ("train", "validation", "test")
"""From the one that gives way to the one that stays: of an image in two parts, the copy in the later one is kept."""
_TEST = PARTS.index("test")
_NOWHERE = -1


@dataclass(frozen=True)
class Findings:
    """What is wrong with N images.

    Attributes:
        issues: labels that are probably wrong, the worst first; of training and validation images.
        groups: images that are the same.
        odd: images unlike the others.
        unreadable: files left out, each with the reason.
        labels: the labels as given, `[N]`.
        part: positions in `PARTS`, int64 `[N]`; -1 for an image in none of them.
    """

    issues: tuple[LabelIssue, ...]
    groups: tuple[Group, ...]
    odd: tuple[Odd, ...]
    unreadable: tuple[str, ...]
    labels: NDArray[Any]
    part: Indices

    def leaking(self) -> list[Group]:
        """Groups with images in several parts; those with a test image first."""
        several = [group for group in self.groups if len(set(self._parts(group))) > 1]
        return sorted(several, key=lambda group: -max(self._parts(group)))

    def repeated(self) -> list[Group]:
        """Groups with several images in one part; those whose labels contradict each other first."""
        several = [group for group in self.groups if max(Counter(self._parts(group)).values()) > 1]
        return sorted(several, key=lambda group: not self.contradicts(group))

    def contradicts(self, group: Group) -> bool:
        """Whether the same image has several labels."""
        return len({float(self.labels[position]) for position in group.positions}) > 1

    def positions(self, kinds: Iterable[str]) -> Indices:
        """Rows that are dropped for some of `KINDS`, ascending; never a test row.

        Label issues and odd images go as they are listed. Of an image in several parts the copies in the latest one
        stay. Of copies within a part the first one stays, and none where their labels contradict each other.
        """
        dropped = {position for kind in kinds for position in self._dropped(kind)}
        allowed = [position for position in dropped if self.part[position] not in (_TEST, _NOWHERE)]
        return np.array(sorted(allowed), np.int64)

    def _dropped(self, kind: str) -> Iterator[int]:
        if kind == LABEL_ISSUES:
            yield from (issue.position for issue in self.issues)
        elif kind == ODD:
            yield from (odd.position for odd in self.odd)
        elif kind == LEAKAGE:
            for group in self.leaking():
                latest = max(self._parts(group))
                yield from (position for position in group.positions if self.part[position] < latest)
        else:
            for group in self.repeated():
                yield from self._spare(group)

    def _spare(self, group: Group) -> Iterator[int]:
        """Copies within each part that has several."""
        for part, count in Counter(self._parts(group)).items():
            if count > 1:
                members = [position for position in group.positions if self.part[position] == part]
                yield from members if self.contradicts(group) else members[1:]

    def _parts(self, group: Group) -> list[int]:
        return [int(self.part[position]) for position in group.positions]


def inspect(dataset: Dataset, embedding: Embedding, parts: Split, copies: Copies, *, seed: int) -> Findings:
    """Looks for what is wrong with a data set; drops nothing.

    Args:
        dataset: N images and their labels.
        embedding: float32 `[N, D]` of all of them, by a network that was not fitted on these labels, or it has learnt
            the wrong ones by heart.
        parts: as `split` gives them.
        seed: of the folds.

    Raises:
        ValueError: not as many embeddings as images.
        ClientError, OSError: an image changed since it was first read.
    """
    if len(embedding) != len(dataset.labels):
        raise ValueError(f"{len(embedding)} embeddings for {len(dataset.labels)} images")
    part = np.full(len(dataset.labels), _NOWHERE)
    for index, name in enumerate(PARTS):
        part[getattr(parts, name)] = index
    known = np.flatnonzero((part != _NOWHERE) & (part != _TEST))
    looks = copies.looks
    return Findings(
        issues=tuple(_issues(dataset, embedding, known, seed)),
        groups=tuple(group for group in copies.groups if _NOWHERE not in part[list(group.positions)]),
        odd=tuple(odd for odd in find_odd(looks, embedding) if part[odd.position] != _NOWHERE),
        unreadable=dataset.skipped,
        labels=dataset.labels,
        part=part,
    )


def drop(dataset: Dataset, parts: Split, findings: Findings, kinds: Iterable[str], force: bool = False) -> Split:
    """The parts without the rows of some of `KINDS`; the test part stays as it is.

    Raises:
        DataError: a class would be left without training images.
    """
    dropped = findings.positions(kinds)
    kept = Split(np.setdiff1d(parts.train, dropped), np.setdiff1d(parts.validation, dropped), parts.test)
    before, after = (set(dataset.strata[part.train].tolist()) for part in (parts, kept))
    if lost := sorted(before - after):
        left = f"the class {dataset.classes[lost[0]]!r} has" if dataset.classes else "there are"
        raise DataError(
            f"without the {len(dropped)} images of --drop {left} no training images; drop less, or add images"
        )
    return kept


def _issues(dataset: Dataset, embedding: Embedding, known: Indices, seed: int) -> Iterator[LabelIssue]:
    if not dataset.classes:  # of numbers nobody can tell
        return
    for issue in find_issues(embedding[known], dataset.labels[known], seed=seed):
        yield LabelIssue(int(known[issue.position]), issue.given, issue.suggested, issue.doubt)
