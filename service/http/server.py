"""listening sockets ──▶ connections, from a process' start to its end; no request is lost on the way.

Start: the application starts, then the sockets listen: before that the port refuses connections.

End (SIGTERM, SIGINT): `/readyz` says 503 at once, and for `drain_s` everything is answered as always. Then no new
connections are taken; those that wait in the kernel are. What arrives on open connections is still answered, with
`Connection: close`, until they are idle or the grace is over. A worker that ends alone, as others serve, does not wait
for `drain_s`. A second signal ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from service.gateway.gateway import Gateway
from service.gateway.lifecycle import Lifecycle
from service.http.acceptor import Acceptor
from service.http.connection_balancing import ConnectionBalance
from service.http.connections import Connections
from service.http.listening_socket import take_no_more, waiting
from service.http.protocol import HttpProtocol

QUIET_S = 0.3
"""A connection that has carried nothing for so long is closed at the end."""
SETTLE_S = 0.1  # handshakes that were under way when no more connections were taken
SETTLED_WITHIN_S = 2.0
GRACE_AFTER_DEADLINE_S = 5.0  # where no grace is given: what is under way ends with its deadline
CHECK_S = 0.2
POLL_S = 0.02
ENDED_AT_ONCE = 2  # which takes the event loop about 0.3 ms


@dataclass(frozen=True)
class Grace:
    """How long the end may take, in seconds.

    Attributes:
        drain_s: in which everything is answered as always.
        finish_s: from the signal until what is still under way is broken off.
    """

    drain_s: float
    finish_s: float


class Companion(Protocol):
    """Another transport of the process, which begins and ends with this one."""

    async def start(self) -> None:
        """Listens."""

    def stop(self, grace_s: float) -> Coroutine[None, None, None]:
        """Takes no more, and waits for what is under way, at most for so many seconds."""


class Server:
    """One process' server.

    Args:
        gateway: gives the gateway, once the application has started.
        connections: of the process.
        lifecycle: of the process.
        balance: where its connections are told to the other processes.
        grace: how long the end may take.
        is_whole: whether the whole server ends, and not this process alone.
        leave: tells the supervisor that this process takes no new connections any more.
        companions: other transports of the process.
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        connections: Connections,
        lifecycle: Lifecycle,
        balance: ConnectionBalance,
        grace: Grace,
        *,
        is_whole: Callable[[], bool],
        leave: Callable[[], None],
        companions: Sequence[Companion] = (),
    ) -> None:
        self._gateway = gateway
        self._connections = connections
        self._lifecycle = lifecycle
        self._share = balance
        self._grace = grace
        self._is_whole = is_whole
        self._leave = leave
        self._companions = companions
        self._acceptors: list[Acceptor] = []
        self._supervisor = os.getppid()
        self._signalled = asyncio.Event()
        self._ends_at = float("inf")
        self._is_forced = False

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        application: AbstractAsyncContextManager[object],
        *,
        backlog: int,
        tls: ssl.SSLContext | None = None,
        started: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Serves until a signal, or the supervisor's death, and to the end of what is under way.

        Args:
            listeners: bound sockets, shared with other processes.
            application: is entered before the sockets listen, and left when all is answered.
            backlog: connections that may wait in the kernel.
            tls: the server's context, if it speaks TLS.
            started: is awaited when the sockets listen.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.end)
        async with application:
            for listener in listeners:
                listener.setblocking(False)
                listener.listen(backlog)
                self._acceptors.append(self._acceptor(listener, tls))
            for companion in self._companions:
                await companion.start()
            if started is not None:
                await started()
            await self._run()
            await self._shut_down(listeners)

    def end(self) -> None:
        """Begins the end; called again, ends at once."""
        self._is_forced = self._signalled.is_set()
        self._ends_at = min(self._ends_at, time.monotonic() + self._grace.finish_s)
        self._lifecycle.draining = self._lifecycle.draining or self._is_last()
        self._signalled.set()

    def _acceptor(self, listener: socket.socket, tls: ssl.SSLContext | None) -> Acceptor:
        gateway = self._gateway()
        return Acceptor(
            listener,
            lambda: HttpProtocol(gateway, self._connections),
            count=lambda: len(self._connections),
            balance=self._share,
            tls=tls,
        )

    async def _run(self) -> None:
        """Looks after the connections, and ends an orphan: without its supervisor it would keep the port for ever."""
        while not self._signalled.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._signalled.wait(), CHECK_S)
            await self._check_connections()
            if os.getppid() != self._supervisor:
                self.end()

    async def _shut_down(self, listeners: Sequence[socket.socket]) -> None:
        """Ends; see the module's text."""
        self._share.close()
        if self._is_last():
            self._lifecycle.draining = True
            drained_at = time.monotonic() + self._grace.drain_s
            while not self._is_forced and time.monotonic() < min(drained_at, self._ends_at):
                await self._pass_time()
            await self._settle(listeners)
        else:
            self._leave()
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in listeners:
            listener.close()
        left_s = self._ends_at - time.monotonic()
        stopping = [asyncio.create_task(companion.stop(left_s)) for companion in self._companions]
        await self._finish()
        await asyncio.gather(*stopping)

    def _is_last(self) -> bool:
        """Whether the whole server ends, and not this worker alone, whose callers another one can serve."""
        return self._is_whole() or os.getppid() != self._supervisor

    async def _settle(self, listeners: Sequence[socket.socket]) -> None:
        """Keeps new connections out, and takes those that the kernel has accepted already."""
        for listener in listeners:
            take_no_more(listener)
        began = settled_since = time.monotonic()
        while not self._is_forced and time.monotonic() < min(began + SETTLED_WITHIN_S, self._ends_at):
            await self._pass_time()
            if any(waiting(listener) for listener in listeners):
                settled_since = time.monotonic()
            elif time.monotonic() - settled_since >= SETTLE_S:
                break

    async def _finish(self) -> None:
        """Waits for what is under way, at most until the grace is over."""
        self._connections.is_closing = True
        while self._is_busy and not self._is_forced and time.monotonic() < self._ends_at:
            for connection in self._connections:
                connection.drain(time.monotonic(), QUIET_S)
            await self._pass_time()
        for connection in self._connections:
            connection.abort()

    @property
    def _is_busy(self) -> bool:
        return len(self._connections) > 0 or any(acceptor.is_establishing for acceptor in self._acceptors)

    async def _pass_time(self) -> None:
        await asyncio.sleep(POLL_S)
        await self._check_connections()

    async def _check_connections(self) -> None:
        """Ends those that take too long, a few at a time: a crowd's time is over at once, and others go on."""
        now, ended = time.monotonic(), 0
        for connection in self._connections:
            if connection in self._connections and connection.check(now):
                ended += 1
                if ended % ENDED_AT_ONCE == 0:
                    await asyncio.sleep(0)
