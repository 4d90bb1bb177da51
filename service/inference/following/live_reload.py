"""store's champion file ──▶ the model that serves: changed while requests go on.

A new champion is opened, audited and golden-checked on a thread beside the old one, and takes over between two
requests. One that fails is refused, once; the old one keeps serving, and log and metrics say why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from models.bundle.store import CHAMPION, resolve
from models.runtime.engine import Engine
from service.inference.following.entry_watch import EntryWatch, FileState, file_state, reason_of

logger = logging.getLogger(__name__)


class LiveReload(EntryWatch):
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
        super().__init__(entry)
        self._serving = serving
        self._load = load
        self._replace = replace
        self._observe = observe
        self._seen: FileState = None

    async def look(self) -> None:
        """Looks once, and changes the model if there is another champion than the one seen before."""
        state = file_state(self.entry / CHAMPION)
        if state == self._seen:
            return
        self._seen = state
        try:
            path = resolve(self.entry)
            if path == self._serving:
                return
            engine = await asyncio.to_thread(self._load, path)
        except Exception as error:  # whatever is wrong with a candidate must not touch the model that serves
            kept = f"{self._serving.parent.name}@{self._serving.name}"
            logger.error("new champion of %s refused, %s keeps serving: %s", self.entry.name, kept, reason_of(error))
            self._observe("refused")
            return
        self._replace(engine)
        self._serving = path
        self._observe("ok")
        logger.warning("%s serves now", engine.manifest.model)
