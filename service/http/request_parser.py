"""bytes ──▶ header blocks, pieces of bodies, ends of requests: httptools, with limits, without protocol upgrades."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import httptools

from service.http.header_block import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    error_of,
    headers_too_large,
    join_headers,
    read_target,
)
from service.messages import Headers


class HeaderBlock(NamedTuple):
    """A request's line and headers.

    Attributes:
        method: in capitals.
        path: percent-decoded, without the query.
        query: behind the `?`.
        headers: one value a name.
        keep_alive: whether the connection may carry another request after it.
        is_old: whether it is HTTP/1.0, whose callers are told that the connection is kept.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    keep_alive: bool = True
    is_old: bool = False


class RequestParser:
    """Parses the requests of one connection.

    Args:
        on_headers: called with the header block of a request.
        on_body: called with a piece of its body.
        on_complete: called at its end.
    """

    def __init__(
        self,
        on_headers: Callable[[HeaderBlock], None],
        on_body: Callable[[bytes], None],
        on_complete: Callable[[], None],
    ) -> None:
        self.target = b""
        """Of the last request."""
        self.headers: list[tuple[bytes, bytes]] = []
        """Of the last request, names in lower case."""
        self.in_headers = True
        """Whether what comes next belongs to a header block."""
        self.begun = 0
        """Requests whose first byte was in the data that came last."""
        self.bare_bytes = 0
        """Bytes that came since the last header block, piece of a body or end of a request."""
        self._on_headers, self._on_body, self._on_complete = on_headers, on_body, on_complete
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Takes what has arrived.

        Raises:
            ClientError: it is no request, or its headers are over the limits.
        """
        self.begun = 0
        self.bare_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            raise error_of(error) from error
        if self.bare_bytes > MAX_HEADER_BYTES:
            raise headers_too_large(f"{self.bare_bytes} bytes and no end")

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
            return
        except httptools.HttpParserUpgrade as asked:
            rest = data[asked.args[0] :]
        self._read_again(rest)

    def _read_again(self, rest: bytes) -> None:
        """Reads a request that asks for a protocol that we do not speak as if it had not; the parser skips its body."""
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
        lines = [b"%b: %b\r\n" % header for header in [*kept, (b"connection", b"close")]]
        line = self._parser.get_method(), self.target, self._parser.get_http_version().encode()
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"%b %b HTTP/%b\r\n" % line + b"".join(lines) + b"\r\n" + rest)

    # ---------------------------------------------------------------- httptools' callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        self.target, self.headers, self.in_headers = b"", [], True
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is none, as the request has begun without it."""
        if len(self.headers) >= MAX_HEADERS:
            raise headers_too_large(f"more than {MAX_HEADERS} headers")
        if self.in_headers:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Hands the header block on, unless it is refused or is to be read again."""
        parser = self._parser
        version, method = parser.get_http_version(), parser.get_method()
        path, query = read_target(method, self.target)
        headers = join_headers(self.headers, version, len(self.target))
        if parser.should_upgrade():
            return
        self.in_headers = False
        self.bare_bytes = 0
        name = method.decode("ascii", "replace")
        self._on_headers(HeaderBlock(name, path, query, headers, parser.should_keep_alive(), version == "1.0"))

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self.bare_bytes = 0
        self._on_body(body)

    def on_message_complete(self) -> None:
        """A request ends, unless it is to be read again."""
        if not self.in_headers:
            self.in_headers = True
            self.bare_bytes = 0
            self._on_complete()
