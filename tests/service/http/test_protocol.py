"""One connection: which requests are answered, in which order, and what is said of bytes that are no request."""

from __future__ import annotations

import asyncio

import pytest

from service.gateway.transaction import Transaction
from service.messages import TEXT, Response
from tests.service.rig.callers import CHUNKED, GET, HOST, POST, Caller, run
from tests.service.rig.sites import App, Site, listening, serving_app, unknown
from tests.service.serving import until

pytestmark = pytest.mark.usefixtures("any_loop")

NONSENSE = b"\x00 this is no HTTP \x00\r\n\r\n"


# ---------------------------------------------------------------- requests


def test_a_connection_carries_one_request_after_the_other() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        for path in (b"a", b"b"):
            answer = await caller.ask(GET % path)
            assert (answer.body, "connection" in answer.headers) == (b"/" + path, False)
        assert site.connections.answered == 2
        assert site.protocol.is_idle

    serving_app(test)


def test_a_handler_sees_the_request_that_was_sent() -> None:
    async def test(app: App, site: Site) -> None:
        block = b"PUT /a%20%C3%A4?b=%20&c HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-1\r\nA: 1\r\na: 2\r\n"
        answer = await site.ask(block + b"Content-Length: 3\r\n\r\nabc")
        (request,) = app.began
        assert answer.headers["x-request-id"] == "id-1"
        assert (request.method, request.path, request.query, request.body) == ("PUT", "/a ä", b"b=%20&c", b"abc")
        assert (request.headers[b"a"], request.client, request.scheme) == (b"1, 2", HOST, "http")

    serving_app(test)


def test_a_target_with_a_host_is_read_as_its_path() -> None:
    async def test(app: App, site: Site) -> None:
        assert (await site.ask(b"GET http://y/a?b HTTP/1.1\r\nHost: y\r\n\r\n")).body == b"/a"
        assert app.began[0].query == b"b"

    serving_app(test)


def test_a_response_is_one_write() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        written: list[bytes] = []
        transport = site.protocol._transport

        class Spy:
            def write(self, data: bytes) -> None:
                written.append(data)
                transport.write(data)

            def __getattr__(self, name: str) -> object:
                return getattr(transport, name)

        site.protocol._transport = Spy()  # type: ignore[assignment]
        for _ in range(2):
            assert (await caller.ask(GET % b"x")).status == 200
        assert [data.endswith(b"\r\n\r\n/x") for data in written] == [True, True]

    serving_app(test)


def test_a_response_to_head_has_the_length_of_a_body_and_none() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = await caller.rest()
        assert (rest.count(b"content-length: 2"), rest.count(b"\r\n\r\n/x")) == (2, 1)

    serving_app(test)


