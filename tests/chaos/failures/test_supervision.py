"""Workers and supervisor that die: callers are told the truth, the dead are replaced, and nothing is left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from service.process import keys_command
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import HOST, SLACK, Server, serving, until
from tests.tiny_bundle import solid_image

UNREADY_WITHIN_MS = 500.0
RESTORED_WITHIN_S = 5.0
PATIENCE_S = 15.0
PAUSE_S = 0.01
EVERY_ADDRESS = "0.0.0.0"


@pytest.fixture(scope="module")
def alone(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, that was not told where to listen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENTOML_CONTAINERIZED", raising=False)
        with serving(tmp_path_factory.mktemp("alone"), tiny_path, host=None, workers=1) as started:
            yield started


@pytest.fixture(scope="module")
def contained(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same in a container, as far as BentoML can see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_CONTAINERIZED", "true")
        with serving(tmp_path_factory.mktemp("contained"), tiny_path, host=None, workers=1) as started:
            yield started


@dataclass(frozen=True)
class Pair:
    """A server with two workers, a bundle of its own and a key, that was not told where to listen."""

    server: Server
    bundle: Path
    authorization: dict[str, str]

    def is_whole(self) -> bool:
        return len(self.server.workers()) == 2 and self.server.metric("tandem_ready") == 2


@pytest.fixture(scope="module")
def pair(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    bundle = shutil.copytree(tiny_path, folder / "tiny" / "1")
    key = keys_command.add(folder / "keys", "shop")
    with serving(folder, bundle, host=None, workers=2, api_keys_file=folder / "keys") as started:
        made = Pair(started, bundle, {"Authorization": f"Bearer {key}"})
        until(made.is_whole, PATIENCE_S, "both workers are ready")
        yield made


def kill(server: Server) -> None:
    """Kills all workers."""
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)


# ---------------------------------------------------------------- where it listens


def addresses(server: Server) -> set[str]:
    found = psutil.Process(server.process.pid).net_connections("tcp")
    return {one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN and one.laddr.port == server.port}


def test_without_keys_only_this_machine_is_listened_to(alone: Server) -> None:
    assert addresses(alone) == {HOST}


@pytest.mark.chaos
def test_in_a_container_every_address_is_listened_on(contained: Server) -> None:
    assert addresses(contained) == {EVERY_ADDRESS}


@pytest.mark.chaos
def test_with_keys_every_address_is_listened_on(pair: Pair) -> None:
    assert addresses(pair.server) == {EVERY_ADDRESS}


# ---------------------------------------------------------------- no worker is ready


@dataclass(frozen=True)
class Outage:
    """What `/readyz` said from a kill on, milliseconds."""

    unready_ms: float
    """When it first said 503."""
    slowest_ms: float
    """The longest that an answer took."""
    restored_ms: float
    """When it said 200 again."""

    @property
    def is_short(self) -> bool:
        return max(self.unready_ms, self.slowest_ms) <= UNREADY_WITHIN_MS


def outage(server: Server) -> Outage:
    """Kills the only worker and asks `/readyz`, one request after the other, until it says 200 again."""
    kill(server)
    killed = time.monotonic()
    unready_ms, slowest_ms = float("inf"), 0.0
    while True:
        asked = time.monotonic()
        assert asked - killed < SLACK * RESTORED_WITHIN_S, "not ready again in time"
        try:
            status = server.request("/readyz", timeout_s=SLACK * RESTORED_WITHIN_S).status
        except (OSError, http.client.HTTPException):  # the killed worker had taken it
            status = 0
        now = time.monotonic()
        slowest_ms = max(slowest_ms, (now - asked) * 1000)
        if status == 503:
            unready_ms = min(unready_ms, (now - killed) * 1000)
        elif status == 200 and unready_ms < float("inf"):
            return Outage(unready_ms, slowest_ms, (now - killed) * 1000)
        time.sleep(PAUSE_S)


def test_probes_are_told_that_no_worker_is_ready_until_one_is(reliability: Reliability, alone: Server) -> None:
    seen = outage(alone)
    reliability.record(
        "probe: /readyz while no worker is ready",
        f"503 within {UNREADY_WITHIN_MS:.0f} ms",
        f"503 {seen.unready_ms:.0f} ms after a kill -9 of the only worker, no answer took longer than "
        f"{seen.slowest_ms:.0f} ms; ready again after {seen.restored_ms:.0f} ms",
        seen.is_short,
    )
    assert seen.is_short, seen


@pytest.mark.chaos
def test_a_worker_is_replaced_in_a_container_too(contained: Server) -> None:
    seen = outage(contained)
    assert seen.is_short, seen


# ---------------------------------------------------------------- one of several ends


class Caller(threading.Thread):
    """One request after the other, each on a connection of its own."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(daemon=True)
        self._pair = pair
        self._over = threading.Event()
        self.outcomes: list[str] = []
        self.start()

    def run(self) -> None:
        image = solid_image(128)
        while not self._over.wait(PAUSE_S):
            try:
                status = self._pair.server.predict(image, self._pair.authorization, timeout_s=PATIENCE_S).status
                self.outcomes.append(str(status))
            except (OSError, http.client.HTTPException) as error:
                self.outcomes.append(repr(error))

    def leave(self) -> None:
        self._over.set()
        self.join()


@contextlib.contextmanager
def calling(pair: Pair, count: int = 3) -> Iterator[Callable[[], list[str]]]:
    """Several callers; gives what they have seen so far."""
    callers = [Caller(pair) for _ in range(count)]
    try:
        yield lambda: [outcome for caller in callers for outcome in caller.outcomes]
    finally:
        for caller in callers:
            caller.leave()


def test_a_worker_that_is_told_to_end_is_replaced_and_costs_no_request(pair: Pair) -> None:
    told = min(pair.server.workers())
    with calling(pair) as seen:
        until(lambda: len(seen()) > 20, PATIENCE_S, "there is load")
        os.kill(told, signal.SIGTERM)
        until(lambda: told not in pair.server.workers(), PATIENCE_S, "it ends")
        until(pair.is_whole, PATIENCE_S, "another one is ready")
    assert set(seen()) == {"200"}


# ---------------------------------------------------------------- the end; these use up their servers


@pytest.mark.chaos
def test_workers_that_cannot_start_end_the_server(reliability: Reliability, pair: Pair) -> None:
    process = pair.server.process
    (pair.bundle / "embedder.onnx").write_bytes(b"damaged")
    kill(pair.server)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_S)
    status, last = process.poll(), pair.server.log_text().strip().splitlines()[-1]
    met = status == 1 and last.startswith("tandem cannot start: ") and "embedder.onnx" in last
    reliability.record(
        "workers that cannot start end the server", "status 1 with the reason", f"status {status}: {last}", met
    )
    assert met, (status, last)


def test_no_worker_outlives_the_supervisor(alone: Server) -> None:
    workers = alone.workers()
    assert workers
    os.kill(alone.process.pid, signal.SIGKILL)
    alone.process.wait()
    until(lambda: not any(is_running(pid) for pid in workers), RESTORED_WITHIN_S, "the workers end")
    with socket.create_server((HOST, alone.port)):
        pass


def is_running(pid: int) -> bool:
    """Whether a process has not ended; nobody may have asked for its status yet."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
