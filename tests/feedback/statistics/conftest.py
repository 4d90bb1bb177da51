"""Fixtures of the statistics' tests."""

from tests.feedback.clothes import clothes

__all__ = ["clothes"]
