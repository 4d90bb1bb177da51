"""What one process may hold, and what it can still do in time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from models.errors import Overloaded
from service.gateway.admission import Admission

FAR = 1e9


@contextlib.contextmanager
def admitted(admission: Admission, images: int, cost_s: float, deadline: float) -> Iterator[None]:
    """Images that are being answered."""
    admission.admit(images, cost_s, deadline)
    try:
        yield
    finally:
        admission.leave(images, cost_s)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(clock: Clock | None = None, *, images: int = 10, size: int = 1000) -> Admission:
    return Admission(max_images=images, max_bytes=size, clock=clock or Clock())


def work_off(admission: Admission, clock: Clock, *, cost_s: float, really_s: float, times: int = 60) -> None:
    for _ in range(times):
        with admitted(admission, 1, cost_s, FAR):
            clock.now += really_s
            admission.did(cost_s)


def test_images_are_admitted_up_to_the_limit_and_exactly_the_rest_is_refused() -> None:
    door = admission(images=3)
    with admitted(door, 2, 0.1, FAR), admitted(door, 1, 0.1, FAR):
        assert door.images == 3
        with pytest.raises(Overloaded, match="3 images are being answered and 1 more exceed the limit of 3"):
            door.check(FAR)
        with pytest.raises(Overloaded), admitted(door, 1, 0.0, FAR):
            pass
    assert door.images == 0
    door.check(FAR)


def test_a_request_that_does_not_fit_as_a_whole_takes_no_room() -> None:
    door = admission(images=3)
    with pytest.raises(Overloaded, match="0 images are being answered and 4 more"), admitted(door, 4, 0.1, FAR):
        pass
    assert (door.images, door.wait_s) == (0, 0.0)


def test_room_is_given_back_whatever_happens() -> None:
    door = admission()
    with pytest.raises(ZeroDivisionError), admitted(door, 5, 1.0, FAR):
        raise ZeroDivisionError
    assert (door.images, door.wait_s) == (0, 0.0)


def test_work_that_cannot_be_done_before_the_deadline_is_refused_at_once() -> None:
    clock = Clock()
    door = admission(clock)
    with admitted(door, 1, 2.0, FAR):
        with pytest.raises(Overloaded, match="take about 2000 ms and 1000 ms are left") as refused:
            door.check(clock.now + 1.0)
        assert refused.value.retry_after_s == 2
        door.check(clock.now + 4.0)
        with pytest.raises(Overloaded), admitted(door, 1, 2.0, clock.now + 4.0):
            pass


def test_work_may_take_seven_tenths_of_the_time_that_is_left() -> None:
    clock = Clock()
    door = admission(clock)
    with admitted(door, 1, 1.4, FAR):
        door.check(clock.now + 2.001)
        with pytest.raises(Overloaded, match="take about 1400 ms and 1999 ms are left"):
            door.check(clock.now + 1.999)
        door.admit(1, 0.7, clock.now + 3.001)
        door.leave(1, 0.7)
        with pytest.raises(Overloaded, match="take about 2100 ms and 2999 ms are left"):
            door.admit(1, 0.7, clock.now + 2.999)


def test_an_idle_server_tries_whatever_the_estimate_says() -> None:
    clock = Clock()
    door = admission(clock)
    with admitted(door, 1, 1e6, clock.now + 0.001):
        pass


def test_the_estimate_follows_how_long_such_work_really_takes() -> None:
    clock = Clock()
    door = admission(clock)
    work_off(door, clock, cost_s=0.1, really_s=0.3)
    with admitted(door, 1, 1.0, FAR):
        assert door.wait_s == pytest.approx(3.0, rel=0.05)
    work_off(door, clock, cost_s=0.1, really_s=0.05)
    with admitted(door, 1, 1.0, FAR):
        assert door.wait_s == pytest.approx(0.5, rel=0.05)


def test_work_that_goes_on_side_by_side_counts_once() -> None:
    clock = Clock()
    door = admission(clock)
    for _ in range(60):
        with admitted(door, 1, 0.1, FAR), admitted(door, 1, 0.1, FAR):
            clock.now += 0.1
            door.did(0.2)
    with admitted(door, 1, 1.0, FAR):
        assert door.wait_s == pytest.approx(0.5, rel=0.05)


def test_idle_time_is_no_work() -> None:
    clock = Clock()
    door = admission(clock)
    for _ in range(20):
        clock.now += 60.0
        work_off(door, clock, cost_s=0.1, really_s=0.1, times=1)
    with admitted(door, 1, 1.0, FAR):
        assert door.wait_s == pytest.approx(1.0)


@pytest.mark.parametrize("began", [True, False], ids=["after it had begun", "before it began"])
def test_work_that_was_given_up_is_no_sign_of_slowness(began: bool) -> None:
    clock = Clock()
    door = admission(clock)
    for _ in range(60):
        with admitted(door, 1, 0.1, FAR):
            with contextlib.suppress(TimeoutError), admitted(door, 1, 5.0, FAR):
                if began:  # it takes its time all the same
                    clock.now += 5.0
                    door.did(5.0)
                raise TimeoutError
            clock.now += 0.1
            door.did(0.1)
    with admitted(door, 1, 1.0, FAR):
        assert door.wait_s == pytest.approx(1.0)


def test_bytes_are_held_up_to_the_limit() -> None:
    door = admission(size=1000)
    door.hold(600)
    door.hold(400)
    with pytest.raises(Overloaded, match="1000 bytes of requests are held and 1 more exceed the limit of 1000"):
        door.hold(1)
    door.release(400)
    door.hold(1)
    assert door.bytes == 601
