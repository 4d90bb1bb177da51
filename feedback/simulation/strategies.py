"""unlabelled rows and a head's probabilities ──▶ the rows to label next, by each of four strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback.statistics.acquisition import margin_uncertainty, rank

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Rows that could be labelled next.

    Attributes:
        embedding: float `[N, D]`.
        probabilities: float64 `[N, K]`.
        answered: embeddings of labelled rows, float `[M, D]`.
    """

    embedding: NDArray[Any]
    probabilities: NDArray[np.float64]
    answered: NDArray[Any]


Strategy = Callable[[Candidates, int, np.random.Generator], Positions]


def at_random(candidates: Candidates, count: int, random: np.random.Generator) -> Positions:
    """Any rows."""
    return random.permutation(len(candidates.embedding))[:count]


def most_uncertain(candidates: Candidates, count: int, random: np.random.Generator) -> Positions:  # noqa: ARG001
    """The rows that the head is least sure of."""
    return np.argsort(-margin_uncertainty(candidates.probabilities), kind="stable")[:count]


def most_diverse(candidates: Candidates, count: int, random: np.random.Generator) -> Positions:  # noqa: ARG001
    """The rows that are least like any labelled one."""
    alike = np.ones(len(candidates.embedding))
    return rank(candidates.embedding, uncertainty=alike, count=count, answered=candidates.answered)


def ours(candidates: Candidates, count: int, random: np.random.Generator) -> Positions:  # noqa: ARG001
    """The rows that the review queue shows first."""
    doubt = margin_uncertainty(candidates.probabilities)
    return rank(candidates.embedding, uncertainty=doubt, count=count, answered=candidates.answered)


STRATEGIES: Mapping[str, Strategy] = {
    "random": at_random,
    "uncertainty": most_uncertain,
    "diversity": most_diverse,
    "ours": ours,
}
