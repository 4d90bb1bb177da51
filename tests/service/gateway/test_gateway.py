"""The outermost layer: bounded bodies, problem documents for every error, metrics."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import BadImage, TooLarge
from service.gateway.api_keys import ApiKeys
from service.gateway.gateway import LATE_AT_ONCE, Gate
from service.observability.service_metrics import exposition
from tests.service.gateway.test_admission import admitted
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import PATIENCE_S, until, worker_of

LIMIT = 1000
LENGTH = "content-length"


class Exchange:
    """One request sent through the gate to an application."""

    def __init__(self, app: ASGIApp, *, limit: int = LIMIT, deadline_ms: int = 10_000) -> None:
        worker = worker_of(Path("unused"))
        settings = worker.settings.model_copy(update={"max_body_bytes": limit, "deadline_ms": deadline_ms})
        self.gate = Gate(app, routes=Starlette(), worker=dataclasses.replace(worker, settings=settings))
        self.sent: list[Message] = []
        self.chunks_read = 0

    async def deliver(self, message: Message) -> None:
        self.sent.append(message)

    def __call__(
        self,
        path: str = "/v1/predict",
        method: str = "POST",
        chunks: Sequence[bytes] = (b"",),
        headers: dict[str, str] | None = None,
        *,
        leaves: bool = False,
    ) -> Exchange:
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
        messages = iter(chunks)

        async def receive() -> Message:
            chunk = next(messages, None)
            if chunk is None:
                return {"type": "http.disconnect"}
            self.chunks_read += 1
            return {"type": "http.request", "body": chunk, "more_body": leaves or self.chunks_read < len(chunks)}

        asyncio.run(self.gate(scope, receive, self.deliver))
        return self

    @property
    def status(self) -> int:
        (start,) = [message for message in self.sent if message["type"] == "http.response.start"]
        return int(start["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    def problem(self, status: int, code: str) -> str:
        assert self.status == status
        assert self.headers["content-type"] == "application/problem+json"
        document = json.loads(self.body)
        assert (document["status"], document["code"]) == (status, code)
        return str(document["detail"])


def answering(response: Callable[[Request], Response]) -> ASGIApp:
    """An application that reads the whole body, then answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        await response(request)(scope, receive, send)

    return app


def fixed(response: Response) -> ASGIApp:
    return answering(lambda _: response)


echo_ok = fixed(PlainTextResponse("fine"))


def count(route: str, status: int) -> float:
    return samples(exposition().decode()).get(f'tandem_requests_total{{route="{route}",status="{status}"}}', 0.0)


def test_a_good_answer_passes_unchanged() -> None:
    exchange = Exchange(echo_ok)()
    assert (exchange.status, exchange.body) == (200, b"fine")


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert Exchange(echo_ok)(chunks=[b"x" * LIMIT], headers={LENGTH: str(LIMIT)}).status == 200
    assert Exchange(echo_ok)(chunks=[b"x" * (LIMIT - 1), b"x"]).status == 200


def test_an_announced_body_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    exchange = Exchange(echo_ok)(chunks=[b"x" * 1001], headers={LENGTH: "1001"})
    assert exchange.problem(413, "too_large") == "the body has 1001 bytes; the limit is 1000"
    assert exchange.chunks_read == 0


def test_a_length_that_is_no_number_is_left_to_the_count() -> None:
    assert Exchange(echo_ok)(chunks=[b"x"], headers={LENGTH: "many"}).status == 200


