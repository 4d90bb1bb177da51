"""HTTP in, decisions out: `bentoml serve service:HybridService`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.app import HybridService

__all__ = ["HybridService"]


def __getattr__(name: str) -> Any:
    """Builds the service when it is asked for, so that a module of this package is imported without the others."""
    if name != "HybridService":
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    from service.app import HybridService  # noqa: PLC0415 (that is the point)

    return HybridService
