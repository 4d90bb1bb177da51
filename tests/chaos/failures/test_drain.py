"""SIGTERM under load: `/readyz` says so at once, everything is still answered, the server ends with status 0."""

from __future__ import annotations

import http.client
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.inputs.photos import photo
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving
from tests.chaos.rig.steady_load import Plan, Sample, load, outcomes
from tests.tiny_bundle import solid_image

GRACE_S = 10
DRAIN_S = 2.0
UNREADY_WITHIN_MS = 200.0
CYCLES = 20
LOAD_S = 0.7  # before the signal
GOOD = {"200"}
TURNED_AWAY = {"refused"}  # by a port on which nobody listens any more


@dataclass(frozen=True)
class Drain:
    """One cycle: what the clients saw, and when what happened, seconds from the signal."""

    samples: list[Sample]
    signalled: float
    last_ready_s: float
    """When `/readyz` last said 200."""
    unready_seen: bool
    """Whether `/readyz` said 503 before it was refused."""
    exit_s: float
    status: int

    @property
    def lost(self) -> list[Sample]:
        """Requests on an established connection that were not answered with 200."""
        return [s for s in self.samples if s.outcome not in GOOD | TURNED_AWAY]

    def describe_lost(self) -> str:
        return ", ".join(
            f"{sample.outcome} {['keep-alive', 'keep-alive, photos', 'one request a connection'][sample.plan]} "
            f"sent {sample.sent - self.signalled:+.2f} s, lost {sample.done - self.signalled:+.2f} s after the signal"
            for sample in self.lost[:5]
        )


def drain(folder: Path, workers: int) -> Drain:
    """Starts a server, loads it, sends it SIGTERM and watches it go."""
    tiny, large = folder / "tiny", folder / "large"
    tiny.write_bytes(solid_image(128))
    large.write_bytes(photo(2048, 1536))
    with serving(folder, workers=workers, grace_s=GRACE_S, drain_s=DRAIN_S) as server:
        plans = (
            Plan(server.port, (str(tiny),), connections=6, pause_s=0.01),
            Plan(server.port, (str(large),), connections=3, pause_s=0.01),
            Plan(server.port, (str(tiny),), connections=4, pause_s=0.01, keep_alive=False),
        )
        with load(folder, *plans) as generator:
            time.sleep(LOAD_S)  # that there is load; nothing is waited for
            signalled = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            last_ready, unready_seen = watch_readiness(server, signalled)
            status = server.process.wait(GRACE_S + 5)
            exited = time.monotonic()
            samples = generator.stop()
    return Drain(samples, signalled, last_ready - signalled, unready_seen, exited - signalled, status)


def watch_readiness(server: Server, began: float) -> tuple[float, bool]:
    """Asks `/readyz` on new connections until nobody listens; the last time it said 200, and whether it said 503."""
    last_ready, unready_seen = began, False
    while server.process.poll() is None and time.monotonic() < began + GRACE_S:
        try:
            status = server.request("/readyz", timeout_s=1.0).status
        except ConnectionRefusedError:
            break
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            last_ready = time.monotonic()
        unready_seen = unready_seen or status == 503
        time.sleep(0.005)
    return last_ready, unready_seen


def check(cycle: Drain) -> None:
    assert set(outcomes(cycle.samples)) >= GOOD, "there was no load"
    assert not cycle.lost, cycle.describe_lost()
    assert cycle.unready_seen, "/readyz never said 503"
    assert cycle.last_ready_s * 1000 <= UNREADY_WITHIN_MS
    assert cycle.status == 0
    assert cycle.exit_s <= GRACE_S


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.chaos)])
def test_a_server_that_is_told_to_end_loses_nothing(workers: int, tmp_path: Path) -> None:
    check(drain(tmp_path, workers))


@pytest.mark.chaos
def test_20_drains_under_load_lose_nothing(reliability: Reliability, tmp_path: Path) -> None:
    cycles = [drain(tmp_path, workers=2) for _ in range(CYCLES)]
    seen: Counter[str] = Counter()
    for cycle in cycles:
        seen.update(outcomes(cycle.samples))
    lost = sum(len(cycle.lost) for cycle in cycles)
    shown = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(seen.items()))
    unready_ms = max(cycle.last_ready_s for cycle in cycles) * 1000
    slowest_s = max(cycle.exit_s for cycle in cycles)
    statuses = Counter(cycle.status for cycle in cycles)
    reliability.record(
        f"drain: requests lost in {CYCLES} SIGTERMs under load",
        "0: each request is answered 200, or gets no connection",
        f"{lost} lost; keep-alive and one request a connection: {shown}",
        lost == 0,
    )
    reliability.record(
        "drain: /readyz is 503 after the signal",
        f"≤ {UNREADY_WITHIN_MS:.0f} ms",
        f"the last 200 after {unready_ms:.0f} ms, 503 seen in {sum(c.unready_seen for c in cycles)} of {CYCLES}",
        unready_ms <= UNREADY_WITHIN_MS and all(cycle.unready_seen for cycle in cycles),
    )
    reliability.record(
        "drain: exit",
        f"status 0 within the grace of {GRACE_S} s",
        f"status {', '.join(f'{status} ({count} x)' for status, count in statuses.items())}; slowest {slowest_s:.1f} s",
        set(statuses) == {0} and slowest_s <= GRACE_S,
    )
    for cycle in cycles:
        check(cycle)
