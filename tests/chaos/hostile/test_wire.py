"""The judge itself: what it must find wrong."""

from __future__ import annotations

import json

import pytest

from tests.chaos.inputs.fuzz_corpus import Case, corpus, head, post
from tests.chaos.inputs.fuzzing import Findings
from tests.chaos.inputs.mutations import mutant
from tests.chaos.rig.wire import Exchange, Malformed, Response, parse_responses, read_input, wrongs, wrongs_of

ID = {"x-request-id": "a"}


def problem(status: int, code: str, inside: int | None = None) -> Response:
    document = {"type": "about:blank", "title": "t", "status": inside or status, "code": code, "detail": "d"}
    return Response(status, {**ID, "content-type": "application/problem+json"}, json.dumps(document).encode())


def test_proper_answers_are_not_wrong() -> None:
    assert wrongs_of(problem(400, "bad_request")) == []
    assert wrongs_of(problem(504, "deadline_exceeded")) == []
    assert wrongs_of(Response(200, {**ID, "content-type": "application/json"}, b"{}")) == []


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param(problem(500, "internal"), "500 with code", id="an internal error"),
        pytest.param(problem(400, "too_large"), "400 with code", id="the code of another status"),
        pytest.param(problem(400, "bad_request", inside=413), "status 413", id="another status inside"),
        pytest.param(problem(400, "novel"), "'novel'", id="an unknown code"),
        pytest.param(problem(429, "overloaded"), "Retry-After", id="no time to try again"),
        pytest.param(Response(400, {**ID, "content-type": "text/plain"}, b"no"), "as text/plain", id="plain text"),
        pytest.param(Response(307, ID, b""), "status 307", id="a redirection"),
        pytest.param(Response(200, {**ID, "content-type": "application/json"}, b"{"), "cannot be read", id="half JSON"),
        pytest.param(Response(200, {"content-type": "text/plain"}, b"x"), "X-Request-Id", id="no request id"),
    ],
)
def test_an_improper_answer_is_wrong(response: Response, text: str) -> None:
    assert any(text in found for found in wrongs_of(response))


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: b\nX-C: d\r\n\r\n", id="a line feed in a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: \xff\r\n\r\n", id="a byte beyond ASCII in a header"),
        pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", id="a body that ends early"),
        pytest.param(b"ICY 200 OK\r\n\r\n", id="no HTTP"),
    ],
)
def test_a_malformed_response_is_noticed(received: bytes) -> None:
    with pytest.raises(Malformed):
        parse_responses(received, ["GET"], closed=True)


def test_responses_in_a_row_are_taken_apart() -> None:
    received = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHTTP/1.1"
    )
    responses, rest = parse_responses(received, ["HEAD", "GET"], closed=False)
    assert [response.body for response in responses] == [b"", b"ab"]
    assert rest == b"HTTP/1.1"


def test_an_input_is_whole_partial_or_broken() -> None:
    whole = post(b"x") + head("GET", "/")
    assert (read_input(whole).complete, read_input(whole).state) == (2, "whole")
    assert read_input(whole[:-2]).state == "partial"
    assert read_input(b"\0" + whole).state == "broken"


def test_silence_after_a_whole_request_is_wrong() -> None:
    data = head("GET", "/")
    assert "no answer" in wrongs(Exchange(data, read_input(data), closed=True))[0]


def test_findings_name_the_case_and_show_its_bytes() -> None:
    findings = Findings()
    data = head("GET", "/x")
    answer = Response(200, {**ID, "content-type": "application/json"}, b"{}")
    findings.add(Case("a name", data, {404}), Exchange(data, read_input(data), responses=[answer]))
    assert "a name: 200 instead of [404]" in str(findings)
    assert "GET /x" in str(findings)


def test_the_same_seed_gives_the_same_mutant_and_others_give_others() -> None:
    assert mutant(7) == mutant(7)
    assert len({mutant(seed).data for seed in range(500)} - {case.data for case in corpus()}) > 450
