"""The client's end of a connection, which may send whatever bytes it likes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from tests.service.serving import PATIENCE_S

HOST = "127.0.0.1"
GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /%b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

new_event_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
"""Makes the loop of a test; uvloop's, on which the server runs, unless a test puts another in its place."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self, status: int, code: str, *, is_last: bool = True) -> str:
        """Checks that it is that problem, and whether the connection ends with it; returns its detail."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json"
        assert (self.headers.get("connection") == "close") == is_last
        assert re.fullmatch("[0-9a-f]{32}", self.headers["x-request-id"])
        document = json.loads(self.body)
        assert (document["status"], document["code"]) == (status, code)
        return str(document["detail"])


class Caller:
    """The client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, *, is_head: bool = False) -> Answer:
        """The next response, which has no body where HEAD was asked."""
        async with asyncio.timeout(PATIENCE_S):
            block = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = block.decode().splitlines()[:-1]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(0 if is_head else int(headers.get("content-length", 0)))
        return Answer(int(status.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """What comes until the server closes its side.

        Raises:
            ConnectionResetError: it reset the connection instead.
        """
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def ask(self, request: bytes) -> Answer:
        await self.send(request)
        return await self.answer(is_head=request.startswith(b"HEAD "))

    @classmethod
    async def connect(cls, port: int, **options: Any) -> Caller:
        """A new connection; the kernel has accepted it, the server perhaps not yet."""
        return cls(*await asyncio.open_connection(HOST, port, **options))

    async def reset(self) -> None:
        """Breaks the connection off; one that is merely closed looks to the server like one that awaits an answer."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.leave()

    async def leave(self) -> None:
        if not self.writer.is_closing():  # a second time, Python 3.11.2 could not abort it
            self.writer.close()
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test on an event loop of its own."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(test)
