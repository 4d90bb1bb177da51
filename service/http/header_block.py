"""target and headers of a request ──▶ path, query and one value a header, or a `ClientError`."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import httptools

from models.errors import BadRequest, ClientError, HeadersTooLarge, UnsupportedCoding, UnsupportedVersion

MAX_HEADER_BYTES = 32 * 1024
MAX_HEADERS = 100

ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host"})
"""Headers that a request may have once; two of them mean different things to different programs on its way."""


def read_target(method: bytes, target: bytes) -> tuple[str, bytes]:
    """Path and query of a request's target.

    Raises:
        BadRequest: a request to a proxy, or a target without a path.
        HeadersTooLarge: a target of more bytes than all headers may have.
    """
    if len(target) > MAX_HEADER_BYTES:
        raise headers_too_large(f"a target of {len(target)} bytes")
    if method == b"CONNECT":
        raise BadRequest("CONNECT is a request to a proxy, and this is none")
    if not target.startswith(b"/"):
        try:
            url = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError:
            url = None
        if url is None or not url.path:
            raise BadRequest(f"the request's target has no path: {target[:100]!r}")
        target = url.path + (b"?" + url.query if url.query else b"")
    path, _, query = target.partition(b"#")[0].partition(b"?")
    text = path.decode("latin-1")
    return (unquote(text) if "%" in text else text), query


def join_headers(
    headers: Sequence[tuple[bytes, bytes]], version: str = "1.1", target_bytes: int = 0
) -> dict[bytes, bytes]:
    """One value a name.

    Args:
        headers: names in lower case, values, in their order.
        version: of HTTP.
        target_bytes: size of the request's target, which counts against the limit of bytes.

    Raises:
        BadRequest: a header that may come once came twice, or HTTP/1.1 without `Host`.
        UnsupportedCoding: a transfer coding other than chunked.
        UnsupportedVersion: neither HTTP/1.0 nor HTTP/1.1.
        HeadersTooLarge: more bytes than the limit.
    """
    if version not in ("1.1", "1.0"):
        raise UnsupportedVersion(f"HTTP/{version} is not spoken on this connection; use HTTP/1.1")
    joined: dict[bytes, bytes] = {}
    size = target_bytes
    for name, value in headers:
        size += len(name) + len(value)
        if name not in joined:
            joined[name] = value
        elif name in ONCE:
            raise BadRequest(f"the request has two headers {name.decode('latin-1')!r}; one is allowed")
        else:
            joined[name] += b", " + value
    if size > MAX_HEADER_BYTES:
        raise headers_too_large(f"{size} bytes")
    if version == "1.1" and b"host" not in joined:
        raise BadRequest("an HTTP/1.1 request must have a header 'Host'")
    coding = joined.get(b"transfer-encoding")
    if coding is not None and coding.strip().lower() != b"chunked":
        shown = coding[:40].decode("latin-1")
        raise UnsupportedCoding(f"transfer coding {shown!r} is not implemented; send 'chunked' or a Content-Length")
    return joined


def headers_too_large(found: str) -> HeadersTooLarge:
    """The error of headers that are more than they may be."""
    return HeadersTooLarge(
        f"the request's headers have {found}; the limits are {MAX_HEADERS} headers, {MAX_HEADER_BYTES} bytes"
    )


def error_of(error: httptools.HttpParserError) -> ClientError:
    """What a parser's error is to the caller: our own if it was raised within one of the parser's callbacks."""
    within = error.__context__
    if isinstance(within, ClientError):
        return within
    return BadRequest(f"not an HTTP/1.1 request: {within or error}"[:200])
