"""scores of a fitted classifier ──▶ probabilities that mean what they say, by whichever way wins on held-out rows.

Ways: as they are; a temperature (Guo et al. 2017, https://arxiv.org/abs/1706.04599); isotonic regression of each class
against the rest (Zadrozny and Elkan 2002), normalized. All three are a few operations of ONNX, so that the graph of
a head ends with one; see `training.head_graph`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from training.dataset import Labels
from training.metrics import score

Scores = NDArray[np.float32]
"""`[N, K]`: probabilities, or, of kinds that have none, decision values, which are taken for logits."""

LEAST = 1e-7
"""The least probability whose logarithm is taken."""
_FOLDS = 5
_FEWEST = 50  # held-out rows of the rarest class, from which on isotonic regression is tried
_KNOTS = 32  # of an isotonic curve at most


@dataclass(frozen=True)
class AsIs:
    """Scores that are probabilities already."""

    name: str = "none"

    def __call__(self, scores: Scores) -> Scores:
        """Returns them."""
        return scores


AS_IS = AsIs()


@dataclass(frozen=True)
class Temperature:
    """Logits divided by one number: all classes are as sure, more or less, and none changes its rank."""

    temperature: float
    of_probabilities: bool

    @property
    def name(self) -> str:
        """With the number."""
        return f"temperature {self.temperature:.3g}"

    def __call__(self, scores: Scores) -> Scores:
        """The softmax of the logits."""
        logits = logits_of(scores) if self.of_probabilities else scores.astype(np.float64)
        return _softmax(logits / self.temperature).astype(np.float32)


@dataclass(frozen=True)
class Isotonic:
    """A rising curve for each class, through knots `xs[k]`, `ys[k]`, straight between them and flat beyond."""

    xs: tuple[NDArray[np.float64], ...]
    ys: tuple[NDArray[np.float64], ...]
    name: str = "isotonic"

    def __call__(self, scores: Scores) -> Scores:
        """Each class by its curve, normalized; where all are 0, all are alike."""
        curves = zip(self.xs, self.ys, strict=True)
        raw = np.stack([np.interp(scores[:, k], xs, ys) for k, (xs, ys) in enumerate(curves)], axis=1)
        total = raw.sum(1, keepdims=True)
        return np.where(total > 0, raw / np.where(total > 0, total, 1), 1 / raw.shape[1]).astype(np.float32)


@dataclass(frozen=True)
class Rescaling:
    """Of numbers: from those of mean 0 and deviation 1 that a regressor is fitted on back to their own unit."""

    mean: float
    deviation: float
    name: str = "rescaled"

    def __call__(self, scores: Scores) -> Scores:
        """In their own unit, `[N, 1]`."""
        return (scores * np.float32(self.deviation) + np.float32(self.mean)).astype(np.float32)

    def undo(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the regressor is fitted on."""
        return (values - self.mean) / self.deviation


Calibration = AsIs | Temperature | Isotonic | Rescaling
"""A way from scores `[N, K]` to probabilities `[N, K]`, or to values `[N, 1]`."""
Way = Callable[[Scores, Labels, bool], Calibration]
"""Fits a calibration to scores, labels and whether the scores are probabilities."""


def calibrate(scores: Scores, labels: Labels, *, are_probabilities: bool, seed: int) -> tuple[Calibration, Scores]:
    """Tries the ways by cross-validation on held-out rows, and fits the one of least log loss on all of them.

    Args:
        scores: `[N, K]` of rows that the classifier has not seen.
        labels: their class positions `[N]`.
        are_probabilities: else they are decision values.
        seed: of the folds.

    Returns:
        The calibration, and the probabilities that it gives for rows it was not fitted on, `[N, K]`.
    """
    plain: Calibration = AsIs() if are_probabilities else Temperature(1.0, of_probabilities=False)
    rarest = int(np.bincount(labels, minlength=scores.shape[1]).min()) if len(labels) else 0
    if rarest < _FOLDS:
        return plain, plain(scores)
    ways: list[Way] = [fit_temperature] + ([fit_isotonic] if rarest >= _FEWEST else [])
    folds = _folds(labels, seed)
    found = [
        (way(scores, labels, are_probabilities), _crossed(way, scores, labels, folds, are_probabilities))
        for way in ways
    ]
    return min([(plain, plain(scores)), *found], key=lambda tried: score(tried[1], labels).log_loss)


def fit_temperature(scores: Scores, labels: Labels, are_probabilities: bool) -> Temperature:
    """The temperature of least log loss, against labels that are taken to be wrong once in `N + 2`.

    That is the rule of succession, as Platt 1999 has it: of few rows that are all told apart nothing follows for sure,
    and without it the temperature would fall to 0.
    """
    logits = logits_of(scores) if are_probabilities else scores.astype(np.float64)
    doubt = 1 / (len(labels) + 2)
    wanted = np.full(logits.shape, doubt / (logits.shape[1] - 1))
    wanted[np.arange(len(labels)), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        return float(-(wanted * logits_of(_softmax(logits / np.exp(log_temperature)))).sum(1).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100.0)), method="bounded")
    return Temperature(float(np.exp(found.x)), are_probabilities)


def fit_isotonic(scores: Scores, labels: Labels, are_probabilities: bool) -> Isotonic:  # noqa: ARG001 (any score will do)
    """One curve a class, of at most so many knots."""
    curves = [_curve(scores[:, k], labels == k) for k in range(scores.shape[1])]
    return Isotonic(tuple(xs for xs, _ in curves), tuple(ys for _, ys in curves))


def logits_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Their logarithms."""
    return np.asarray(np.log(probabilities.astype(np.float64).clip(min=LEAST)))


def _curve(scores: NDArray[np.float32], hits: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, hits)
    xs, ys = np.asarray(fitted.X_thresholds_, np.float64), np.asarray(fitted.y_thresholds_, np.float64)
    if len(xs) > _KNOTS:
        kept = np.unique(np.linspace(0, len(xs) - 1, _KNOTS).round().astype(int))
        xs, ys = xs[kept], ys[kept]
    return (xs, ys) if len(xs) > 1 else (np.array([xs[0], xs[0] + 1.0]), np.array([ys[0], ys[0]]))


def _folds(labels: Labels, seed: int) -> NDArray[np.int64]:
    """The fold of each row, class by class."""
    fold = np.empty(len(labels), np.int64)
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        fold[members] = np.arange(len(members)) % _FOLDS
    return fold


def _crossed(way: Way, scores: Scores, labels: Labels, folds: NDArray[np.int64], are_probabilities: bool) -> Scores:
    """Each fold's probabilities by what the others gave."""
    found = np.empty_like(scores)
    for fold in range(_FOLDS):
        inside, outside = folds != fold, folds == fold
        found[outside] = way(scores[inside], labels[inside], are_probabilities)(scores[outside])
    return found


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
