"""held-out answers ──▶ `Policy`: which are good enough to act on, chosen for a target or for what mistakes cost."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.columns import Column
from models.policy import Policy
from models.sessions import Distances, Probabilities
from training.encoding import Rows
from training.errors import DataError
from training.metrics import choose_min_confidence

_NEVER = 1.01  # no confidence is as high
_RARELY = 0.05  # of the training rows that lack an optional column, below which it is expected
_FEWEST_FALSE_ALARMS = 1  # that the images must allow for, by which the limit of distance is chosen


class Costs(BaseModel):
    """What a review costs, and what mistakes cost, in any unit; a right answer costs nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    review: float = Field(gt=0)
    error: float = Field(gt=0)
    """Of any mistake that `errors` does not name."""
    errors: dict[str, dict[str, float]] = Field(default={})
    """By the true label and the one that was given instead."""

    @classmethod
    def read(cls, path: Path) -> Costs:
        """Reads a JSON file.

        Raises:
            DataError: not what it has to be.
        """
        try:
            return cls.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            why = f"field {'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
            raise DataError(f'{path} is no table of costs such as {{"review": 1, "error": 20}}: {why}') from error

    def table(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """Costs `[K, K]` of each true class (row) for which each class (column) is given.

        Raises:
            DataError: a label that is none of the classes.
        """
        named = {label for true, row in self.errors.items() for label in (true, *row)}
        if unknown := sorted(named - set(classes)):
            raise DataError(f"the costs name {unknown[0]!r}, which is none of the labels {', '.join(classes)}")
        table = np.full((len(classes), len(classes)), self.error)
        for true, row in self.errors.items():
            for given, cost in row.items():
                table[classes.index(true), classes.index(given)] = cost
        np.fill_diagonal(table, 0.0)
        return table


@dataclass(frozen=True)
class Aims:
    """What a policy is chosen for.

    Attributes:
        target_precision: share of right answers among those accepted.
        costs: instead of that, what reviews and mistakes cost.
        false_alarms: share of images like those of training that may be called unfamiliar.
    """

    target_precision: float = 0.99
    costs: Costs | None = None
    false_alarms: float = 0.02

    def as_settings(self) -> dict[str, object]:
        """As the manifest tells them."""
        aim = {"target precision": self.target_precision} if self.costs is None else {"costs": self.costs.model_dump()}
        return {**aim, "false alarms": self.false_alarms}


@dataclass(frozen=True)
class Held:
    """Answers on held-out images.

    Attributes:
        found: probabilities `[J, K]`, each by a calibration that has not seen the image; or values `[J, 1]`.
        labels: class positions, int64 `[J]`, or numbers, float64 `[J]`.
        distances: of their embeddings from those of training, `[J]`.
        classes: K names; none of numbers.
    """

    found: Probabilities
    labels: NDArray[np.int64] | NDArray[np.float64]
    distances: Distances
    classes: tuple[str, ...] = field(default=())


def choose_policy(held: Held, aims: Aims, training_distances: Distances, expected: tuple[str, ...] = ()) -> Policy:
    """Chooses thresholds on held-out answers.

    Args:
        held: those.
        aims: what for.
        training_distances: for the limit of distance, where too few images were held out.
        expected: columns without which an answer goes to a person.

    Raises:
        DataError: the costs name a label that is none.
    """
    is_enough = len(held.distances) * aims.false_alarms >= _FEWEST_FALSE_ALARMS
    limit = _quantile(held.distances if is_enough else training_distances, 1 - aims.false_alarms)
    familiar = held.distances <= limit
    found, labels = held.found[familiar], held.labels[familiar]
    policy = Policy(max_distance=limit, expected_columns=expected)
    if not held.classes:
        return policy
    if aims.costs is not None:
        least = cheapest_confidences(found, labels.astype(np.int64), aims.costs.table(held.classes), aims.costs.review)
        return policy.model_copy(update={"min_confidence_of": dict(zip(held.classes, least, strict=True))})
    least_of_all = choose_min_confidence(found, labels.astype(np.int64), aims.target_precision) if len(found) else 1.0
    return policy.model_copy(update={"min_confidence": round(least_of_all, 4)})


def cheapest_confidences(
    found: Probabilities, labels: NDArray[np.int64], costs: NDArray[np.float64], review: float
) -> list[float]:
    """For each class K the confidence from which on accepting it costs least on the given answers.

    Args:
        found: probabilities `[J, K]`.
        labels: class positions `[J]`.
        costs: `[K, K]` of each true class (row) for which each class (column) is given.
        review: what it costs to ask a person.
    """
    answers, confidence = found.argmax(1), found.max(1)
    least = []
    for given in range(found.shape[1]):
        rows = np.flatnonzero(answers == given)
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
        saved = np.cumsum(review - costs[labels[rows], given])
        best = int(saved.argmax()) if len(saved) and saved.max() > 0 else None
        least.append(_NEVER if best is None else math.floor(confidence[rows[best]] * 1e4) / 1e4)
    return least


def expected_columns(columns: Sequence[Column], rows: Rows) -> tuple[str, ...]:
    """Optional columns that hardly any row of training lacks."""
    return tuple(
        column.name
        for column in columns
        if not column.required and sum(_lacks(row, column) for row in rows) <= _RARELY * len(rows)
    )


def _lacks(row: Mapping[str, object], column: Column) -> bool:
    return row[column.name] is None


def _quantile(distances: Distances, share: float) -> float:
    """The least of the distances below or at which a share of them lies, rounded up so that it is one of those."""
    value = float(np.quantile(distances, share, method="higher"))
    return math.ceil(value * 1e4) / 1e4
