"""Due moments → requests on a pool of connections, each timed from the moment it was due.

One thread, epoll, and no copies: the generator shares its cores with the server that it measures, so every
microsecond counts. The pool is last in, first out, as Go's ``http.Transport`` and many proxies keep theirs.
"""

import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence

from loadtests.load.response_parser import read_head
from loadtests.load.timerfd import Timer

_BUFFER_BYTES = 1 << 18
_READ, _READ_AND_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT


class Caller:
    """One connection, and the request that is under way on it.

    Attributes:
        due_ns: When the request was due; 0 while none is under way.
        unsent: What the socket did not take yet.
        head: The answer's first bytes, while its head is not complete.
        missing: Bytes of the answer still to come, once its head is read; 0 before.
        good: Whether the answer's status is 200.
        answered: Whether any answer ever came on this connection.
    """

    __slots__ = ("answered", "due_ns", "good", "head", "missing", "socket", "unsent")

    def __init__(self, connected: socket.socket) -> None:
        """Wait for a request."""
        self.socket = connected
        self.due_ns = 0
        self.unsent: memoryview | None = None
        self.head = b""
        self.missing = 0
        self.good = False
        self.answered = False


class Callers:
    """Connections to one server.

    Args:
        address: Host and port.
        request: What is sent, over and over.
        limit: Connections at most; what is due when all are busy waits, and its clock runs.

    Attributes:
        latencies_ns: Of each good answer since ``forget``, in the order of their ends.
        failures: Answers with another status than 200, and requests that got none.
        retries: Requests sent again because the server had closed an idle connection meanwhile.
        opened: Connections opened so far.
        late_ns: How long after its moment each request since ``forget`` was first looked at.
    """

    def __init__(self, address: tuple[str, int], request: bytes, limit: int) -> None:
        """Open nothing yet."""
        self.latencies_ns = array("q")
        self.late_ns = array("q")
        self.failures = self.retries = self.opened = 0
        self._address, self._request, self._limit = address, request, limit
        self._idle: list[Caller] = []
        self._callers: dict[int, Caller] = {}
        self._waiting: deque[int] = deque()
        self._buffer = bytearray(_BUFFER_BYTES)
        self._epoll = select.epoll()
        self._timer = Timer()
        self._epoll.register(self._timer.fd, _READ)

    def open_all(self) -> None:
        """Open every connection and have each answer one request, so that none is new when it counts."""
        while len(self._callers) < self._limit:
            self._send(self._open(), time.monotonic_ns())
            self._finish(time.monotonic_ns() + 10_000_000_000)

    def forget(self) -> None:
        """Start counting anew."""
        self.latencies_ns, self.late_ns = array("q"), array("q")
        self.failures = self.retries = self.opened = 0

    def run(self, dues_ns: Sequence[int], *, patience_ns: int) -> None:
        """Send a request at each moment of ``time.monotonic_ns``, ascending, and wait for the answers.

        What has no answer ``patience_ns`` after the last moment is a failure.
        """
        clock, late = time.monotonic_ns, self.late_ns.append
        position, count, armed_ns = 0, len(dues_ns), 0
        while position < count:
            now = clock()
            while position < count and (due := dues_ns[position]) <= now:
                late(now - due)
                self._call(due)
                position += 1
            if position < count:
                if armed_ns != due:  # the first of them that is not due yet
                    self._timer.set(due)
                    armed_ns = due
                self._serve(-1)
        self._finish(dues_ns[-1] + patience_ns)

    def close(self) -> None:
        """Close all connections."""
        for caller in self._callers.values():
            caller.socket.close()
        self._epoll.close()
        self._timer.close()

    def _finish(self, deadline_ns: int) -> None:
        self._timer.set(deadline_ns)
        while len(self._idle) < len(self._callers) or self._waiting:
            if time.monotonic_ns() >= deadline_ns:
                self.failures += len(self._callers) - len(self._idle) + len(self._waiting)
                return
            self._serve(-1)

    def _serve(self, timeout: float) -> None:
        """Wait for events and handle them."""
        callers = self._callers
        for fd, event in self._epoll.poll(timeout):
            if fd in callers:
                if event & select.EPOLLOUT:
                    self._send_rest(callers[fd])
                else:
                    self._receive(callers[fd])

    def _call(self, due_ns: int) -> None:
        if self._idle:
            self._send(self._idle.pop(), due_ns)
        elif len(self._callers) < self._limit:
            self._send(self._open(), due_ns)
        else:
            self._waiting.append(due_ns)

    def _open(self) -> Caller:
        connected = socket.create_connection(self._address)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setblocking(False)
        caller = self._callers[connected.fileno()] = Caller(connected)
        self._epoll.register(connected.fileno(), _READ)
        self.opened += 1
        return caller

    def _send(self, caller: Caller, due_ns: int) -> None:
        caller.due_ns = due_ns
        try:
            sent = caller.socket.send(self._request)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            self._lost(caller)
            return
        if sent < len(self._request):
            caller.unsent = memoryview(self._request)[sent:]
            self._epoll.modify(caller.socket.fileno(), _READ_AND_WRITE)

    def _send_rest(self, caller: Caller) -> None:
        if caller.unsent is None:
            return
        try:
            caller.unsent = caller.unsent[caller.socket.send(caller.unsent) :]
        except BlockingIOError:
            return
        except ConnectionError:
            self._lost(caller)
            return
        if not caller.unsent:
            caller.unsent = None
            self._epoll.modify(caller.socket.fileno(), _READ)

    def _receive(self, caller: Caller) -> None:
        try:
            count = caller.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        if not count:
            self._lost(caller)
            return
        if caller.missing:
            caller.missing -= count
        else:
            data = caller.head + self._buffer[:count]
            if (head := read_head(data)) is None:
                caller.head = bytes(data)
                return
            caller.good, length = head
            caller.missing = length - len(data)
        if not caller.missing:
            self._answered(caller)

    def _answered(self, caller: Caller) -> None:
        if caller.good:
            self.latencies_ns.append(time.monotonic_ns() - caller.due_ns)
        else:
            self.failures += 1
        caller.answered, caller.due_ns, caller.head = True, 0, b""
        if self._waiting:
            self._send(caller, self._waiting.popleft())
        else:
            self._idle.append(caller)

    def _lost(self, caller: Caller) -> None:
        """Forget a closed connection; its request, if no answer to it had begun, is sent again, as Go does it."""
        del self._callers[caller.socket.fileno()]
        caller.socket.close()
        if not caller.due_ns:
            self._idle.remove(caller)
        elif caller.answered and not caller.head and not caller.missing:
            self.retries += 1
            self._call(caller.due_ns)
        else:
            self.failures += 1
