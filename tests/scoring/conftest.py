"""Fixtures of scoring."""

from tests.scoring.scored import score

__all__ = ["score"]
