"""kind of file ──▶ where this user may keep it: the user's cache, else the temporary directory."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)


def cache_roots(kind: str) -> Iterator[Path]:
    """Places for a cache, the best one first; nothing is made yet.

    Args:
        kind: what is kept there, as a name of a folder.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no HOME, and no entry for the user either, as in a container under a random user
        logger.warning("%s: there is no home directory to keep a cache in", kind)
    else:
        yield cache / "tandem" / kind
    try:
        yield Path(tempfile.gettempdir()) / f"tandem-{kind}-{os.geteuid()}"
    except FileNotFoundError:
        return


def private(root: Path) -> Path:
    """Makes the folder and returns it.

    Raises:
        OSError: it cannot be made, is not this user's, or others can write to it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{root} is no folder that only its user can write to")
    return root
