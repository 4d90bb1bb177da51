"""Whatever is asked for, the metrics stay as many, and scrapes and probes as quick."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.chaos.inputs.photos import photo
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, load

SCRAPED_WITHIN_MS = 50.0
PROBED_WITHIN_MS = 500.0
SCRAPES = 50
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-._~%/"
_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("metrics"), workers=2) as started:
        yield started


def send_random_requests(server: Server, count: int, seed: int) -> None:
    """Requests of random methods and paths, a hundred to a connection; each gets an answer."""
    source = random.Random(seed)
    for _ in range(count // 100):
        with server.connect() as connection:
            for left in range(100, 0, -1):
                path = "/" + "".join(source.choices(_LETTERS, k=source.randint(1, 60))).replace("%", "%41")
                last = "Connection: close\r\n" if left == 1 else ""
                connection.sendall(
                    f"{source.choice(_METHODS)} {path}?{source.random()} HTTP/1.1\r\nHost: x\r\n{last}\r\n".encode()
                )
            answers = b""
            while data := connection.recv(65536):
                answers += data
            assert answers.count(b"HTTP/1.1 ") == 100, answers[-300:]


def series(server: Server) -> set[str]:
    return set(server.metrics())


@pytest.mark.chaos
def test_random_paths_and_methods_add_no_series(server: Server) -> None:
    send_random_requests(server, 400, seed=0)
    before = series(server)
    send_random_requests(server, 400, seed=1)
    assert series(server) == before


@pytest.mark.chaos
@pytest.mark.chaos
def test_10000_random_paths_add_no_series(reliability: Reliability, server: Server) -> None:
    send_random_requests(server, 400, seed=2)  # so that each status of route `other` has its one series
    before = series(server)
    send_random_requests(server, 10_000, seed=3)
    added = series(server) - before
    reliability.record(
        "metrics: series added by 10,000 random methods and paths",
        "0",
        f"{len(added)} added to {len(before)}",
        not added,
    )
    assert not added, sorted(added)[:10]


@pytest.mark.chaos
def test_scrapes_are_quick(reliability: Reliability, server: Server) -> None:
    took_ms = []
    before = series(server)
    for _ in range(SCRAPES):
        began = time.monotonic()
        assert server.request("/metrics").status == 200
        took_ms.append((time.monotonic() - began) * 1000)
    slowest = float(np.percentile(took_ms, 98))
    reliability.record(
        "metrics: a scrape over 2 workers",
        f"≤ {SCRAPED_WITHIN_MS:.0f} ms",
        f"median {np.median(took_ms):.1f} ms, 98th percentile of {SCRAPES} {slowest:.1f} ms, {len(before)} series",
        slowest <= SCRAPED_WITHIN_MS,
    )
    assert slowest <= SCRAPED_WITHIN_MS, took_ms


@pytest.mark.chaos
def test_probes_answer_while_the_server_is_flooded(reliability: Reliability, server: Server, tmp_path: Path) -> None:
    body = tmp_path / "photo"
    body.write_bytes(photo(2048, 1536))
    flood = Plan(server.port, (str(body),), connections=1000, rate=400, timeout_ms=1000)
    took_ms: dict[str, list[float]] = {"/livez": [], "/readyz": [], "/metrics": []}
    with load(tmp_path, flood) as generator:
        until(lambda: server.metric("tandem_requests_in_flight") > 1, 10.0, "there is load")
        for _ in range(20):
            for path, times in took_ms.items():
                began = time.monotonic()
                assert server.request(path).status == 200, path
                times.append((time.monotonic() - began) * 1000)
        generator.stop()
    slowest = {path: max(times) for path, times in took_ms.items()}
    met = max(slowest["/livez"], slowest["/readyz"]) <= PROBED_WITHIN_MS
    reliability.record(
        "probes under a flood of 400 photos a second",
        f"true answers within {PROBED_WITHIN_MS:.0f} ms",
        ", ".join(f"{path} {took:.0f} ms" for path, took in slowest.items()) + " (slowest of 20)",
        met,
    )
    assert met, slowest
