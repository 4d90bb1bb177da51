"""More than the server can do: it does as much as ever, in time, and refuses the rest at once."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.chaos.inputs.photos import photo
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, outcomes, percentile_ms, run

DEADLINE_MS = 1000
REFUSED_WITHIN_MS = 50.0
RECOVERED_WITHIN_S = 2.0
_WARM_UP_S = 2.0
_BUCKET_S = 0.25


@dataclass(frozen=True)
class Flood:
    """What the open loop saw at each multiple of the capacity, and half of the capacity before and after it."""

    capacity: float
    level_s: float
    levels: dict[int, list[Sample]] = field(repr=False)
    before: list[Sample] = field(repr=False)
    after: list[Sample] = field(repr=False)
    ended: float

    def goodput(self, multiple: int) -> float:
        """Answers a second that were good and in time."""
        in_time = [s for s in self.levels[multiple] if s.outcome == "200" and s.latency_s * 1000 <= DEADLINE_MS]
        return len(in_time) / self.level_s

    @property
    def peak(self) -> float:
        return max(self.capacity, *(self.goodput(multiple) for multiple in self.levels))

    def latencies(self, multiple: int, outcome: str) -> list[float]:
        return [sample.latency_s for sample in self.levels[multiple] if sample.outcome == outcome]

    @property
    def recovery_s(self) -> float:
        """Seconds from the flood's end to when all are answered, at a median of at most twice that before."""
        usual_s = float(np.median([sample.latency_s for sample in self.before]))
        recovered_s = 0.0
        for start in np.arange(0.0, max(s.due for s in self.after) - self.ended, _BUCKET_S):
            bucket = [s for s in self.after if start <= s.due - self.ended < start + _BUCKET_S]
            slow = bucket and float(np.median([sample.latency_s for sample in bucket])) > 2 * usual_s
            if slow or any(sample.outcome != "200" for sample in bucket):
                recovered_s = float(start) + _BUCKET_S
        return recovered_s


def flood(server: Server, folder: Path, image: bytes, multiples: Sequence[int], level_s: float, rest_s: float) -> Flood:
    """Measures the capacity with a closed loop, then sends multiples of it, then half of it again."""
    body = folder / "photo"
    body.write_bytes(image)
    closed = Plan(server.port, (str(body),), connections=8)
    run(folder, Plan(**{**vars(closed), "seconds": _WARM_UP_S}))
    seconds = max(level_s / 2, 2.0)
    answered = run(folder, Plan(**{**vars(closed), "seconds": seconds}))
    assert set(outcomes(answered)) == {"200"}
    capacity = len(answered) / seconds

    def at(multiple: float, seconds: float, delay_s: float = 0.0) -> Plan:
        return Plan(
            server.port,
            (str(body),),
            connections=2000,
            rate=multiple * capacity,
            seconds=seconds,
            delay_s=delay_s,
            timeout_ms=DEADLINE_MS,
        )

    before = run(folder, at(0.5, rest_s))
    levels = {multiple: run(folder, at(multiple, level_s)) for multiple in multiples[:-1]}
    last = run(folder, at(multiples[-1], level_s), at(0.5, rest_s, delay_s=level_s))
    levels[multiples[-1]] = [sample for sample in last if sample.plan == 0]
    after = [sample for sample in last if sample.plan == 1]
    return Flood(capacity, level_s, levels, before, after, ended=max(sample.due for sample in levels[multiples[-1]]))


def check_codes(samples: Sequence[Sample]) -> None:
    """Good or refused, and refused with the time to wait."""
    assert set(outcomes(samples)) <= {"200", "429"}, outcomes(samples)
    refused = [sample for sample in samples if sample.outcome == "429"]
    assert all(sample.retry_after.isdecimal() and int(sample.retry_after) >= 1 for sample in refused)
    assert all('"overloaded"' in sample.answer for sample in refused)


