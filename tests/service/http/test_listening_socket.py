"""A listening socket that takes no more connections, and loses none that it has taken."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from service.http.listening_socket import take_no_more, waiting

HOST = "127.0.0.1"
PATIENCE_S = 10.0
BRIEF_S = 0.05  # a connection on this machine takes a tenth of a millisecond


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening


@contextlib.contextmanager
def connected(listener: socket.socket, count: int) -> Iterator[list[socket.socket]]:
    """Callers whom the kernel has taken and nobody has accepted."""
    with contextlib.ExitStack() as stack:
        address = listener.getsockname()
        yield [stack.enter_context(socket.create_connection(address, PATIENCE_S)) for _ in range(count)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"


def test_connections_that_nobody_has_accepted_are_counted(listener: socket.socket) -> None:
    assert waiting(listener) == 0
    with connected(listener, 3):
        until(lambda: waiting(listener) == 3)
        listener.accept()[0].close()
        assert waiting(listener) == 2


def test_nothing_waits_where_that_cannot_be_asked() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert waiting(one) == 0


def test_a_closed_door_keeps_new_connections_out(listener: socket.socket) -> None:
    take_no_more(listener)
    with pytest.raises(TimeoutError):
        socket.create_connection(listener.getsockname(), BRIEF_S)
    assert waiting(listener) == 0


def test_who_waits_when_the_door_is_closed_can_speak_and_be_answered(listener: socket.socket) -> None:
    with connected(listener, 2) as callers:
        until(lambda: waiting(listener) == 2)
        take_no_more(listener)
        for caller in callers:
            caller.sendall(b"asks")
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(PATIENCE_S)
                assert accepted.recv(10) == b"asks"
                accepted.sendall(b"answer")
            assert caller.recv(10) == b"answer"
            assert caller.recv(10) == b""
        assert waiting(listener) == 0


def test_the_door_is_closed_for_all_who_share_it(listener: socket.socket) -> None:
    with listener.dup() as shared:
        take_no_more(shared)
    with pytest.raises(TimeoutError):
        socket.create_connection(listener.getsockname(), BRIEF_S)


def test_a_door_that_cannot_be_closed_stays_open() -> None:
    closed = socket.socket()
    closed.close()
    take_no_more(closed)
    assert waiting(closed) == 0
