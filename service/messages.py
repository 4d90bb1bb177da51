"""One request and one response, as plain values that every transport shares."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.errors import TandemError
    from models.runtime.engine_types import Result
    from models.runtime.head_answers import Answered

Headers = Mapping[bytes, bytes]
"""Lower-case names; the values of a repeated header are joined by commas."""

OTHER = "other"

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
_ids = random.Random()  # noqa: S311 (an id is no secret; seeded by the kernel, but asking it each time takes 3 µs)


@dataclass(slots=True, eq=False)
class Request:
    """One HTTP request.

    Attributes:
        method: in capitals.
        path: percent-decoded, without the query.
        query: behind the `?`, as sent.
        headers: see `Headers`.
        body: the whole of it, once it has come.
        client: address of the peer.
        scheme: `http` or `https`.
        id: the caller's `X-Request-Id` where it is well formed, else 32 hex digits: 12 of the time, in ms, then random.
        started: when the headers were complete, a time of `time.monotonic()`.
        deadline: when the answer is of no use any more, on the same clock.
        received_bytes: of the body, so far.
        key: name of the API key that was shown.
        route: the path of the route that answers, as the routes have it: `/v2/models/{model}`; `other` for none.
        parameters: what the path has in the places of a route's `{names}`.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes = b""
    client: str | None = None
    scheme: str = "http"
    id: bytes = b""
    started: float = field(default_factory=time.monotonic)
    deadline: float = float("inf")
    received_bytes: int = 0
    key: str | None = None
    route: str = OTHER
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.headers.get(b"x-request-id")
        is_good = given is not None and _REQUEST_ID.fullmatch(given)
        # Time first: a database's index of ids grows at its end, which costs a row half as much
        self.id = given if is_good and given else b"%012x%020x" % (time.time_ns() // 1_000_000, _ids.getrandbits(80))

    @property
    def content_type(self) -> str:
        """Of the body; empty where the request has none."""
        return self.headers.get(b"content-type", b"").decode("latin-1")

    @property
    def content_length(self) -> int | None:
        """As announced; None where the length is not known before the body's end."""
        value = self.headers.get(b"content-length")
        return int(value) if value is not None and value.isdigit() else None


@dataclass(slots=True, eq=False)
class Response:
    """One HTTP response, and what metrics, log and trace tell of it.

    Attributes:
        status: of HTTP.
        body: the whole of it.
        content_type: of the body.
        headers: further ones.
        code: of the problem document; empty where the request was answered.
        model: `name@version` that answered.
        results: what was found for each image.
        decided: the images that were decided on, to be recorded; none where only embeddings were asked for.
    """

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()
    code: str = ""
    model: str | None = None
    results: Sequence[Result | TandemError] = ()
    decided: Sequence[Answered] = ()

    def header_lines(self, request_id: bytes) -> list[tuple[bytes, bytes]]:
        """The headers that every transport sends; its own are added by the connection."""
        lines = [(b"x-request-id", request_id), *self.headers]
        if self.status not in (204, 304):  # which have no body
            lines += [(b"content-type", self.content_type), (b"content-length", b"%d" % len(self.body))]
        if self.model is not None:
            lines.append((b"x-tandem-model", self.model.encode("latin-1", "replace")))
        return lines


_STATUS_LINES = {int(status): b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


def encode(
    response: Response, request_id: bytes, extra: Sequence[tuple[bytes, bytes]] = (), *, is_head: bool = False
) -> bytes:
    """The bytes of a response in HTTP/1.1: the only place that writes them.

    Args:
        response: any.
        request_id: that it answers.
        extra: headers of the connection.
        is_head: whether the body is left out.

    Raises:
        ValueError: a header would begin another one.
    """
    lines = [*response.header_lines(request_id), *extra]
    block = b"".join([b"%b: %b\r\n" % line for line in lines])
    if not block.count(b"\r") == block.count(b"\n") == len(lines):
        raise ValueError(f"a header holds a line's end: {lines}")
    return b"%b%b\r\n%b" % (_STATUS_LINES[response.status], block, b"" if is_head else response.body)
