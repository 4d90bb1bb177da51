"""Fixtures of the simulation's tests."""

from tests.feedback.clothes import clothes

__all__ = ["clothes"]
