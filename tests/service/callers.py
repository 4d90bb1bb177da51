"""The other end of a connection, without a client's manners, and an application for it to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
from collections.abc import Coroutine
from typing import Any

import uvloop
from starlette.types import Receive, Scope, Send

from tests.service.serving import PATIENCE_S

HOST = "127.0.0.1"
GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /%b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self, status: int, code: str) -> str:
        """Checks that it is that problem and the connection's last answer; its detail."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["connection"] == "close"
        assert re.fullmatch("[0-9a-f]{32}", self.headers["x-request-id"])
        document = json.loads(self.body)
        assert (document["status"], document["code"]) == (status, code)
        return str(document["detail"])


class Caller:
    """The other end of a connection, without a client's manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next response."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().splitlines()[:-1]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(status.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """What comes until the server has said all.

        Raises:
            ConnectionResetError: it broke off instead.
        """
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def ask(self, request: bytes) -> Answer:
        await self.send(request)
        return await self.answer()

    @classmethod
    async def connect(cls, port: int, **options: Any) -> Caller:
        """A new connection; the kernel has taken it, the server perhaps not yet."""
        return cls(*await asyncio.open_connection(HOST, port, **options))

    async def leave(self) -> None:
        self.writer.close()
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class App:
    """An application that reads the whole body and answers with the path, once it is released."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.left: list[str] = []
        """Paths whose callers went away."""
        self.bodies: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.began.append(scope["path"])
        self.headers = scope["headers"]
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.append(scope["path"])
                return
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        await self.release.wait()
        await say(send, scope["path"].encode())


async def say(send: Send, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """A whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test on the event loop that serves, too."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test)
