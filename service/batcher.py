"""queue ──▶ batches, driven by events: no timer, no polling.

When the device is idle, what is there runs; while it runs, work gathers, at most `max_batch` for the next
run. A device is one of two kinds:

* the event loop itself, for a model so quick that handing a batch to a thread costs more than computing it:
  the process is then one core's worth of server, and work gathers in the sockets meanwhile;
* a thread, for everything else; one more batch is prefetched, so that the device never waits for the loop.

All state belongs to the event loop's thread, so there are no locks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from models.errors import DeadlineExceeded, Overloaded, TandemError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

PREFETCHED_BATCHES = 1


class WorkFailed(TandemError):
    """One item's computation raised; its neighbours in the batch were computed without it."""


class _Group(Generic[Item, Result]):
    """The items that one caller waits for, and their results."""

    __slots__ = ("deadline", "done", "queued_at", "remaining", "results")

    def __init__(self, count: int, deadline: float, done: asyncio.Future[None]) -> None:
        self.deadline = deadline
        self.results: list[Result | TandemError | None] = [None] * count
        self.remaining = count
        self.queued_at = time.monotonic()
        self.done = done

    def is_waiting(self, now: float) -> bool:
        """Whether a result computed from now on would be of use."""
        return self.deadline > now and not self.done.done()

    def expire(self) -> None:
        if not self.done.done():
            waited_ms = (time.monotonic() - self.queued_at) * 1000
            self.done.set_exception(DeadlineExceeded(f"no result within the deadline, after {waited_ms:.0f} ms"))


# An item, the group it belongs to and its position there.
_Entry = tuple[Item, "_Group[Item, Result]", int]


class Batcher(Generic[Item, Result]):
    """Runs items in batches.

    Args:
        run: computes a batch: items and the seconds that each has waited, in; one result each, out.
        max_batch: items in one run.
        max_queue: items that may wait.
        threaded: run on a thread, with a batch prefetched; else on the event loop.
    """

    def __init__(
        self,
        run: Callable[[list[Item], list[float]], Sequence[Result]],
        *,
        max_batch: int,
        max_queue: int,
        threaded: bool,
    ) -> None:
        self._compute = run
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="device") if threaded else None
        self._in_flight = 0
        self._scheduled = False

    def close(self) -> None:
        """Waits for the batches that are running; call when nobody waits for results any more."""
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def depth(self) -> int:
        """Items that wait now."""
        return len(self._queue)

    async def submit(self, items: Sequence[Item], deadline: float) -> list[Result | TandemError]:
        """Queues items and waits for all of their results, in order.

        Args:
            items: work of one caller; any number, it is cut into batches.
            deadline: a time of `time.monotonic()` after which a result is of no use.

        Returns:
            For each item its result, or WorkFailed.

        Raises:
            Overloaded: the queue has no room for all items; none was queued.
            DeadlineExceeded: the deadline passed before all results were there; what had not started is dropped.
        """
        if not items:
            return []
        waiting = len(self._queue)
        if waiting + len(items) > self._max_queue:
            raise Overloaded(
                f"{waiting} images are waiting and {len(items)} more exceed the limit of {self._max_queue}"
            )
        loop = asyncio.get_running_loop()
        group: _Group[Item, Result] = _Group(len(items), deadline, loop.create_future())
        self._queue.extend((item, group, index) for index, item in enumerate(items))
        timer = loop.call_later(max(0.0, deadline - group.queued_at), group.expire)
        self._schedule(loop)
        try:
            await group.done
        finally:
            timer.cancel()
        return group.results  # type: ignore[return-value]

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has batches started once all requests that have arrived by now are queued."""
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start_batches, loop)

    def _start_batches(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if self._thread is None:
            self._deliver(*self._run(self._take()))
            if self._queue:
                self._schedule(loop)  # not at once: sockets are served between batches
            return
        while self._in_flight <= PREFETCHED_BATCHES and (batch := self._take()):
            self._in_flight += 1
            future = self._thread.submit(self._run, batch)
            future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, done, loop))

    def _finish(
        self,
        done: Future[tuple[list[_Entry[Item, Result]], Sequence[Result | TandemError]]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._in_flight -= 1
        self._deliver(*done.result())
        self._start_batches(loop)

    def _take(self) -> list[_Entry[Item, Result]]:
        """The next batch; what nobody waits for any more is dropped."""
        now = time.monotonic()
        batch: list[_Entry[Item, Result]] = []
        while self._queue and len(batch) < self._max_batch:
            entry = self._queue.popleft()
            if entry[1].is_waiting(now):
                batch.append(entry)
        return batch

    def _run(
        self, batch: list[_Entry[Item, Result]]
    ) -> tuple[list[_Entry[Item, Result]], Sequence[Result | TandemError]]:
        """The batch and its results; where it fails as a whole, each item is run alone."""
        now = time.monotonic()
        batch = [entry for entry in batch if entry[1].is_waiting(now)]  # a prefetched batch may have expired meanwhile
        if not batch:
            return [], []
        try:
            return batch, self._compute([entry[0] for entry in batch], [now - entry[1].queued_at for entry in batch])
        except Exception:  # whatever the runtime raises must reach the one who sent it, not end the server
            if len(batch) > 1:
                alone = [self._run([entry]) for entry in batch]
                return [entry for part, _ in alone for entry in part], [one for _, part in alone for one in part]
            logger.exception("an item could not be computed")
            return batch, [WorkFailed("the image could not be computed; the server's log has the details")]

    def _deliver(self, batch: list[_Entry[Item, Result]], results: Sequence[Result | TandemError]) -> None:
        for (_, group, index), result in zip(batch, results, strict=True):
            group.results[index] = result
            group.remaining -= 1
            if group.remaining == 0 and not group.done.done():
                group.done.set_result(None)
