"""the clock ──▶ `Retention`: recorded decisions and images that are older than they may be are deleted."""

from __future__ import annotations

import logging
import random
import threading
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, text

from feedback.database.database import Database
from feedback.database.tables import decision, image
from feedback.recording.image_store import ImageStore
from feedback.recording.outage import Outage
from models.errors import TandemError

logger = logging.getLogger(__name__)

INTERVAL_S = 20.0
CHUNK = 500
"""Rows of one transaction, which keeps the recorders from writing for some 10 ms."""
_LOCK = 0x7461_6E64_656E  # beside that of migrations


class Retention:
    """Deletes, from a thread of its own, what is too old. Of several processes one does so at a time.

    Args:
        database: that records go to; its connections are for this alone.
        keep_days: how long they are kept.
        images: where their images are kept, if they are.
    """

    def __init__(self, database: Database, keep_days: float, images: ImageStore | None) -> None:
        self._database = database
        self._keep = timedelta(days=keep_days)
        self._images = images
        self._outage = Outage("deletion of old decisions")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begins to delete."""
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Ends after the transaction that is under way."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def step(self) -> bool:
        """Deletes some of what is too old; whether there may be more.

        Raises:
            DatabaseError, StoreError: database or image store cannot be reached or written.
        """
        oldest = datetime.now(UTC) - self._keep
        with self._database.writing() as connection:
            if not self._has_turn(connection):
                return False
            ids = select(decision.c.id).where(decision.c.time < oldest).order_by(decision.c.time).limit(CHUNK)
            deleted = connection.execute(delete(decision).where(decision.c.id.in_(ids))).rowcount
        # In a transaction of its own: an image store that fails must not keep the rows from being deleted
        return self._delete_images(oldest) or deleted == CHUNK

    def _delete_images(self, oldest: datetime) -> bool:
        """Deletes images on which no recorded decision is that young; whether there may be more.

        Files first: where this ends in between, their rows are found again. No recorder can use one of the images
        again meanwhile, as its row is locked.
        """
        if self._images is None:
            return False
        with self._database.writing() as connection:
            found = select(image.c.sha256).where(image.c.time < oldest).order_by(image.c.time).limit(CHUNK)
            names = list(connection.execute(found.with_for_update(skip_locked=True)).scalars())
            for sha256 in names:
                self._images.delete(sha256)
            connection.execute(delete(image).where(image.c.sha256.in_(names)))
        return len(names) == CHUNK

    def _has_turn(self, connection: Connection) -> bool:
        """Whether no other process deletes now; in SQLite none can write."""
        if self._database.is_sqlite:
            return True
        return bool(connection.execute(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")).scalar())

    def _run(self) -> None:
        wait_s = random.uniform(0, INTERVAL_S)  # noqa: S311 (so that workers take turns)
        while not self._closing.wait(wait_s):
            wait_s = INTERVAL_S
            try:
                if self.step():
                    wait_s = 0.1
                self._outage.end(0)
            except TandemError as error:
                self._outage.begin(str(error), 0)
            except Exception:  # whatever it is, it must be tried again
                logger.exception("what is too old cannot be deleted")
        self._database.close()
