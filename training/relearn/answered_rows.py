"""answered decisions and the head's old rows ──▶ `LearningRows`: what the next head is fitted on and judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feedback.reviews.answer import LARGEST_VALUE
from feedback.reviews.answered import AnsweredDecision
from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import VALIDATION, KeptColumn, KeptRows
from models.columns import ColumnValue
from models.errors import BadColumns
from training.data.images import Indices
from training.exceptions import DataError

FEWEST_ANSWERS = 20
"""Answers from which on a head is fitted again."""
_SAME = 0.035
"""Two embeddings are of one image if they differ by less than this share of their distance from the mean. Measured on
3,000 test images of the default bundle: 0.90 of its int8 embeddings are so near the float32 ones, and 0.025 of the
float32 ones so near another image's."""


@dataclass(frozen=True)
class Learnable:
    """An answered decision that a head can learn from."""

    decision: AnsweredDecision
    label: float
    embedding: NDArray[np.float16]
    columns: dict[str, ColumnValue]


@dataclass(frozen=True)
class LearningRows:
    """Old rows, then answers.

    Attributes:
        rows: `[N]`; of answers `answer` is not empty.
        accepted: whether the answered decision was accepted, bool `[A]`, of the answers alone.
        audit: whether it was drawn, bool `[A]`.
        weight: 1 / probability of being asked about, float64 `[A]`.
        answered: when each answer was given, UTC.
        notes: sentences on answers that are left out.
    """

    rows: KeptRows
    accepted: NDArray[np.bool_]
    audit: NDArray[np.bool_]
    weight: NDArray[np.float64]
    answered: tuple[datetime, ...]
    notes: tuple[str, ...]

    @property
    def answers(self) -> Indices:
        """Positions of the answers among the rows."""
        return np.flatnonzero(self.rows.answer != b"")


def learning_rows(
    kept: KeptRows,
    decisions: Sequence[AnsweredDecision],
    spec: HeadSpec,
    is_same_network: Callable[[str], bool],
    *,
    is_log: bool = False,
) -> LearningRows:
    """Joins a head's rows with the answers; an answered image takes the place of its old row.

    Answers that the kept rows have are taken anew from `decisions`, so that what was erased since is gone.

    Args:
        kept: the head's.
        decisions: in the order of their answers.
        spec: the head's entry in the manifest.
        is_same_network: whether a model, `name@version`, has the network whose embeddings are kept.
        is_log: whether the head is fitted to logarithms, which numbers of 0 and below do not have.

    Raises:
        DataError: there are too few answers.
    """
    width, left_out = kept.embedding.shape[1], Counter[str]()
    found: dict[tuple[str, str], Learnable] = {}
    for each in decisions:
        learnable = _learnable(each, spec, width, is_same_network, left_out, is_log=is_log)
        if learnable is not None:
            key = each.image_sha256, repr(sorted(learnable.columns.items()))
            if key in found:
                left_out["of an image that was answered again later"] += 1
                del found[key]  # the newest answer counts, and comes last
            found[key] = learnable
    notes = tuple(f"{count:,} answer{'s' if count > 1 else ''} left out: {why}" for why, count in left_out.items())
    if len(found) < FEWEST_ANSWERS:
        more = f" ({'; '.join(notes)})" if notes else ""
        raise DataError(
            f"head {spec.name!r} has {len(found)} answers to learn from{more}; it takes at least {FEWEST_ANSWERS}"
        )
    return _joined(kept, list(found.values()), spec, notes)


