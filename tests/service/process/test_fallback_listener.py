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
from service.process.fallback_listener import HEADER_BYTES, FallbackListener
from tests.service.serving import PATIENCE_S, until

HOST = "127.0.0.1"
GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


class Listening:
    """A listening socket on which the fallback listener answers."""

    def __init__(self, listener: socket.socket, directory: Path) -> None:
        self.listener = listener
        self.sign = directory / "fallback"
        self.fallback = FallbackListener(listener, asyncio.get_running_loop())

    async def open(self) -> None:
        self.fallback.open()
        await until(self.sign.exists)

    async def close(self) -> None:
        self.fallback.close()
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


def run(shared: Path, test: Callable[[Listening], Awaitable[None]]) -> None:
    """Runs a test while it answers; it is closed in any case."""

    async def with_listener() -> None:
        with socket.create_server((HOST, 0)) as listener:
            listening = Listening(listener, shared)
            await listening.open()
            try:
                await test(listening)
            finally:
                await listening.close()
                await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(with_listener())


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
    async def test(listening: Listening) -> None:
        check_not_ready(await listening.ask(GET % path))

    run(shared, test)


def test_a_caller_who_sends_much_reads_the_answer(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        size = 5_000_000
        head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        check_not_ready(await listening.ask(head + bytes(size)))

    run(shared, test)


@pytest.mark.parametrize("path", [b"/livez", b"/healthz"])
def test_the_server_is_alive(path: bytes, shared: Path) -> None:
    async def test(listening: Listening) -> None:
        answer = await listening.ask(GET % path)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert re.search(rb"\r\nx-request-id: [0-9a-f]{32}\r\n", answer)
        assert answer.endswith(b"\r\n\r\n\n")

    run(shared, test)


def test_what_is_no_request_is_answered_as_any_other(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        check_not_ready(await listening.ask(b"nonsense\r\n\r\n"))

    run(shared, test)


@pytest.mark.parametrize("data", [b"", b"GET /readyz HTTP/1.1\r\nHost:"], ids=["nothing", "half a header block"])
def test_who_does_not_finish_is_dropped(data: bytes, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)

    async def test(listening: Listening) -> None:
        async with listening.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(data)
            assert await reader.read() == b""

    run(shared, test)


def test_who_leaves_within_his_headers_is_no_trouble(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        async with listening.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(b"GET /readyz")
            writer.write_eof()
            assert await reader.read() == b""
        check_not_ready(await listening.ask(GET % b"/readyz"))

    run(shared, test)


def test_headers_without_end_are_dropped(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        async with listening.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            writer.write(bytes(4 * HEADER_BYTES))
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        check_not_ready(await listening.ask(GET % b"/readyz"))

    run(shared, test)


def test_more_callers_than_the_limit_are_hung_up_on(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLERS", 2)

    async def test(listening: Listening) -> None:
        async with listening.caller(), listening.caller():
            await until(lambda: listening.fallback._callers == 2)
            async with listening.caller() as (reader, _), asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""
        await until(lambda: listening.fallback._callers == 0)
        check_not_ready(await listening.ask(GET % b"/readyz"))

    run(shared, test)


def test_who_comes_after_it_was_closed_waits_for_a_worker(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        await listening.close()
        async with listening.caller() as (reader, _), asyncio.timeout(PATIENCE_S):
            await until(lambda: waiting(listening.listener) == 1)
            accepted, _ = await asyncio.get_running_loop().sock_accept(listening.listener)
            with accepted:
                accepted.sendall(b"a worker")
            assert await reader.read() == b"a worker"

    run(shared, test)


def test_one_that_is_closed_while_it_opens_is_closed(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        await listening.close()
        for turns in range(4):
            listening.fallback.open()
            for _ in range(turns):
                await asyncio.sleep(0)
            await listening.close()
        async with listening.caller():
            await until(lambda: waiting(listening.listener) == 1)

    run(shared, test)


def test_what_it_has_begun_is_finished(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        async with listening.caller() as (reader, writer), asyncio.timeout(PATIENCE_S):
            await until(lambda: listening.fallback._callers == 1)
            await listening.close()
            writer.write(GET % b"/readyz")
            writer.write_eof()
            check_not_ready(await reader.read())

    run(shared, test)


def test_it_can_be_opened_and_closed_again(shared: Path) -> None:
    async def test(listening: Listening) -> None:
        listening.fallback.open()
        check_not_ready(await listening.ask(GET % b"/readyz"))
        await listening.close()
        listening.fallback.close()
        await listening.open()
        check_not_ready(await listening.ask(GET % b"/readyz"))

    run(shared, test)
