"""old test rows and answers ──▶ `JudgedRows`: what champion and candidate say of rows that neither was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Probabilities
from training.export.exported_head import ExportedHead, accepted
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.relearn.answered_rows import LearningRows
from training.relearn.old_weight import OldWeight


@dataclass(frozen=True)
class JudgedRows:
    """Rows that neither head was fitted on, and what both answer.

    Attributes:
        labels: class positions, or numbers, `[N]`.
        champion: probabilities `[N, K]` or values `[N, 1]`.
        candidate: likewise; out of fold for answers.
        accepted: what the candidate accepts, bool `[N]`.
        champion_accepted: what the champion accepts, bool `[N]`.
        is_answer: which rows are answers, bool `[N]`; the others are old test rows.
        was_accepted: which answers are of decisions that the champion accepted, bool `[N]`; False for old rows.
        is_audit: which answers are of decisions that were drawn, bool `[N]`.
        weight: how many rows each stands for, float64 `[N]`.
    """

    labels: NDArray[Any]
    champion: Probabilities
    candidate: Probabilities
    accepted: NDArray[np.bool_]
    champion_accepted: NDArray[np.bool_]
    is_answer: NDArray[np.bool_]
    was_accepted: NDArray[np.bool_]
    is_audit: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @property
    def losses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the champion and of the candidate, `[N]` each: 1 where the class is wrong, or how far a number is off."""
        if self.labels.dtype.kind == "f":
            return tuple(
                np.abs(each[:, 0].astype(np.float64) - self.labels) for each in (self.champion, self.candidate)
            )
        return tuple((each.argmax(1) != self.labels).astype(np.float64) for each in (self.champion, self.candidate))


def rows_to_judge(
    champion: ExportedHead, candidate: ExportedHead, old: OldWeight, learning: LearningRows, is_new: NDArray[np.bool_]
) -> JudgedRows:
    """Old test rows, if old rows count, and the answers that are new to the champion.

    Args:
        champion: was not fitted on these.
        candidate: likewise; it answers the answers out of fold.
        old: the data that the candidate was fitted on.
        learning: the answers, how they were asked for, and the weights of old rows.
        is_new: which answers the champion has not learnt from, bool `[A]`.
    """
    data, held_out = old.data, candidate.held_out
    assert held_out is not None
    positions = data.held_out[len(data.held_out) - len(is_new) :][is_new]
    no = np.zeros(len(data.test), bool)
    asked = _rows(
        data.at(positions),
        champion,
        (held_out.answers[-len(is_new) :][is_new], held_out.accepted[-len(is_new) :][is_new]),
        asked=(np.ones(len(positions), bool), learning.accepted[is_new], learning.audit[is_new]),
        weight=learning.weight[is_new],
    )
    if not len(data.test):
        return asked
    weight = old.rows.weight[data.parts.test].astype(np.float64)
    fair = _rows(data.test, champion, _answered(candidate, data.test), asked=(no, no, no), weight=weight)
    return _both(fair, asked)


def _rows(
    labelled: LabelledEmbeddings,
    champion: ExportedHead,
    candidate: tuple[Probabilities, NDArray[np.bool_]],
    *,
    asked: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]],
    weight: NDArray[np.float64],
) -> JudgedRows:
    """Rows with the champion's answers, and the candidate's with what it accepts."""
    before = _answered(champion, labelled)
    return JudgedRows(labelled.labels, before[0], *candidate, before[1], *asked, weight)


def _answered(head: ExportedHead, labelled: LabelledEmbeddings) -> tuple[Probabilities, NDArray[np.bool_]]:
    """Answers of a head that serves, and which of them it accepts."""
    answers = head.head(labelled.embedding, labelled.rows)
    return answers, accepted(head.spec, answers, head.distances(labelled.embedding), labelled.rows)


def _both(first: JudgedRows, second: JudgedRows) -> JudgedRows:
    """The rows of both."""
    names = [each.name for each in fields(JudgedRows)]
    return JudgedRows(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})
