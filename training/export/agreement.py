"""Checks that an exported graph answers as the fitted model does."""

from __future__ import annotations

import numpy as np

from models.runtime.sessions import Probabilities
from training.exceptions import ExportError

MIN_AGREEMENT = 0.9995  # share of images on which both must give the same class
TIE = 1e-6  # probabilities this close differ by float32 rounding only


def agreement(found: Probabilities, expected: Probabilities) -> float:
    """Share of rows `[N, K]` with the same most probable class, or one that ties with it, as is common with trees."""
    ties = expected[np.arange(len(found)), found.argmax(1)] >= expected.max(1) - TIE
    return float(ties.mean())


def check(file: str, difference: float, tolerance: float, agreement: float = 1.0) -> None:
    """Refuses a graph that computes something else than the fitted model.

    Args:
        file: the graph's name in the bundle.
        difference: largest difference of an output's elements.
        tolerance: limit of the difference.
        agreement: share of images on which both give the same class.

    Raises:
        ExportError: the difference is above the limit or NaN, or the share below `MIN_AGREEMENT`.
    """
    if not difference <= tolerance or agreement < MIN_AGREEMENT:  # `not <=` refuses NaN, too
        raise ExportError(
            f"{file} does not compute what the fitted model computes: largest difference {difference:.2g} "
            f"(limit {tolerance:.2g}), same class for {agreement:.4%} (limit {MIN_AGREEMENT:.2%})"
        )
