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
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal, TypeVar

from models.errors import DeadlineExceeded, TandemError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

Reason = Literal["full", "idle", "next"]
"""Why a batch was run as it is: no more would fit; the device was idle; it gathered while the one before it ran."""

PREFETCHED_BATCHES = 1


class WorkFailed(TandemError):
    """One item's computation raised; its neighbours in the batch were computed without it."""


class _Caller(ABC, Generic[Result]):
    """Who waits for results."""

    __slots__ = ("deadline", "queued_at")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.queued_at = time.monotonic()

    @abstractmethod
    def is_waiting(self, now: float) -> bool:
        """Whether a result computed from now on would be of use."""

    @abstractmethod
    def deliver(self, index: int, result: Result | TandemError) -> None:
        """Takes the result of one of the caller's items."""

    def expired(self) -> DeadlineExceeded:
        waited_ms = (time.monotonic() - self.queued_at) * 1000
        return DeadlineExceeded(f"the deadline passed while the image waited, for {waited_ms:.0f} ms")


class _Single(_Caller[Result]):
    """Who waits for one result, and is called with it."""

    __slots__ = ("_is_wanted", "_take")

    def __init__(
        self, deadline: float, take: Callable[[Result | TandemError], None], is_wanted: Callable[[], bool]
    ) -> None:
        super().__init__(deadline)
        self._take = take
        self._is_wanted = is_wanted

    def is_waiting(self, now: float) -> bool:
        return self.deadline > now and self._is_wanted()

    def deliver(self, index: int, result: Result | TandemError) -> None:  # noqa: ARG002 (there is but one)
        self._take(result)


class _Group(_Caller[Result]):
    """Who waits for several results, in a coroutine."""

    __slots__ = ("done", "remaining", "results")

    def __init__(self, count: int, deadline: float, done: asyncio.Future[None]) -> None:
        super().__init__(deadline)
        self.results: list[Result | TandemError | None] = [None] * count
        self.remaining = count
        self.done = done

    def is_waiting(self, now: float) -> bool:
        return self.deadline > now and not self.done.done()

    def deliver(self, index: int, result: Result | TandemError) -> None:
        if self.done.done():
            return
        self.results[index] = result
        self.remaining -= 1
        if isinstance(result, DeadlineExceeded):
            self.done.set_exception(result)
        elif self.remaining == 0:
            self.done.set_result(None)


# An item, who waits for it and its position among the caller's.
_Entry = tuple[Item, _Caller[Result], int]


class Batcher(Generic[Item, Result]):
    """Runs items in batches.

    Args:
        run: computes a batch: items, the seconds that each has waited and the reason, in; one result each, out.
        max_batch: items in one run.
        threaded: run on a thread, with a batch prefetched; else on the event loop.
    """

    def __init__(
        self,
        run: Callable[[list[Item], list[float], Reason], Sequence[Result]],
        *,
        max_batch: int,
        threaded: bool,
    ) -> None:
        self._compute = run
        self._max_batch = max_batch
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="device") if threaded else None
        self._in_flight = 0
        self._gathered = False
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
            DeadlineExceeded: the deadline had passed when the items' turn came; they were not run. A caller that
                stops waiting, being cancelled, has what is not yet running dropped, too.
        """
        if not items:
            return []
        loop = asyncio.get_running_loop()
        group: _Group[Result] = _Group(len(items), deadline, loop.create_future())
        self._queue.extend((item, group, index) for index, item in enumerate(items))
        self._schedule(loop)
        await group.done
        return group.results  # type: ignore[return-value]

    def submit_one(
        self,
        item: Item,
        deadline: float,
        take: Callable[[Result | TandemError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """Queues one item for a caller that is no coroutine.

        Args:
            item: the work.
            deadline: a time of `time.monotonic()` after which a result is of no use.
            take: called with the result, WorkFailed, or DeadlineExceeded where it was not run.
            is_wanted: whether anybody still waits; what nobody waits for is not run.
        """
        self._queue.append((item, _Single(deadline, take, is_wanted), 0))
        self._schedule(asyncio.get_running_loop())

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has batches started once all requests that have arrived by now are queued."""
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start_batches, loop)

    def _start_batches(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if self._thread is None:
            batch = self._take()
            self._deliver(*self._run(batch, self._reason(batch, busy=self._gathered)))
            self._gathered = bool(self._queue)
            if self._queue:
                self._schedule(loop)  # not at once: sockets are served between batches
            return
        while self._in_flight <= PREFETCHED_BATCHES and (batch := self._take()):
            future = self._thread.submit(self._run_prefetched, batch, self._reason(batch, busy=self._in_flight > 0))
            self._in_flight += 1
            future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, done, loop))

    def _finish(
        self,
        done: Future[tuple[list[_Entry[Item, Result]], Sequence[Result | TandemError]]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._in_flight -= 1
        self._deliver(*done.result())
        self._start_batches(loop)

    def _reason(self, batch: list[_Entry[Item, Result]], *, busy: bool) -> Reason:
        if len(batch) == self._max_batch:
            return "full"
        return "next" if busy else "idle"

    def _take(self) -> list[_Entry[Item, Result]]:
        """The next batch; what has expired or nobody waits for any more is dropped."""
        now = time.monotonic()
        batch: list[_Entry[Item, Result]] = []
        caller, waits = None, False
        while self._queue and len(batch) < self._max_batch:
            entry = self._queue.popleft()
            if entry[1] is not caller:
                caller = entry[1]
                waits = caller.is_waiting(now)
            if waits:
                batch.append(entry)
            else:
                _give(caller, entry[2], caller.expired())
        return batch

    def _run(
        self, batch: list[_Entry[Item, Result]], reason: Reason
    ) -> tuple[list[_Entry[Item, Result]], Sequence[Result | TandemError]]:
        """The batch and its results; where it fails as a whole, each item is run alone."""
        if not batch:
            return [], []
        now = time.monotonic()
        try:
            waited_s = [now - entry[1].queued_at for entry in batch]
            return batch, self._compute([entry[0] for entry in batch], waited_s, reason)
        except Exception:  # whatever the runtime raises must reach the one who sent it, not end the server
            if len(batch) > 1:
                alone = [self._run([entry], reason) for entry in batch]
                return [entry for part, _ in alone for entry in part], [one for _, part in alone for one in part]
            logger.exception("an item could not be computed")
            return batch, [WorkFailed("the image could not be computed; the server's log has the details")]

    def _run_prefetched(
        self, batch: list[_Entry[Item, Result]], reason: Reason
    ) -> tuple[list[_Entry[Item, Result]], Sequence[Result | TandemError]]:
        """A batch that was taken some time ago, and its results; what has expired meanwhile is not run."""
        now = time.monotonic()
        expired = [entry for entry in batch if not entry[1].is_waiting(now)]
        ran, results = self._run([entry for entry in batch if entry[1].is_waiting(now)] if expired else batch, reason)
        return [*ran, *expired], [*results, *(entry[1].expired() for entry in expired)]

    def _deliver(self, batch: list[_Entry[Item, Result]], results: Sequence[Result | TandemError]) -> None:
        for (_, caller, index), result in zip(batch, results, strict=True):
            _give(caller, index, result)


def _give(caller: _Caller[Result], index: int, result: Result | TandemError) -> None:
    """Delivers a result; what is wrong with one caller must not keep the others of the batch waiting."""
    try:
        caller.deliver(index, result)
    except Exception:
        logger.exception("a result could not be delivered")
