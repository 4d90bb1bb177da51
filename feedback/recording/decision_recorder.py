"""answered requests ──▶ `Recorder` ──▶ the database: one writer thread in each server process."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feedback.database.database import Database, DatabaseError
from feedback.recording.batch import Batch
from feedback.recording.batch_writer import BatchWriter, is_refused
from feedback.recording.decision_rows import RowMaker
from feedback.recording.image_keeper import ImageKeeper
from feedback.recording.image_store import ImageStore
from feedback.recording.outage import Outage
from feedback.recording.record_queue import MAX_RECORDS, Record, RecordQueue, size_of
from feedback.recording.retention import Retention
from models.runtime.head_answers import Answered

logger = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.25
"""Between two transactions, while less than a whole batch comes."""
BATCH_ROWS = 500
STEP_S, ROWS_AT_ONCE = 0.025, 64
"""Rows are made so often, and so many at once, in 0.3 ms. Made in one go before each transaction, they took the 99th
percentile of latency to 1.3 times (28x28 PNG, 16 connections, two workers, on two cores that others used, too)."""
CLOSE_WITHIN_S = 2.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
"""Between two tries to write a batch; each wait is twice the one before."""


@dataclass(frozen=True)
class Shares:
    """Which decisions are recorded.

    Attributes:
        sample: probability with which an image is recorded.
        audit: probability with which an accepted decision that is recorded is queued for people as an audit.
    """

    sample: float = 1.0
    audit: float = 0.01


class Recorder:
    """Records decisions. Nothing is written or connected to before `start`.

    Args:
        database: need not be reachable.
        shares: which decisions are recorded.
        images: where their images are kept; None if they are not.
        keep_days: age at which decisions and images are deleted; None if they are not.
    """

    def __init__(
        self,
        database: Database,
        shares: Shares = Shares(),
        *,
        images: ImageStore | None = None,
        keep_days: float | None = None,
    ) -> None:
        self.recorded = 0
        """Decisions that were written."""
        self.after: Callable[[Sequence[Record]], None] | None = None
        """Called on the writer's thread with records that have been written; to be set before `start`."""
        self._lost = self._overflown = self._abandoned = 0
        self._number = 0
        self._sample = shares.sample
        self._draw = random.Random().random  # noqa: S311 (seeded by the kernel)
        self._queue = RecordQueue()
        self._writer = BatchWriter(database)
        self._maker = RowMaker(sample=shares.sample, audit=shares.audit, to_time=self._writer.to_time)
        self._keeper = None if images is None else ImageKeeper(images)
        self._retention = None if keep_days is None else Retention(Database(database.engine.url), keep_days, images)
        self._outage = Outage("recording of decisions")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)

    @property
    def dropped(self) -> int:
        """Decisions that will not be written."""
        return self._lost + self._overflown + self._abandoned

    @property
    def images_dropped(self) -> int:
        """Images of recorded decisions that could not be kept."""
        return 0 if self._keeper is None else self._keeper.dropped

    @property
    def waiting(self) -> int:
        """Decisions that are not written yet."""
        return self._queue.waiting

    def start(self) -> None:
        """Begins to write what is recorded."""
        for part in (self._keeper, self._retention):
            if part is not None:
                part.start()
        self._thread.start()

    def record(self, request_id: bytes, model: str, decided: Sequence[Answered]) -> None:
        """Queues the decisions on the images of one request that was answered; to be called by one thread.

        Args:
            request_id: ASCII.
            model: `name@version`.
            decided: its images.
        """
        if self._sample < 1.0:
            decided = [answered for answered in decided if self._draw() < self._sample]
        count, size_bytes = size_of(decided)
        if count and not (
            not self._closing.is_set()
            and self._queue.put(Record(request_id, time.time(), model, decided, count, size_bytes))
        ):
            self._outage.begin(f"{self.waiting} wait for the database and there is no room for more", self.dropped)
            self._overflown += count

    def close(self) -> None:
        """Writes what is queued, as far as `CLOSE_WITHIN_S` allows; what is left counts as dropped."""
        end = time.monotonic() + CLOSE_WITHIN_S
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        self._abandoned += self.waiting
        for part in (self._keeper, self._retention):
            if part is not None:
                part.close(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self._closing.is_set():
            self._record(self._gather(FLUSH_INTERVAL_S))
        while (batch := self._gather(0.0)).records:
            self._record(batch)
        self._writer.database.close()

    def _gather(self, within_s: float) -> Batch:
        """Makes rows of what is queued while it comes, some at once, so that the event loop never waits for long."""
        batch, end = self._new_batch(), time.monotonic() + within_s
        while len(batch.rows) < BATCH_ROWS:
            records = self._queue.take(ROWS_AT_ONCE)
            batch.records += records
            try:
                rows = self._maker.rows(records, batch.images)
            except Exception:  # whatever it is, later records must still be written
                logger.exception("decisions cannot be recorded")
                continue
            batch.rows += rows
            if len(rows) < ROWS_AT_ONCE and (time.monotonic() >= end or self._closing.wait(STEP_S)):
                break
        return batch

    def _record(self, batch: Batch) -> None:
        """Writes a batch, or counts its decisions as dropped."""
        before = self.recorded
        try:
            if batch.rows:
                self._write(batch)
            if batch.records and self.after is not None:
                self.after(batch.records)
        except Exception:  # as above
            logger.exception("decisions cannot be recorded")
        self._lost += batch.decisions - (self.recorded - before)
        self._queue.done(batch.records)

    def _write(self, batch: Batch) -> None:
        """Tries until the batch is written, or its values are refused, or the process ends."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                self._writer.write(batch)
            except DatabaseError as error:
                if is_refused(error):
                    self._refuse(batch, error)
                    return
                self._outage.begin(str(error), self.dropped)
                if self._closing.wait(wait_s):
                    return
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            else:
                self.recorded += len(batch.rows)
                if self._keeper is not None and batch.images is not None:
                    self._keeper.put(batch.images)
                if self.waiting < MAX_RECORDS // 2:
                    self._outage.end(self.dropped)
                return

    def _refuse(self, batch: Batch, error: DatabaseError) -> None:
        """Drops a row that the database refuses, and writes the others."""
        if len(batch.rows) == 1:
            logger.warning("a decision cannot be recorded: %s", error)
            return
        for rows, images in batch.halves():
            half = self._new_batch()
            half.rows, half.images = list(rows), images
            self._write(half)

    def _new_batch(self) -> Batch:
        self._number += 1
        return Batch(self._number, images=None if self._keeper is None else {})
