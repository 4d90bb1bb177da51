"""Where a response ends, and whether its status is 200."""

import pytest

from loadtests.load.response_parser import ResponseError, read_headers, request_bytes


@pytest.mark.parametrize("name", ["Content-Length", "content-length"], ids=["as most write it", "in small letters"])
def test_the_length_of_headers_and_body_is_read(name: str) -> None:
    headers = f"HTTP/1.1 200 OK\r\nServer: x\r\n{name}: 12\r\n\r\n".encode()
    assert read_headers(headers + b"{") == (True, len(headers) + 12)


def test_a_length_in_front_of_other_headers_is_read() -> None:
    headers = b"HTTP/1.1 200 OK\r\ncontent-length:7\r\nserver: x\r\n\r\n"
    assert read_headers(headers) == (True, len(headers) + 7)


def test_another_status_is_not_ok() -> None:
    answer = read_headers(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
    assert answer is not None
    assert answer[0] is False


def test_an_incomplete_header_block_is_none() -> None:
    assert read_headers(b"HTTP/1.1 200 OK\r\ncontent-length: 1") is None


def test_a_response_without_a_length_is_an_error() -> None:
    with pytest.raises(ResponseError, match="no Content-Length"):
        read_headers(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_a_request_is_headers_and_body() -> None:
    request = request_bytes("127.0.0.1:80", "/v1/predict", b"image", "image/png")
    headers, _, body = request.partition(b"\r\n\r\n")
    assert headers.splitlines()[0] == b"POST /v1/predict HTTP/1.1"
    assert b"Content-Length: 5" in headers.splitlines()
    assert body == b"image"
