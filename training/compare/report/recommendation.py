"""rows of one size ──▶ `Decision`: the simplest model that is shown to be good enough, or that none is.

A model is recommended if the test images show, with 95 % confidence, that no other row is more accurate by more than a
margin. That has to be shown against every row, so comparing with many rows needs no correction (an intersection-union
test). Testing many rows does: of M rows M - 1 can be too bad, so each is tested at 5 % / (M - 1) (Bonferroni). The best
of many heads may therefore be picked by the test images without looking better than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from training.compare.report.comparison_rows import Decision, Family, Row, champion
from training.compare.report.paired_intervals import Hits, Noise, difference, enough_images, noise_of

CONFIDENCE = 0.95
DEFAULT_MARGIN = 1.0
"""In points: hundredths of the test images."""
_DIGITS = 2  # of the number of images that would be enough
_MOST_IMAGES = 10_000_000


class Ranking:
    """The rows of one size, the best first, and what the test images show about them."""

    def __init__(self, rows: Sequence[Row], test_images: int, margin: float = DEFAULT_MARGIN) -> None:
        self.rows = rows
        self.margin = margin
        self._hits: dict[str, Hits] = {row.name: row.hits(test_images) for row in rows}
        self._noise: Noise = noise_of(list(self._hits.values()))
        self._tail = (1 - CONFIDENCE) / max(1, len(rows) - 1)

    def decide(self) -> Decision:
        """Which model to use."""
        for row in self._champions():
            if all(self.is_shown(row, other) for other in self.rows if other is not row):
                return Decision(recommended=row.name)
        return Decision(
            recommended=None,
            contenders=tuple(row.name for row in self._inseparable()),
            enough_images=_rounded(min(self._enough(row) for row in self._champions())),
        )

    def is_shown(self, row: Row, other: Row) -> bool:
        """Whether a row is shown not to be worse than another by more than the margin."""
        found = difference(self._hits[row.name], self._hits[other.name], self._tail, self._noise)
        return found.low > -self.margin

    def in_reach(self) -> list[Row]:
        """The best of each family, and all others that are not shown to be worse than the best; the best first."""
        champions = self._champions()
        return [row for row in self.rows if row in champions or not self._is_worse(row)]

    def _champions(self) -> list[Row]:
        """The best of each family, the simplest first."""
        return [row for family in Family if (row := champion(self.rows, family)) is not None]

    def _inseparable(self) -> list[Row]:
        kinds = [row for row in self._champions() if not self._is_worse(row)]
        if len(kinds) > 1:
            return kinds
        return [row for row in self.rows if not self._is_worse(row)]  # of one family

    def _is_worse(self, row: Row) -> bool:
        best = self.rows[0]
        if row is best:
            return False
        return difference(self._hits[row.name], self._hits[best.name], self._tail, self._noise).high < 0

    def _enough(self, row: Row) -> float:
        rivals = [self._hits[other.name] for other in self.rows if other is not row]
        margin = self.margin / 100
        return max(enough_images(self._hits[row.name], each, self._tail, self._noise, margin) for each in rivals)


def _rounded(images: float) -> int | None:
    """Rounded up to two digits; None if no number of images would be enough."""
    if images > _MOST_IMAGES:
        return None
    step: int = 10 ** max(0, math.floor(math.log10(images)) + 1 - _DIGITS)
    return math.ceil(images / step) * step
