"""`Frozen`, the base class of everything in a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable pydantic model that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copies as pydantic does, but drops cached properties, which `update` may have made wrong."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


# For `Field(exclude_if=...)`. A field added to the format is left out of the file while it has its default, so that the
# digests of older manifests stay the same.


def is_none(value: object) -> bool:
    """Whether the value is None."""
    return value is None


def is_empty(value: object) -> bool:
    """Whether the value is empty or 0."""
    return not value
