"""scores of a fitted classifier ──▶ probabilities that mean what they say, by a temperature (Guo et al. 2017).

https://arxiv.org/abs/1706.04599. It is one number, fitted on out-of-fold scores, so that it neither fits those rows too
well nor changes which class is the likeliest: thresholds that are chosen on the same rows stay true on others. A curve
for each class (isotonic regression) does not: its topmost step is where the rows at hand happen to have no error.
In ONNX it is three operations; see `training.heads.graphs.head_graph`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from training.data.dataset import Labels

Scores = NDArray[np.float32]
"""`[N, K]`: probabilities, or, of kinds that have none, decision values, which are taken for logits."""

LEAST = 1e-7
"""The least probability whose logarithm is taken."""
_FLOORS = (LEAST, 1e-4, 1e-3, 0.01, 0.03)
"""Floors that are tried for kinds that say next to 0, as neighbours do that are all of other classes. Of 500 rows none
may prove such an answer wrong, while of 10,000 others some do: out of fold the log loss was 0.10, on those 0.23."""
LOGS = (np.float32(-87.0), np.float32(88.0))
"""Logarithms whose powers float32 can hold; what a regressor says of a strange image may lie beyond them."""


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
    """Logits divided by one number: all classes are as sure, more or less, and none changes its rank.

    Attributes:
        temperature: the number.
        of_probabilities: whether scores are probabilities, whose logarithms are the logits.
        least: lesser probabilities count as it, also those that logits stand for.
    """

    temperature: float
    of_probabilities: bool
    least: float = LEAST

    @property
    def name(self) -> str:
        """With the number."""
        return f"temperature {self.temperature:.3g}"

    def __call__(self, scores: Scores) -> Scores:
        """The softmax of the logits."""
        logits = logits_of(scores, self.least) if self.of_probabilities else floored(scores, self.least)
        return _softmax(logits / self.temperature).astype(np.float32)


LOGITS = Temperature(1.0, of_probabilities=False)
"""Of scores that are calibrated logits already."""


@dataclass(frozen=True)
class Rescaling:
    """Of numbers: from those of mean 0 and deviation 1 that a regressor is fitted on back to their own unit.

    Attributes:
        mean: of the numbers, or of their logarithms.
        deviation: of the same.
        is_log: whether the regressor is fitted to logarithms; what it names is then the median, not the mean.
        name: for a person.
    """

    mean: float
    deviation: float
    is_log: bool = False
    name: str = "rescaled"

    @classmethod
    def of(cls, values: NDArray[np.float64], *, is_log: bool = False) -> Rescaling:
        """The one of training's numbers `[N]`, all above 0 where `is_log`."""
        scaled = np.log(values) if is_log else values
        return cls(float(scaled.mean()), float(scaled.std()) or 1.0, is_log)

    def __call__(self, scores: Scores) -> Scores:
        """In their own unit, `[N, K]`."""
        wide = (scores * np.float32(self.deviation) + np.float32(self.mean)).astype(np.float32)
        return np.exp(wide.clip(*LOGS)) if self.is_log else wide

    def undo(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """What the regressor is fitted on."""
        scaled = np.log(values) if self.is_log else values
        return np.asarray((scaled - self.mean) / self.deviation, np.float64)


Calibration = AsIs | Temperature | Rescaling
"""A way from scores `[N, K]` to probabilities `[N, K]`, or to values `[N, 1]`."""


def calibrate(
    scores: Scores, labels: Labels, *, are_probabilities: bool, weights: NDArray[np.float64] | None = None
) -> Calibration:
    """A temperature, or none where it gains nothing.

    Args:
        scores: `[N, K]` of rows that the classifier has not seen.
        labels: their class positions `[N]`.
        are_probabilities: else they are decision values, which always need a softmax.
        weights: of the rows, `[N]`; None where all weigh the same.
    """
    plain: Calibration = AsIs() if are_probabilities else LOGITS
    if not len(labels):
        return plain
    fitted = fit_temperature(scores, labels, are_probabilities, weights)
    doubted = _Doubted(labels, scores.shape[1], weights)
    return min((plain, fitted), key=lambda each: doubted.loss(logits_of(each(scores))))


def fit_temperature(
    scores: Scores, labels: Labels, are_probabilities: bool, weights: NDArray[np.float64] | None = None
) -> Temperature:
    """The temperature of least log loss, and the floor of probabilities among which some are 0."""
    floors = (LEAST,) if are_probabilities and not (scores < LEAST).any() else _FLOORS
    doubted = _Doubted(labels, scores.shape[1], weights)
    found = []
    for least in floors:
        logits = logits_of(scores, least) if are_probabilities else floored(scores, least)
        loss, temperature = doubted.cooled(logits)
        found.append((loss, Temperature(temperature, are_probabilities, least)))
    return min(found, key=lambda each: each[0])[1]


class _Doubted:
    """Labels that are taken to be wrong once in `N + 2`.

    That is the rule of succession, as Platt 1999 has it: of few rows that are all told apart nothing follows for sure,
    and without it the temperature would fall to 0.
    """

    def __init__(self, labels: Labels, classes: int, weights: NDArray[np.float64] | None) -> None:
        doubt = 1 / (len(labels) + 2)
        self._wanted = np.full((len(labels), classes), doubt / (classes - 1))
        self._wanted[np.arange(len(labels)), labels] = 1 - doubt
        self._weights = weights

    def loss(self, logits: NDArray[np.float64]) -> float:
        """Mean log loss of logits `[N, K]`."""
        losses = -(self._wanted * logits_of(_softmax(logits))).sum(1)
        return float(np.average(losses, weights=self._weights))

    def cooled(self, logits: NDArray[np.float64]) -> tuple[float, float]:
        """The least loss of logits divided by a number, and the number."""

        def loss(log_temperature: float) -> float:
            return self.loss(logits / np.exp(log_temperature))

        found = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100.0)), method="bounded")
        return float(found.fun), float(np.exp(found.x))


def floored(logits: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    """Logarithms of the probabilities that logits `[N, K]` stand for, none below `least`; for `LEAST` the logits."""
    wide = logits.astype(np.float64)
    return wide if least == LEAST else np.maximum(log_softmax(wide, axis=1), np.log(least))


def logits_of(probabilities: NDArray[np.floating], least: float = LEAST) -> NDArray[np.float64]:
    """Their logarithms; those of lesser ones than `least` are its."""
    return np.asarray(np.log(probabilities.astype(np.float64).clip(min=least)))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
