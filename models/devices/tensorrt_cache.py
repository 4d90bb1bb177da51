"""what a compiled TensorRT engine depends on ──▶ the folder that keeps it, or None.

An engine is machine code and runs unchecked, so a folder that other users can write to is not used.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

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
    for root in _roots():
        try:
            folder = _private(root) / key.folder
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


def _roots() -> Iterator[Path]:
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no HOME, and no entry for the user either, as in a container under a random user
        logger.warning("device 'tensorrt': there is no home directory to keep engines in")
    else:
        yield cache / "tandem" / "tensorrt"
    try:
        yield Path(tempfile.gettempdir()) / f"tandem-tensorrt-{os.geteuid()}"
    except FileNotFoundError:
        return


def _private(root: Path) -> Path:
    """Makes the folder and returns it; refuses one that is not this user's or that others can write to."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{root} is no folder that only its user can write to")
    return root
