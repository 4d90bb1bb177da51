"""One connection: headers over the limits, and callers who take too long, send in vain or never stop."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from service.gateway.transaction import Transaction
from service.http import connection_end as module
from service.http.connection_end import LINGER_S
from service.http.header_block import MAX_HEADER_BYTES, MAX_HEADERS
from service.messages import Response
from tests.service.rig.callers import CHUNKED, GET, POST, run
from tests.service.rig.sites import App, Site, listening, serving_app
from tests.service.serving import until

pytestmark = pytest.mark.usefixtures("any_loop")

DEADLINE_S = 10.0
KEEP_ALIVE_S = 75.0
LARGE = 1_000_000


def block_of(headers: int = 1, bytes_: int = 0) -> bytes:
    """A request's headers; all names and values and the path together have at least so many bytes."""
    value = b"v" * (bytes_ // headers)
    lines = b"".join(b"x-%d: %b\r\n" % (index, value) for index in range(headers - 1))
    return b"GET /a HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (value or b"x", lines)


def pieces_of(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


# ---------------------------------------------------------------- headers


def test_headers_at_the_limits_are_taken() -> None:
    async def test(app: App, site: Site) -> None:
        assert (await site.ask(block_of(MAX_HEADERS, MAX_HEADER_BYTES - 2000))).status == 200

    serving_app(test)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(block_of(MAX_HEADERS + 1), id="101 headers"),
        pytest.param(block_of(bytes_=MAX_HEADER_BYTES), id="a header too large"),
        pytest.param(block_of(50, MAX_HEADER_BYTES), id="many headers"),
        pytest.param(b"GET /" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long path"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1_000_000, 700], ids=["at once", "in pieces"])
def test_headers_over_the_limits_are_refused(headers: bytes, piece_bytes: int) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(*pieces_of(headers, piece_bytes))
        detail = (await caller.answer()).problem(431, "headers_too_large")
        assert "100 headers" in detail
        assert "32768" in detail
        assert app.began == []
        assert site.records.codes == ["headers_too_large"]

    serving_app(test)


@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        pytest.param(b"GET /a HTTP/1.1\r\nx-filler: ", b"a" * 100, id="a header"),
        pytest.param(b"", b"\r\n" * 50, id="empty lines"),
        pytest.param(CHUNKED % b"a" + b"3\r\nabc\r\n0\r\n", b"x-late: " + b"a" * 90 + b"\r\n", id="trailers"),
        pytest.param(CHUNKED % b"a" + b"3;name=", b"a" * 100, id="a chunk's extension"),
    ],
)
def test_what_has_no_end_is_refused(begin: bytes, rest: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(begin)
        await until(lambda: b"chunked" not in begin or site.lifecycle.in_flight == 1)
        await caller.send(*[rest] * (MAX_HEADER_BYTES // len(rest) + 2))
        assert "no end" in (await caller.answer()).problem(431, "headers_too_large")
        assert await caller.rest() == b""
        assert app.began == []

    serving_app(test)


def test_a_long_body_is_no_header() -> None:
    async def test(app: App, site: Site) -> None:
        body = bytes(5 * MAX_HEADER_BYTES)
        caller = await site.caller()
        await caller.send(POST % (b"a", len(body)), *pieces_of(body, 10_000))
        assert (await caller.answer()).status == 200
        assert app.bodies == [body]

    serving_app(test)


# ---------------------------------------------------------------- callers who take too long


@pytest.mark.parametrize("before", [b"", GET % b"a"], ids=["at first", "after an answer"])
@pytest.mark.parametrize("data", [b"GET /b", b"GET /b HTTP/1.1\r\nHost: x\r\n"], ids=["half a line", "half a block"])
def test_headers_that_do_not_end_are_answered_with_504(before: bytes, data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        if before:
            await caller.ask(before)
        await caller.send(data)
        await until(lambda: site.protocol._parser.bare_bytes > 0)
        site.check(DEADLINE_S - 1)
        assert not site.protocol._is_closing
        site.check(DEADLINE_S + 1)
        assert "no whole headers" in (await caller.answer()).problem(504, "deadline_exceeded")
        assert await caller.rest() == b""

    serving_app(test)


@pytest.mark.parametrize(
    "data", [POST % (b"a", 6) + b"abc", CHUNKED % b"a" + b"3\r\nabc\r\n"], ids=["sized", "chunked"]
)
def test_a_body_that_does_not_end_is_answered_with_504(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(data.replace(b"\r\n\r\n", b"\r\nX-Request-Timeout-Ms: 300\r\n\r\n", 1))
        await until(lambda: site.admission.bytes == 3)
        site.check(1000.0)  # the body has a timer of its own, which nothing hurries
        assert not site.protocol._is_closing
        assert "no whole body" in (await caller.answer()).problem(504, "deadline_exceeded")
        assert await caller.rest() == b""
        assert app.began == []
        (request, _, _), *_ = site.records.requests
        assert time.monotonic() >= request.deadline

    serving_app(test, deadline_ms=300)


@pytest.mark.parametrize(
    ("before", "limit_s"), [(b"", DEADLINE_S), (GET % b"a", KEEP_ALIVE_S)], ids=["a new connection", "an idle one"]
)
def test_a_connection_that_carries_nothing_is_closed_in_the_end(before: bytes, limit_s: float) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        if before:
            await caller.ask(before)
        site.check(limit_s - 1)
        assert not site.protocol._is_closing
        site.check(limit_s + 1)
        assert await caller.rest() == b""
        await until(lambda: not site.protocols)

    serving_app(test)


@pytest.mark.parametrize("before", [b"", GET % b"a"], ids=["a new connection", "an idle one"])
def test_a_connection_is_not_closed_on_a_request_that_has_just_arrived(before: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        if before:
            await caller.ask(before)
        number = caller.writer.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(number)) as directly:  # the event loop has no turn in between
            directly.send(GET % b"b")
            site.check(1000.0)
        assert (await caller.answer()).body == b"/b"

    serving_app(test)


def test_a_request_that_takes_long_to_answer_is_left_alone() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a")
        await until(lambda: app.paths == ["/a"])
        site.check(1000.0)
        app.release.set()
        assert (await caller.answer()).body == b"/a"

    serving_app(test)


def large(_: Transaction) -> Response:
    """More than the kernel takes for a caller who does not read."""
    return Response(200, bytes(20_000_000))


def test_a_caller_who_does_not_read_is_reset_at_the_deadline() -> None:
    async def test() -> None:
        async with listening(large) as site:
            caller = await site.caller(limit=1000)
            await caller.send(GET % b"a")
            await until(lambda: site.protocol._transport.get_write_buffer_size() > 0)
            site.check(0.0)
            site.check(DEADLINE_S - 1)
            assert not site.protocol._is_closing
            site.check(DEADLINE_S + 1)
            await until(lambda: not site.protocols)
            with pytest.raises(ConnectionResetError):
                await caller.rest()

    run(test())


def test_a_caller_who_reads_at_last_is_forgiven() -> None:
    async def test() -> None:
        async with listening(large) as site:
            caller = await site.caller(limit=1000)
            await caller.send(GET % b"a")
            await until(lambda: site.protocol._transport.get_write_buffer_size() > 0)
            site.check(0.0)
            assert len((await caller.answer()).body) == 20_000_000
            site.check(DEADLINE_S + 1)
            assert not site.protocol._is_closing

    run(test())


# ---------------------------------------------------------------- callers who are still sending


@pytest.mark.parametrize(
    "data",
    [POST % (b"a", 8_000_000) + bytes(8_000_000), CHUNKED % b"a" + b"7A1200\r\n" + bytes(8_000_000)],
    ids=["sized", "chunked"],
)
def test_a_caller_who_is_still_sending_what_was_refused_reads_the_answer(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(*pieces_of(data, 100_000))
        (await caller.answer()).problem(413, "too_large")
        assert await caller.rest() == b""
        assert app.began == []

    serving_app(test, max_body_bytes=100_000)


def test_what_is_refused_unread_waits_for_the_answers_before_it() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" + POST % (b"b", LARGE) + bytes(1000))
        await until(lambda: site.lifecycle.in_flight == 2)
        app.release.set()
        assert (await caller.answer()).body == b"/a"
        (await caller.answer()).problem(413, "too_large")
        assert await caller.rest() == b""

    serving_app(test, max_body_bytes=1024)


def test_a_caller_who_has_been_refused_and_leaves_ends_the_connection() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        (await caller.ask(POST % (b"a", LARGE))).problem(413, "too_large")
        site.check(0.0)
        assert len(site.protocols) == 1
        caller.writer.close()
        await until(lambda: not site.protocols)

    serving_app(test, max_body_bytes=1024)


def test_a_caller_who_never_stops_is_hung_up_on_after_a_while() -> None:
    async def test(app: App, site: Site) -> None:
        (await site.ask(POST % (b"a", LARGE))).problem(413, "too_large")
        site.check(LINGER_S - 1)
        assert len(site.protocols) == 1
        site.check(LINGER_S + 0.1)
        await until(lambda: not site.protocols)

    serving_app(test, max_body_bytes=1024)


def test_a_caller_who_never_stops_is_hung_up_on_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_BYTES", 1000)

    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        (await caller.ask(POST % (b"a", LARGE))).problem(413, "too_large")
        await caller.send(bytes(600))
        await until(lambda: site.protocol._lingering._bytes == 600)
        await caller.send(bytes(600))
        await until(lambda: not site.protocols)

    serving_app(test, max_body_bytes=1024)


def test_tls_knows_no_half_closed_connection_and_is_closed_whole(certificate: Path) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    async def test() -> None:
        app = App()
        async with listening(app, {"ssl": server}) as site:
            caller = await site.caller(ssl=client)
            assert (await caller.ask(GET % b"a")).body == b"/a"
            assert app.began[0].scheme == "https"
            await caller.send(b"GET /b")
            await until(lambda: site.protocol._parser.bare_bytes > 0)
            site.check(DEADLINE_S + 1)
            site.check(DEADLINE_S + 2)
            (await caller.answer()).problem(504, "deadline_exceeded")
            assert await caller.rest() == b""
            assert site.records.codes == ["deadline_exceeded"]

    run(test())


# ---------------------------------------------------------------- the server's end


def test_only_connections_that_are_idle_for_long_enough_are_closed_at_the_end() -> None:
    async def test(app: App, site: Site) -> None:
        idle, busy = await site.caller(), await site.caller()
        await idle.ask(GET % b"idle")
        app.release.clear()
        await busy.send(GET % b"busy")
        await until(lambda: "/busy" in app.paths)
        for protocol in site.protocols:
            protocol.drain(time.monotonic(), 1000.0)
        assert len(site.protocols) == 2
        for protocol in site.protocols:
            protocol.drain(time.monotonic() + 1001, 1000.0)
        assert await idle.rest() == b""
        app.release.set()
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"/busy", "close")

    serving_app(test)


def test_a_request_that_has_just_begun_is_not_idle() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.ask(GET % b"a")
        await caller.send(b"GET /b HTTP/1.1\r\n")
        await until(lambda: site.protocol._parser.bare_bytes > 0)
        site.protocol._idle_since -= 1000
        site.protocol.drain(time.monotonic(), 500.0)
        answer = await caller.ask(b"Host: x\r\n\r\n")
        assert (answer.body, answer.headers["connection"]) == (b"/b", "close")

    serving_app(test)


def test_a_connection_that_lingers_is_left_to_itself() -> None:
    async def test(app: App, site: Site) -> None:
        (await site.ask(POST % (b"a", LARGE))).problem(413, "too_large")
        site.protocol.drain(time.monotonic() + 1000, 1.0)
        assert not site.protocol._transport.is_closing()

    serving_app(test, max_body_bytes=1024)
