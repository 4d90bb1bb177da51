"""The same application under another server, stock uvicorn above all, and other applications behind ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from models.errors import MethodNotAllowed, NotFound, TandemError
from service.gateway.transaction import Transaction
from service.http.asgi import AsgiAdapter, mounted
from service.messages import Request, Response
from tests.service.rig.callers import CHUNKED, GET, POST, run
from tests.service.rig.sites import App, Site
from tests.service.serving import until

pytestmark = pytest.mark.usefixtures("any_loop")


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError(f"not for the application: {scope}")


@contextlib.asynccontextmanager
async def uvicorn_site(app: App, **settings: Any) -> AsyncIterator[Site]:
    """A site behind stock uvicorn."""
    site = Site(**settings)
    gateway = site.gateway(app, {})
    adapter = AsgiAdapter(nothing, gateway=lambda: gateway)
    config = uvicorn.Config(adapter, port=0, lifespan="off", log_config=None, ws="none")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with server.capture_signals():
        serving = asyncio.create_task(server._serve())
        await until(lambda: server.started)
        site.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with site.stack:
                yield site
        finally:
            app.release.set()
            server.should_exit = server.force_exit = True
            await serving
        await until(lambda: site.lifecycle.in_flight == 0)
        assert site.admission.bytes == 0


def serving_uvicorn(test: Callable[[App, Site], Awaitable[None]], **settings: Any) -> None:
    async def serve() -> None:
        app = App()
        async with uvicorn_site(app, **settings) as site:
            await test(app, site)

    run(serve())


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(GET % b"a%20b?c", b"", id="a get"),
        pytest.param(POST % (b"a%20b", 3) + b"abc", b"abc", id="a post"),
        pytest.param(CHUNKED % b"a%20b" + b"3\r\nabc\r\n0\r\n\r\n", b"abc", id="chunks"),
        pytest.param(b"HEAD /a%20b HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-1\r\n\r\n", b"", id="a head"),
    ],
)
def test_a_request_is_answered_as_on_our_own_connections(data: bytes, body: bytes) -> None:
    async def test(app: App, site: Site) -> None:
        answer = await site.ask(data)
        assert (answer.status, answer.headers["content-length"]) == (200, "4")
        assert answer.body == (b"" if data.startswith(b"HEAD") else b"/a b")
        (request,) = app.began
        assert (request.path, request.body, request.client) == ("/a b", body, "127.0.0.1")
        assert answer.headers["x-request-id"] == request.id.decode()
        assert site.records.statuses == [200]

    serving_uvicorn(test)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_request", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400, "bad_request", id="no host"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
            "not_implemented",
            id="gzip, chunked",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 33_000 + b"\r\n\r\n", 431, "headers_too_large", id="431"
        ),
        pytest.param(POST % (b"a", 2000) + bytes(2000), 413, "too_large", id="an announced body over the limit"),
        pytest.param(CHUNKED % b"a" + b"7d0\r\n" + bytes(2000), 413, "too_large", id="chunks over the limit"),
    ],
)
def test_what_is_refused_is_refused_as_on_our_own_connections(data: bytes, status: int, code: str) -> None:
    async def test(app: App, site: Site) -> None:
        answer = await site.ask(data)
        assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
        assert (app.began, site.records.codes) == ([], [code])

    serving_uvicorn(test, max_body_bytes=1024)


def test_a_body_that_does_not_come_is_answered_at_the_deadline() -> None:
    async def test(app: App, site: Site) -> None:
        answer = await site.ask(POST % (b"a", 6) + b"abc")
        assert (answer.status, json.loads(answer.body)["code"]) == (504, "deadline_exceeded")
        assert app.began == []

    serving_uvicorn(test, deadline_ms=50)


def test_an_answer_that_does_not_come_is_given_up_at_the_deadline() -> None:
    async def test(app: App, site: Site) -> None:
        app.release.clear()
        assert (await site.ask(GET % b"a")).status == 504
        assert app.left == ["/a"]

    serving_uvicorn(test, deadline_ms=50)


def test_who_breaks_off_while_he_sends_has_his_request_given_up() -> None:
    async def test(app: App, site: Site) -> None:
        caller = await site.connect()
        await caller.send(POST % (b"a", 6) + b"abc")
        await until(lambda: site.admission.bytes == 3)
        await caller.reset()
        await until(lambda: site.records.statuses == [499])
        assert (app.began, site.admission.bytes) == ([], 0)

    serving_uvicorn(test)


# ---------------------------------------------------------------- other applications


def test_what_is_not_http_and_what_is_mounted_is_the_applications() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    async def unused(*_: Any) -> Any:
        raise AssertionError

    async def test() -> None:
        told: list[Any] = []
        adapter = AsgiAdapter(app, gateway=lambda: 1 / 0, mount=told.append)  # type: ignore[arg-type,return-value]
        assert told == [app]
        await adapter({"type": "lifespan"}, unused, unused)
        await adapter({"type": "http", "tandem.mounted": True}, unused, unused)

    run(test())
    assert passed == ["lifespan", "http"]


def page(status: int = 200, *headers: tuple[bytes, bytes], chunks: tuple[bytes, ...] = (b"a", b"b")) -> Any:
    """An application that answers so, having read the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        app.scope = scope  # type: ignore[attr-defined]
        message: Message = await receive()
        assert not message["more_body"]
        assert (await receive())["type"] == "http.disconnect"
        app.body = message["body"]  # type: ignore[attr-defined]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return app


async def answer_of(app: Any, request: Request) -> Response:
    transaction = Transaction(request, lambda _: None, lambda *_: None)
    answer = mounted(app)(transaction)
    assert isinstance(answer, Awaitable)
    return await answer


def test_a_page_of_another_application_is_answered_whole_under_our_request_id() -> None:
    async def test() -> None:
        app = page(
            200, (b"Content-Type", b"text/html"), (b"Content-Length", b"2"), (b"X-Request-Id", b"x"), (b"X-A", b"1")
        )
        request = Request("HEAD", "/a b", b"c=d", {b"host": b"x"}, body=b"body", client="1.2.3.4")
        response = await answer_of(app, request)
        assert (response.status, response.body, response.content_type) == (200, b"ab", b"text/html")
        assert response.headers == [(b"x-a", b"1")]
        assert (app.scope["method"], app.scope["path"], app.scope["query_string"]) == ("GET", "/a b", b"c=d")
        assert (app.scope["headers"], app.body) == ([(b"host", b"x")], b"body")

    run(test())


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (401, NotFound), (405, MethodNotAllowed), (500, TandemError), (503, TandemError)],
)
def test_what_another_application_refuses_is_a_problem_of_ours(status: int, error: type[TandemError]) -> None:
    async def test() -> None:
        with pytest.raises(error) as raised:
            await answer_of(page(status, (b"allow", b"GET, HEAD")), Request("GET", "/a", b"", {}))
        assert type(raised.value) is error
        assert getattr(raised.value, "allow", "GET, HEAD") == "GET, HEAD"

    run(test())
