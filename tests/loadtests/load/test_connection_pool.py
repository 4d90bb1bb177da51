"""Connections that send what is due, against sockets that behave and that do not."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loadtests.load.connection_pool import ConnectionPool
from loadtests.load.response_parser import read_headers, request_bytes

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
REQUEST = request_bytes("127.0.0.1", "/", b"image", "image/png")

Talk = Callable[[socket.socket], None]


def read_request(connection: socket.socket) -> bool:
    received = b""
    while b"\r\n\r\n" not in received:
        received += (chunk := connection.recv(65536))
        if not chunk:
            return False
    length = int(received.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    missing = length - len(received.partition(b"\r\n\r\n")[2])
    while missing > 0:
        missing -= len(connection.recv(65536))
    return True


@contextmanager
def talking(talk: Talk) -> Iterator[tuple[str, int]]:
    """Run ``talk`` for every connection, each in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def converse(connection: socket.socket) -> None:
            with connection:
                talk(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[:2]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def answer_all(connection: socket.socket) -> None:
    while read_request(connection):
        connection.sendall(RESPONSE)


def answer_in_pieces(connection: socket.socket) -> None:
    while read_request(connection):
        for start in range(0, len(RESPONSE), 7):
            connection.sendall(RESPONSE[start : start + 7])
            time.sleep(0.001)


def send(
    talk: Talk,
    count: int,
    *,
    limit: int = 2,
    gap_ns: int = 1_000_000,
    request: bytes = REQUEST,
    timeout_ns: int = 2_000_000_000,
) -> ConnectionPool:
    with talking(talk) as address:
        pool = ConnectionPool(address, request, limit)
        pool.open_all()
        pool.reset()
        started_ns = time.monotonic_ns()
        pool.run([started_ns + index * gap_ns for index in range(count)], timeout_ns=timeout_ns)
        pool.close()
    return pool


def test_every_request_that_is_due_is_answered_and_timed() -> None:
    pool = send(answer_all, 50)
    assert (len(pool.latencies_ns), pool.failures, pool.opened) == (50, 0, 0)
    assert 0 < min(pool.latencies_ns) < 100_000_000
    assert len(pool.late_ns) == 50


def test_a_response_may_come_in_pieces() -> None:
    assert len(send(answer_in_pieces, 5).latencies_ns) == 5


def test_a_body_larger_than_the_sockets_buffer_is_sent_whole() -> None:
    large = request_bytes("127.0.0.1", "/", bytes(8_000_000), "image/png")
    assert len(send(answer_all, 3, request=large).latencies_ns) == 3


def test_a_request_that_waits_for_a_connection_is_timed_from_when_it_was_due() -> None:
    def slow(connection: socket.socket) -> None:
        while read_request(connection):
            time.sleep(0.02)
            connection.sendall(RESPONSE)

    pool = send(slow, 5, limit=1, gap_ns=0)
    assert sorted(pool.latencies_ns)[-1] >= 5 * 20_000_000


def test_another_status_is_a_failure() -> None:
    def refuse(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")

    assert send(refuse, 4).failures == 4


def test_a_connection_that_was_closed_while_idle_is_replaced_without_a_failure() -> None:
    def answer_twice(connection: socket.socket) -> None:
        for _ in range(2):
            if read_request(connection):
                connection.sendall(RESPONSE)

    pool = send(answer_twice, 20)
    assert (len(pool.latencies_ns), pool.failures) == (20, 0)
    assert pool.opened >= 9


def test_no_response_before_the_timeout_is_a_failure() -> None:
    def stop_answering(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(RESPONSE)
        read_request(connection)
        connection.recv(1)

    pool = send(stop_answering, 1, limit=1, timeout_ns=50_000_000)
    assert (len(pool.latencies_ns), pool.failures) == (0, 1)


def test_the_response_used_here_is_well_formed() -> None:
    assert read_headers(RESPONSE) == (True, len(RESPONSE))
