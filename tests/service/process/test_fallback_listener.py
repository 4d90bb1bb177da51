"""Who answers while no worker is ready."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from service.http.listening_socket import waiting
from service.process import fallback_listener as module
from service.process.fallback_listener import HEAD_BYTES, Doorman
from tests.service.serving import PATIENCE_S, until

HOST = "127.0.0.1"
GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


class Door:
    """A listening socket with a doorman who has opened."""

    def __init__(self, listener: socket.socket, directory: Path) -> None:
        self.listener = listener
        self.sign = directory / "doorman"
        self.doorman = Doorman(listener, asyncio.get_running_loop())

    async def open(self) -> None:
        self.doorman.open()
        await until(self.sign.exists)

    async def close(self) -> None:
        self.doorman.close()
        await until(lambda: not self.sign.exists())

    @contextlib.asynccontextmanager
    async def caller(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, request: bytes) -> bytes:
        """All that comes back on a connection of its own."""
        async with self.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            await writer.drain()
            writer.write_eof()
            return answer + await reader.read()


def run(shared: Path, test: Callable[[Door], Awaitable[None]]) -> None:
    """Runs a test with an open door, which is closed in any case."""

    async def with_door() -> None:
        with socket.create_server((HOST, 0)) as listener:
            door = Door(listener, shared)
            await door.open()
            try:
                await test(door)
            finally:
                await door.close()
                await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(with_door())


def check_not_ready(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert status == "http/1.1 503 service unavailable"
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    document = json.loads(body)
    assert (document["status"], document["code"]) == (503, "not_ready")


@pytest.mark.parametrize("path", [b"/readyz", b"/v1/predict", b"/livezz", b"/metrics"])
def test_requests_are_told_that_nobody_is_ready(path: bytes, shared: Path) -> None:
    async def test(door: Door) -> None:
        check_not_ready(await door.ask(GET % path))

    run(shared, test)


def test_a_caller_who_sends_much_reads_the_answer(shared: Path) -> None:
    async def test(door: Door) -> None:
        size = 5_000_000
        head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        check_not_ready(await door.ask(head + bytes(size)))

    run(shared, test)


@pytest.mark.parametrize("path", [b"/livez", b"/healthz"])
def test_the_server_is_alive(path: bytes, shared: Path) -> None:
    async def test(door: Door) -> None:
        answer = await door.ask(GET % path)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert re.search(rb"\r\nx-request-id: [0-9a-f]{32}\r\n", answer)
        assert answer.endswith(b"\r\n\r\n\n")

    run(shared, test)


def test_a_head_that_is_no_request_is_answered_as_any_other(shared: Path) -> None:
    async def test(door: Door) -> None:
        check_not_ready(await door.ask(b"nonsense\r\n\r\n"))

    run(shared, test)


@pytest.mark.parametrize("data", [b"", b"GET /readyz HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"])
def test_who_does_not_finish_is_dropped(data: bytes, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)

    async def test(door: Door) -> None:
        async with door.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(data)
            assert await reader.read() == b""

    run(shared, test)


def test_who_leaves_within_his_head_is_no_trouble(shared: Path) -> None:
    async def test(door: Door) -> None:
        async with door.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(b"GET /readyz")
            writer.write_eof()
            assert await reader.read() == b""
        check_not_ready(await door.ask(GET % b"/readyz"))

    run(shared, test)


def test_a_head_without_end_is_dropped(shared: Path) -> None:
    async def test(door: Door) -> None:
        async with door.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(bytes(4 * HEAD_BYTES))
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        check_not_ready(await door.ask(GET % b"/readyz"))

    run(shared, test)


def test_more_callers_than_the_limit_are_hung_up_on(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLERS", 2)

    async def test(door: Door) -> None:
        async with door.caller(), door.caller():
            await until(lambda: door.doorman._callers == 2)
            async with door.caller() as (reader, _), asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""
        await until(lambda: door.doorman._callers == 0)
        check_not_ready(await door.ask(GET % b"/readyz"))

    run(shared, test)


def test_who_comes_after_he_has_left_waits_for_a_worker(shared: Path) -> None:
    async def test(door: Door) -> None:
        await door.close()
        async with door.caller() as (reader, _), asyncio.timeout(PATIENCE_S):
            await until(lambda: waiting(door.listener) == 1)
            accepted, _ = await asyncio.get_running_loop().sock_accept(door.listener)
            with accepted:
                accepted.sendall(b"a worker")
            assert await reader.read() == b"a worker"

    run(shared, test)


def test_who_closes_while_he_opens_finds_the_door_closed(shared: Path) -> None:
    async def test(door: Door) -> None:
        await door.close()
        for turns in range(4):
            door.doorman.open()
            for _ in range(turns):
                await asyncio.sleep(0)
            await door.close()
        async with door.caller():
            await until(lambda: waiting(door.listener) == 1)

    run(shared, test)


def test_he_finishes_what_he_has_begun(shared: Path) -> None:
    async def test(door: Door) -> None:
        async with door.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            await until(lambda: door.doorman._callers == 1)
            await door.close()
            writer.write(GET % b"/readyz")
            writer.write_eof()
            check_not_ready(await reader.read())

    run(shared, test)


def test_he_can_open_and_close_as_often_as_it_takes(shared: Path) -> None:
    async def test(door: Door) -> None:
        door.doorman.open()
        check_not_ready(await door.ask(GET % b"/readyz"))
        await door.close()
        door.doorman.close()
        await door.open()
        check_not_ready(await door.ask(GET % b"/readyz"))

    run(shared, test)
