"""Due times ──▶ requests on a pool of connections, each timed from the moment it was due.

One thread, epoll, and no copies: the generator shares its cores with the server that it measures, so every
microsecond counts. The connection that became idle last is used first, as in Go's ``http.Transport`` and many proxies.
"""

import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence

from loadtests.load.arrivals import NS_PER_S
from loadtests.load.response_parser import read_headers

OPEN_WITHIN_S = 10
_BUFFER_BYTES = 1 << 18
_READ, _READ_AND_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT


class Connection:
    """One connection, and the request in progress on it.

    Attributes:
        due_ns: When the request was due; 0 while none is in progress.
        unsent: What the socket did not take yet.
        received: First bytes of the response, until its header block is complete.
        missing: Bytes of the response still to come, once its header block is read; 0 before.
        is_ok: Whether the status of the response is 200.
        was_used: Whether a response ever came on this connection.
    """

    __slots__ = ("due_ns", "is_ok", "missing", "received", "socket", "unsent", "was_used")

    def __init__(self, connected: socket.socket) -> None:
        """Start idle."""
        self.socket = connected
        self.due_ns = 0
        self.unsent = memoryview(b"")
        self.received = b""
        self.missing = 0
        self.is_ok = False
        self.was_used = False


class ConnectionPool:
    """Connections to one server.

    Args:
        address: Host and port.
        request: Bytes that are sent, over and over.
        limit: Most connections. A request that is due while all are busy waits, and its latency counts on.

    Attributes:
        latencies_ns: Latency of each response with status 200 since ``reset``, in the order of their ends.
        failures: Number of responses with another status, and of requests without a response.
        opened: Number of connections opened since ``reset``.
        late_ns: Time from due to first looked at, of each request since ``reset``.
    """

    def __init__(self, address: tuple[str, int], request: bytes, limit: int) -> None:
        """Open no connection yet."""
        self._address, self._request, self._limit = address, memoryview(request), limit
        self._idle: list[Connection] = []
        self._connections: dict[int, Connection] = {}
        self._waiting: deque[int] = deque()
        self._buffer = bytearray(_BUFFER_BYTES)
        self._epoll = select.epoll()
        self.reset()

    def reset(self) -> None:
        """Set all figures to zero."""
        self.latencies_ns, self.late_ns = array("q"), array("q")
        self.failures = self.opened = 0

    def open_all(self) -> None:
        """Open every connection and use each once, so that none is new during a measurement."""
        while len(self._connections) < self._limit:
            self._send(self._open(), time.monotonic_ns())
            self._finish(time.monotonic_ns() + OPEN_WITHIN_S * NS_PER_S)

    def run(self, due_ns: Sequence[int], *, timeout_ns: int) -> None:
        """Send a request at each time of ``time.monotonic_ns``, ascending, and wait for the responses.

        A request without a response ``timeout_ns`` after the last one was due is a failure.
        """
        clock, late = time.monotonic_ns, self.late_ns.append
        position, count = 0, len(due_ns)
        while position < count:
            now = clock()
            while position < count and (due := due_ns[position]) <= now:
                late(now - due)
                self._start(due)
                position += 1
            if position < count:
                self._handle_events(until_ns=due)  # the first one that is not due yet
        self._finish(due_ns[-1] + timeout_ns)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.socket.close()
        self._epoll.close()

    def _finish(self, deadline_ns: int) -> None:
        """Wait until all requests are answered; what is not at the deadline is a failure."""
        while in_progress := len(self._connections) - len(self._idle) + len(self._waiting):
            if time.monotonic_ns() >= deadline_ns:
                self.failures += in_progress
                return
            self._handle_events(until_ns=deadline_ns)

    def _handle_events(self, until_ns: int) -> None:
        """Wait for events until a time of ``time.monotonic_ns``, and handle them."""
        # epoll rounds its timeout up to a millisecond, longer than many requests take; select waits in microseconds.
        if not select.select([self._epoll], (), (), max(0, until_ns - time.monotonic_ns()) / NS_PER_S)[0]:
            return
        for fd, event in self._epoll.poll(0):
            connection = self._connections.get(fd)  # None once it was dropped
            if connection and event & select.EPOLLOUT:
                self._send_rest(connection)
            elif connection:
                self._receive(connection)

    def _start(self, due_ns: int) -> None:
        if self._idle:
            self._send(self._idle.pop(), due_ns)
        elif len(self._connections) < self._limit:
            self._send(self._open(), due_ns)
        else:
            self._waiting.append(due_ns)

    def _open(self) -> Connection:
        connected = socket.create_connection(self._address)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setblocking(False)
        connection = self._connections[connected.fileno()] = Connection(connected)
        self._epoll.register(connected.fileno(), _READ)
        self.opened += 1
        return connection

    def _send(self, connection: Connection, due_ns: int) -> None:
        connection.due_ns, connection.unsent = due_ns, self._request
        self._send_rest(connection)

    def _send_rest(self, connection: Connection) -> None:
        was_partial = len(connection.unsent) < len(self._request)
        try:
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._drop(connection)
            return
        if connection.unsent or was_partial:
            self._epoll.modify(connection.socket.fileno(), _READ_AND_WRITE if connection.unsent else _READ)

    def _receive(self, connection: Connection) -> None:
        try:
            count = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        if not count:
            self._drop(connection)
            return
        if connection.missing:
            connection.missing -= count
        else:
            data = connection.received + self._buffer[:count]
            if (headers := read_headers(data)) is None:
                connection.received = bytes(data)
                return
            connection.is_ok, length = headers
            connection.missing = length - len(data)
        if not connection.missing:
            self._complete(connection)

    def _complete(self, connection: Connection) -> None:
        if connection.is_ok:
            self.latencies_ns.append(time.monotonic_ns() - connection.due_ns)
        else:
            self.failures += 1
        connection.was_used, connection.due_ns, connection.received = True, 0, b""
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _drop(self, connection: Connection) -> None:
        """Drop a closed connection; its request is sent again if no response to it had begun, as Go does it."""
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        if not connection.due_ns:
            self._idle.remove(connection)
        elif connection.was_used and not connection.received and not connection.missing:
            self._start(connection.due_ns)
        else:
            self.failures += 1
