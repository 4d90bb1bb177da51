"""Connections that end at an awkward moment: half-closed after the request, closed for idleness as a request comes."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.inputs.fuzz_corpus import chunk, chunked, head, post
from tests.chaos.inputs.pictures import SNEAKER
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving

KEEP_ALIVE_S = 1.0
CALLERS = 8
SPREAD_S = 0.35  # the server looks for idle connections every 0.2 s
ESTABLISHED = 1  # of TCP_INFO
LOST = 1e-3
"""Between the server's last look for a request and the end that it sends lie microseconds that HTTP cannot close."""
LIVEZ = head("GET", "/livez")
HALF_CLOSED = {
    "a body of known length": post(SNEAKER),
    "a body in chunks": chunked(chunk(SNEAKER[:100]), chunk(SNEAKER[100:])),
    "no body": head("GET", "/v1/models"),
    "three requests at once": post(SNEAKER) + LIVEZ + post(SNEAKER),
    "a refused request": head("GET", "/nowhere"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("ends"), workers=1, keep_alive_s=KEEP_ALIVE_S) as started:
        yield started


def responses_to_half_closed(server: Server, request: bytes) -> int:
    """How many responses come, until the server closes, to who says that nothing more will be sent."""
    received = b""
    with server.connect() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            received += data
    return received.count(b"HTTP/1.1 ")


@pytest.mark.parametrize("name", HALF_CLOSED)
def test_a_half_closed_connection_is_answered(server: Server, name: str) -> None:
    wanted = 3 if name.startswith("three") else 1
    assert responses_to_half_closed(server, HALF_CLOSED[name]) == wanted


@pytest.mark.chaos
def test_every_half_closed_connection_is_answered(server: Server, reliability: Reliability) -> None:
    rounds = 600
    names = [name for name in HALF_CLOSED for _ in range(rounds)]
    with ThreadPoolExecutor(CALLERS) as callers:
        found = list(callers.map(lambda name: responses_to_half_closed(server, HALF_CLOSED[name]), names))
    wanted = [3 if name.startswith("three") else 1 for name in names]
    lost = sum(a != b for a, b in zip(found, wanted, strict=True))
    measured = f"{lost} of {len(names)} not answered whole ({len(HALF_CLOSED)} kinds of request)"
    reliability.record("half-close: shutdown(SHUT_WR) after the request", "0 unanswered", measured, lost == 0)
    assert lost == 0, measured


def ask_as_it_closes(server: Server, wait_s: float) -> str:
    """Sends a second request about when the server closes the idle connection.

    Returns:
        `answered`; `closed before`, where the end had come before the request was sent; `unknown`, where it came while
        it was being sent; `lost`, where the connection was open when the request had been sent and no answer came.
    """
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(LIVEZ)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        due = time.monotonic() + wait_s
        while time.monotonic() < due:
            time.sleep(max(0.0, min(0.01, due - time.monotonic())))
        if select.select([connection], [], [], 0)[0]:
            return "closed before"
        is_open = False
        with contextlib.suppress(OSError):
            connection.sendall(LIVEZ)
            is_open = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
            if connection.recv(65536).startswith(b"HTTP/1.1 200"):
                return "answered"
        return "lost" if is_open else "unknown"


def race(server: Server, attempts: int) -> Counter[str]:
    """What became of so many requests, each sent about when its connection is closed."""
    chance = random.Random(7)
    waits_s = [KEEP_ALIVE_S + chance.uniform(-0.05, SPREAD_S) for _ in range(attempts)]
    with ThreadPoolExecutor(CALLERS * 8) as callers:
        return Counter(callers.map(lambda wait_s: ask_as_it_closes(server, wait_s), waits_s))


def test_a_request_on_a_connection_that_was_open_is_answered(server: Server) -> None:
    found = race(server, 100)
    assert found["answered"]
    assert found["closed before"]
    assert found["lost"] == 0, found


@pytest.mark.chaos
def test_no_request_is_lost_to_the_end_of_idle_connections(server: Server, reliability: Reliability) -> None:
    attempts = 2000
    found = race(server, attempts)
    reliability.record(
        f"keep-alive race: requests sent about when a connection has been idle for {KEEP_ALIVE_S:g} s",
        "at most 1 in 1,000 lost; the others answered, or the connection was closed before",
        ", ".join(f"{kind}: {count}" for kind, count in sorted(found.items())),
        found["lost"] <= LOST * attempts,
    )
    assert found["lost"] <= LOST * attempts, found
