"""`Source` ──▶ candidates for a head: kinds in several settings, each judged by out-of-fold answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.columns import Column
from models.manifest import Task
from models.sessions import Probabilities
from training.errors import DataError
from training.heads.calibration import AS_IS, Calibration, Rescaling, calibrate
from training.heads.crossfit import CrossFit, Fit, Lesson, Source, cross_fit
from training.heads.decider import Decider
from training.heads.encoding import fit_encoder, root_offset
from training.heads.registry import Kind, Maker, Size
from training.images import Indices
from training.metrics import Errors, balanced_weights, errors, score
from training.metrics import Scores as Figures
from training.progress import progress

_FEW_ROWS = 5000
"""Below this a fit takes one thread: two gain nothing, and wait long for each other where another has a core."""


@dataclass(frozen=True)
class Candidate:
    """A kind in one setting, and how it does on the judged rows.

    Attributes:
        name: for a person.
        kind: of the registry.
        fit: fits it to labelled embeddings.
        crossed: the heads that judged it, each fitted without a fold.
        calibration: of the scores, fitted on those that are out of fold.
        answers: out-of-fold probabilities on the scale that is served, `[J, K]`; or values, `[J, 1]`.
        scores: what those are worth; NaN where there are none.
        loss: what the best candidate has least of: log loss, or the root mean square error.
        note: what a person should know of the setting.
    """

    name: str
    kind: Kind
    fit: Fit
    crossed: CrossFit
    calibration: Calibration
    answers: Probabilities
    scores: Figures | Errors
    loss: float
    note: str = ""

    def finished(self, source: Source) -> Decider:
        """The head that serves: fitted on all rows."""
        fitted = self.fit(source.whole)
        return fitted if isinstance(self.calibration, Rescaling) else replace(fitted, calibration=self.calibration)

    def answer(self, judged: Lesson, positions: Indices) -> Probabilities:
        """Out-of-fold answers on other embeddings of the judged rows at some positions, as of another precision."""
        return _answers(self.crossed.part(positions), self.calibration, judged)


@dataclass(frozen=True)
class Fitting:
    """How heads are fitted, whatever their kind.

    Attributes:
        classes: K; 0 for numbers.
        columns: what stands beside the image.
        seed: of whatever is random.
        is_balanced: whether each class weighs the same, however many rows it has.
        is_log: whether numbers are told through their logarithms.
    """

    classes: int = 0
    columns: Sequence[Column] = ()
    seed: int = 0
    is_balanced: bool = False
    is_log: bool = False

    @property
    def criterion(self) -> str:
        """What the best candidate has least of, for a person."""
        if not self.classes:
            return "out-of-fold root mean square error"
        return "out-of-fold macro log loss (each class counts the same)" if self.is_balanced else "out-of-fold log loss"


def fit_classifiers(kinds: Sequence[Kind], source: Source, fitting: Fitting, *, suffix: str = "") -> list[Candidate]:
    """Judges settings of each kind; the least loss comes first.

    Args:
        kinds: of the registry.
        source: to fit on and to judge by; where nothing judges, the losses are NaN and each kind has one setting.
        fitting: how.
        suffix: behind the candidates' names.

    Raises:
        DataError: a kind is not installed, or takes no weights where classes are to weigh the same.
    """
    if fitting.is_balanced:
        check_weights(kinds)

    offset = root_offset(source.whole.embedding)

    def judge(kind: Kind, setting: str, maker: Maker, *, is_rooted: bool = False) -> Candidate:
        fit = partial(
            fit_classifier,
            kind,
            maker,
            columns=fitting.columns,
            seed=fitting.seed,
            classes=fitting.classes,
            is_balanced=fitting.is_balanced,
            offset=offset if is_rooted else None,
        )
        crossed = cross_fit(fit, source, fitting.classes)
        labels = source.judged.labels
        calibration = _calibrated(crossed, source.judged, kind, fitting)
        answers = _answers(crossed, calibration, source.judged)
        scores = score(answers, labels)
        loss = scores.macro_log_loss if fitting.is_balanced else scores.log_loss
        name = _titled(kind, setting, "of roots" if is_rooted else "", suffix)
        return Candidate(name, kind, fit, crossed, calibration, answers, scores, loss)

    can_judge = len(source.judged) > 0
    found = _search(kinds, "classification", judge, can_judge=can_judge)
    if can_judge and offset is not None:
        rooted = [kind for kind in kinds if kind.tries_roots]
        found += _search(rooted, "classification", partial(judge, is_rooted=True), can_judge=can_judge)
    return sorted(found, key=lambda candidate: candidate.loss)


def fit_regressors(kinds: Sequence[Kind], source: Source, fitting: Fitting, *, suffix: str = "") -> list[Candidate]:
    """Judges settings of each kind that names numbers; the least root mean square error comes first.

    Args and errors are those of `fit_classifiers`.
    """

    def judge(kind: Kind, setting: str, maker: Maker) -> Candidate:
        fit = partial(fit_regressor, kind, maker, columns=fitting.columns, seed=fitting.seed, is_log=fitting.is_log)
        crossed = cross_fit(fit, source, 1)
        calibration = Rescaling(0.0, 1.0)  # each head undoes its own
        answers = _answers(crossed, calibration, source.judged)
        scores = errors(answers, source.judged.labels)
        name = _titled(kind, setting, suffix)
        return Candidate(name, kind, fit, crossed, calibration, answers, scores, scores.rmse)

    found = _search(kinds, "regression", judge, can_judge=len(source.judged) > 0)
    return sorted(found, key=lambda candidate: candidate.loss)


def check_weights(kinds: Sequence[Kind]) -> None:
    """Whether kinds can weigh classes.

    Raises:
        DataError: one cannot.
    """
    if unable := [kind.name for kind in kinds if not kind.takes_weights]:
        raise DataError(f"{unable[0]} cannot weigh classes; take another head, or --balance none")


def fit_classifier(
    kind: Kind,
    maker: Maker,
    lesson: Lesson,
    *,
    columns: Sequence[Column] = (),
    seed: int,
    classes: int = 0,
    is_balanced: bool = False,
    offset: float | None = None,
) -> Decider:
    """Fits one head, not yet calibrated; on a part of the rows, class by class, where the kind takes no more.

    Args:
        kind: of the registry.
        maker: makes its estimator.
        lesson: labelled embeddings, of some of the classes at least.
        columns: what stands beside the image.
        seed: of whatever is random.
        classes: how many there are in all; 0 where all are in the lesson.
        is_balanced: whether each class weighs the same.
        offset: of the square roots that are taken of the embedding; None where none are.
    """
    taken = lesson.part(_sample(lesson.labels, kind.max_rows, seed))
    present, positions = np.unique(taken.labels, return_inverse=True)
    encoder = fit_encoder(columns, lesson.rows, offset)
    estimator = None
    if len(present) > 1:
        weights = balanced_weights(positions) if is_balanced else None
        features = encoder(taken.embedding, taken.rows)
        estimator = _fitted(maker(Size(len(taken), seed)), features, positions, weights)
    return Decider(kind, estimator, encoder, AS_IS, present, classes or int(present.max()) + 1)


def fit_regressor(
    kind: Kind, maker: Maker, lesson: Lesson, *, columns: Sequence[Column] = (), seed: int, is_log: bool = False
) -> Decider:
    """Fits one head to numbers, or to their logarithms; on a part of the rows where the kind takes no more."""
    taken = lesson.part(_sample(np.zeros(len(lesson), np.int64), kind.max_rows, seed))
    encoder = fit_encoder(columns, lesson.rows)
    rescaling = Rescaling.of(lesson.labels, is_log=is_log)
    features = encoder(taken.embedding, taken.rows)
    estimator = _fitted(maker(Size(len(taken), seed)), features, rescaling.undo(taken.labels), None)
    return Decider(kind, estimator, encoder, rescaling)


def _fitted(estimator: Any, features: NDArray[np.float32], targets: NDArray[Any], weights: Any) -> Any:
    """Fits, with weights of the rows where there are some; in a pipeline its last step takes them."""
    prefix = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    extra = {} if weights is None else {f"{prefix}sample_weight": weights}
    threads = 1 if len(features) < _FEW_ROWS else None
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped on purpose, see the registry
        return estimator.fit(features, targets, **extra)


def _calibrated(crossed: CrossFit, judged: Lesson, kind: Kind, fitting: Fitting) -> Calibration:
    """By the rows whose class the head that judges them knows: of others nothing follows for known ones."""
    known = np.flatnonzero(crossed.knows(judged.labels))
    rows = judged.part(known)
    scores = crossed.part(known)(rows, _scores)
    weights = balanced_weights(rows.labels) if fitting.is_balanced else None
    return calibrate(scores, rows.labels, are_probabilities=kind.has_probabilities, weights=weights)


def _answers(crossed: CrossFit, calibration: Calibration, judged: Lesson) -> Probabilities:
    if isinstance(calibration, Rescaling):
        return crossed(judged, lambda decider, rows: decider(rows.embedding, rows.rows))
    return calibration(crossed(judged, _scores))


def _scores(decider: Decider, rows: Lesson) -> Probabilities:
    return decider.scores(rows.embedding, rows.rows)


def _search(
    kinds: Sequence[Kind], task: Task, judge: Callable[[Kind, str, Maker], Candidate], *, can_judge: bool
) -> list[Candidate]:
    return [
        candidate
        for kind in progress(kinds, "fitting heads", "kind", part=True)
        for candidate in _tried(kind, task, judge, can_judge=can_judge)
    ]


def _tried(
    kind: Kind, task: Task, judge: Callable[[Kind, str, Maker], Candidate], *, can_judge: bool
) -> Iterable[Candidate]:
    makers, first = kind.makers(task), kind.first(task)

    def at(name: str) -> Candidate:
        return judge(kind, name, makers[name])

    tried = {first: at(first)}
    if can_judge and kind.is_ordered:
        _climb(tried, list(makers), at)
    elif can_judge:
        tried |= {name: at(name) for name in makers if name != first}
    return tried.values()


def _climb(tried: dict[str, Candidate], names: list[str], judge: Callable[[str], Candidate]) -> None:
    """Tries the neighbours of the best setting until it has no better one; the losses have one valley as a rule."""
    while True:
        best = min(tried, key=lambda name: tried[name].loss)
        at = names.index(best)
        new = [name for name in names[max(0, at - 1) : at + 2] if name not in tried]
        if not new:
            break
        tried.update((name, judge(name)) for name in new)
    if at in (0, len(names) - 1):
        note = f"{best} is at the edge of what was tried ({names[0]} to {names[-1]})"
        tried[best] = replace(tried[best], note=note)


def _titled(kind: Kind, *details: str) -> str:
    return ", ".join(part for part in (kind.title, *details) if part)


def _sample(labels: NDArray[np.int64], limit: int | None, seed: int) -> Indices:
    """Positions of at most about `limit` rows, as large a share of each class, and two of it at least."""
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    kept = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        kept.append(members[: max(2, limit * len(members) // len(labels))])
    return np.sort(np.concatenate(kept))
