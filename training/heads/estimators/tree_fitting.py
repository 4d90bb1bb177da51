"""`Sample` ──▶ `Trees`: LightGBM's trees, fitted to what given scores leave, in the best number of rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from training.arrays import Features, Floats
from training.data.images import Indices
from training.heads.estimators.tree_settings import TreeSettings
from training.heads.estimators.trees import Trees


@dataclass(frozen=True)
class Sample:
    """Rows that trees are fitted on.

    Attributes:
        inputs: what trees see, float32 `[N, P]`.
        labels: class positions or numbers, `[N]`.
        margins: the scores they start from, float32 `[N, K]`, or `[N, 1]` for numbers.
        weights: of the rows, `[N]`; None if all have the same.
    """

    inputs: Features
    labels: NDArray[Any]
    margins: Features
    weights: Floats | None = None

    def part(self, positions: Indices) -> Sample:
        """The rows at some positions."""
        weights = None if self.weights is None else self.weights[positions]
        return Sample(self.inputs[positions], self.labels[positions], self.margins[positions], weights)

    def to_lightgbm(self, settings: TreeSettings, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        """The same rows as LightGBM's data set."""
        margins = self.margins.astype(np.float64)
        return lightgbm.Dataset(
            self.inputs,
            self.labels,
            weight=self.weights,
            init_score=margins if settings.classes else margins[:, 0],
            reference=reference,
            params=settings.parameters,
            free_raw_data=False,
        )


def fit_trees(sample: Sample, settings: TreeSettings, rounds: int) -> Trees:
    """Fits a number of rounds of trees; each round has one tree for each output."""
    if not rounds:
        return Trees(None, 0, settings.outputs)
    booster = lightgbm.Booster(settings.parameters, sample.to_lightgbm(settings))
    _add_rounds([booster], rounds)
    return Trees(booster, rounds, settings.outputs)


def cross_fit_trees(
    samples: Mapping[int, Sample], folds: Indices, settings: TreeSettings, rounds: int | None = None
) -> tuple[Mapping[int, Trees], int]:
    """Fits trees without each fold, in as many rounds as give the least mean loss over the folds; perhaps in none.

    Args:
        samples: all rows as the base without each fold encodes them, by fold.
        folds: the fold of each row, int64 `[N]`.
        settings: how trees are fitted.
        rounds: how many, if that is known already.

    Returns:
        The trees without each fold, by fold, and the number of their rounds.
    """
    if len(np.unique(folds)) < 2 or not all(sample.inputs.size for sample in samples.values()):
        return dict.fromkeys(samples, Trees(None, 0, settings.outputs)), 0
    boosters, shares = {}, []
    for fold, sample in samples.items():
        fitted, held_out = sample.part(np.flatnonzero(folds != fold)), sample.part(np.flatnonzero(folds == fold))
        data = fitted.to_lightgbm(settings)
        boosters[fold] = lightgbm.Booster(settings.parameters, data)
        if len(held_out.labels):  # there are none if all rows of the fold were left out
            boosters[fold].add_valid(held_out.to_lightgbm(settings, data), "held out")
        shares.append(float(len(held_out.labels) if held_out.weights is None else held_out.weights.sum()))
    if rounds is None:
        rounds = _best_round(list(boosters.values()), shares, settings)
    else:
        _add_rounds(boosters.values(), rounds)
    return {fold: Trees(booster, rounds, settings.outputs) for fold, booster in boosters.items()}, rounds


def _add_rounds(boosters: Iterable[lightgbm.Booster], rounds: int) -> None:
    for booster in boosters:
        for _ in range(rounds):
            booster.update()


def _best_round(boosters: Sequence[lightgbm.Booster], shares: Sequence[float], settings: TreeSettings) -> int:
    """Adds rounds to all boosters together until their mean loss on held-out rows stops falling."""
    curve = [_mean_loss(boosters, shares)]
    while len(curve) <= settings.max_rounds and len(curve) - 1 - int(np.argmin(curve)) < settings.patience:
        ended = [booster.update() for booster in boosters]  # True of one that could split nothing
        if all(ended):
            break
        curve.append(_mean_loss(boosters, shares))
    return int(np.argmin(curve))


def _mean_loss(boosters: Sequence[lightgbm.Booster], shares: Sequence[float]) -> float:
    return sum(share * booster.eval_valid()[0][2] for booster, share in zip(boosters, shares, strict=True) if share)
