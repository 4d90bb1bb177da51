"""head of a request ──▶ accepted, or a ClientError that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

import httptools

from models.errors import BadRequest, ClientError, HeadersTooLarge

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100


def check_head(method: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuses what cannot be answered.

    Raises:
        HeadersTooLarge: more bytes than the limit.
        BadRequest: a request to a proxy, or one without a path.
    """
    size = len(url) + sum([len(name) + len(value) for name, value in headers])
    if size > MAX_HEAD_BYTES:
        raise too_large(f"{size} bytes")
    if method == b"CONNECT":
        raise BadRequest("CONNECT is a request to a proxy, and this is none")
    if not url.startswith(b"/") and not httptools.parse_url(url).path:
        raise BadRequest(f"the request's target has no path: {url[:100]!r}")


def too_large(found: str) -> HeadersTooLarge:
    """The error of a head that has more than it may."""
    return HeadersTooLarge(
        f"the request's head has {found}; the limits are {MAX_HEADERS} headers, {MAX_HEAD_BYTES} bytes"
    )


def fault_of(error: httptools.HttpParserError) -> ClientError:
    """What a parser's error is to the caller: our own if it was raised within one of the parser's callbacks."""
    within = error.__context__
    if isinstance(within, ClientError):
        return within
    return BadRequest(f"not an HTTP/1.1 request: {within or error}"[:200])
