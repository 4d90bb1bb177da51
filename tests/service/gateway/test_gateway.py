"""What surrounds the routes, over both transports: limits, keys, deadlines, admission, problems, what is counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from models.errors import BadImage
from service.gateway.api_keys import ApiKeys
from service.gateway.transaction import Answer, Handler, Transaction
from service.messages import TEXT, Request, Response
from service.observability.json_log import AccessLog, LineWriter
from service.observability.service_metrics import exposition
from tests.service.gateway.test_admission import admitted
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import Site, Transport, ask_gateway, over_each, problem, until

LIMIT = 1024
PREDICT = "/v1/predict"


def fine(_: Transaction) -> Response:
    return Response(200, b"fine", TEXT)


def endless(cancelled: list[bool]) -> Handler:
    """Answers never, and notes when it is cancelled."""

    async def work() -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        raise AssertionError

    return lambda _: work()


never = endless([])


def later(response: Response) -> Handler:
    async def answer() -> Response:
        await asyncio.sleep(0)
        return response

    return lambda _: answer()


def counted(route: str, status: int) -> float:
    return samples(exposition().decode()).get(f'tandem_requests_total{{route="{route}",status="{status}"}}', 0.0)


async def pieces(body: bytes, size: int, sent: list[int] | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        if sent is not None:
            sent.append(start)
        yield body[start : start + size]


def post_pieces(over: Transport, body: bytes, size: int, sent: list[int] | None = None) -> httpx.Response:
    """The response to a body of unknown length, with a limit of `LIMIT`."""

    async def test() -> httpx.Response:
        site = Site(max_body_bytes=LIMIT)
        async with site.client(site.gateway({PREDICT: {"POST": fine}}), over) as client:
            return await client.post(PREDICT, content=pieces(body, size, sent))

    return asyncio.run(test())


@pytest.mark.parametrize("handler", [fine, later(Response(200, b"fine", TEXT))], ids=["at once", "later"])
def test_an_answer_is_given_as_it_is(handler: Handler) -> None:
    response = ask_gateway(handler, "POST", PREDICT)
    assert (response.status_code, response.content) == (200, b"fine")
    assert response.headers["content-length"] == "4"


def test_a_request_has_its_body_headers_query_and_peer() -> None:
    seen: list[Request] = []

    def note(transaction: Transaction) -> Response:
        seen.append(transaction.request)
        return Response(200)

    ask_gateway(note, "POST", "/v1/predict?a=1&b=%20", content=b"body", headers=[("x-a", "1"), ("X-A", "2")])
    for request in seen:
        assert (request.method, request.path, request.query, request.body) == ("POST", PREDICT, b"a=1&b=%20", b"body")
        assert (request.headers[b"x-a"], request.client, request.scheme) == (b"1, 2", "127.0.0.1", "http")
        assert request.received_bytes == request.content_length == 4
    assert len(seen) == 2


def test_a_head_request_gets_the_headers_of_its_get() -> None:
    got, asked = (ask_gateway(fine, method, PREDICT, methods="GET") for method in ("GET", "HEAD"))
    assert (got.content, asked.content) == (b"fine", b"")
    assert asked.headers["content-length"] == got.headers["content-length"] == "4"


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
def test_an_announced_body_may_have_exactly_the_limit(size: int, status: int) -> None:
    response = ask_gateway(fine, "POST", PREDICT, site=Site(max_body_bytes=LIMIT), content=bytes(size))
    assert response.status_code == status
    if status == 413:
        assert problem(response, 413, "too_large") == "the body has 1025 bytes; the limit is 1024"


@over_each
@pytest.mark.parametrize("piece", [1, 1000, 4000], ids=["byte by byte", "in two pieces", "in one piece"])
def test_a_body_of_unknown_length_may_have_exactly_the_limit(piece: int, over: Transport) -> None:
    assert post_pieces(over, bytes(LIMIT), piece).content == b"fine"
    detail = problem(post_pieces(over, bytes(LIMIT + 1), piece), 413, "too_large")
    assert detail == "the body has more than 1024 bytes; the limit is 1024"


def test_a_body_over_the_limit_is_not_read_on() -> None:
    sent: list[int] = []
    assert post_pieces("ASGI", bytes(50 * 300), 300, sent).status_code == 413
    assert len(sent) == 4


@over_each
def test_the_bytes_of_a_body_are_held_while_its_request_lasts(over: Transport) -> None:
    site = Site()
    held: list[int] = []

    def note(_: Transaction) -> Response:
        held.append(site.admission.bytes)
        return Response(200)

    async def test() -> None:
        async with site.client(site.gateway({PREDICT: {"POST": note}}), over) as client:
            await client.post(PREDICT, content=pieces(bytes(600), 300))

    asyncio.run(test())
    assert held == [600]
    assert site.admission.bytes == 0


def test_a_body_for_which_there_is_no_room_is_refused() -> None:
    site = Site()
    site.admission.hold(site.admission.max_bytes - 100)
    assert ask_gateway(fine, "POST", PREDICT, site=site, content=bytes(100)).status_code == 200
    response = ask_gateway(fine, "POST", PREDICT, site=site, content=bytes(101))
    assert "bytes of requests are held and 101 more" in problem(response, 429, "overloaded")
    assert site.admission.bytes == site.admission.max_bytes - 100


# ---------------------------------------------------------------- problems


def test_a_client_error_that_a_handler_raises_is_its_problem() -> None:
    def handler(_: Transaction) -> Response:
        raise BadImage("damaged")

    assert problem(ask_gateway(handler, "POST", PREDICT), 400, "bad_image") == "damaged"


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
def test_an_exception_is_an_internal_error_that_tells_the_log_and_not_the_caller(
    at_once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> Response:
        raise ValueError("secret")

    def handler(_: Transaction) -> Answer:
        if at_once:
            raise ValueError("secret")
        return fail()

    with caplog.at_level(logging.ERROR):
        response = ask_gateway(handler, "POST", "/v1/embed%0Aforged line", headers={"x-request-id": "mine"})
    assert "secret" not in problem(response, 500, "internal")
    assert {record.getMessage() for record in caplog.records} == {r"POST '/v1/embed\nforged line' failed, request mine"}
    assert all(record.exc_info is not None for record in caplog.records)


def test_an_unknown_path_is_404_and_another_method_405_with_those_that_are_allowed() -> None:
    site = Site()
    gateway = site.gateway({PREDICT: {"POST": fine}, "/livez": {"GET": fine}})
    for method, path, allowed in (("GET", PREDICT, "POST"), ("DELETE", "/livez", "GET, HEAD")):
        response = asyncio.run(site.ask(gateway, method, path))
        assert problem(response, 405, "method_not_allowed") == f"{method} is not allowed on {path!r}"
        assert response.headers["allow"] == allowed
    response = asyncio.run(site.ask(gateway, "POST", "/v1/predict/"))
    assert problem(response, 404, "not_found") == "no route '/v1/predict/'; see /docs.json"
    assert "location" not in response.headers


# ---------------------------------------------------------------- what every response carries


@pytest.mark.parametrize("given", ["a", "A.b_c~d:e/f+g=h-9", "x" * 128])
def test_a_request_keeps_its_id(given: str) -> None:
    for path in (PREDICT, "/other"):
        assert ask_gateway(fine, "POST", path, headers={"x-request-id": given}).headers["x-request-id"] == given


@over_each
@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "ä", 'a"b'])
def test_a_request_without_a_proper_id_gets_a_new_one(given: str | None, over: Transport) -> None:
    async def test() -> set[str]:
        site = Site()
        headers = {} if given is None else {"x-request-id": given.encode()}
        async with site.client(site.gateway({}), over) as client:
            return {(await client.get("/", headers=headers)).headers["x-request-id"] for _ in range(2)}

    found = asyncio.run(test())
    assert len(found) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in found)


# ---------------------------------------------------------------- deadlines


def test_a_request_may_shorten_its_deadline() -> None:
    started = time.monotonic()
    site = Site()

    async def test() -> httpx.Response:
        async with site.client(site.gateway({PREDICT: {"POST": never}}), "ASGI") as client:
            return await client.post(PREDICT, headers={"x-request-timeout-ms": "50"})

    detail = problem(asyncio.run(test()), 504, "deadline_exceeded")
    assert re.fullmatch(r"no result within the deadline, after \d+ ms", detail)
    assert 0.05 <= time.monotonic() - started < 5.0


@over_each
def test_a_request_cannot_lengthen_its_deadline(over: Transport) -> None:
    async def test() -> httpx.Response:
        site = Site(deadline_ms=50)
        async with site.client(site.gateway({PREDICT: {"POST": never}}), over) as client:
            return await client.post(PREDICT, headers={"x-request-timeout-ms": "600000"})

    problem(asyncio.run(test()), 504, "deadline_exceeded")


@pytest.mark.parametrize("given", ["0", "600001", "-1", "1.5", "", "ten", "1" * 20])
def test_a_deadline_that_is_no_number_of_milliseconds_is_refused(given: str) -> None:
    response = ask_gateway(fine, "POST", PREDICT, headers={"x-request-timeout-ms": given})
    assert f"from 1 to 600000; got {given!r}" in problem(response, 400, "bad_request")


@pytest.mark.parametrize("given", ["1", "600000"])
def test_the_shortest_and_the_longest_deadline_are_taken(given: str) -> None:
    assert ask_gateway(fine, "POST", PREDICT, headers={"x-request-timeout-ms": given}).status_code == 200


def test_the_work_for_a_caller_who_is_too_late_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def test() -> None:
        site = Site(deadline_ms=20)
        async with site.client(site.gateway({PREDICT: {"POST": endless(cancelled)}}), "a socket") as client:
            problem(await client.post(PREDICT), 504, "deadline_exceeded")

    asyncio.run(test())
    assert cancelled == [True]


# ---------------------------------------------------------------- admission


def test_a_full_server_refuses_inference_before_the_body_is_read_and_answers_the_rest() -> None:
    site, seen = Site(), []

    def note(transaction: Transaction) -> Response:
        seen.append(transaction.request.path)
        return Response(200)

    gateway = site.gateway({path: {"POST": note, "GET": note} for path in ("/predict", "/v1/embed", PREDICT)}, note)
    with admitted(site.admission, site.admission.max_images, 0.0, 1e9):
        for path in ("/predict", "/v1/embed", PREDICT):
            response = asyncio.run(site.ask(gateway, "POST", path, content=b"x" * 3))
            problem(response, 429, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
        assert seen == []
        assert asyncio.run(site.ask(gateway, "POST", "/v1/models")).status_code == 200


# ---------------------------------------------------------------- API keys


@pytest.fixture
def keyed(tmp_path: Path) -> Site:
    file = tmp_path / "keys"
    file.write_text(f"robot sha256:{hashlib.sha256(b'secret').hexdigest()}\n")
    return Site(keys=ApiKeys.open(file))


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic c2VjcmV0"}])
@pytest.mark.parametrize("path", ["/", "/docs.json", "/v1/models", "/predict", "/static_content/x", PREDICT])
def test_without_a_known_key_a_request_is_401(keyed: Site, headers: dict[str, str], path: str) -> None:
    response = ask_gateway(fine, "POST", path, site=keyed, headers=headers)
    problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


def test_with_a_known_key_a_request_is_answered(keyed: Site) -> None:
    assert ask_gateway(fine, "POST", PREDICT, site=keyed, headers={"authorization": "Bearer secret"}).content == b"fine"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_and_metrics_need_no_key(keyed: Site, path: str) -> None:
    assert ask_gateway(fine, "GET", path, site=keyed).status_code == 200


# ---------------------------------------------------------------- what is counted and logged


def test_requests_are_counted_by_route_and_status() -> None:
    before = counted(PREDICT, 200), counted("other", 404)
    ask_gateway(fine, "POST", PREDICT)
    ask_gateway(lambda _: Response(404), "POST", "/random/path/1")
    assert (counted(PREDICT, 200), counted("other", 404)) == (before[0] + 2, before[1] + 2)  # over both transports


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_are_counted_when_they_fail(path: str) -> None:
    before = counted("other", 200), counted("other", 503)
    ask_gateway(fine, "GET", path)
    ask_gateway(lambda _: Response(503), "GET", path)
    assert (counted("other", 200), counted("other", 503)) == (before[0], before[1] + 2)


def test_the_requests_in_flight_are_counted_whatever_becomes_of_them() -> None:
    site, seen = Site(), []

    def handler(_: Transaction) -> Response:
        seen.append(site.lifecycle.in_flight)
        raise ValueError

    assert ask_gateway(handler, "POST", PREDICT, site=site).status_code == 500
    assert seen == [1, 1]
    assert site.lifecycle.in_flight == 0


def test_a_caller_who_leaves_ends_the_work_and_is_counted_as_gone(caplog: pytest.LogCaptureFixture) -> None:
    site, before = Site(), counted(PREDICT, 499)
    cancelled: list[bool] = []

    async def test() -> None:
        async with site.client(site.gateway({PREDICT: {"POST": endless(cancelled)}}), "ASGI") as client:
            asking = asyncio.create_task(client.post(PREDICT))
            await until(lambda: site.lifecycle.in_flight == 1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await until(lambda: cancelled != [])

    asyncio.run(test())
    assert counted(PREDICT, 499) == before + 1
    assert caplog.records == []


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1,10.0.0.1", "192.0.2.7, 10.0.0.1", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7, 10.0.0.1", "10.0.0.1"),
        ("127.0.0.1, 10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("*", "192.0.2.7, 10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7", "127.0.0.1"),
        ("", "192.0.2.7", "127.0.0.1"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
    ids=[
        "a trusted proxy's caller",
        "past two trusted proxies",
        "up to the first that is not trusted",
        "nothing but trusted proxies",
        "every peer is trusted",
        "another proxy is trusted",
        "nobody is trusted",
        "no header",
    ],
)
def test_the_access_log_has_the_caller_whom_a_trusted_proxy_names(
    trusted: str, forwarded: str | None, client: str, tmp_path: Path
) -> None:
    site = Site(trusted_proxies=trusted)
    log = tmp_path / "log"
    with log.open("wb") as sink:
        writer = LineWriter(sink.fileno())
        site.telemetry.access_log = AccessLog(writer)
        ask_gateway(fine, "POST", PREDICT, site=site, headers={"x-forwarded-for": forwarded} if forwarded else {})
        writer.close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["client"] for line in lines] == [client, client]
