"""signals and requests ──▶ `Lifecycle`: whether this process takes work, and what it has under way."""

from __future__ import annotations

from collections.abc import Collection


class Lifecycle:
    """The state of one worker process."""

    def __init__(self) -> None:
        self.draining = False
        """Whether the end has begun: what is under way is finished, new work is refused with 503."""
        self.in_flight = 0
        """Requests that are being answered."""
        self.connections: Collection[object] = ()
        """Open connections; the server's own collection, once there is a server."""

    def enter(self) -> None:
        """Counts a request that begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """Counts a request that ends."""
        self.in_flight -= 1
