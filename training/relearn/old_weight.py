"""rows ──▶ which old ones count, and how much: answers may contradict them, as where labels were wrong in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.columns import ColumnValue
from training.arrays import Floats
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting, HeadFit
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import cross_validate
from training.reports.evaluation_metrics import row_losses
from training.stages.training_data import TrainingData

FEWEST_OF_A_CLASS = 5
"""Answers of each class without which the answers alone are no data set."""
_LESS = 0.1  # the weight of old rows that contradict the answers somewhat

Make = Callable[[KeptRows, Floats | None], TrainingData]
"""Makes data of rows with weights, `[N]`; None if all have the same."""


@dataclass(frozen=True)
class OldWeight:
    """Which old rows count, and why.

    Attributes:
        weight: of those that count, in [0, 1]; 0 if none does.
        rows: those that count, and the answers.
        data: of these.
        sentence: why.
    """

    weight: float
    rows: KeptRows
    data: TrainingData
    sentence: str


@dataclass(frozen=True)
class _Option:
    """Some old rows with a weight, and the answers' out-of-fold losses, `[A]`; in the order of what is given up."""

    order: int
    said: str
    weight: float
    rows: KeptRows
    data: TrainingData
    losses: Floats


def choose_old_weight(
    rows: KeptRows, make: Make, spec: HeadSpec, fitting: Fitting, *, takes_weights: bool
) -> OldWeight:
    """Chooses as much of the old rows as the answers, out of fold, do not clearly speak against.

    All count like answers; or those of classes that the answers contradict do not; or all have a tenth of the weight;
    or none counts. The first of these is taken that the best one does not beat by more than one standard error, in the
    answers' loss. A linear head stands for the one that is fitted later: what is asked is whether labels agree.

    Args:
        rows: old ones, then answers.
        make: makes data.
        spec: the head's entry in the manifest.
        fitting: how heads are fitted.
        takes_weights: whether the head's kind does; else old rows count or do not.
    """
    options = sorted(_options(rows, make, spec, fitting, takes_weights=takes_weights), key=lambda each: each.order)
    best = min(options, key=lambda each: float(each.losses.mean()))
    chosen = next(each for each in options if each is best or not _clearly_beats(best, each))
    return OldWeight(chosen.weight, chosen.rows, chosen.data, _sentence(chosen, options[0], fitting))


def _clearly_beats(one: _Option, other: _Option) -> bool:
    gain = other.losses - one.losses
    return bool(gain.mean() > gain.std(ddof=1) / math.sqrt(len(gain)))


def _options(rows: KeptRows, make: Make, spec: HeadSpec, fitting: Fitting, *, takes_weights: bool) -> Iterator[_Option]:
    """All that is tried."""

    def option(order: int, said: str, weight: float, kept: KeptRows, weights: Floats | None = None) -> _Option:
        data = make(kept, weights)
        return _Option(order, said, weight, kept, data, _losses(data, rows, fitting))

    is_answer = rows.answer != b""
    yield option(0, "count like answers", 1.0, rows)
    if takes_weights:
        yield option(2, f"have a weight of {_LESS:g}", _LESS, rows, np.where(is_answer, 1.0, _LESS))
    if not _suffice(rows.labels[is_answer], fitting.classes):
        return
    alone = option(3, "do not count", 0.0, rows.at(np.flatnonzero(is_answer)))
    yield alone
    wrong = _contradicted(rows.at(np.flatnonzero(~is_answer)), alone.data, fitting) if fitting.classes else []
    if takes_weights and 0 < len(wrong) < fitting.classes:
        names = " and ".join(repr(spec.classes[position]) for position in wrong)
        kept = rows.at(np.flatnonzero(is_answer | ~np.isin(rows.labels, wrong)))
        yield option(1, f"of {names} do not count", 1.0, kept, _as_answered(kept, fitting.classes))


def _suffice(labels: NDArray[np.int32], classes: int) -> bool:
    """Whether the answers alone are a data set."""
    return not classes or bool((np.bincount(labels, minlength=classes) >= FEWEST_OF_A_CLASS).all())


def _contradicted(old: KeptRows, answers: TrainingData, fitting: Fitting) -> list[int]:
    """Classes of old rows most of which a head that was fitted to the answers alone gives another class."""
    source = next(iter(answers.sources.values()))
    head: FittedHead = _probe(fitting)(source.whole)
    found = head(old.embedding.astype(np.float32), _columns(old)).argmax(1)
    labels = np.unique(old.labels).tolist()
    return [label for label in labels if (found[old.labels == label] == label).mean() < 0.5]


def _as_answered(rows: KeptRows, classes: int) -> Floats:
    """Weights that give each class its share of the answers, `[N]`; else classes without old rows would seem rare."""
    answered = np.bincount(rows.labels[rows.answer != b""], minlength=classes)
    weights = answered / np.maximum(np.bincount(rows.labels, minlength=classes), 1)
    return np.asarray(weights[rows.labels], np.float64)


def _columns(rows: KeptRows) -> list[dict[str, ColumnValue]]:
    values = [column.values() for column in rows.columns.values()]
    return [dict(zip(rows.columns, row, strict=True)) for row in zip(*values, strict=True)]


def _probe(fitting: Fitting) -> HeadFit:
    kind = REGISTRY["logistic_regression" if fitting.classes else "linear_regression"]
    maker = kind.makers(fitting.task)[kind.default_setting(fitting.task)]
    return HeadFit(kind, maker, kind.preparations[0], fitting)


def _losses(data: TrainingData, rows: KeptRows, fitting: Fitting) -> Floats:
    """Out-of-fold losses of the answers, `[A]`."""
    source = next(iter(data.sources.values()))
    with threadpool_limits(1, user_api="blas"):
        candidate = cross_validate(_probe(fitting), source, {})
    answers = slice(len(source.held_out) - int((rows.answer != b"").sum()), None)  # the last of the held-out rows
    return row_losses(candidate.answers[answers], source.held_out.labels[answers])


def _sentence(chosen: _Option, plain: _Option, fitting: Fitting) -> str:
    figure = "log loss" if fitting.classes else "mean square error"
    if chosen is plain:
        return f"old rows {plain.said}: with less weight the answers' out-of-fold {figure} is not clearly lower"
    return (
        f"old rows {chosen.said}, since they contradict the answers: the answers' out-of-fold {figure} is "
        f"{chosen.losses.mean():.3g} instead of {plain.losses.mean():.3g}"
    )