@pytest.mark.chaos
def test_three_times_the_capacity_costs_no_goodput(reliability: Reliability, tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as server:
        seen = flood(server, tmp_path, photo(2048, 1536), (1, 2, 3), level_s=20.0, rest_s=6.0)
    share = seen.goodput(3) / seen.peak
    goodputs = ", ".join(f"{multiple} x: {seen.goodput(multiple):.0f}/s" for multiple in seen.levels)
    everything = [sample for level in seen.levels.values() for sample in level]
    accepted_ms, refused_ms = (percentile_ms(seen.latencies(3, outcome), 99) for outcome in ("200", "429"))
    late_ms = percentile_ms([sample.lateness_s for sample in seen.levels[3]], 99)
    generator = f"generator's own lateness p99 {late_ms:.1f} ms"
    rows = [
        (
            "goodput at 3 x capacity, 20 s a level",
            "≥ 90 % of peak",
            f"{share:.0%} (closed loop {seen.capacity:.0f}/s; in time at {goodputs}; photos of 2048 x 1536, 1 worker)",
            share >= 0.9,
        ),
        (
            "accepted at 3 x capacity, p99",
            f"≤ the deadline of {DEADLINE_MS} ms",
            f"{accepted_ms:.0f} ms ({len(seen.latencies(3, '200'))} requests, from when they were due; {generator})",
            accepted_ms <= DEADLINE_MS,
        ),
        (
            "refused at 3 x capacity, p99",
            f"≤ {REFUSED_WITHIN_MS:.0f} ms",
            f"{refused_ms:.0f} ms ({len(seen.latencies(3, '429'))} requests, from when they were due; {generator})",
            refused_ms <= REFUSED_WITHIN_MS,
        ),
        (
            "statuses at 1 x, 2 x and 3 x capacity",
            "200 and 429 alone",
            ", ".join(f"{outcome}: {count}" for outcome, count in outcomes(everything).items()),
            set(outcomes(everything)) <= {"200", "429"},
        ),
        (
            "recovery after the flood",
            f"≤ {RECOVERED_WITHIN_S:g} s",
            f"{seen.recovery_s:.2f} s until all of half the capacity is answered at its usual median",
            seen.recovery_s <= RECOVERED_WITHIN_S,
        ),
    ]
    for promise, required, measured, met in rows:
        reliability.record(f"overload: {promise}", required, measured, met)
    check_codes(everything)
    assert all(met for *_, met in rows), [row for row in rows if not row[-1]]


@pytest.mark.alone
def test_a_flood_is_answered_or_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as server:
        seen = flood(server, tmp_path, photo(2048, 1536), (3,), level_s=3.0, rest_s=2.5)
        until(lambda: server.metric("tandem_queue_images") == 0, 10.0, "the queue is empty")
    check_codes(seen.levels[3])
    assert seen.latencies(3, "429"), "a flood of three times the capacity must be refused in part"
    assert seen.goodput(3) >= 0.3 * seen.capacity


# ---------------------------------------------------------------- the bound of the queue

LIMIT = 8


def send_together(server: Server, image: bytes, count: int) -> list[int]:
    """The statuses of requests whose last bytes are sent at once, all others having been sent before."""
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
    connections = [server.connect() for _ in range(count)]
    try:
        for connection in connections:
            connection.sendall(head.encode() + image[:-1])
        for connection in connections:
            send_last_byte(connection, image[-1:])
        return [int(status_line(connection)[9:12]) for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def send_last_byte(connection: socket.socket, byte: bytes) -> None:
    """A server that refused already by the header may have closed the connection; its answer is there to be read."""
    try:
        connection.sendall(byte)
    except (BrokenPipeError, ConnectionResetError):
        return


def status_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        byte = connection.recv(1)
        assert byte, f"the connection ended after {line!r}"
        line += byte
    return line


@pytest.mark.chaos
def test_of_n_plus_k_at_once_exactly_k_are_refused(reliability: Reliability, tmp_path: Path) -> None:
    image = photo(4096, 3072)  # long enough to decode that the first is not done before the last has arrived
    surplus = (0, 1, 3, 8, 1)
    with serving(tmp_path, workers=1, max_queue=LIMIT, max_images=1) as server:
        refused = []
        for k in surplus:
            statuses = send_together(server, image, LIMIT + k)
            assert set(statuses) <= {200, 429}, statuses
            refused.append(statuses.count(429))
    exact = refused == list(surplus)
    reliability.record(
        f"queue bound: capacity {LIMIT}, {LIMIT} + k requests at once",
        "exactly k refused",
        "; ".join(f"k = {k}: {count} refused" for k, count in zip(surplus, refused, strict=True)),
        exact,
    )
    assert exact, refused
