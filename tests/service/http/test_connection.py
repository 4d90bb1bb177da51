"""One connection: what is no HTTP, what is too much, what takes too long, and what was sent in vain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from service.http.connection import LINGER_S, Connection
from service.http.exchange import WHOLE
from service.http.express import ExpressConnection
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from service.gateway.gateway import Gate
from service.http import connection as module
from service.http.header_block import MAX_HEAD_BYTES, MAX_HEADERS
from service.observability.json_log import AccessLog
from service.observability.service_metrics import exposition
from service.process.worker import Worker
from tests.service.callers import CHUNKED, GET, HOST, POST, App, Caller, run, say
from tests.service.gateway.test_gateway import count
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import PATIENCE_S, until, worker_of

DEADLINE_S = 10.0
NONSENSE = b"\x00 this is no HTTP \x00\r\n\r\n"


class Site:
    """A listening socket of connections, and the callers that tests connect to it."""

    def __init__(self, port: int, state: ServerState, stack: contextlib.AsyncExitStack) -> None:
        self.port, self.state, self._stack = port, state, stack

    @property
    def connections(self) -> list[Connection]:
        return list(self.state.connections)  # type: ignore[arg-type]

    @property
    def connection(self) -> Connection:
        (only,) = self.connections
        return only

    async def caller(self, **options: Any) -> Caller:
        """A new connection, which the server has accepted."""
        before = len(self.connections)
        caller = await Caller.connect(self.port, **options)
        self._stack.push_async_callback(caller.leave)
        await until(lambda: len(self.connections) > before)
        return caller

    def check(self, later_s: float) -> None:
        """Looks after the connections as if it were so much later."""
        for connection in self.connections:
            connection.check(time.monotonic() + later_s)


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, worker: Worker | None = None, **options: Any) -> AsyncIterator[Site]:
    """Serves an application on connections of ours."""
    loop = asyncio.get_running_loop()
    state = ServerState()
    config = uvicorn.Config(app, ws="none", log_config=None)  # type: ignore[arg-type]
    kept = worker or worker_of(Path("unused"))

    def connection() -> Connection:
        return ExpressConnection(worker=kept, config=config, server_state=state, app_state={}, _loop=loop)

    server = await loop.create_server(connection, HOST, 0, **options)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.close)
        yield Site(server.sockets[0].getsockname()[1], state, stack)
        for connection_left in list(state.connections):
            connection_left.transport.abort()
        for task in state.tasks:
            task.cancel()
        await until(lambda: not state.connections and not state.tasks)


def serving_app(test: Callable[[App, Site], Awaitable[None]]) -> None:
    """Runs a test on an application of its own."""

    async def serve() -> None:
        app = App()
        async with listening(app) as site:
            await test(app, site)

    run(serve())


def serving_whole(test: Callable[[Site], Awaitable[None]]) -> None:
    """Runs a test on an application that sends whole responses."""

    async def serve() -> None:
        async with listening(whole) as site:
            await test(site)

    run(serve())


class Spy:
    """A transport that notes what is written."""

    def __init__(self, transport: Any, written: list[bytes]) -> None:
        self._transport, self._written = transport, written

    def write(self, data: bytes) -> None:
        self._written.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def refusals(code: str) -> float:
    return samples(exposition().decode()).get(f'tandem_refusals_total{{code="{code}"}}', 0.0)


# ---------------------------------------------------------------- requests


def test_a_connection_carries_one_request_after_the_other() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        for path in (b"a", b"b"):
            assert (await caller.ask(GET % path)).body == b"/" + path
        assert site.state.total_requests == 2
        assert site.connection.is_idle

    serving_app(test)


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that sends all of a response at once; the path says which."""
    assert WHOLE in scope["extensions"]
    headers = [(b"content-length", b"4")]
    if scope["path"] == "/last":
        headers.append((b"connection", b"close"))
    if scope["path"] == "/split":
        headers.append((b"x-split", b"a\r\nb: c"))
    await send({"type": WHOLE, "status": 200, "headers": headers, "body": b"body"})


def test_a_whole_response_is_one_write_and_the_connection_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(site: Site) -> None:
        caller = await site.caller()
        written: list[bytes] = []
        transport = site.connection.transport
        monkeypatch.setattr(site.connection, "transport", Spy(transport, written))
        for _ in range(2):
            assert (await caller.ask(GET % b"x")).body == b"body"
        assert [data.endswith(b"\r\n\r\nbody") for data in written] == [True, True]
        assert site.state.total_requests == 2

    serving_whole(test)


