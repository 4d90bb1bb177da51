"""Listening socket ──▶ closed without losing a connection that the kernel has taken for it.

A connection is established by the kernel before the server accepts it; those that wait when the socket is closed are
reset. So new ones are kept out first: a packet filter on the socket drops what would begin one (the caller's kernel
tries again a second later and finds nobody listening), and then the waiting ones are accepted to the last.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
_SYN, _SYN_ACK = 0x02, 0x12  # flags in byte 13 of a TCP header, RFC 9293
# Instructions of classic BPF as (code, jump if true, jump if false, operand), linux/filter.h: load byte 13, keep the
# two flags, drop the packet where SYN stands alone, else keep it whole.
_PROGRAM = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, _SYN_ACK),
    (0x15, 0, 1, _SYN),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)
_TCP_INFO_BYTES = 32
_WAITING_AT = 24  # struct tcp_info's tcpi_unacked, which is the length of the accept queue in a listening socket


def take_no_more(listener: socket.socket) -> None:
    """Keeps new connections out, for all processes that balance the socket; where that is not Linux, does nothing."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _PROGRAM))
    described = struct.pack("HP", len(_PROGRAM), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def waiting(listener: socket.socket) -> int:
    """Connections that the kernel has taken and nobody has accepted; 0 where that cannot be asked."""
    try:
        found = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (OSError, AttributeError):
        return 0
    return int(struct.unpack_from("I", found, _WAITING_AT)[0])
