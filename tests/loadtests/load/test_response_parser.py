"""Where an answer ends, and whether it is a good one."""

import pytest

from loadtests.load.response_parser import AnswerError, read_head, request_bytes


@pytest.mark.parametrize("name", ["Content-Length", "content-length"], ids=["as most write it", "in small letters"])
def test_the_length_of_head_and_body_is_read(name: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nServer: x\r\n{name}: 12\r\n\r\n".encode()
    assert read_head(head + b"{") == (True, len(head) + 12)


def test_a_length_in_front_of_other_headers_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length:7\r\nserver: x\r\n\r\n"
    assert read_head(head) == (True, len(head) + 7)


def test_another_status_is_not_a_good_answer() -> None:
    answer = read_head(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
    assert answer is not None
    assert answer[0] is False


def test_half_a_head_says_nothing_yet() -> None:
    assert read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 1") is None


def test_an_answer_whose_end_cannot_be_told_is_an_error() -> None:
    with pytest.raises(AnswerError, match="no Content-Length"):
        read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_a_request_is_head_and_body() -> None:
    request = request_bytes("127.0.0.1:80", "/v1/predict", b"image", "image/png")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /v1/predict HTTP/1.1"
    assert b"Content-Length: 5" in head.splitlines()
    assert body == b"image"
