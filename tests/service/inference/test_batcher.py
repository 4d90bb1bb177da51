"""The queue: batches driven by events, bounds, deadlines, isolation; on the event loop and on a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from models.errors import DeadlineExceeded, TandemError
from service.inference.batcher import Batcher, Reason, WorkFailed
from tests.service.serving import PATIENCE_S, until

BAD = -1

either = pytest.mark.parametrize("threaded", [False, True], ids=["on the event loop", "on a thread"])


class Work:
    """Multiplies by ten; waits for `release` first when it is held, and notes every batch."""

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.reasons: list[Reason] = []
        self.waited: list[float] = []
        self.threads: set[int] = set()
        self.entered = threading.Event()
        self.release = threading.Event()
        if not held:
            self.release.set()

    def __call__(self, items: Sequence[int], waited_s: Sequence[float], reason: Reason) -> list[int]:
        self.batches.append(list(items))
        self.reasons.append(reason)
        self.waited.extend(waited_s)
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.release.wait(PATIENCE_S)
        if BAD in items:
            raise ValueError("cannot compute -1")
        return [item * 10 for item in items]

    async def taken(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, PATIENCE_S)


@asynccontextmanager
async def batching(work: Work, *, threaded: bool = False, **limits: int) -> AsyncIterator[Batcher[int, int]]:
    batcher: Batcher[int, int] = Batcher(work, **{"max_batch": 4, **limits}, threaded=threaded)
    try:
        yield batcher
    finally:
        work.release.set()
        batcher.close()


@asynccontextmanager
async def busy(**limits: int) -> AsyncIterator[tuple[Work, Batcher[int, int], list[asyncio.Task[Any]]]]:
    """A batcher on a thread, with one item running, held, and another prefetched; and the tasks that wait for them."""
    work = Work(held=True)
    async with batching(work, threaded=True, **limits) as batcher:
        tasks = [submitted(batcher, [0])]
        await work.taken()
        tasks.append(submitted(batcher, [1]))
        await until(lambda: batcher.depth == 1)
        await until(lambda: batcher.depth == 0)
        yield work, batcher, tasks


def submitted(batcher: Batcher[int, int], items: list[int], seconds: float = PATIENCE_S) -> asyncio.Task[Any]:
    return asyncio.create_task(batcher.submit(items, time.monotonic() + seconds))


def later() -> float:
    return time.monotonic() + PATIENCE_S


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(test())  # type: ignore[arg-type]


def test_what_arrives_while_the_device_is_busy_is_gathered_into_one_batch() -> None:
    async def test() -> None:
        async with busy() as (work, batcher, tasks):
            tasks += [submitted(batcher, [item]) for item in (2, 3, 4)]
            await until(lambda: batcher.depth == 3)
            work.release.set()
            assert await asyncio.gather(*tasks) == [[0], [10], [20], [30], [40]]
        assert work.batches == [[0], [1], [2, 3, 4]]

    run(test)


def test_on_the_event_loop_all_that_arrived_in_one_turn_is_one_batch() -> None:
    async def test() -> None:
        work = Work()
        async with batching(work) as batcher:
            assert await asyncio.gather(*[submitted(batcher, [item]) for item in (1, 2, 3)]) == [[10], [20], [30]]
        assert work.batches == [[1, 2, 3]]

    run(test)


def test_a_quick_model_runs_on_the_event_loops_own_thread_and_a_slow_one_on_another() -> None:
    async def test() -> tuple[Work, Work]:
        quick, slow = Work(), Work()
        async with batching(quick) as batcher:
            await batcher.submit([1], later())
        async with batching(slow, threaded=True) as batcher:
            await batcher.submit([1], later())
        return quick, slow

    quick, slow = run(test)
    assert quick.threads == {threading.get_ident()}
    assert slow.threads
    assert not slow.threads & quick.threads


@either
def test_a_batch_holds_at_most_max_batch_items(threaded: bool) -> None:
    async def test() -> None:
        work = Work()
        async with batching(work, max_batch=2, threaded=threaded) as batcher:
            await batcher.submit([1, 2, 3, 4, 5], later())
        assert work.batches == [[1, 2], [3, 4], [5]]

    run(test)


@either
def test_a_group_larger_than_max_batch_keeps_its_order(threaded: bool) -> None:
    async def test() -> list[int | TandemError]:
        async with batching(Work(), max_batch=3, threaded=threaded) as batcher:
            return await batcher.submit(list(range(50)), later())

    assert run(test) == [item * 10 for item in range(50)]


@either
def test_between_two_batches_the_event_loop_serves_others(threaded: bool) -> None:
    async def test() -> list[int]:
        work, seen = Work(), []

        async def other() -> None:
            while len(work.batches) < 10:
                seen.append(len(work.batches))
                await asyncio.sleep(0)

        async with batching(work, max_batch=1, threaded=threaded) as batcher:
            await asyncio.gather(batcher.submit(list(range(10)), later()), other())
        return seen

    assert len(set(run(test))) > 1


def test_an_empty_group_needs_no_device() -> None:
    async def test() -> None:
        work = Work(held=True)
        async with batching(work) as batcher:
            assert await batcher.submit([], later()) == []
        assert work.batches == []

    run(test)


def test_work_that_expires_in_the_queue_is_never_computed() -> None:
    async def test() -> None:
        async with busy() as (work, batcher, tasks):
            patient, late = submitted(batcher, [2]), submitted(batcher, [98, 99], seconds=0.02)
            expired_at = time.monotonic() + 0.02
            await until(lambda: time.monotonic() > expired_at)
            work.release.set()
            assert await asyncio.gather(*tasks, patient) == [[0], [10], [20]]
            with pytest.raises(DeadlineExceeded, match=r"passed while the image waited, for \d+ ms"):
                await late
        assert work.batches == [[0], [1], [2]]

    run(test)


def test_work_that_expires_between_prefetch_and_run_is_never_computed() -> None:
    async def test() -> None:
        work = Work(held=True)
        async with batching(work, threaded=True) as batcher:
            first = submitted(batcher, [0])
            await work.taken()
            late = submitted(batcher, [99], seconds=0.02)
            expired_at = time.monotonic() + 0.02
            await until(lambda: time.monotonic() > expired_at)
            assert batcher.depth == 0
            work.release.set()
            assert await first == [0]
            with pytest.raises(DeadlineExceeded):
                await late
        assert work.batches == [[0]]

    run(test)


@either
def test_a_batch_says_why_it_was_run(threaded: bool) -> None:
    async def test() -> list[Reason]:
        work = Work()
        async with batching(work, max_batch=2, threaded=threaded) as batcher:
            await batcher.submit([1, 2, 3], later())
            await batcher.submit([4], later())
        return work.reasons

    assert run(test) == ["full", "next", "idle"]


def test_a_batch_that_gathered_while_another_ran_says_so() -> None:
    async def test() -> None:
        async with busy() as (work, _, tasks):
            work.release.set()
            await asyncio.gather(*tasks)
        assert work.reasons == ["idle", "next"]

    run(test)


@either
def test_a_deadline_that_has_passed_already_is_refused_without_computing(threaded: bool) -> None:
    async def test() -> None:
        work = Work()
        async with batching(work, threaded=threaded) as batcher:
            with pytest.raises(DeadlineExceeded):
                await batcher.submit([99], time.monotonic() - 1)
        assert work.batches == []

    run(test)


@either
def test_a_failing_item_fails_alone(threaded: bool) -> None:
    async def test() -> tuple[Work, list[Any]]:
        work = Work()
        async with batching(work, threaded=threaded) as batcher:
            return work, await asyncio.gather(*[submitted(batcher, [item]) for item in (1, BAD, 3)])

    work, results = run(test)
    assert (results[0], results[2]) == ([10], [30])
    assert isinstance(results[1][0], WorkFailed)
    assert "cannot compute" not in str(results[1][0]), "the runtime's own words are for the log"
    assert work.batches == [[1, BAD, 3], [1], [BAD], [3]]


@either
@pytest.mark.parametrize("items", [[1, BAD], [BAD, 1]], ids=["the second", "the first"])
def test_of_two_the_failing_one_fails_alone(threaded: bool, items: list[int]) -> None:
    async def test() -> tuple[Work, list[Any]]:
        work = Work()
        async with batching(work, threaded=threaded) as batcher:
            async with asyncio.timeout(PATIENCE_S):
                return work, await asyncio.gather(*[submitted(batcher, [item]) for item in items])

    work, results = run(test)
    found = dict(zip(items, results, strict=True))
    assert found[1] == [10]
    assert isinstance(found[BAD][0], WorkFailed)
    assert work.batches == [items, [items[0]], [items[1]]]


@either
def test_a_result_that_cannot_be_delivered_keeps_none_of_its_neighbours_waiting(
    threaded: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> tuple[Work, list[Any]]:
        work, taken = Work(), []

        def refuse(_: int | TandemError) -> None:
            raise OSError("the connection is closed")

        async with batching(work, threaded=threaded, max_batch=8) as batcher:
            for item in range(8):
                batcher.submit_one(item, later(), refuse if item == 3 else taken.append, lambda: True)
            await until(lambda: len(taken) == 7)
            assert await batcher.submit([9], later()) == [90]
        return work, taken

    work, taken = run(test)
    assert taken == [0, 10, 20, 40, 50, 60, 70]
    assert work.batches == [list(range(8)), [9]]
    assert "a result could not be delivered" in caplog.text


@either
def test_what_nobody_waits_for_any_more_is_not_run(threaded: bool) -> None:
    async def test() -> None:
        work, taken = Work(), []
        async with batching(work, threaded=threaded) as batcher:
            batcher.submit_one(1, later(), taken.append, lambda: False)
            batcher.submit_one(2, later(), taken.append, lambda: True)
            await until(lambda: len(taken) == 2)
        assert work.batches == [[2]]
        assert isinstance(taken[0], DeadlineExceeded) or taken[0] == 20

    run(test)


@either
def test_the_device_lives_on_after_a_failure(threaded: bool) -> None:
    async def test() -> list[Any]:
        async with batching(Work(), threaded=threaded) as batcher:
            return [await batcher.submit([BAD], later()), await batcher.submit([2], later())]

    failed, answered = run(test)
    assert isinstance(failed[0], WorkFailed)
    assert answered == [20]


def test_the_queued_work_of_a_caller_who_went_away_is_dropped() -> None:
    async def test() -> None:
        async with busy() as (work, batcher, tasks):
            leaving, staying = submitted(batcher, [98, 99]), submitted(batcher, [2])
            await until(lambda: batcher.depth == 3)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            work.release.set()
            assert await asyncio.gather(*tasks, staying) == [[0], [10], [20]]
        assert work.batches == [[0], [1], [2]]

    run(test)


def test_close_waits_for_the_batches_that_are_running() -> None:
    async def test() -> None:
        work = Work(held=True)
        batcher: Batcher[int, int] = Batcher(work, max_batch=4, threaded=True)
        task = submitted(batcher, [0])
        await work.taken()
        work.release.set()
        await asyncio.to_thread(batcher.close)
        assert await task == [0]

    run(test)


def test_each_item_is_told_how_long_it_waited() -> None:
    async def test() -> None:
        async with busy() as (work, batcher, tasks):
            queued_at = time.monotonic()
            tasks.append(submitted(batcher, [2]))
            await until(lambda: time.monotonic() > queued_at + 0.02)
            work.release.set()
            await asyncio.gather(*tasks)
        assert work.waited[2] >= 0.015
        assert 0 <= work.waited[0] < work.waited[2]

    run(test)
