"""`Content-Encoding` ──▶ the body as it was before: gzip and deflate are undone within the limit of a body."""

from __future__ import annotations

import asyncio
import zlib

from models.errors import BadRequest, TooLarge, UnsupportedType
from service.messages import Request

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_IN_PLACE_BYTES = 16 * 1024
"""Larger bodies are undone in a thread; of so many zlib makes at most 16 MiB, in about 20 ms."""


async def decoded_body(request: Request, limit_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        UnsupportedType: an encoding other than gzip, deflate and identity, or two of them.
        BadRequest: the body is not in the encoding.
        TooLarge: the body has more bytes than the limit once it is undone.
    """
    encoding = request.headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if encoding in ("", "identity"):
        return request.body
    if encoding not in _WINDOWS:
        raise UnsupportedType(f"content encoding {encoding[:40]!r} is not undone; send the body as it is, or in gzip")
    if len(request.body) <= _IN_PLACE_BYTES:
        return _inflated(request.body, encoding, limit_bytes)
    return await asyncio.to_thread(_inflated, request.body, encoding, limit_bytes)


def _inflated(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    inflater = zlib.decompressobj(_WINDOWS[encoding])
    try:
        data = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BadRequest(f"the body is not {encoding}: {error}") from error
    if len(data) > limit_bytes:
        raise TooLarge(f"the body, once {encoding} is undone, has more than {limit_bytes} bytes, the limit")
    if not inflater.eof or inflater.unused_data:
        what = "ends early" if not inflater.eof else "has bytes behind its end"
        raise BadRequest(f"the body is not {encoding}: it {what}")
    return data
