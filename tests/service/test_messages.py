"""Requests and responses as values, and the bytes of a response."""

from __future__ import annotations

import re
from http import HTTPStatus

import httptools
import pytest

from service.messages import Request, Response, encode
from service.problems import STATUS


def read(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of one response, as another program's parser reads them."""

    class Reader:
        headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012
        body = b""
        is_complete = False

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers = [*self.headers, (name, value)]

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            self.is_complete = True

    reader = Reader()
    parser = httptools.HttpResponseParser(reader)
    parser.feed_data(data)
    assert reader.is_complete
    return parser.get_status_code(), reader.headers, reader.body


@pytest.mark.parametrize("given", [b"a", b"A-Za.z0_9~:/+=-", b"x" * 128])
def test_a_well_formed_id_of_the_callers_is_kept(given: bytes) -> None:
    assert Request("GET", "/", b"", {b"x-request-id": given}).id == given


@pytest.mark.parametrize("given", [None, b"", b"a b", b"\xc3\xa4", b"x" * 129, b"a\r\nb"])
def test_any_other_request_gets_an_id_of_its_own(given: bytes | None) -> None:
    headers = {} if given is None else {b"x-request-id": given}
    ids = {Request("GET", "/", b"", headers).id for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(rb"[0-9a-f]{32}", each) for each in ids)


@pytest.mark.parametrize(
    ("value", "length"), [(b"12", 12), (b"0", 0), (None, None), (b"", None), (b"-1", None), (b"1_0", None)]
)
def test_the_length_of_a_body_is_what_is_announced(value: bytes | None, length: int | None) -> None:
    headers = {} if value is None else {b"content-length": value}
    assert Request("POST", "/", b"", headers).content_length == length


def test_a_response_is_read_as_it_was_meant() -> None:
    response = Response(200, b"body", b"text/plain", [(b"x-a", b"1"), (b"x-a", b"2")], model="m@1")
    status, headers, body = read(encode(response, b"id", [(b"date", b"now")]))
    assert (status, body) == (200, b"body")
    assert sorted(headers) == [
        (b"content-length", b"4"),
        (b"content-type", b"text/plain"),
        (b"date", b"now"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"x-request-id", b"id"),
        (b"x-tandem-model", b"m@1"),
    ]


def test_a_response_to_head_has_every_header_and_no_body() -> None:
    whole = encode(Response(200, b"body"), b"id")
    assert encode(Response(200, b"body"), b"id", is_head=True) == whole.removesuffix(b"body")


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_content_has_neither_length_nor_type(status: int) -> None:
    found, headers, body = read(encode(Response(status), b"id"))
    assert (found, headers, body) == (status, [(b"x-request-id", b"id")], b"")


@pytest.mark.parametrize("status", sorted({200, 204, *STATUS.values()}))
def test_each_status_has_its_phrase(status: int) -> None:
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    assert encode(Response(status), b"id").startswith(line)


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb: c", b"a\rb: c", b"a\r\n\r\n<html>"])
@pytest.mark.parametrize("where", ["name", "value", "content type", "request id", "model", "connection"])
def test_no_header_can_begin_another_line(value: bytes, where: str) -> None:
    response = Response(200, b"", headers=[(b"x-a", b"1")])
    request_id, extra = b"id", []
    match where:
        case "name":
            response.headers = [(value, b"1")]
        case "value":
            response.headers = [(b"x-a", value)]
        case "content type":
            response.content_type = value
        case "request id":
            request_id = value
        case "model":
            response.model = value.decode()
        case _:
            extra = [(b"date", value)]
    with pytest.raises(ValueError, match="a header holds a line's end"):
        encode(response, request_id, extra)


def test_a_models_name_of_any_language_can_be_sent() -> None:
    _, headers, _ = read(encode(Response(200, model="größe-模型@1"), b"id"))
    assert dict(headers)[b"x-tandem-model"] == "größe-??@1".encode("latin-1")
