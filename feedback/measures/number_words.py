"""figures of a head that names a number ──▶ words: no share of numbers is right, but they have an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number_words(head: Mapping[str, Any]) -> str:
    """What the report says where a head with classes has a precision.

    Args:
        head: of `report_document`.
    """
    said = "it names a number, of which no share is right"
    error = head["mean_absolute_error"]
    return said if error is None else f"{said}; by the answered audits, its mean absolute error is {error:.4g}"
