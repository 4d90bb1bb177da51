"""scores of a fitted classifier ──▶ calibrated probabilities, by a temperature (Guo et al. 2017).

https://arxiv.org/abs/1706.04599. The temperature is one number, fitted on out-of-fold scores. It cannot overfit these
rows, and it never changes the most likely class, so thresholds that are chosen on the same rows stay valid on others. A
curve for each class (isotonic regression) overfits: its top step is where the rows at hand happen to have no error.
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
"""`[N, K]`: probabilities, or decision values of kinds without probabilities, which are used as logits."""

LEAST = 1e-7
"""Lower probabilities count as this before their logarithm is taken."""
_FLOORS = (LEAST, 1e-4, 1e-3, 0.01, 0.03)
"""Floors that are tried for kinds with probabilities near 0, such as nearest neighbours that are all of other classes.
Among 500 rows none may prove such a probability wrong, while among 10,000 others some do: the out-of-fold log loss was
0.10, and 0.23 on those."""
LOGS = (np.float32(-87.0), np.float32(88.0))
"""Logarithms whose exponentials float32 can hold; a regressor's output for an outlier may lie beyond them."""


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
    """Logits divided by one number: probabilities become flatter or sharper, and classes keep their rank.

    Attributes:
        temperature: the number.
        of_probabilities: whether scores are probabilities, whose logarithms are the logits.
        least: the floor: lower probabilities count as it, including those that logits stand for.
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
"""For scores that are calibrated logits already."""


@dataclass(frozen=True)
class Rescaling:
    """For numbers: from the scale that a regressor is fitted on, of mean 0 and deviation 1, back to their own unit.

    Attributes:
        mean: of the numbers, or of their logarithms.
        deviation: of the same.
        is_log: whether the regressor is fitted to logarithms; it then predicts the median, not the mean.
        name: as people read it.
    """

    mean: float
    deviation: float
    is_log: bool = False
    name: str = "rescaled"

    @classmethod
    def of(cls, values: NDArray[np.float64], *, is_log: bool = False) -> Rescaling:
        """The rescaling of the training numbers `[N]`, which are all above 0 if `is_log`."""
        scaled = np.log(values) if is_log else values
        return cls(float(scaled.mean()), float(scaled.std()) or 1.0, is_log)

    def __call__(self, scores: Scores) -> Scores:
        """In their own unit, `[N, K]`."""
        wide = (scores * np.float32(self.deviation) + np.float32(self.mean)).astype(np.float32)
        return np.exp(wide.clip(*LOGS)) if self.is_log else wide

    def undo(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values in their own unit on the scale that the regressor is fitted on."""
        scaled = np.log(values) if self.is_log else values
        return np.asarray((scaled - self.mean) / self.deviation, np.float64)


Calibration = AsIs | Temperature | Rescaling
"""Turns scores `[N, K]` into probabilities `[N, K]`, or into values `[N, 1]`."""


def calibrate(
    scores: Scores, labels: Labels, *, are_probabilities: bool, weights: NDArray[np.float64] | None = None
) -> Calibration:
    """Fits a temperature; returns none if it does not lower the loss.

    Args:
        scores: out-of-fold scores `[N, K]`.
        labels: their class positions `[N]`.
        are_probabilities: whether scores are probabilities; decision values always need a softmax.
        weights: of the rows, `[N]`; None if all have the same.
    """
    plain: Calibration = AsIs() if are_probabilities else LOGITS
    if not len(labels):
        return plain
    fitted = fit_temperature(scores, labels, are_probabilities, weights)
    smoothed = _SmoothedLabels(labels, scores.shape[1], weights)
    return min((plain, fitted), key=lambda each: smoothed.loss(logits_of(each(scores))))


def fit_temperature(
    scores: Scores, labels: Labels, are_probabilities: bool, weights: NDArray[np.float64] | None = None
) -> Temperature:
    """The temperature with the lowest log loss, and a floor if some probabilities are near 0."""
    floors = (LEAST,) if are_probabilities and not (scores < LEAST).any() else _FLOORS
    smoothed = _SmoothedLabels(labels, scores.shape[1], weights)
    found = []
    for least in floors:
        logits = logits_of(scores, least) if are_probabilities else floored(scores, least)
        loss, temperature = smoothed.best_temperature(logits)
        found.append((loss, Temperature(temperature, are_probabilities, least)))
    return min(found, key=lambda each: each[0])[1]


class _SmoothedLabels:
    """Labels that are wrong with probability `1 / (N + 2)`.

    That is the rule of succession, as in Platt 1999. Without it the temperature would fall to 0 if a head gets all of a
    few rows right.
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

    def best_temperature(self, logits: NDArray[np.float64]) -> tuple[float, float]:
        """The lowest loss of logits divided by a temperature, and the temperature."""

        def loss(log_temperature: float) -> float:
            return self.loss(logits / np.exp(log_temperature))

        found = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100.0)), method="bounded")
        return float(found.fun), float(np.exp(found.x))


def floored(logits: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    """Log probabilities of logits `[N, K]`, none below that of `least`; the logits themselves for `LEAST`."""
    wide = logits.astype(np.float64)
    return wide if least == LEAST else np.maximum(log_softmax(wide, axis=1), np.log(least))


def logits_of(probabilities: NDArray[np.floating], least: float = LEAST) -> NDArray[np.float64]:
    """Logarithms of probabilities, none below that of `least`."""
    return np.asarray(np.log(probabilities.astype(np.float64).clip(min=least)))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