@pytest.mark.parametrize(
    ("block", "connection"),
    [
        pytest.param(b"GET /a HTTP/1.1\r\nHost: x\r\n", None, id="HTTP/1.1"),
        pytest.param(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "close", id="HTTP/1.1 that asks to close"),
        pytest.param(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n", "keep-alive", id="HTTP/1.0 that asks to keep"),
        pytest.param(b"GET /a HTTP/1.0\r\n", "close", id="HTTP/1.0"),
    ],
)
def test_a_connection_is_kept_as_its_caller_asks(block: bytes, connection: str | None) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        assert (await caller.ask(block + b"\r\n")).headers.get("connection") == connection
        if connection == "close":
            assert await caller.rest() == b""
        else:
            assert (await caller.ask(GET % b"b")).body == b"/b"

    serving_app(test)


def test_requests_that_were_sent_at_once_are_answered_in_their_order() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"1" + POST % (b"2", 3) + b"abc" + GET % b"3")
        await until(lambda: app.paths == ["/1"])
        app.release.set()
        assert [(await caller.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
        assert app.bodies == [b"", b"abc", b""]

    serving_app(test)


def test_what_was_sent_after_a_last_request_is_not_begun() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        last = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await caller.ask(last + GET % b"b")).body == b"/a"
        assert await caller.rest() == b""
        assert app.paths == ["/a"]

    serving_app(test)


def test_a_trailer_is_no_header() -> None:
    async def test(app: App, site: Site) -> None:
        answer = await site.ask(CHUNKED % b"a" + b"3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n")
        assert (answer.status, app.bodies, b"x-late" in app.began[0].headers) == (200, [b"abc"], False)

    serving_app(test)


def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.send(*[bytes([byte]) for byte in b"\r\n\r\n" + POST % (b"a", 3) + b"abc" + GET % b"b"])
        assert [(await caller.answer()).body for _ in range(2)] == [b"/a", b"/b"]
        assert app.bodies == [b"abc", b""]

    serving_app(test)


def test_a_caller_who_waits_to_send_is_told_to_go_on_and_one_who_is_refused_is_not() -> None:
    async def test(app: App, site: Site) -> None:
        expect = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: %d\r\n\r\n"
        caller = await site.caller()
        assert (await caller.ask(expect % 3)).status == 100
        assert (await caller.ask(b"abc")).body == b"/a"
        (await caller.ask(expect % 100_000)).problem(413, "too_large")

    serving_app(test, max_body_bytes=1024)


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
        assert app.paths == ["/a"]

    serving_app(test)


def test_a_body_that_asks_for_another_protocol_is_read() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        block = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 6\r\n\r\n"
        await caller.send(block + b"abc")
        await until(lambda: site.lifecycle.in_flight == 1)
        answer = await caller.ask(b"def")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await caller.rest() == b""
        assert app.bodies == [b"abcdef"]

    serving_app(test)


def test_who_breaks_off_has_his_request_given_up() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" + GET % b"waits")
        await until(lambda: app.paths == ["/a"])
        await caller.reset()
        await until(lambda: app.left == ["/a"])
        assert site.records.statuses == [499, 499]
        assert app.paths == ["/a"]

    serving_app(test)


# ---------------------------------------------------------------- what is refused and keeps the connection


@pytest.mark.parametrize(
    ("path", "status", "code"), [(b"nope", 404, "not_found"), (b"a", 405, "method_not_allowed")], ids=["404", "405"]
)
@pytest.mark.parametrize("size", [0, 3, 64 * 1024])
def test_a_refused_post_of_a_small_body_keeps_the_connection(path: bytes, status: int, code: str, size: int) -> None:
    async def test() -> None:
        async with listening(unknown, routes={"/a": {"GET": App()}}) as site:
            caller = await site.caller()
            for _ in range(2):
                (await caller.ask(POST % (path, size) + bytes(size))).problem(status, code, is_last=False)
            assert (await caller.ask(GET % b"a")).status == 200

    run(test())


def test_a_small_body_for_which_there_is_no_room_keeps_the_connection() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        with_room = site.admission.max_bytes
        site.admission.max_bytes = 2
        for _ in range(2):
            (await caller.ask(POST % (b"a", 3) + b"abc")).problem(429, "overloaded", is_last=False)
        site.admission.max_bytes = with_room
        assert (await caller.ask(POST % (b"a", 3) + b"abc")).body == b"/a"

    serving_app(test)


# ---------------------------------------------------------------- what is no request


def block(*headers: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
    """A request's header block."""
    return b"\r\n".join([line, *headers, b"", b""])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NONSENSE, id="nonsense"),
        pytest.param(b"GET\r\n\r\n", id="a method alone"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="another version"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="a TLS handshake"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2's preface"),
        pytest.param(block(b"Host: x", b"X Y: 1"), id="a space in a header's name"),
        pytest.param(block(b"Host: x", line=b"GET /\xc3\xa4 HTTP/1.1"), id="a path that is not ASCII"),
        pytest.param(block(b"Host: x", line=b"CONNECT example.com:443 HTTP/1.1"), id="CONNECT"),
        pytest.param(block(b"Host: x", line=b"CONNECT /a HTTP/1.1"), id="CONNECT with a path"),
        pytest.param(block(b"Host: x", line=b"GET http://example.com HTTP/1.1"), id="no path"),
        pytest.param(block(b"Host: x", b"Content-Length: -1"), id="a length below zero"),
        pytest.param(block(b"Host: x", b"Content-Length: 3", b"Transfer-Encoding: chunked"), id="two kinds of length"),
        pytest.param(block(b"Host: x", b"Content-Length: 3", b"Content-Length: 3") + b"abc", id="two lengths"),
        pytest.param(block(b"Host: x", b"Host: y"), id="two hosts"),
        pytest.param(block(b"Host: x", b"Content-Type: a/b", b"content-type: a/b"), id="two content types"),
        pytest.param(block(b"Host: x", b"Authorization: a", b"Authorization: b"), id="two keys"),
        pytest.param(block(b"A: b"), id="HTTP/1.1 without a host"),
    ],
)
def test_what_is_no_request_is_answered_with_a_problem_and_ends_the_connection(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        assert "request" in (await caller.ask(data)).problem(400, "bad_request")
        assert await caller.rest() == b""
        assert app.began == []
        ((request, _, _),) = site.records.requests
        assert (request.client, request.route, site.records.codes) == (HOST, "other", ["bad_request"])

    serving_app(test)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(block(b"Host: x", line=b"GET / HTTP/2.0"), 505, "version_not_supported", id="HTTP/2.0 as text"),
        pytest.param(
            block(b"Host: x", b"Transfer-Encoding: gzip, chunked"), 501, "not_implemented", id="gzip, chunked"
        ),
        pytest.param(block(b"Host: x", b"Transfer-Encoding: identity"), 501, "not_implemented", id="identity"),
        pytest.param(
            block(b"Host: x", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
            501,
            "not_implemented",
            id="gzip and chunked on two lines",
        ),
    ],
)
def test_what_is_not_spoken_is_refused_by_its_name(data: bytes, status: int, code: str) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        (await caller.ask(data)).problem(status, code)
        assert await caller.rest() == b""
        assert app.began == []

    serving_app(test)


