"""settings ──▶ the engine that they ask for."""

from __future__ import annotations

from pathlib import Path

from models.runtime.engine import Engine
from service.settings import Settings


def open_engine(settings: Settings, path: Path | None = None) -> Engine:
    """Opens the settings' bundle, or another version's directory, on the settings' device.

    Raises:
        BundleError, StoreError, DeviceError: as `Engine.load`.
    """
    return Engine.load(
        path or settings.bundle_path,
        device=settings.device,
        precision=settings.precision,
        max_batch=settings.max_batch,
        threads=settings.threads,
        verify_key=settings.verify_key,
    )
