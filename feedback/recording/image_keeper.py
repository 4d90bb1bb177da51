"""images of recorded decisions ──▶ `ImageKeeper` ──▶ `ImageStore`: a thread of its own, which no record waits for."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping

from feedback.recording.image_store import ImageStore
from feedback.recording.outage import Outage
from models.errors import StoreError

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
"""Of images that wait; those beyond are lost."""


class ImageKeeper:
    """Keeps images.

    Args:
        store: where.
    """

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._overflown = self._failed = 0
        self._put_bytes = self._done_bytes = 0
        self._waiting: queue.SimpleQueue[Mapping[str, bytes] | None] = queue.SimpleQueue()
        self._outage = Outage("keeping of images")
        self._thread = threading.Thread(target=self._run, name="feedback-images", daemon=True)

    @property
    def dropped(self) -> int:
        """Images that could not be kept."""
        return self._overflown + self._failed

    def start(self) -> None:
        """Begins to write what is put."""
        self._thread.start()

    def put(self, images: Mapping[str, bytes]) -> None:
        """Has images kept, by their SHA-256; to be called by one thread."""
        size_bytes = _size_of(images)
        if self._put_bytes - self._done_bytes + size_bytes > MAX_BYTES:
            self._outage.begin("more wait for the image store than there is room for", self.dropped)
            self._overflown += len(images)
        elif images:
            self._put_bytes += size_bytes
            self._waiting.put(images)

    def close(self, within_s: float) -> None:
        """Writes what was put, as far as the time allows."""
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(within_s)

    def _run(self) -> None:
        while (images := self._waiting.get()) is not None:
            try:
                self._store.write(images)
            except StoreError as error:
                self._outage.begin(str(error), self.dropped)
                self._failed += len(images)
            except Exception:  # whatever it is, later images must still be kept
                logger.exception("images cannot be kept")
                self._failed += len(images)
            else:
                self._outage.end(self.dropped)
            self._done_bytes += _size_of(images)


def _size_of(images: Mapping[str, bytes]) -> int:
    return sum(map(len, images.values()))
