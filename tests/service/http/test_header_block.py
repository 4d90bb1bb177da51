"""The target and the headers of a request."""

from __future__ import annotations

import pytest

from models.errors import BadRequest, ClientError, HeadersTooLarge, UnsupportedCoding, UnsupportedVersion
from service.http.header_block import MAX_HEADER_BYTES, ONCE, join_headers, read_target

HOST = (b"host", b"x")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/a?b=c&d", "/a", b"b=c&d"),
        (b"/a%20b%C3%A4", "/a bä", b""),
        (b"/a#b?c", "/a", b""),
        (b"/a?b#c", "/a", b"b"),
        (b"//a", "//a", b""),
        (b"*", "*", b""),
        (b"http://x:1/a?b", "/a", b"b"),
    ],
)
def test_a_target_has_a_path_and_a_query(target: bytes, path: str, query: bytes) -> None:
    assert read_target(b"GET", target) == (path, query)


@pytest.mark.parametrize("target", [b"x", b"", b"http://x", b"http://[/"])
def test_a_target_without_a_path_is_refused_by_its_text(target: bytes) -> None:
    with pytest.raises(BadRequest, match="no path"):
        read_target(b"GET", target)


def test_connect_is_refused() -> None:
    with pytest.raises(BadRequest, match="CONNECT"):
        read_target(b"CONNECT", b"/a")


def test_values_of_a_repeated_header_are_joined_in_their_order() -> None:
    assert join_headers([HOST, (b"a", b"1"), (b"b", b"2"), (b"a", b"3")]) == {b"host": b"x", b"a": b"1, 3", b"b": b"2"}


@pytest.mark.parametrize("name", sorted(ONCE), ids=bytes.decode)
def test_a_header_that_may_come_once_is_refused_when_it_comes_twice(name: bytes) -> None:
    headers = [(b"host", b"x"), (name, b"1")] if name != b"host" else [HOST]
    assert join_headers(headers)
    with pytest.raises(BadRequest, match=f"two headers '{name.decode()}'"):
        join_headers([*headers, (name, b"1")])


@pytest.mark.parametrize(
    ("headers", "version", "error"),
    [
        pytest.param([], "1.0", None, id="HTTP/1.0 without a host"),
        pytest.param([], "1.1", BadRequest, id="HTTP/1.1 without a host"),
        pytest.param([HOST], "2.0", UnsupportedVersion, id="HTTP/2.0"),
        pytest.param([HOST], "0.9", UnsupportedVersion, id="HTTP/0.9"),
        pytest.param([HOST, (b"transfer-encoding", b" Chunked ")], "1.1", None, id="chunked"),
        pytest.param([HOST, (b"transfer-encoding", b"gzip, chunked")], "1.1", UnsupportedCoding, id="gzip, chunked"),
    ],
)
def test_what_this_server_does_not_speak_is_refused(
    headers: list[tuple[bytes, bytes]], version: str, error: type[ClientError] | None
) -> None:
    if error is None:
        assert join_headers(headers, version) == dict(headers)
    else:
        with pytest.raises(error):
            join_headers(headers, version)


@pytest.mark.parametrize(("over", "target_bytes"), [(0, 0), (1, 0), (0, 1)], ids=["at", "over", "over by the target"])
def test_headers_and_target_have_a_limit_of_bytes(over: int, target_bytes: int) -> None:
    headers = [HOST, (b"a", bytes(MAX_HEADER_BYTES - 6 + over))]
    if over or target_bytes:
        with pytest.raises(HeadersTooLarge, match=f"{MAX_HEADER_BYTES + 1} bytes; the limits are 100 headers"):
            join_headers(headers, "1.1", target_bytes)
    else:
        assert join_headers(headers, "1.1", target_bytes)
