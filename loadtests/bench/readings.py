"""Figures of interleaved rounds → median and spread."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One figure of one round.

    Attributes:
        subject: What was measured, e.g. a server.
        quantity: Which figure, with its unit.
        round: From 1.
        value: The figure.
        x: Where on an axis it belongs; 0 where there is none.
    """

    subject: str
    quantity: str
    round: int
    value: float
    x: float = 0


@dataclass(frozen=True)
class Spread:
    """What the rounds say of one figure.

    Attributes:
        median: Of the rounds.
        low: Least of them.
        high: Greatest of them.
        n: How many.
    """

    median: float
    low: float
    high: float
    n: int


class Readings:
    """All figures of a run, in the order in which they were taken."""

    def __init__(self, taken: Iterable[Reading] = ()) -> None:
        """Begin with some."""
        self._taken = list(taken)

    def add(self, subject: str, round_: int, figures: dict[str, float], x: float = 0) -> None:
        """Add the figures of one measurement, by their quantity."""
        self._taken += [Reading(subject, quantity, round_, value, x) for quantity, value in figures.items()]

    def joined(self, other: "Readings") -> "Readings":
        """Give the figures of both, this one's first."""
        return Readings(self._taken + other._taken)

    @property
    def subjects(self) -> list[str]:
        """What was measured, each once, in the order of its first reading."""
        return list(dict.fromkeys(reading.subject for reading in self._taken))

    def xs(self, subject: str) -> list[float]:
        """Where on the axis a subject was measured, ascending."""
        return sorted({reading.x for reading in self._taken if reading.subject == subject})

    def values(self, quantity: str) -> list[float]:
        """Every value of a quantity, whatever it was measured of."""
        return [reading.value for reading in self._taken if reading.quantity == quantity]

    def spread(self, subject: str, quantity: str, x: float = 0) -> Spread | None:
        """Sum up the rounds; None where there is no such figure."""
        key = (subject, quantity, x)
        values = [each.value for each in self._taken if (each.subject, each.quantity, each.x) == key]
        return Spread(median(values), min(values), max(values), len(values)) if values else None

    def write(self, path: Path, conditions: dict[str, Any]) -> None:
        """Write all as JSON, with the conditions that they belong to."""
        content = {"conditions": conditions, "readings": [asdict(each) for each in self._taken]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")


def read(path: Path) -> tuple[dict[str, Any], Readings]:
    """Read what ``Readings.write`` wrote: conditions and readings."""
    content = json.loads(path.read_text())
    return content["conditions"], Readings(Reading(**each) for each in content["readings"])
