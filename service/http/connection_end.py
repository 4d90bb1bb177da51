"""How a connection ends: heard for a while, left where a request has just arrived, or reset."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time

LINGER_S = 2.0
LINGER_BYTES = 16 * 1024 * 1024
"""A caller who is still sending when the answer is there is heard for so long and so much, so that he reads it."""


class Lingering:
    """The last moments of a connection: nothing is sent any more, and what comes is discarded.

    Args:
        transport: of the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._until: float | None = None
        self._bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether the caller has been told that nothing more comes."""
        return self._until is not None

    def begin(self) -> None:
        """Tells the caller that nothing more comes; closes at once where that cannot be said, as in TLS."""
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        self._until = time.monotonic() + LINGER_S
        self._transport.resume_reading()
        self._transport.write_eof()

    def discard(self, count: int) -> None:
        """Counts bytes that nobody reads; closes after too many."""
        self._bytes += count
        if self._bytes > LINGER_BYTES:
            self._transport.close()

    def check(self, now: float) -> bool:
        """Closes when the time is over; whether it did."""
        is_over = self._until is not None and now > self._until
        if is_over:
            self._transport.close()
        return is_over


def close_unless_asked(transport: asyncio.Transport) -> bool:
    """Closes a connection, unless a request has just arrived that is not yet read; whether it did."""
    with _socket_of(transport) as file:
        try:
            is_asked = bool(file.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            is_asked = False
        if not is_asked and transport.can_write_eof():
            with contextlib.suppress(OSError):  # the caller is gone
                file.shutdown(socket.SHUT_WR)  # the caller knows it at once; asyncio closes a turn of the loop later
    if not is_asked:
        transport.close()
    return not is_asked


def reset(transport: asyncio.Transport) -> None:
    """Ends a connection without another word: what was written is not read, and the kernel would keep offering it."""
    with _socket_of(transport) as file:
        file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _socket_of(transport: asyncio.Transport) -> socket.socket:
    """A socket of its own on the same connection; asyncio's cannot be read or set."""
    return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
