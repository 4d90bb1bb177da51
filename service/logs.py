"""placeholder."""

from __future__ import annotations

from typing import Any


class AccessLog:
    """p."""

    def write(self, access: Any) -> None:
        """P."""

    def start(self) -> None:
        """P."""

    def close(self) -> None:
        """P."""
