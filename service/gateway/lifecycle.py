"""signals and requests ──▶ `Lifecycle`: whether this process takes work, and what it has under way."""

from __future__ import annotations


class Lifecycle:
    """The state of one worker process."""

    def __init__(self) -> None:
        self.draining = False
        """Whether the end of the server has begun: `/readyz` says so, everything is still answered."""
        self.in_flight = 0
        """Requests that are being answered."""

    def enter(self) -> None:
        """Counts a request that begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """Counts a request that ends."""
        self.in_flight -= 1
