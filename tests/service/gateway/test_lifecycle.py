"""The state of one worker process."""

from __future__ import annotations

from service.gateway.lifecycle import Lifecycle


def test_a_process_begins_idle_and_takes_work() -> None:
    lifecycle = Lifecycle()
    assert not lifecycle.draining
    assert lifecycle.in_flight == 0


def test_requests_are_in_flight_from_their_begin_to_their_end() -> None:
    lifecycle = Lifecycle()
    lifecycle.enter()
    lifecycle.enter()
    lifecycle.leave()
    assert lifecycle.in_flight == 1