def _joined(kept: KeptRows, learnt: list[Learnable], spec: HeadSpec, notes: tuple[str, ...]) -> LearningRows:
    answers = _rows_of(learnt, spec, first_unit=int(kept.unit.max(initial=-1)) + 1)
    erased = np.setdiff1d(kept.answer[kept.answer != b""], answers.answer)
    if len(erased):
        notes = (*notes, f"{len(erased):,} answers of before are no longer in the database, and are left out")
    old = kept.at(np.flatnonzero(kept.answer == b""))
    copies = copies_among(old.embedding, answers.embedding)
    if len(copies):
        notes = (*notes, f"{len(copies):,} old rows are of images that were answered, and give way to the answers")
    rows = old.at(np.setdiff1d(np.arange(len(old)), copies)) + answers
    decisions = [each.decision for each in learnt]
    return LearningRows(
        rows,
        accepted=np.array([each.accepted for each in decisions]),
        audit=np.array([each.audit for each in decisions]),
        weight=np.array([1 / each.probability if each.audit else 1.0 for each in decisions]),
        answered=tuple(each.answered for each in decisions),
        notes=notes,
    )


def _learnable(
    decision: AnsweredDecision,
    spec: HeadSpec,
    width: int,
    is_same_network: Callable[[str], bool],
    left_out: Counter[str],
    *,
    is_log: bool,
) -> Learnable | None:
    """What can be learnt from a decision; None after counting why nothing can."""
    label = decision.value if not spec.classes else _position(spec, decision.label)
    embedding = np.frombuffer(decision.embedding or b"", "<f2")
    if not is_same_network(decision.model):
        left_out["of another network"] += 1
    elif len(embedding) != width or not np.isfinite(embedding).all():
        left_out["without an embedding"] += 1
    elif label is None:
        left_out[f"{decision.label!r} is no class of the head, which a training with images has to add"] += 1
    elif not spec.classes and not abs(label) <= LARGEST_VALUE:
        left_out[f"a number beyond {LARGEST_VALUE:.3g}, which float32 does not have"] += 1
    elif is_log and label <= 0:
        left_out["a number not above 0, of which the head, fitted to logarithms, can learn nothing"] += 1
    else:
        try:
            return Learnable(decision, label, embedding.astype(np.float16), spec.stored.check_columns(decision.columns))
        except BadColumns:
            left_out["without the columns of the head"] += 1
    return None


def _position(spec: HeadSpec, label: str | None) -> float | None:
    return spec.classes.index(label) if label in spec.classes else None


def _rows_of(learnt: Sequence[Learnable], spec: HeadSpec, first_unit: int) -> KeptRows:
    """The answers as rows that the network has not seen; rows of one image are one unit."""
    count = len(learnt)
    hashes = np.array([each.decision.image_sha256 for each in learnt], "S64")
    _, unit = np.unique(hashes, return_inverse=True)
    return KeptRows(
        embedding=np.stack([each.embedding for each in learnt]),
        labels=np.array([each.label for each in learnt], np.int32 if spec.classes else np.float64),
        part=np.full(count, VALIDATION, np.uint8),
        seen=np.zeros(count, bool),
        fitted=np.ones(count, bool),
        unit=(first_unit + unit).astype(np.int32),
        weight=np.ones(count, np.float32),
        answer=hashes,
        columns={column.name: KeptColumn.of(each.columns[column.name] for each in learnt) for column in spec.columns},
    )


def copies_among(old: NDArray[np.float16], new: NDArray[np.float16]) -> Indices:
    """Positions of the old embeddings `[N, D]` that are of an image which new ones, `[A, D]`, are of as well."""
    if not len(old):
        return np.empty(0, np.int64)
    mean = old.mean(0, dtype=np.float64).astype(np.float32)
    centred = old.astype(np.float32) - mean
    lengths = np.linalg.norm(centred, axis=1)
    order = np.argsort(lengths, kind="stable")
    lengths, found = lengths[order], [np.empty(0, np.int64)]
    for row in new.astype(np.float32) - mean:
        length = float(np.linalg.norm(row))
        near = order[slice(*np.searchsorted(lengths, [length * (1 - _SAME), length * (1 + _SAME)]))]
        off = np.linalg.norm(centred[near] - row, axis=1)
        found.append(near[off <= _SAME * length])
    return np.unique(np.concatenate(found))
