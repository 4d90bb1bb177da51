"""store's champion file ──▶ the model that serves: changed while requests go on.

A new champion is opened, audited and golden-checked on a thread beside the old one, and takes over between two
requests. One that fails is refused, once; the old one keeps serving, and log and metrics say why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from models.bundle.loading import MANIFEST
from models.bundle.store import CHAMPION, resolve
from models.errors import TandemError
from models.runtime.engine import Engine

logger = logging.getLogger(__name__)

POLL_S = 0.5  # a stat of one file; inotify is not there on every file system that a store is mounted from

_State = tuple[int, int, int] | None


class Champion:
    """Watches one store entry.

    Args:
        entry: `path/to/<name>`, or one version's directory, which never changes.
        serving: the version's directory that serves now.
        load: opens a version's directory; called on a thread.
        replace: puts an engine in the place of the one that serves; called on the event loop.
        observe: told `ok` or `refused` of each change.
    """

    def __init__(
        self,
        entry: Path,
        serving: Path,
        *,
        load: Callable[[Path], Engine],
        replace: Callable[[Engine], None],
        observe: Callable[[str], None],
    ) -> None:
        self._entry = entry
        self._serving = serving
        self._load = load
        self._replace = replace
        self._observe = observe
        self._seen: _State = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch; where the settings name one version there is nothing to watch."""
        if not (self._entry / MANIFEST).is_file():
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

    async def look(self) -> None:
        """Looks once, and changes the model if there is another champion than the one seen before."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            path = resolve(self._entry)
            if path == self._serving:
                return
            engine = await asyncio.to_thread(self._load, path)
        except Exception as error:  # whatever is wrong with a candidate must not touch the model that serves
            kept = f"{self._serving.parent.name}@{self._serving.name}"
            logger.error("new champion of %s refused, %s keeps serving: %s", self._entry.name, kept, _reason(error))
            self._observe("refused")
            return
        self._replace(engine)
        self._serving = path
        self._observe("ok")
        logger.warning("%s serves now", engine.manifest.model)

    def _state(self) -> _State:
        """What tells one writing of the champion file from another; None where there is no file."""
        try:
            found = (self._entry / CHAMPION).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, TandemError) else f"{type(error).__name__}: {error}"
