"""The open connections of a process, and what all of them balance: limits, the date, header blocks seen before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from typing import Protocol

from service.http.header_block import join_headers, read_target
from service.http.request_parser import HeaderBlock
from service.settings import Settings

# A caller who keeps his connection sends the same header block again, but for its length. Knowing it by its bytes takes
# a twentieth off the CPU of a small request. Blocks of more bytes, or that name one request, do not come again. Those
# of a GET are not kept, since whoever asks for many paths would drive out the others.
_KNOWN_BLOCKS = 1024
_KNOWN_BYTES = 1024
_OF_ONE_REQUEST = frozenset({b"x-request-id", b"traceparent", b"tracestate", b"baggage"})
_NOT_PLAIN = frozenset({b"connection", b"expect", b"transfer-encoding", b"upgrade"})


class Connection(Protocol):
    """What the server asks of a connection; see `service.http.protocol`."""

    def check(self, now: float) -> bool:
        """Ends it where the caller takes too long."""

    def drain(self, now: float, quiet_s: float) -> None:
        """Ends it when it is idle."""

    def abort(self) -> None:
        """Ends it at once."""


class Connections:
    """The open connections of one process.

    Args:
        settings: time limits.
        observe: is told how many there are, each time that changes.
    """

    def __init__(self, settings: Settings, observe: Callable[[int], None] = lambda _: None) -> None:
        self.limit_s = settings.deadline_ms / 1000
        """How long a caller may keep the server waiting for headers, or for room to write."""
        self.keep_alive_s = settings.keep_alive_s
        """How long an idle connection is kept."""
        self.is_closing = False
        """Whether each connection ends with its next response."""
        self.answered = 0
        """Responses written so far."""
        self._open: set[Connection] = set()
        self._observe = observe
        self._blocks: dict[tuple[bytes, int], HeaderBlock] = {}
        self._second = 0
        self._date = b""

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open))

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def add(self, connection: Connection) -> None:
        """Counts a new one."""
        self._open.add(connection)
        self._observe(len(self._open))

    def remove(self, connection: Connection) -> None:
        """Counts one less."""
        self._open.discard(connection)
        self._observe(len(self._open))

    @property
    def date(self) -> bytes:
        """Now, as the header `Date` has it."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
        return self._date

    def known(self, data: bytes) -> tuple[HeaderBlock, bytes] | None:
        """Header block and body of a request that is whole and alone in `data`, where the block has come before."""
        end = data.find(b"\r\n\r\n", 0, _KNOWN_BYTES) + 4
        block = self._blocks.get((data[:end], len(data) - end)) if end > 4 else None
        return None if block is None else (block, data[end:])

    def learn(self, data: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Keeps the header block of a POST that was whole and alone in `data`, if it is one that may come again."""
        end = data.find(b"\r\n\r\n", 0, _KNOWN_BYTES) + 4
        names = {name for name, _ in headers}
        line = data[: data.find(b"\r\n")]
        if not line.startswith(b"POST ") or not line.endswith(b" HTTP/1.1"):
            return
        if end <= 4 or names & (_OF_ONE_REQUEST | _NOT_PLAIN):
            return
        path, query = read_target(b"POST", target)
        joined = join_headers(headers)
        length = joined.get(b"content-length", b"0")
        if length != b"%d" % (len(data) - end):
            return
        if len(self._blocks) >= _KNOWN_BLOCKS:
            self._blocks.clear()
        self._blocks[data[:end], len(data) - end] = HeaderBlock("POST", path, query, joined)
