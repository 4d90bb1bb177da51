"""one structured fact beside the image ──▶ checked, as the head's graph takes it."""

from __future__ import annotations

import reprlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.errors import BadColumns

_MAX_NUMBER = 3.4028234663852886e38  # the largest float32, which is what the graph takes

ColumnValue = float | str | bool | None


class Strict(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def is_none(value: object) -> bool:
    """Whether a field is left out of the file, so that bundles from before it was thought of keep their digest."""
    return value is None


def is_empty(value: object) -> bool:
    """The same, for a field that is empty where there is none."""
    return not value


def is_exact(value: object) -> bool:
    """The same, for the cleaning that bundles had before it was named."""
    return value == "exact"


class Column(Strict):
    """One structured fact beside the image, and one input of the head's graph."""

    name: str
    type: Literal["number", "category", "boolean", "date"]
    required: bool = True
    low: float | None = Field(default=None, exclude_if=is_none)
    """Least value that training saw; lesser ones count as it."""
    high: float | None = Field(default=None, exclude_if=is_none)
    """Greatest value that training saw; greater ones count as it."""
    categories: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Those that training saw, the most frequent ones; any other counts as none of them."""
    cleaning: Literal["exact", "folded"] = Field(default="exact", exclude_if=is_exact)
    """Which texts are one category: equal ones, or those of one `models.text.key`, which differ in case, spaces or
    Unicode form only."""

    def check(self, value: object) -> ColumnValue:
        """Returns `value` as the graph takes it; raises BadColumns with the name and the reason."""
        if self.type == "boolean" and isinstance(value, bool):
            return value
        if self.type == "category" and isinstance(value, str):
            return self._text(value)
        if self.type == "number" and isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        raise BadColumns(f"column {self.name!r} is a {self.type}; got {reprlib.repr(value)}")

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can carry and UTF-8 cannot
            raise BadColumns(f"column {self.name!r} is not valid text; got {reprlib.repr(value)}") from error
        return value

    def _number(self, value: float) -> float:
        if not abs(value) <= _MAX_NUMBER:  # written so that NaN is refused, too
            raise BadColumns(
                f"column {self.name!r} must be a finite number of at most ±{_MAX_NUMBER:.2g}; got {reprlib.repr(value)}"
            )
        return float(value)