def test_a_whole_response_to_head_has_no_body() -> None:
    async def test(site: Site) -> None:
        caller = await site.caller()
        await caller.send(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" + GET % b"last")
        rest = await caller.rest()
        assert rest.count(b"content-length: 4") == 2
        assert rest.count(b"body") == 1

    serving_whole(test)


def test_a_whole_response_may_be_the_last() -> None:
    async def test(site: Site) -> None:
        caller = await site.caller()
        assert (await caller.ask(GET % b"last")).headers["connection"] == "close"
        assert await caller.rest() == b""

    serving_whole(test)


def test_no_header_of_a_whole_response_can_begin_another_line(caplog: pytest.LogCaptureFixture) -> None:
    async def test(site: Site) -> None:
        caller = await site.caller()
        answer = await caller.ask(GET % b"split")
        assert (answer.status, "b" in answer.headers) == (500, False)

    serving_whole(test)
    assert "a header holds a line's end" in caplog.text


def test_requests_that_were_sent_at_once_are_answered_in_their_order() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"1" + POST % (b"2", 3) + b"abc" + GET % b"3")
        await until(lambda: app.began == ["/1"])
        app.release.set()
        assert [(await caller.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
        assert app.bodies == [b"", b"abc", b""]

    serving_app(test)


def test_a_trailer_is_no_header() -> None:
    async def test(app: App, site: Site) -> None:
        answer = await (await site.caller()).ask(CHUNKED % b"a" + b"3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n")
        assert answer.status == 200
        assert app.bodies == [b"abc"]
        assert b"x-late" not in dict(app.headers)

    serving_app(test)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n",
            id="a websocket",
        ),
        pytest.param(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", id="HTTP/2"),
    ],
)
def test_who_asks_for_another_protocol_is_answered_in_this_one_and_no_more(headers: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        answer = await caller.ask(b"GET /a HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + GET % b"unseen")
        assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"/a", "close")
        assert await caller.rest() == b""
        assert app.began == ["/a"]

    serving_app(test)


def test_a_body_that_asks_for_another_protocol_is_read() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 6\r\n\r\n"
        await caller.send(head + b"abc")
        await until(lambda: app.began == ["/a"])
        answer = await caller.ask(b"def")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await caller.rest() == b""
        assert app.bodies == [b"abcdef"]

    serving_app(test)


# ---------------------------------------------------------------- what is no request


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NONSENSE, id="nonsense"),
        pytest.param(b"GET\r\n\r\n", id="a method alone"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="another version"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="a TLS handshake"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n", id="a space in a header's name"),
        pytest.param(b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", id="a path that is not ASCII"),
        pytest.param(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", id="CONNECT"),
        pytest.param(b"CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n", id="CONNECT with a path"),
        pytest.param(b"GET http://example.com HTTP/1.1\r\nHost: example.com\r\n\r\n", id="no path"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="a length below zero"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="two lengths"
        ),
    ],
)
def test_what_is_no_request_is_answered_with_a_problem_and_ends_the_connection(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        assert "request" in (await caller.ask(data)).problem(400, "bad_request")
        assert await caller.rest() == b""
        assert app.began == []

    serving_app(test)


def test_what_is_wrong_is_told_of_a_request_for_another_protocol_too() -> None:
    async def test(app: App, site: Site) -> None:
        head = (
            b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        answer = await (await site.caller()).ask(head + b"no length\r\n")
        assert "chunk size" in answer.problem(400, "bad_request")

    serving_app(test)


def test_what_is_no_request_is_counted_and_logged_as_a_refusal() -> None:
    lines: list[bytes] = []

    class Lines:
        def write(self, line: bytes) -> None:
            lines.append(line)

    async def test() -> None:
        worker = worker_of(Path("unused"))
        worker.access_log = AccessLog(Lines())  # type: ignore[arg-type]
        async with listening(App(), worker) as site:
            answer = await (await site.caller()).ask(NONSENSE)
            line = json.loads(lines[0])
            assert line["request_id"] == answer.headers["x-request-id"]
            assert (line["route"], line["status"], line["code"], line["client"]) == ("other", 400, "bad_request", HOST)

    before = count("other", 400), refusals("bad_request")
    run(test())
    assert (count("other", 400), refusals("bad_request")) == (before[0] + 1, before[1] + 1)
    assert len(lines) == 1


def test_nonsense_after_an_answer_is_a_problem() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        assert (await caller.ask(GET % b"a")).status == 200
        (await caller.ask(NONSENSE)).problem(400, "bad_request")

    serving_app(test)


@pytest.mark.parametrize("requests", [1, 2])
def test_nonsense_after_whole_requests_ends_the_connection_once_they_are_answered(requests: int) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" * requests + NONSENSE + bytes(1000))
        await until(lambda: app.began == ["/a"])
        app.release.set()
        assert [(await caller.answer()).body for _ in range(requests)] == [b"/a"] * requests
        assert await caller.rest() == b""

    serving_app(test)


def test_much_nonsense_after_a_request_does_not_cost_its_answer() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" + NONSENSE)
        await until(lambda: site.connection._deaf)
        app.release.set()
        await caller.send(bytes(2_000_000))
        assert (await caller.answer()).body == b"/a"
        assert await caller.rest() == b""

    serving_app(test)


def test_nonsense_within_a_body_is_a_problem_and_the_application_sees_its_caller_gone() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(CHUNKED % b"a" + b"3\r\nabc\r\n")
        await until(lambda: app.began == ["/a"])
        (await caller.ask(b"no length\r\n")).problem(400, "bad_request")
        assert await caller.rest() == b""
        await until(lambda: app.left == ["/a"])

    serving_app(test)


def test_nonsense_within_a_body_whose_answer_has_begun_is_no_second_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"def"})

    async def test() -> None:
        async with listening(app) as site:
            caller = await site.caller()
            await caller.send(CHUNKED % b"a" + b"3\r\nabc\r\n")
            async with asyncio.timeout(PATIENCE_S):
                await caller.reader.readuntil(b"abc")
            await caller.send(b"no length\r\n")
            assert await caller.rest() == b""

    run(test())


def test_nonsense_within_the_body_of_a_request_that_waits_is_answered_in_its_turn() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" + CHUNKED % b"b" + b"no length\r\n")
        await until(lambda: app.began == ["/a"])
        assert not site.connection.is_idle
        app.release.set()
        assert (await caller.answer()).body == b"/a"
        (await caller.answer()).problem(400, "bad_request")
        assert await caller.rest() == b""
        assert app.began == ["/a"]

    serving_app(test)


# ---------------------------------------------------------------- heads over the limits


def head_of(headers: int = 1, bytes_: int = 0) -> bytes:
    """A request's head; all names and values and the path together have at least so many bytes."""
    value = b"v" * (bytes_ // headers)
    return b"GET /a HTTP/1.1\r\n" + b"".join(b"x-%d: %b\r\n" % (index, value) for index in range(headers)) + b"\r\n"


def pieces_of(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def test_a_head_at_the_limits_is_taken() -> None:
    async def test(app: App, site: Site) -> None:
        assert (await (await site.caller()).ask(head_of(MAX_HEADERS, MAX_HEAD_BYTES - 2000))).status == 200

    serving_app(test)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(head_of(MAX_HEADERS + 1), id="101 headers"),
        pytest.param(head_of(bytes_=MAX_HEAD_BYTES), id="a header too large"),
        pytest.param(head_of(50, MAX_HEAD_BYTES), id="many headers"),
        pytest.param(b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long path"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1_000_000, 700], ids=["at once", "in pieces"])
def test_a_head_over_the_limits_is_refused(head: bytes, piece_bytes: int) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(*pieces_of(head, piece_bytes))
        detail = (await caller.answer()).problem(431, "headers_too_large")
        assert "100 headers" in detail
        assert "32768" in detail
        assert app.began == []

    before = refusals("headers_too_large")
    serving_app(test)
    assert refusals("headers_too_large") == before + 1


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
        await until(lambda: b"chunked" not in begin or app.began != [])
        await caller.send(*[rest] * (MAX_HEAD_BYTES // len(rest) + 2))
        assert "no end" in (await caller.answer()).problem(431, "headers_too_large")
        assert await caller.rest() == b""
        await until(lambda: app.left == app.began)

    serving_app(test)


def test_a_long_body_is_no_head() -> None:
    async def test(app: App, site: Site) -> None:
        body = bytes(5 * MAX_HEAD_BYTES)
        caller = await site.caller()
        await caller.send(POST % (b"a", len(body)), *pieces_of(body, 10_000))
        assert (await caller.answer()).status == 200
        assert app.bodies == [body]

    serving_app(test)


# ---------------------------------------------------------------- callers who take too long


@pytest.mark.parametrize("before", [b"", GET % b"a"], ids=["at first", "after an answer"])
@pytest.mark.parametrize("head", [b"GET /b", b"GET /b HTTP/1.1\r\nHost: x\r\n"], ids=["half a line", "half a head"])
def test_a_head_that_does_not_end_is_answered_with_504(before: bytes, head: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        if before:
            await caller.ask(before)
        await caller.send(head)
        await until(lambda: site.connection._bare_bytes > 0)
        site.check(DEADLINE_S - 1)
        assert not site.connection.is_closing()
        site.check(DEADLINE_S + 1)
        assert "no whole head" in (await caller.answer()).problem(504, "deadline_exceeded")
        assert await caller.rest() == b""

    serving_app(test)


def test_a_caller_who_says_nothing_is_left_without_a_word() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        site.check(DEADLINE_S - 1)
        assert not site.connection.is_closing()
        site.check(DEADLINE_S + 1)
        assert await caller.rest() == b""
        await until(lambda: not site.connections)

    serving_app(test)


def test_a_request_that_takes_long_is_not_the_connections_affair() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a")
        await until(lambda: app.began == ["/a"])
        site.check(1000.0)
        app.release.set()
        assert (await caller.answer()).body == b"/a"

    serving_app(test)


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """More than the kernel takes for a caller who does not read."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})) is None:
        if send.__self__.disconnected:  # type: ignore[attr-defined]
            return


def test_a_caller_who_does_not_read_is_reset_at_the_deadline() -> None:
    async def test() -> None:
        async with listening(endless) as site:
            caller = await site.caller(limit=1000)
            await caller.send(GET % b"a")
            await until(lambda: site.connection.flow.write_paused)
            site.check(0.0)
            site.check(DEADLINE_S - 1)
            assert not site.connection.transport.is_closing()
            site.check(DEADLINE_S + 1)
            await until(lambda: not site.connections)
            with pytest.raises(ConnectionResetError):
                await caller.rest()

    run(test())


def test_a_connection_that_carries_nothing_any_more_is_closed() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.ask(GET % b"a")
        keep_alive_s = site.connection.timeout_keep_alive
        site.check(keep_alive_s - 0.5)
        assert not site.connection.is_closing()
        site.check(keep_alive_s + 0.5)
        assert await caller.rest() == b""

    serving_app(test)


def test_a_caller_who_reads_at_last_is_forgiven() -> None:
    async def test() -> None:
        async def large(scope: Scope, receive: Receive, send: Send) -> None:
            await say(send, bytes(20_000_000))

        async with listening(large) as site:
            caller = await site.caller(limit=1000)
            await caller.send(GET % b"a")
            await until(lambda: site.connection.transport.get_write_buffer_size() > 0)
            site.check(0.0)
            assert len((await caller.answer()).body) == 20_000_000
            site.connection.timeout_keep_alive = 1000  # as if the next request came late, but in time
            site.check(DEADLINE_S + 1)
            assert not site.connection.is_closing()

    run(test())


# ---------------------------------------------------------------- callers who are still sending


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading, and ends the connection."""
    await say(send, b"no", (b"connection", b"close"))


def test_a_caller_who_is_still_sending_what_was_refused_reads_the_answer() -> None:
    async def test() -> None:
        worker = worker_of(Path("unused"), max_body_bytes=100_000)
        async with listening(Gate(App(), routes=Starlette(), worker=worker), worker) as site:
            caller = await site.caller()
            size = 8_000_000
            await caller.send(POST % (b"v1/predict", size), *pieces_of(bytes(size), 100_000))
            (await caller.answer()).problem(413, "too_large")
            assert await caller.rest() == b""

    run(test())


def test_a_caller_who_has_been_answered_and_leaves_ends_the_connection() -> None:
    async def test() -> None:
        async with listening(refusing) as site:
            caller = await site.caller()
            assert (await caller.ask(POST % (b"a", 10))).body == b"no"
            assert await caller.rest() == b""
            site.check(0.0)
            assert site.connection.is_closing()
            caller.writer.close()
            await until(lambda: not site.connections)

    run(test())


def test_a_caller_who_never_stops_is_hung_up_on_after_a_while() -> None:
    async def test() -> None:
        async with listening(refusing) as site:
            caller = await site.caller()
            assert (await caller.ask(POST % (b"a", 10))).body == b"no"
            site.check(LINGER_S - 1)
            assert len(site.connections) == 1
            site.check(LINGER_S + 0.1)
            await until(lambda: not site.connections)

    run(test())


def test_a_caller_who_never_stops_is_hung_up_on_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_BYTES", 1000)

    async def test() -> None:
        async with listening(refusing) as site:
            caller = await site.caller()
            assert (await caller.ask(POST % (b"a", 10_000))).body == b"no"
            await caller.send(bytes(600))
            await until(lambda: site.connection._lingered_bytes == 600)
            await caller.send(bytes(600))
            await until(lambda: not site.connections)

    run(test())


def test_an_application_that_fails_after_its_answer_does_not_cost_it() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await refusing(scope, receive, send)
        raise ValueError("too late")

    async def test() -> None:
        async with listening(failing) as site:
            caller = await site.caller()
            assert (await caller.ask(POST % (b"a", 10))).body == b"no"
            assert await caller.rest() == b""
            assert not site.connection.transport.is_closing()

    run(test())


def test_what_was_sent_after_a_last_request_is_not_begun() -> None:
    async def test() -> None:
        began = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            began.append(scope["path"])
            await say(send, b"bye", (b"connection", b"close"))

        async with listening(app) as site:
            caller = await site.caller()
            assert (await caller.ask(GET % b"a" + GET % b"b")).body == b"bye"
            assert await caller.rest() == b""
            assert began == ["/a"]
            assert site.state.total_requests == 1

    run(test())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for TLS."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]
    command = [*made, "-subj", "/CN=localhost", "-keyout", path, "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_tls_knows_no_half_closed_connection_and_is_closed_whole(certificate: Path) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    async def test() -> None:
        app = App()
        async with listening(app, ssl=server) as site:
            caller = await site.caller(ssl=client)
            assert (await caller.ask(GET % b"a")).body == b"/a"
            await caller.send(b"GET /b")
            await until(lambda: site.connection._bare_bytes > 0)
            before = refusals("deadline_exceeded")
            site.check(DEADLINE_S + 1)
            site.check(DEADLINE_S + 2)
            (await caller.answer()).problem(504, "deadline_exceeded")
            assert await caller.rest() == b""
            assert refusals("deadline_exceeded") == before + 1

    run(test())


# ---------------------------------------------------------------- the server's end


def test_only_connections_that_are_idle_for_long_enough_are_closed_at_the_end() -> None:
    async def test(app: App, site: Site) -> None:
        idle, busy = await site.caller(), await site.caller()
        await idle.ask(GET % b"idle")
        app.release.clear()
        await busy.send(GET % b"busy")
        await until(lambda: "/busy" in app.began)
        for connection in site.connections:
            connection.drain(time.monotonic(), 1000.0)
        assert len(site.connections) == 2
        for connection in site.connections:
            connection.drain(time.monotonic() + 1001, 1000.0)
        assert await idle.rest() == b""
        app.release.set()
        assert (await busy.answer()).body == b"/busy"

    serving_app(test)


def test_a_head_that_has_just_begun_is_not_idle() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.ask(GET % b"a")
        await caller.send(b"GET /b")
        await until(lambda: site.connection._bare_bytes > 0)
        site.connection._idle_since -= 1000
        site.connection.drain(time.monotonic(), 500.0)
        assert (await caller.ask(b" HTTP/1.1\r\n\r\n")).body == b"/b"

    serving_app(test)


def test_a_connection_that_lingers_is_left_to_itself() -> None:
    async def test() -> None:
        async with listening(refusing) as site:
            caller = await site.caller()
            await caller.ask(POST % (b"a", 10))
            site.connection.drain(time.monotonic() + 1000, 1.0)
            assert not site.connection.transport.is_closing()

    run(test())


def test_a_response_that_ends_when_its_caller_is_gone_has_nothing_left_to_close() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a")
        await until(lambda: app.began == ["/a"])
        connection = site.connection
        await caller.leave()
        await until(lambda: not site.connections)
        connection.close()
        assert connection.is_closing()
        app.release.set()

    serving_app(test)
