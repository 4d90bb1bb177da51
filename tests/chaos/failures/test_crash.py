"""kill -9 of a worker: what it was doing is lost, nothing else; another one takes its place; gauges stay true."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from service.observability.service_metrics import SAMPLE_INTERVAL_S
from tests.chaos.inputs.photos import photo
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, load, outcomes
from tests.tiny_bundle import solid_image

KILLS = 10
RESTORED_WITHIN_S = 5.0
BROKEN = {"reset", "reset-reused", "truncated"}
"""What a request sees whose worker was killed."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("crash"), workers=2) as started:
        until(lambda: at_full_strength(started, set()), 30.0, "both workers are ready")
        yield started


def at_full_strength(server: Server, without: set[int]) -> bool:
    """Two workers that say they are ready, none of them of `without`."""
    workers = server.workers()
    return len(workers) == 2 and not workers & without and server.metric("tandem_ready") == 2


def connections_of(pid: int, port: int) -> int:
    """Established connections that a worker serves."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid).net_connections("tcp")
        return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in found)
    return 0


@dataclass(frozen=True)
class Kill:
    """A worker's end."""

    pid: int
    connections: int
    """How many it had."""
    began: float
    ended: float
    """When the kernel had taken it apart: up to then its connections are open, and nobody serves them."""

    def broke(self, sample: Sample) -> bool:
        """Whether a request was under way there."""
        return sample.outcome in BROKEN and sample.sent <= self.ended and self.began <= sample.done


def is_gone(pid: int) -> bool:
    """Whether nothing of a process is left but its status: its files are closed when the last of its threads ends."""
    try:
        return (
            psutil.Process(pid).status() == psutil.STATUS_ZOMBIE and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
        )
    except (psutil.NoSuchProcess, FileNotFoundError):
        return True


def kill_one(server: Server) -> Kill:
    """Kills the worker with the most connections."""
    held = {pid: connections_of(pid, server.port) for pid in server.workers()}
    pid = max(held, key=lambda pid: held[pid])
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid), 1.0, "it is gone", poll_s=0.0)
    return Kill(pid, held[pid], began, time.monotonic())


def plans(server: Server, folder: Path) -> list[Plan]:
    """Clients that keep their connections: of small pictures, and of photos that take a while."""
    tiny, large = folder / "tiny", folder / "large"
    tiny.write_bytes(solid_image(128))
    large.write_bytes(photo(2048, 1536))
    return [
        Plan(server.port, (str(tiny),), connections=8, pause_s=0.005),
        Plan(server.port, (str(large),), connections=4, pause_s=0.005),
    ]


def test_a_killed_worker_costs_its_own_requests_and_is_replaced(server: Server, tmp_path: Path) -> None:
    with load(tmp_path, *plans(server, tmp_path)) as generator:
        until(lambda: server.metric("tandem_requests_in_flight") > 0, 5.0, "there is load")
        kill = kill_one(server)
        until(lambda: at_full_strength(server, {kill.pid}), RESTORED_WITHIN_S, "a new worker is ready")
        samples = generator.stop()
    lost = [sample for sample in samples if sample.outcome != "200"]
    assert len(lost) <= kill.connections, outcomes(samples)
    assert all(map(kill.broke, lost)), [(s.outcome, s.sent - kill.began, s.done - kill.began) for s in lost]


def test_gauges_are_true_right_after_a_kill(reliability: Reliability, server: Server, tmp_path: Path) -> None:
    with load(tmp_path, *plans(server, tmp_path)) as generator:
        until(lambda: server.metric("tandem_queue_images") > 0, 5.0, "images are in the queue")
        kill = kill_one(server)
        ready = server.metric("tandem_ready")
        generator.stop()
    time.sleep(2 * SAMPLE_INTERVAL_S)  # a worker sees the other's gauges as of its last sampling
    scraped = server.metrics()
    queue, in_flight = (gauge(scraped, f"tandem_{name}") for name in ("queue_images", "requests_in_flight"))
    met = ready == 1 and queue == 0 and in_flight == 0
    reliability.record(
        "metrics: gauges right after a kill",
        f"1 worker ready at once; {2 * SAMPLE_INTERVAL_S:g} s after the load no image and no request",
        f"{ready:.0f} ready; {queue:.0f} images, {in_flight:.0f} requests",
        met,
    )
    until(lambda: at_full_strength(server, {kill.pid}), RESTORED_WITHIN_S, "a new worker is ready")
    assert met, (ready, queue, in_flight)


def gauge(scraped: dict[str, float], name: str) -> float:
    return sum(value for sample, value in scraped.items() if sample.startswith(name + "{"))


@pytest.mark.chaos
def test_10_kills_cost_nothing_but_what_the_killed_worker_had(
    reliability: Reliability, server: Server, tmp_path: Path
) -> None:
    kills, restored_s = [], []
    with load(tmp_path, *plans(server, tmp_path)) as generator:
        for _ in range(KILLS):
            until(lambda: server.metric("tandem_requests_in_flight") > 0, 5.0, "there is load")
            kill = kill_one(server)
            until(lambda pid=kill.pid: at_full_strength(server, {pid}), 30.0, "a new worker is ready")
            restored_s.append(time.monotonic() - kill.began)
            kills.append(kill)
        samples = generator.stop()
    lost = [sum(map(kill.broke, samples)) for kill in kills]
    failed = sum(sample.outcome != "200" for sample in samples)
    bounded = failed == sum(lost) and all(count <= kill.connections for count, kill in zip(lost, kills, strict=True))
    reliability.record(
        f"crash: {KILLS} x kill -9 of one of two workers under load",
        "only requests in flight in that worker are lost, at most one a connection",
        f"{failed} of {len(samples)} requests failed, {sum(lost)} of them in flight at a kill (at most {max(lost)} a "
        f"kill; the killed workers held {min(k.connections for k in kills)} to {max(k.connections for k in kills)} "
        f"connections); {', '.join(f'{name}: {count}' for name, count in outcomes(samples).items())}",
        bounded,
    )
    reliability.record(
        "crash: full strength after a kill",
        f"≤ {RESTORED_WITHIN_S:g} s",
        f"two ready workers after {max(restored_s):.1f} s at most, {sorted(restored_s)[KILLS // 2]:.1f} s as a median",
        max(restored_s) <= RESTORED_WITHIN_S,
    )
    assert bounded, (outcomes(samples), lost, kills)
    assert max(restored_s) <= RESTORED_WITHIN_S