def test_what_is_wrong_is_told_of_a_request_for_another_protocol_too() -> None:
    async def test(app: App, site: Site) -> None:
        data = block(b"Host: x", b"Connection: Upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked")
        assert "chunk size" in (await site.ask(data + b"no length\r\n")).problem(400, "bad_request")

    serving_app(test)


def test_nonsense_after_an_answer_is_a_problem() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        assert (await caller.ask(GET % b"a")).status == 200
        (await caller.ask(NONSENSE)).problem(400, "bad_request")

    serving_app(test)


@pytest.mark.parametrize("requests", [1, 2])
def test_nonsense_after_whole_requests_is_answered_in_its_turn(requests: int) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" * requests + NONSENSE + bytes(1000))
        await until(lambda: app.paths == ["/a"])
        app.release.set()
        assert [(await caller.answer()).body for _ in range(requests)] == [b"/a"] * requests
        (await caller.answer()).problem(400, "bad_request")
        assert await caller.rest() == b""

    serving_app(test)


def test_much_nonsense_after_a_request_does_not_cost_its_answer() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(GET % b"a" + NONSENSE)
        await until(lambda: app.paths == ["/a"])
        app.release.set()
        await caller.send(bytes(2_000_000))
        assert (await caller.answer()).body == b"/a"
        (await caller.answer()).problem(400, "bad_request")
        assert await caller.rest() == b""

    serving_app(test)


@pytest.mark.parametrize("before", [b"", GET % b"a"], ids=["alone", "behind a request that is being answered"])
def test_nonsense_within_a_body_is_a_problem_in_its_turn(before: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        app.release.clear()
        await caller.send(before + CHUNKED % b"b" + b"3\r\nabc\r\n")
        await until(lambda: site.lifecycle.in_flight == 1 + bool(before))
        await caller.send(b"no length\r\n")
        await until(lambda: 499 in site.records.statuses)  # the request whose body is broken is given up
        app.release.set()
        if before:
            assert (await caller.answer()).body == b"/a"
        (await caller.answer()).problem(400, "bad_request")
        assert await caller.rest() == b""
        assert "/b" not in app.paths

    serving_app(test)


# ---------------------------------------------------------------- how much is read ahead


def test_a_caller_who_does_not_wait_for_answers_is_not_read_for_ever() -> None:
    async def test(app: App, site: Site) -> None:
        app.release.clear()
        caller = await site.caller()
        many, request = 3000, b"GET /a HTTP/1.1\r\nHost: x\r\nX-Pad: %b\r\n\r\n" % bytes(1000).hex().encode()
        sending = asyncio.create_task(caller.send(*[request * 100] * (many // 100)))
        await until(lambda: site.lifecycle.in_flight > 1 and not site.protocol._transport.is_reading())
        assert site.lifecycle.in_flight < many / 2
        app.release.set()
        assert [(await caller.answer()).status for _ in range(many)] == [200] * many
        await sending

    serving_app(test)


def test_what_follows_is_not_begun_before_the_caller_reads() -> None:
    async def test() -> None:
        size, began = 20_000_000, []

        def large(transaction: Transaction) -> Response:
            began.append(transaction.request.path)
            return Response(200, bytes(size), TEXT)

        async with listening(large) as site:
            caller: Caller = await site.caller(limit=1000)
            await caller.send(GET % b"a" + GET % b"b")
            await until(lambda: site.protocol._transport.get_write_buffer_size() > 0)
            assert began == ["/a"]
            assert [len((await caller.answer()).body) for _ in range(2)] == [size, size]
            assert began == ["/a", "/b"]

    run(test())