def test_an_unannounced_body_is_refused_at_the_chunk_that_exceeds_the_limit() -> None:
    exchange = Exchange(echo_ok)(chunks=[b"x" * 300] * 50)
    assert "the limit is 1000" in exchange.problem(413, "too_large")
    assert exchange.chunks_read == 4
    assert exchange.headers["connection"] == "close"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(JSONResponse({"error": "unexpected"}, 500), id="a framework makes 500 of it"),
        pytest.param(JSONResponse({"status": 413}, 413, media_type="application/problem+json"), id="a problem already"),
    ],
)
def test_a_body_over_the_limit_is_413_whatever_the_application_makes_of_the_error(answer: Response) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Request(scope, receive).body()
        except TooLarge:
            await answer(scope, receive, send)

    exchange = Exchange(app)(chunks=[b"x" * 600] * 3)
    assert "the limit is 1000" in exchange.problem(413, "too_large")
    assert exchange.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("answer", "status", "code", "detail"),
    [
        pytest.param(PlainTextResponse("Not Found", 404), 404, "not_found", "no route '/x'; see /docs.json", id="404"),
        pytest.param(PlainTextResponse("No", 405), 405, "method_not_allowed", "POST is not allowed on '/x'", id="405"),
        pytest.param(PlainTextResponse("why not", 400), 400, "bad_request", "why not", id="plain text"),
        pytest.param(PlainTextResponse("", 400), 400, "bad_request", "the request could not be answered", id="empty"),
        pytest.param(PlainTextResponse("x" * 9999, 400), 400, "bad_request", "x" * 500, id="a very long text"),
        pytest.param(JSONResponse({"error": "bad"}, 415), 415, "unsupported_type", "bad", id="BentoML's JSON"),
        pytest.param(JSONResponse([{"error": "bad"}], 400), 400, "bad_request", "bad", id="BentoML's JSON in a list"),
        pytest.param(JSONResponse("bad", 400), 400, "bad_request", "bad", id="a JSON string"),
        pytest.param(
            JSONResponse({"detail": [{"loc": ["instances", 0], "msg": "wrong"}]}, 400),
            400,
            "bad_request",
            "instances.0: wrong",
            id="pydantic's errors",
        ),
        pytest.param(
            JSONResponse({"detail": [{"loc": [], "msg": "Invalid JSON"}]}, 400),
            400,
            "bad_request",
            "Invalid JSON",
            id="pydantic's errors about the whole",
        ),
        pytest.param(PlainTextResponse("tea", 418), 418, "bad_request", "tea", id="a status without a code"),
        pytest.param(PlainTextResponse("oh", 500), 500, "internal", "oh", id="500"),
        pytest.param(PlainTextResponse("not now", 503), 503, "not_ready", "not now", id="503"),
        pytest.param(JSONResponse({"error": "late"}, 504), 504, "deadline_exceeded", "late", id="504"),
        pytest.param(JSONResponse({"error": "full"}, 429), 429, "overloaded", "full", id="429"),
    ],
)
def test_a_frameworks_error_becomes_a_problem(answer: Response, status: int, code: str, detail: str) -> None:
    assert Exchange(fixed(answer))("/x").problem(status, code) == detail


def test_an_error_that_comes_in_pieces_is_put_together() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"error": '
        yield b'"bad"}'

    exchange = Exchange(answering(lambda _: StreamingResponse(pieces(), 400)))()
    assert exchange.problem(400, "bad_request") == "bad"


def test_the_allowed_methods_survive() -> None:
    exchange = Exchange(fixed(PlainTextResponse("", 405, {"Allow": "POST"})))(method="GET")
    exchange.problem(405, "method_not_allowed")
    assert exchange.headers["allow"] == "POST"


def test_a_problem_passes_as_it_is() -> None:
    response = JSONResponse({"mine": 1}, 422, media_type="application/problem+json")
    assert json.loads(Exchange(fixed(response))().body) == {"mine": 1}


def test_a_client_error_that_nobody_caught_is_its_problem() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise BadImage("damaged")

    assert Exchange(app)().problem(400, "bad_image") == "damaged"


def test_an_exception_is_an_internal_error_that_tells_the_log_and_not_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("secret")

    with caplog.at_level(logging.ERROR):
        exchange = Exchange(app)("/v1/embed\nforged line")
    assert "secret" not in exchange.problem(500, "internal")
    request_id = exchange.headers["x-request-id"]
    assert caplog.records[0].getMessage() == rf"POST '/v1/embed\nforged line' failed, request {request_id}"
    assert caplog.records[0].exc_info is not None


def test_an_exception_within_an_error_that_is_held_back_is_answered_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        raise ValueError("half way")

    Exchange(app)().problem(500, "internal")


def test_an_exception_after_the_answer_began_adds_nothing_to_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("half way")

    assert len(Exchange(app)().sent) == 1


def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    before = count("/v1/predict", 499)
    exchange = Exchange(echo_ok)(chunks=[b"x"], leaves=True)
    assert exchange.sent == []
    assert caplog.records == []
    assert count("/v1/predict", 499) == before + 1


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "text/plain", "image/png", ""])
def test_bentomls_native_route_takes_json_alone(content_type: str) -> None:
    exchange = Exchange(echo_ok)("/predict", headers={"content-type": content_type})
    detail = exchange.problem(415, "unsupported_type")
    assert detail == f"content type {content_type!r} is not accepted here; send application/json"


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json"}, {"content-type": "Application/JSON;a=b"}]
)
def test_bentomls_native_route_takes_json_however_it_is_named(headers: dict[str, str]) -> None:
    body = b'{"instances": [{"image": ""}]}'
    assert Exchange(echo_ok)("/predict", chunks=[body[:9], body[9:]], headers=headers).body == b"fine"


