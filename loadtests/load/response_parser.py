"""Bytes from a socket → is the answer complete, and is its status 200.

As little as an answer's end can be told by: the status line and ``Content-Length`` (RFC 9112).
"""

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
GOOD = b"200"


class AnswerError(Exception):
    """An answer whose end cannot be told."""


def read_head(data: bytes) -> tuple[bool, int] | None:
    """Read the head of an answer.

    Args:
        data: The answer's first bytes.

    Returns:
        Whether its status is 200, and the length of head and body in bytes; None where the head is not complete.

    Raises:
        AnswerError: No ``Content-Length``.
    """
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[:end].lower()
    start = head.find(LENGTH)
    if start < 0:
        raise AnswerError(f"no Content-Length, so its end cannot be told: {data[:200]!r}")
    start += len(LENGTH)
    stop = head.find(b"\r", start)
    length = int(head[start:] if stop < 0 else head[start:stop])
    return head[9:12] == GOOD, end + len(HEAD_END) + length


def request_bytes(host: str, path: str, body: bytes, content_type: str) -> bytes:
    """Write a ``POST`` request once, to be sent many times."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
