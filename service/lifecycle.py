"""placeholder."""

from __future__ import annotations


class Lifecycle:
    """p."""

    def __init__(self) -> None:
        self.draining = False
        self.in_flight = 0

    def enter(self) -> None:
        """P."""
        self.in_flight += 1

    def leave(self) -> None:
        """P."""
        self.in_flight -= 1

    def listen(self) -> None:
        """P."""
