"""encoded columns ──▶ hinges and products of the numeric ones, which a linear model cannot make itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.arrays import Features
from training.export.graph_builder import GraphBuilder

_QUANTILES = (0.25, 0.5, 0.75)
_MOST_NUMBERS = 20
"""The most numeric columns whose products are taken: 190 products."""
_FEWEST_VALUES = 4
"""With fewer values a hinge adds nothing to the number itself."""
_FLAT = 1e-6  # deviation below which a product or a hinge adds nothing


@dataclass(frozen=True)
class Expansion:
    """Hinges `max(x - knot, 0)` and products `x * y` of encoded columns, of deviation 1 each.

    Attributes:
        hinged: position among the encoded columns of each hinge, int64 `[H]`.
        knots: of each hinge, float32 `[H]`.
        pairs: positions of the factors of each product, int64 `[2, P]`.
        scale: what hinges and products are multiplied by, float32 `[H + P]`.
    """

    hinged: NDArray[np.int64]
    knots: Features
    pairs: NDArray[np.int64]
    scale: Features

    @property
    def width(self) -> int:
        """How many there are."""
        return len(self.scale)

    def __call__(self, columns: Features) -> Features:
        """Hinges and products of encoded columns `[N, C]`, float32 `[N, H + P]`."""
        return self._unscaled(columns) * self.scale

    def _unscaled(self, columns: Features) -> Features:
        first, second = self.pairs
        hinges = np.maximum(columns[:, self.hinged] - self.knots, np.float32(0))
        return np.concatenate([hinges, columns[:, first] * columns[:, second]], axis=1)

    def add(self, build: GraphBuilder, columns: str) -> str:
        """Adds its nodes to a graph, and returns the name of their output."""
        first, second = (build.constant(positions, np.int64) for positions in self.pairs)
        factors = (build.node("Gather", columns, positions, axis=1) for positions in (first, second))
        taken = build.node("Gather", columns, build.constant(self.hinged, np.int64), axis=1)
        hinges = build.node("Relu", build.node("Sub", taken, build.constant(self.knots)))
        both = build.node("Concat", hinges, build.node("Mul", *factors), axis=1)
        return build.node("Mul", both, build.constant(self.scale))


def fit_expansion(columns: Features) -> Expansion | None:
    """Fits knots and scales to encoded columns `[N, C]`; returns None if no column has enough values."""
    numeric = [at for at in range(columns.shape[1]) if len(np.unique(columns[:, at])) >= _FEWEST_VALUES]
    knots = [(at, knot) for at in numeric for knot in np.unique(np.quantile(columns[:, at], _QUANTILES))]
    pairs = list(combinations(numeric[:_MOST_NUMBERS], 2))
    whole = Expansion(
        hinged=np.array([at for at, _ in knots], np.int64),
        knots=np.array([knot for _, knot in knots], np.float32),
        pairs=np.array(pairs, np.int64).reshape(-1, 2).T,
        scale=np.ones(len(knots) + len(pairs), np.float32),
    )
    deviations = whole(columns).std(0) if numeric else np.zeros(0, np.float32)
    scale = np.where(deviations > _FLAT, 1 / np.maximum(deviations, _FLAT), 0).astype(np.float32)
    return Expansion(whole.hinged, whole.knots, whole.pairs, scale) if numeric else None
