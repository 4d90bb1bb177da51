"""No worker is ready ──▶ the supervisor itself answers, at once and truthfully: alive, and not ready.

Otherwise a caller, a load balancer's probe above all, would wait in the kernel's queue until a worker has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from models.errors import NotReady
from service import coordination
from service.messages import TEXT, Response, encode
from service.problems import problem_of

HEADER_BYTES = 32 * 1024
PATIENCE_S = 1.0
MAX_CALLERS = 256
BACKLOG = 2048  # as BentoML has it; to listen anew is to set it
ALIVE = (b"/livez", b"/healthz")


class FallbackListener:
    """Answers on a listening socket that workers balance.

    Args:
        listener: the socket; it stays open.
        loop: which runs the answers.
    """

    def __init__(self, listener: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop
        self._serving: asyncio.Task[None] | None = None
        self._callers = 0

    def open(self) -> None:
        """Begins to answer; does nothing where it does already."""
        if self._serving is None or self._serving.done():
            self._serving = self._loop.create_task(self._serve())

    def close(self) -> None:
        """Leaves those who come from now on to the workers."""
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None

    async def _serve(self) -> None:
        own = socket.socket(fileno=os.dup(self._listener.fileno()))  # dup() would make another of circus' own class
        server = await asyncio.start_server(  # nobody can cancel this before it has a server to close
            self._answer, sock=own, limit=HEADER_BYTES, backlog=BACKLOG, start_serving=False
        )
        with coordination.fallback(), contextlib.closing(server):
            await server.start_serving()
            await asyncio.Event().wait()  # until `close`; `serve_forever` would wait for the callers, too

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            if self._callers <= MAX_CALLERS:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(PATIENCE_S):
                        await _answer_one(reader, writer)
        finally:
            self._callers -= 1
            writer.close()


async def _answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    block = await reader.readuntil(b"\r\n\r\n")
    target = block.split(b" ", 2)[1:2]
    is_alive = bool(target) and target[0] in ALIVE
    response = Response(200, b"\n", TEXT) if is_alive else problem_of(NotReady("no worker is ready; try again"))
    writer.write(encode(response, os.urandom(16).hex().encode(), [(b"connection", b"close")]))
    writer.write_eof()
    while await reader.read(HEADER_BYTES):  # a caller who is hung up on while he sends may not see the answer
        pass
