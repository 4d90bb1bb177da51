"""What stops a training before or while it runs, each with the way out in its message."""

from __future__ import annotations

from models.errors import ColumnError, DataError, TandemError

__all__ = ["ColumnError", "DataError", "ExportError", "ResumeError"]


class ExportError(TandemError):
    """An exported graph does not compute what the fitted model computes."""


class ResumeError(TandemError):
    """There is no checkpoint to resume from, or it belongs to other data or settings."""


class TrackingError(TandemError):
    """A training cannot be logged: it is not begun, or its bundle is written all the same."""
