"""store entry ──▶ `EntryWatch`: looks at its files again and again, while the server runs."""

from __future__ import annotations

import abc
import asyncio
from pathlib import Path

from models.bundle.loading import MANIFEST
from models.errors import TandemError

POLL_S = 0.5  # a stat of one file; inotify is not there on every file system that a store is mounted from

FileState = tuple[int, int, int] | None


class EntryWatch(abc.ABC):
    """Watches one store entry.

    Args:
        entry: `path/to/<name>`, or one version's directory, which never changes.
    """

    def __init__(self, entry: Path) -> None:
        self.entry = entry
        self._task: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def look(self) -> None:
        """Looks once, and does what has to be done."""

    def start(self) -> None:
        """Begins to watch; where the settings name one version there is nothing to watch."""
        if not (self.entry / MANIFEST).is_file():
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Ends the watch; a model that is being loaded is not waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(POLL_S)


def file_state(file: Path) -> FileState:
    """What tells one writing of a file from another; None where there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def reason_of(error: Exception) -> str:
    """One line for the log."""
    return str(error) if isinstance(error, TandemError) else f"{type(error).__name__}: {error}"
