"""What all connections share: how many there are, the date, and header blocks that were seen before."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from service.http import connections as module
from service.http.connections import Connections
from tests.service.rig.callers import GET, POST, Answer
from tests.service.rig.sites import App, Site, serving_app
from tests.service.serving import settings_of, until


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each request that may be known, whether its header block was."""
    found = []
    original = Connections.known

    def known(connections: Connections, data: bytes) -> Any:
        block = original(connections, data)
        found.append(block is not None)
        return block

    monkeypatch.setattr(Connections, "known", known)
    return found


def shown(answer: Answer) -> Answer:
    """The answer without what no two have in common."""
    return Answer(answer.status, answer.headers | {"x-request-id": "", "date": ""}, answer.body)


def test_open_connections_are_counted_and_told() -> None:
    told: list[int] = []

    class Made:
        def check(self, now: float) -> bool:
            return False

        def drain(self, now: float, quiet_s: float) -> None: ...

        def abort(self) -> None: ...

    connections = Connections(settings_of(Path("unused"), deadline_ms=3000, keep_alive_s=7), told.append)
    first, second = Made(), Made()
    connections.add(first)
    connections.add(second)
    for connection in connections:  # which may change meanwhile
        connections.remove(connection)
    assert (told, first in connections, len(connections)) == ([1, 2, 1, 0], False, 0)
    assert (connections.limit_s, connections.keep_alive_s) == (3.0, 7.0)


def test_the_date_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections(settings_of(Path("unused")))
    for now in (1_000_000_000.9, 1_000_000_001.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert parsedate_to_datetime(connections.date.decode()).timestamp() == int(now)


# ---------------------------------------------------------------- header blocks that were seen before


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(POST % (b"a%20b?c=%20#d", 0), id="a path and a query"),
        pytest.param(POST % (b"a", 3) + b"abc", id="a post"),
        pytest.param(POST % (b"a", 0), id="an empty post"),
        pytest.param(b"POST http://y/a?b HTTP/1.1\r\nHost: y\r\n\r\n", id="a target with a host"),
        pytest.param(b"POST /a HTTP/1.1\r\nhost:x\r\nA:  1\r\na: 2 \r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", id="headers"),
        pytest.param(POST % (b"a", 2000) + bytes(2000), id="a body over the limit"),
        pytest.param(b"POST /a HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: x\r\n\r\n", id="one that is refused"),
    ],
)
def test_a_block_that_comes_again_is_known_and_answered_as_before(request_: bytes, hits: list[bool]) -> None:
    async def test(app: App, site: Site) -> None:
        first = await site.ask(request_)
        again = await site.ask(request_)
        assert hits == [False, True]
        assert shown(first) == shown(again)
        assert first.headers["x-request-id"] != again.headers["x-request-id"]
        seen = [(each.method, each.path, each.query, each.headers, each.body, each.client) for each in app.began]
        assert seen[:1] == seen[1:]

    serving_app(test, max_body_bytes=1024)


def test_a_block_is_known_on_a_connection_that_goes_on_with_a_body_that_changes(hits: list[bool]) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        for body in (b"abc", b"def", b"abc"):
            assert (await caller.ask(POST % (b"a", 3) + body)).body == b"/a"
        assert (app.bodies, hits) == ([b"abc", b"def", b"abc"], [False, True, True])

    serving_app(test)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("X-Request-Id: a", id="an id"),
        pytest.param("Traceparent: 00-aa-bb-01", id="a trace"),
        pytest.param("Connection: close", id="the last one"),
        pytest.param("Expect: 100-continue", id="one that waits"),
        pytest.param("Transfer-Encoding: chunked", id="chunks"),
        pytest.param("Connection: Upgrade\r\nUpgrade: h2c", id="another protocol"),
        pytest.param(f"X-Long: {'x' * 1000}", id="a long one"),
    ],
)
def test_a_block_that_does_not_come_again_or_is_not_plain_is_not_kept(header: str, hits: list[bool]) -> None:
    async def test(app: App, site: Site) -> None:
        end = b"0\r\n\r\n" if "chunked" in header else b""
        for _ in range(2):
            caller = await site.caller()
            answer = await caller.ask(b"POST /a HTTP/1.1\r\nHost: x\r\n" + header.encode() + b"\r\n\r\n" + end)
            assert answer.status in (100, 200)
        assert hits == [False, False]
        assert site.connections._blocks == {}

    serving_app(test)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"POST /a HTTP/1.0\r\nHost: x\r\n\r\n", id="HTTP/1.0"),
        pytest.param(b"\n" + POST % (b"a", 0), id="an empty line before it"),
        pytest.param(b"\r\n" + POST % (b"a", 0), id="an empty line of two bytes before it"),
        pytest.param(POST % (b"a", 0) + b"\r\n", id="an empty line behind it"),
        pytest.param(POST % (b"a", 0) + POST % (b"a", 0), id="two at once"),
        pytest.param(POST % (b"a", 6) + b"\r\n\r\nab", id="a body that looks like the end of a block"),
    ],
)
def test_what_is_not_one_request_alone_is_answered_the_same_when_it_comes_again(data: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        answers = [await site.ask(data) for _ in range(3)]
        assert len({str(shown(answer)) for answer in answers}) == 1
        assert {request.method for request in app.began} <= {"GET", "POST"}

    serving_app(test)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT"])
def test_only_those_of_a_post_are_kept(method: bytes) -> None:
    """Whoever asks for 10,000 paths that are not there does not drive out the blocks of the others."""

    async def test(app: App, site: Site) -> None:
        assert (await site.ask(method + b" /a HTTP/1.1\r\nHost: x\r\n\r\n")).status == 200
        assert site.connections._blocks == {}

    serving_app(test)


def test_blocks_are_kept_within_bounds(hits: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KNOWN_BLOCKS", 2)

    async def test(app: App, site: Site) -> None:
        for name in b"abca":
            assert (await site.ask(POST % (bytes([name]), 0))).status == 200
            assert len(site.connections._blocks) <= 2
        assert hits == [False] * 4

    serving_app(test)


def test_behind_a_known_block_a_body_may_come_later_or_another_request(hits: list[bool]) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        request = POST % (b"a", 3) + b"abc"
        assert (await caller.ask(request)).status == 200
        await caller.send(request[:-2])
        await until(lambda: site.admission.bytes == 1)
        assert (await caller.ask(request[-2:])).status == 200
        await caller.send(request + GET % b"b")
        assert [(await caller.answer()).body for _ in range(2)] == [b"/a", b"/b"]
        assert app.bodies == [b"abc", b"abc", b"abc", b""]
        assert not any(hits)

    serving_app(test)


def test_a_block_is_never_known_by_the_bytes_of_another_one() -> None:
    """The second of two requests that come at once claims the length of all that follows the first one's block."""

    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        first, second = POST % (b"a", 3) + b"abc", POST % (b"b", 9999)
        length = 3 + len(second) + 5000
        second = second.replace(b"9999", b"%d" % length)
        await caller.send(first + second + bytes(5000))
        assert (await caller.answer()).body == b"/a"
        assert (await caller.ask(bytes(length - 5000))).body == b"/b"
        assert site.connections._blocks == {}  # neither came alone

    serving_app(test)


def test_a_known_block_ends_with_the_connection_when_the_server_ends(hits: list[bool]) -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.caller()
        await caller.ask(POST % (b"a", 0))
        site.connections.is_closing = True
        assert (await caller.ask(POST % (b"a", 0))).headers["connection"] == "close"
        assert await caller.rest() == b""
        assert hits == [False, True]

    serving_app(test)
