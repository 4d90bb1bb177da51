"""`Server`: uvicorn's, that watches its connections and ends without losing a request.

SIGTERM ──▶ `/readyz` says 503 at once ──▶ new work is turned away, with 503 and a closed connection, for as long as
callers keep coming, within bounds ──▶ no new connections; those that wait are answered ──▶ what is under way is
finished ──▶ status 0. A worker that ends alone turns nobody away: it leaves new connections to the others, and answers
on those that it has.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import time
from types import FrameType

import uvicorn

from service.http.acceptor import Acceptor
from service.http.connection import Connection
from service.http.express import ExpressConnection
from service.http.listening_socket import take_no_more, waiting
from service.process import coordination
from service.process.worker import Worker

TURN_AWAY_S = (0.25, 2.0)
"""How long callers are turned away before the door is closed: at least, so that a probe sees it, and at most."""
QUIET_S = 0.3
"""A connection that has carried nothing for so long is closed at the end."""
SETTLE_S = 0.1  # handshakes that were under way when the door was closed
SETTLED_WITHIN_S = 2.0
GRACE_AFTER_DEADLINE_S = 5.0  # where no grace is given: what is under way ends with its deadline
POLL_S = 0.02
CHECK_EVERY_TICKS = 2  # of 0.1 s
ENDED_AT_ONCE = 8  # which takes the event loop about 1 ms


def serve_with(worker: Worker) -> None:
    """Has BentoML's worker script, which makes `uvicorn.Server` of its configuration, make one of ours."""
    uvicorn.Server = functools.partial(Server, worker=worker)  # type: ignore[assignment,misc]


class Server(uvicorn.server.Server):
    """One worker's server.

    Args:
        config: BentoML's.
        worker: what the process has once.
    """

    def __init__(self, config: uvicorn.Config, *, worker: Worker) -> None:
        config.ws = "none"
        config.access_log = False  # ours tells more
        super().__init__(config)
        self._worker = worker
        self._lifecycle = worker.lifecycle
        self._acceptors: list[Acceptor] = []
        self._supervisor = os.getppid()
        self._grace_s = config.timeout_graceful_shutdown or (
            worker.settings.deadline_ms / 1000 + GRACE_AFTER_DEADLINE_S
        )
        self._ends_at = float("inf")
        self._lifecycle.connections = self.server_state.connections

    @property
    def _open(self) -> list[Connection]:
        return list(self.server_state.connections)  # type: ignore[arg-type]  # there are no others

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen, in our own way."""
        await super().startup(sockets=[])
        for listener in sockets or []:
            listener.setblocking(False)
            listener.listen(self.config.backlog)
            self._acceptors.append(
                Acceptor(
                    listener,
                    self._make_connection,
                    count=lambda: len(self.server_state.connections),
                    share=self._worker.share,
                    tls=self.config.ssl,
                )
            )

    def _make_connection(self) -> Connection:
        return ExpressConnection(
            worker=self._worker, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the end, within a signal's handler."""
        self._begin_end()
        super().handle_exit(sig, frame)

    def _begin_end(self) -> None:
        self._ends_at = min(self._ends_at, time.monotonic() + self._grace_s)
        self._lifecycle.draining = self._lifecycle.draining or self._is_last()

    async def on_tick(self, counter: int) -> bool:
        """Looks after the connections, and ends an orphan: without its supervisor it would keep the port for ever."""
        if counter % CHECK_EVERY_TICKS == 0:
            await self._check_connections()
        if os.getppid() != self._supervisor:
            self._begin_end()
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends; see the module's text."""
        self._worker.share.close()
        if self._is_last():
            self._lifecycle.draining = True
            await self._turn_away()
            await self._close_door(sockets or [])
        else:
            coordination.mark_leaving()
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in sockets or []:
            listener.close()
        await self._finish()
        if not self.force_exit:
            await self.lifespan.shutdown()

    def _is_last(self) -> bool:
        """Whether the whole server ends, and not this worker alone, whose callers another one can serve."""
        return coordination.is_ending() or os.getppid() != self._supervisor

    async def _turn_away(self) -> None:
        least_s, most_s = TURN_AWAY_S
        began = quiet_since = time.monotonic()
        requests = self.server_state.total_requests
        while not self.force_exit and time.monotonic() < min(began + most_s, self._ends_at):
            await self._pass_time()
            if self.server_state.total_requests != requests or self._lifecycle.in_flight:
                requests, quiet_since = self.server_state.total_requests, time.monotonic()
            elif time.monotonic() - quiet_since >= least_s:
                break

    async def _close_door(self, listeners: list[socket.socket]) -> None:
        for listener in listeners:
            take_no_more(listener)
        began = settled_since = time.monotonic()
        while not self.force_exit and time.monotonic() < min(began + SETTLED_WITHIN_S, self._ends_at):
            await self._pass_time()
            if any(waiting(listener) for listener in listeners):
                settled_since = time.monotonic()
            elif time.monotonic() - settled_since >= SETTLE_S:
                break

    async def _finish(self) -> None:
        """Waits for what is under way, at most until the grace is over."""
        while self._is_busy and not self.force_exit and time.monotonic() < self._ends_at:
            for connection in self._open:
                connection.drain(time.monotonic(), QUIET_S)
            await self._pass_time()
        for task in self.server_state.tasks:
            task.cancel("the grace period is over")
        for connection in self._open:
            connection.transport.abort()

    @property
    def _is_busy(self) -> bool:
        coming = any(acceptor.is_establishing for acceptor in self._acceptors)
        return coming or bool(self._open or self.server_state.tasks)

    async def _pass_time(self) -> None:
        await asyncio.sleep(POLL_S)
        await self._check_connections()

    async def _check_connections(self) -> None:
        """Ends those that take too long, a few at a time: a crowd's time is over at once, and others go on."""
        now, ended = time.monotonic(), 0
        for connection in self._open:
            if connection in self.server_state.connections and connection.check(now):
                ended += 1
                if ended % ENDED_AT_ONCE == 0:
                    await asyncio.sleep(0)