def test_anything_but_http_passes_through() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    gate = Gate(app, routes=Starlette(), worker=worker_of(Path("unused")))
    asyncio.run(gate({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_requests_are_counted_by_route_and_status() -> None:
    before = count("/v1/embed", 200), count("other", 404)
    Exchange(echo_ok)("/v1/embed")
    Exchange(fixed(PlainTextResponse("", 404)))("/random/path/1")
    assert (count("/v1/embed", 200), count("other", 404)) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_are_not_counted(path: str) -> None:
    before = count("other", 200)
    Exchange(echo_ok)(path)
    assert count("other", 200) == before
    assert count(path, 200) == 0


# ---------------------------------------------------------------- what every response carries


@pytest.mark.parametrize("given", ["a", "A.b_c~d:e/f+g=h-9", "x" * 128])
def test_a_request_keeps_its_id(given: str) -> None:
    assert Exchange(echo_ok)(headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\nb", "ä", 'a"b'])
def test_a_request_without_a_proper_id_gets_a_new_one(given: str | None) -> None:
    headers = {} if given is None else {"x-request-id": given}
    found = {Exchange(echo_ok)(headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(found) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in found)


def test_errors_and_probes_carry_the_id_too() -> None:
    headers = {"x-request-id": "mine"}
    for exchange in (
        Exchange(fixed(PlainTextResponse("", 404)))(headers=headers),
        Exchange(echo_ok)(headers={**headers, LENGTH: "5000"}),
        Exchange(echo_ok)("/livez", "GET", headers=headers),
    ):
        assert exchange.headers["x-request-id"] == "mine"


# ---------------------------------------------------------------- probes


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_process_that_answers_is_alive(path: str, method: str) -> None:
    assert Exchange(echo_ok)(path, method).status == 200


def test_a_process_without_a_model_is_not_ready() -> None:
    assert Exchange(echo_ok)("/readyz", "GET").problem(503, "not_ready") == "the server is starting"


def test_a_probe_is_no_place_to_post_to() -> None:
    exchange = Exchange(echo_ok)("/readyz", "POST")
    assert exchange.problem(405, "method_not_allowed") == "POST is not allowed on '/readyz'"
    assert exchange.headers["allow"] == "GET, HEAD"


# ---------------------------------------------------------------- draining


def test_a_server_that_drains_takes_no_new_work_and_closes_its_connections() -> None:
    exchange = Exchange(echo_ok)
    exchange.gate.worker.lifecycle.draining = True
    assert "the server is draining" in exchange().problem(503, "not_ready")
    assert exchange.headers["connection"] == "close"


def test_while_the_server_drains_probes_tell_so() -> None:
    for path, status in (("/readyz", 503), ("/livez", 200)):
        exchange = Exchange(echo_ok)
        exchange.gate.worker.lifecycle.draining = True
        assert exchange(path, "GET").status == status
        assert exchange.headers["connection"] == "close"


def test_an_answer_under_way_when_draining_begins_is_given_and_closes_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        exchange.gate.worker.lifecycle.draining = True
        await echo_ok(scope, receive, send)

    exchange = Exchange(app)
    assert exchange().status == 200
    assert exchange.headers["connection"] == "close"


def test_the_requests_in_flight_are_counted() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(exchange.gate.worker.lifecycle.in_flight)
        raise ValueError

    exchange = Exchange(app)
    exchange()
    assert seen == [1]
    assert exchange.gate.worker.lifecycle.in_flight == 0


# ---------------------------------------------------------------- deadline


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


def test_a_request_may_shorten_its_deadline() -> None:
    started = time.monotonic()
    detail = Exchange(never)(headers={"x-request-timeout-ms": "50"}).problem(504, "deadline_exceeded")
    assert re.fullmatch(r"no result within the deadline, after \d+ ms", detail)
    assert 0.05 <= time.monotonic() - started < 1.0


def test_a_request_cannot_lengthen_its_deadline() -> None:
    exchange = Exchange(never, deadline_ms=50)
    exchange(headers={"x-request-timeout-ms": "600000"}).problem(504, "deadline_exceeded")


def test_a_body_that_does_not_arrive_in_time_ends_request_and_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await never(scope, receive, send)  # as uvicorn's receive waits

    exchange = Exchange(app, deadline_ms=50)(chunks=[b"x"], leaves=True, headers={LENGTH: "10"})
    exchange.problem(504, "deadline_exceeded")
    assert exchange.headers["connection"] == "close"


def test_callers_who_do_not_read_that_their_time_is_over_hold_up_nobody() -> None:
    gate = Exchange(never, deadline_ms=20).gate
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "headers": [], "query_string": b""}
    stuck: list[Message] = []
    sent: list[Message] = []

    async def silence() -> Message:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def deaf(message: Message) -> None:
        stuck.append(message)
        await asyncio.Event().wait()

    async def reading(message: Message) -> None:
        sent.append(message)

    async def test() -> None:
        crowd = [asyncio.create_task(gate(dict(scope), silence, deaf)) for _ in range(2 * LATE_AT_ONCE)]
        await until(lambda: len(stuck) >= LATE_AT_ONCE)
        async with asyncio.timeout(PATIENCE_S):
            await gate(dict(scope), silence, reading)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

    asyncio.run(test())
    assert sent[0]["status"] == 504


@pytest.mark.parametrize("given", ["0", "600001", "-1", "1.5", "", "ten", "1" * 20])
def test_a_deadline_that_is_no_number_of_milliseconds_is_refused(given: str) -> None:
    detail = Exchange(echo_ok)(headers={"x-request-timeout-ms": given}).problem(400, "bad_request")
    assert "from 1 to 600000; got" in detail


# ---------------------------------------------------------------- admission


def test_a_full_server_refuses_before_the_body_is_read() -> None:
    exchange = Exchange(echo_ok)
    admission = exchange.gate.worker.admission
    with admitted(admission, admission.max_images, 0.0, 1e9):
        exchange(chunks=[b"x"] * 3)
    exchange.problem(429, "overloaded")
    assert int(exchange.headers["retry-after"]) >= 1
    assert exchange.chunks_read == 0


def test_the_connection_of_a_refused_request_is_kept_where_its_body_is_small() -> None:
    exchange = Exchange(echo_ok)
    admission = exchange.gate.worker.admission
    with admitted(admission, admission.max_images, 0.0, 1e9):
        exchange(headers={LENGTH: "3"}, chunks=[b"x"] * 3)
    exchange.problem(429, "overloaded")
    assert exchange.chunks_read == 3
    assert "connection" not in exchange.headers


def test_a_full_server_answers_everything_but_inference() -> None:
    exchange = Exchange(echo_ok)
    admission = exchange.gate.worker.admission
    with admitted(admission, admission.max_images, 0.0, 1e9):
        assert exchange("/v1/models", "GET").status == 200


def test_the_bytes_of_a_body_are_held_while_the_request_lasts() -> None:
    seen = []

    def answer(request: Request) -> Response:
        seen.append(exchange.gate.worker.admission.bytes)
        return PlainTextResponse("fine")

    exchange = Exchange(answering(answer))
    exchange(chunks=[b"x" * 300, b"x" * 300])
    assert seen == [600]
    assert exchange.gate.worker.admission.bytes == 0


def test_a_body_for_which_there_is_no_room_is_refused() -> None:
    exchange = Exchange(echo_ok)
    admission = exchange.gate.worker.admission
    admission.hold(admission.max_bytes - 100)
    assert "bytes of requests are held" in exchange(chunks=[b"x" * 300]).problem(429, "overloaded")
    assert admission.bytes == admission.max_bytes - 100


# ---------------------------------------------------------------- API keys


@pytest.fixture
def keyed(tmp_path: Path) -> Exchange:
    file = tmp_path / "keys"
    file.write_text(f"robot sha256:{hashlib.sha256(b'secret').hexdigest()}\n")
    exchange = Exchange(echo_ok)
    exchange.gate.worker = dataclasses.replace(exchange.gate.worker, keys=ApiKeys.open(file))
    return exchange


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic c2VjcmV0"}])
def test_without_a_known_key_a_request_is_401(keyed: Exchange, headers: dict[str, str]) -> None:
    keyed(headers=headers).problem(401, "unauthorized")
    assert keyed.headers["www-authenticate"] == "Bearer"


def test_with_a_known_key_a_request_is_answered(keyed: Exchange) -> None:
    assert keyed(headers={"authorization": "Bearer secret"}).status == 200


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/metrics"])
def test_probes_and_metrics_need_no_key(keyed: Exchange, path: str) -> None:
    assert keyed(path, "GET").status == 200


@pytest.mark.parametrize("path", ["/", "/docs.json", "/v1/models", "/predict", "/static_content/x"])
def test_everything_else_needs_one(keyed: Exchange, path: str) -> None:
    keyed(path, "GET").problem(401, "unauthorized")


# ---------------------------------------------------------------- callers that go away, frameworks that wander


def test_a_caller_who_is_gone_when_the_answer_is_sent_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def gone(message: Message) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    exchange = Exchange(echo_ok)
    exchange.deliver = gone
    before = count("/v1/predict", 499)
    exchange()
    assert caplog.records == []
    assert count("/v1/predict", 499) == before + 1


def test_a_framework_redirects_nobody() -> None:
    answer = Response("", 307, {"location": "http://evil.example/v1/predict"})
    exchange = Exchange(fixed(answer))("/v1/predict/", "GET")
    exchange.problem(404, "not_found")
    assert "location" not in exchange.headers
