"""plans ──▶ requests over HTTP/1.1 ──▶ samples: the load generator's own process; see `tests/chaos/rig/steady_load.py`.

A hand-written client on uvloop: a request costs it about 0.1 ms, so that on shared cores it is the server that is
measured. It follows all plans at once, until they end or its standard input is closed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.chaos.rig.steady_load import HOST, Plan, Sample

RETRY_S = 0.02
_YIELD_EVERY = 32
_SHOWN_BYTES = 400


@dataclass(slots=True)
class _Request:
    """One request under way; `finished` is told its outcome."""

    body: int
    due: float
    finished: Callable[[str], None]
    sent: float = 0.0


class _Connection(asyncio.Protocol):
    """One connection: sends a request, reads its answer, is idle again or closed."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._request: _Request | None = None
        self._answered = 0
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of TCP, so a Transport

    def send(self, request: _Request) -> None:
        """Sends a request; the connection must be idle."""
        self._request = request
        self._buffer = b""
        self._timer = asyncio.get_running_loop().call_later(self._client.plan.give_up_s, self._give_up)
        request.sent = time.monotonic()
        if self._transport.is_closing():  # it was lost before it was used
            self._finish("reset-reused" if self._answered else "reset", {}, b"")
        else:
            self._transport.write(self._client.payloads[request.body])

    def data_received(self, data: bytes) -> None:
        if self._request is None:  # an answer that nobody asked for, as to a connection that was silent too long
            self._transport.abort()
            return
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        length, status = fields.get(b"content-length", b""), head[9:12]
        if not head.startswith(b"HTTP/1.1 ") or not status.isdigit() or not length.isdigit():
            self._finish("malformed", {b"connection": b"close"}, self._buffer)
        elif len(body) >= int(length):
            self._finish(status.decode(), fields, body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._request is not None:
            nothing = "reset-reused" if self._answered else "reset"
            self._finish("truncated" if self._buffer else nothing, {b"connection": b"close"}, self._buffer)
        self._client.forget(self)

    def _give_up(self) -> None:
        self._finish("timeout", {b"connection": b"close"}, self._buffer)

    def _finish(self, outcome: str, fields: dict[bytes, bytes], answer: bytes) -> None:
        request, self._request = self._request, None
        assert request is not None
        assert self._timer is not None
        self._timer.cancel()
        self._answered += 1
        closes = fields.get(b"connection", b"").lower() == b"close"
        if closes or not self._client.plan.keep_alive or self._transport.is_closing():
            self._transport.abort()
            self._client.forget(self)
        else:
            self._client.release(self)
        self._client.note(request, outcome, fields, answer, closes)


class _Client:
    """Follows one plan."""

    def __init__(self, number: int, plan: Plan, samples: list[Sample]) -> None:
        self.plan = plan
        self.payloads = plan.requests()
        self.stopped = asyncio.Event()
        self._number = number
        self._samples = samples
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Request] = deque()
        self._sent = 0
        self._answered = 0

    async def follow(self) -> None:
        """Sends what the plan says, then waits for the answers."""
        await asyncio.sleep(self.plan.delay_s)
        if self.plan.seconds is not None:
            asyncio.get_running_loop().call_later(self.plan.seconds, self.stopped.set)
        if self.plan.rate is None:
            await asyncio.gather(*(self._one_after_another() for _ in range(self.plan.connections)))
        else:
            await self._at_rate(self.plan.rate)
        while self._answered < self._sent:
            await asyncio.sleep(RETRY_S)

    async def _one_after_another(self) -> None:
        """One client of a closed loop."""
        while not self.stopped.is_set():
            outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._send(time.monotonic(), outcome.set_result)
            pause_s = max(self.plan.pause_s, RETRY_S if await outcome == "refused" else 0.0)
            if pause_s:
                await asyncio.sleep(pause_s)

    async def _at_rate(self, rate: float) -> None:
        began = time.monotonic()
        count = 0
        while not self.stopped.is_set():
            due = began + count / rate
            if self.plan.seconds is not None and due - began >= self.plan.seconds:
                break
            wait_s = due - time.monotonic()
            if wait_s > 0 or count % _YIELD_EVERY == 0:  # answers are read even when all that is to be sent is late
                await asyncio.sleep(max(0.0, wait_s))
            self._send(due, lambda _: None)
            count += 1

    def _send(self, due: float, finished: Callable[[str], None]) -> None:
        request = _Request(self._sent % len(self.payloads), due, finished)
        self._sent += 1
        if self._idle:
            self._idle.pop().send(request)
        else:
            self._waiting.append(request)
            self._connect()

    def _connect(self) -> None:
        """Opens a connection for the request that waits longest, if there may be another one."""
        if self._waiting and len(self._open) + len(self._connecting) < self.plan.connections:
            task = asyncio.create_task(self._open_for(self._waiting.popleft()))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _open_for(self, request: _Request) -> None:
        try:
            async with asyncio.timeout(self.plan.give_up_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self), HOST, self.plan.port
                )
        except OSError as error:
            request.sent = time.monotonic()
            outcome = "refused" if isinstance(error, ConnectionRefusedError) else f"unconnected ({error})"
            self.note(request, outcome, {}, b"", closes=True)
            return
        self._open.add(connection)
        connection.send(request)

    def release(self, connection: _Connection) -> None:
        """Takes a connection back that carried an answer and can carry another."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """Gives up a connection that ended or is about to; more than once is fine."""
        if connection in self._idle:
            self._idle.remove(connection)
        self._open.discard(connection)
        self._connect()

    def note(self, request: _Request, outcome: str, fields: dict[bytes, bytes], answer: bytes, closes: bool) -> None:
        """Takes a request's sample."""
        kept = answer if self.plan.keep_answers else b"" if outcome == "200" else answer[:_SHOWN_BYTES]
        self._answered += 1
        self._samples.append(
            Sample(
                self._number,
                request.body,
                request.due,
                request.sent,
                time.monotonic(),
                outcome,
                closes,
                fields.get(b"retry-after", b"").decode("latin-1"),
                fields.get(b"x-tandem-model", b"").decode("latin-1"),
                kept.decode(errors="replace"),
            )
        )
        request.finished(outcome)


async def main(plans: list[Plan], out: Path) -> None:
    """Follows the plans and writes the samples as JSON, in the order of their ends."""
    samples: list[Sample] = []
    clients = [_Client(number, plan, samples) for number, plan in enumerate(plans)]

    def stop() -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin)
        for client in clients:
            client.stopped.set()

    asyncio.get_running_loop().add_reader(sys.stdin, stop)  # only ever ready as it is closed
    print("started", flush=True)
    await asyncio.gather(*(client.follow() for client in clients))
    out.write_text(json.dumps(samples))


if __name__ == "__main__":
    gc.disable()  # a collection would be charged to the server
    uvloop.run(main([Plan(**plan) for plan in json.loads(Path(sys.argv[1]).read_text())], Path(sys.argv[2])))
