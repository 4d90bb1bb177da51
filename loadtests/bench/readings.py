"""Figures of interleaved rounds ──▶ median and range."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One figure of one round.

    Attributes:
        subject: What was measured, e.g. a server.
        quantity: Name of the figure, with its unit.
        round: Number of the round, from 1.
        value: The figure.
        x: Position on the axis of a curve, e.g. a number of connections; 0 for figures without an axis.
    """

    subject: str
    quantity: str
    round: int
    value: float
    x: float = 0


@dataclass(frozen=True)
class Spread:
    """Median and range of one figure over the rounds, and the number of rounds ``n``."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """Summarize values; None where there are none."""
        return cls(median(values), min(values), max(values), len(values)) if values else None


class Readings:
    """All figures of a run, in the order in which they were taken."""

    def __init__(self) -> None:
        """Start with no figures."""
        self._taken: list[Reading] = []

    def add(self, subject: str, round_: int, figures: dict[str, float], x: float = 0) -> None:
        """Add the figures of one measurement, by their quantity."""
        self._taken += [Reading(subject, quantity, round_, value, x) for quantity, value in figures.items()]

    def extend(self, other: "Readings") -> None:
        """Add all figures of another run."""
        self._taken += other._taken

    @property
    def subjects(self) -> list[str]:
        """What was measured, in the order of the first readings."""
        return list(dict.fromkeys(reading.subject for reading in self._taken))

    def xs(self, subject: str) -> list[float]:
        """Positions at which a subject was measured, ascending."""
        return sorted({reading.x for reading in self._taken if reading.subject == subject})

    def values(self, quantity: str) -> list[float]:
        """Every value of a quantity, of all subjects."""
        return [reading.value for reading in self._taken if reading.quantity == quantity]

    def rounds(self, subject: str, quantity: str, x: float = 0) -> dict[int, float]:
        """The value of each round in which the figure was taken."""
        key = (subject, quantity, x)
        return {each.round: each.value for each in self._taken if (each.subject, each.quantity, each.x) == key}

    def spread(self, subject: str, quantity: str, x: float = 0) -> Spread | None:
        """Summarize the rounds; None where the figure was not taken."""
        return Spread.of(list(self.rounds(subject, quantity, x).values()))

    def median(self, subject: str, quantity: str, x: float = 0) -> float:
        """Return the median of the rounds.

        Raises:
            statistics.StatisticsError: The figure was not taken.
        """
        return median(self.rounds(subject, quantity, x).values())

    def ratio(self, subject: str, baseline: str, quantity: str) -> Spread | None:
        """Summarize the ratios of two subjects, each of one round; None where they share no round."""
        below = self.rounds(baseline, quantity)
        above = self.rounds(subject, quantity)
        return Spread.of([value / below[round_] for round_, value in above.items() if round_ in below])

    def write(self, path: Path, conditions: dict[str, Any]) -> None:
        """Write all figures as JSON, with the conditions under which they were taken."""
        content = {"conditions": conditions, "readings": [asdict(each) for each in self._taken]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")
