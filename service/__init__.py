"""HTTP in, decisions out: `bentoml serve service:HybridService`."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["HybridService"]


def __getattr__(name: str) -> Any:
    """Builds the service when it is asked for, so that to import a module of this package does nothing."""
    if name != "HybridService":
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    return _build()


@functools.cache
def _build() -> Any:
    from service.app import build_service  # noqa: PLC0415 (BentoML is imported where it is needed)

    return build_service()
