"""listening socket ──▶ connections, as many as are this worker's balance."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable

from service.http.connection_balancing import ConnectionBalance

logger = logging.getLogger(__name__)

AT_ONCE = 8
"""Connections that are taken before requests are looked at again; taking one costs about 0.1 ms."""
PAUSE_S = 0.001
"""How long new connections are left to the others before they are looked at again."""
PATIENCE_S = 0.07
"""So long nobody else has taken them: the others hang, as a batch, its images decoded, keeps them busy for three times
`service.inference.loaded_model.INLINE_BATCH_S` at most."""
IMPATIENCE_S = 1.0
"""How long all are taken then."""
EXHAUSTED_S = 0.1
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Takes connections from a socket that processes balance.

    Args:
        listener: listens, and does not block.
        make_protocol: makes the protocol of a connection.
        count: how many connections the process has now, those being established not among them.
        balance: where that is told to the other processes.
        tls: the server's context, if it speaks TLS.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        count: Callable[[], int],
        balance: ConnectionBalance,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._count = count
        self._share = balance
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._establishing: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._left_since: float | None = None
        self._impatient_until = 0.0
        self._loop.add_reader(listener, self._take)

    @property
    def is_establishing(self) -> bool:
        """Whether a connection was taken that the server does not know yet."""
        return bool(self._establishing)

    def close(self) -> None:
        """Takes none any more."""
        self._loop.remove_reader(self._listener)
        if self._paused is not None:
            self._paused.cancel()

    def _take(self) -> None:
        """Takes what waits, until it is another process' turn."""
        for _ in range(AT_ONCE):
            if self._is_for_others():
                self._pause(PAUSE_S)
                return
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                self._left_since = None
                return
            except ConnectionAbortedError:  # gone again
                continue
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                logger.error("no connection can be taken: %s", error.strerror)
                self._pause(EXHAUSTED_S)
                return
            self._left_since = None
            self._begin(connection)

    def _is_for_others(self) -> bool:
        if not self._share.is_exceeded():
            return False
        now = time.monotonic()
        if now < self._impatient_until:
            return False
        if self._left_since is None:
            self._left_since = now
        if now - self._left_since > PATIENCE_S:
            self._impatient_until = now + IMPATIENCE_S
        return now >= self._impatient_until

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listener, self._take)
        if self._left_since is not None:
            self._take()  # an empty queue tells that somebody has taken them

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = self._loop.create_task(self._establish(connection))
        self._establishing.add(task)
        self._tell()

    async def _establish(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection, ssl=self._tls)
        except OSError:  # the caller went away, or speaks no TLS
            connection.close()
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._establishing.discard(task)
            self._tell()

    def _tell(self) -> None:
        self._share.set(self._count() + len(self._establishing))
