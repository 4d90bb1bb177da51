"""what a compiled TensorRT engine depends on ──▶ the folder that keeps it, or None.

An engine is machine code and runs unchecked, so a folder that other users can write to is not used.
"""

from __future__ import annotations

import logging
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from models.user_cache import cache_roots, private

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """Everything that a compiled engine depends on."""

    sha256: str
    """Of the embedder's file; each precision has its own."""
    tensorrt: int
    """Version, 101303 for 10.13.3."""
    gpu: str
    """Name and compute capability."""
    max_batch: int

    @property
    def folder(self) -> Path:
        """A relative path made of all fields."""
        gpu = re.sub(r"[^a-z0-9-]+", "-", self.gpu.lower())
        return Path(self.sha256[:16]) / f"ort-{ort.__version__}-tensorrt-{self.tensorrt}-{gpu}-batch-{self.max_batch}"


def cache_folder(key: EngineKey) -> Path | None:
    """Makes the folder for the engine: in the user's cache, else in the temporary directory.

    Returns:
        None if neither is writable and private; the log then says what that costs.
    """
    refused = []
    for root in cache_roots("tensorrt"):
        try:
            folder = private(root) / key.folder
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            refused.append(str(error))
            continue
        if refused:
            logger.warning("device 'tensorrt': engines are kept in %s, because %s", folder, "; ".join(refused))
        return folder
    logger.warning(
        "device 'tensorrt': every worker compiles its engine at every start, because no folder can be written to: %s",
        "; ".join(refused),
    )
    return None
