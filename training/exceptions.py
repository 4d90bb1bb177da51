"""What stops a training before or while it runs, each with the way out in its message."""

from __future__ import annotations

from models.errors import TandemError


class DataError(TandemError):
    """The data is missing, unreadable or too small to learn from."""


class ColumnError(DataError):
    """One column of a table cannot be read; the others can."""


class ExportError(TandemError):
    """An exported graph does not compute what the fitted model computes."""


class ResumeError(TandemError):
    """There is no checkpoint to resume from, or it belongs to other data or settings."""
