"""a JSON file ──▶ `Costs`: what reviews and mistakes cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.exceptions import DataError

_Cost = Annotated[float, Field(ge=0)]


class Costs(BaseModel):
    """Costs of a review and of mistakes, in one unit; a right answer costs nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    review: float = Field(gt=0)
    error: float = Field(gt=0)
    """Cost of a mistake that is not in `errors`."""
    errors: dict[str, dict[str, _Cost]] = Field(default={})
    """Costs by true label and answered label."""

    @classmethod
    def read(cls, path: Path) -> Costs:
        """Reads a JSON file.

        Raises:
            DataError: it cannot be read, or a field is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            why = f"field {'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
            raise DataError(f'{path} is no table of costs such as {{"review": 1, "error": 20}}: {why}') from error

    def table(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """Costs float64 `[K, K]` by true class (row) and answered class (column).

        Raises:
            DataError: `errors` names an unknown class.
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
