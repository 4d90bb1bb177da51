"""Bytes from a socket ──▶ whether the response is complete, and whether its status is 200 (RFC 9112).

It reads no more than the status line and ``Content-Length``.
"""

HEADERS_END = b"\r\n\r\n"
LENGTH = b"content-length:"
OK = b"200"


class ResponseError(Exception):
    """The end of a response cannot be found."""


def read_headers(data: bytes) -> tuple[bool, int] | None:
    """Read the header block of a response.

    Args:
        data: First bytes of the response.

    Returns:
        Whether the status is 200, and the length of headers and body in bytes; None if the headers are not complete.

    Raises:
        ResponseError: There is no ``Content-Length``.
    """
    end = data.find(HEADERS_END)
    if end < 0:
        return None
    headers = data[:end].lower()
    start = headers.find(LENGTH)
    if start < 0:
        raise ResponseError(f"no Content-Length, so the end of the response cannot be found: {data[:200]!r}")
    start += len(LENGTH)
    stop = headers.find(b"\r", start)
    length = int(headers[start:] if stop < 0 else headers[start:stop])
    return headers[9:12] == OK, end + len(HEADERS_END) + length


def request_bytes(host: str, path: str, body: bytes, content_type: str) -> bytes:
    """Return a ``POST`` request."""
    lines = f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"
    return "\r\n".join([*lines, "", ""]).encode() + body
