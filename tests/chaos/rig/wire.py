"""bytes ──▶ a real server ──▶ what came back, and what is wrong with it.

What counts as a complete request is read off the input by httptools, whatever parser the server uses; what counts as a
proper answer is written here anew, from the contract and not from the service's own tables.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import httptools

PATIENCE_S = 5.0
QUIET_S = 0.04  # so long a server that waits for the rest of a request is listened to
_SOCKET_BUFFER_BYTES = 65536  # beyond, a refusal may cross what is still being sent and be lost to a reset

STATUS_OF_CODE = {
    "bad_request": 400,
    "bad_image": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_type": 415,
    "bad_columns": 422,
    "overloaded": 429,
    "headers_too_large": 431,
    "not_implemented": 501,
    "not_ready": 503,
    "deadline_exceeded": 504,
    "version_not_supported": 505,
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=-]{1,128}")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [\x20-\x7e]*")
_UPGRADE = re.compile(rb"(?i)(\r\n)u(pgrade:)")  # to which this server does not rise: the header means nothing
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e\t]*)")


class Malformed(Exception):
    """What the server sent is not HTTP."""


@dataclass
class Reading:
    """What a parser of HTTP finds in the bytes of an input."""

    methods: list[str] = field(default_factory=list)
    """Of the requests whose header block is there."""
    complete: int = 0
    """Requests that are there to their end."""
    state: Literal["whole", "partial", "broken"] = "partial"
    """Ends with a request; ends within one; is no HTTP."""


@dataclass(frozen=True)
class Response:
    """One final response; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """One connection: what was sent and what came back."""

    data: bytes
    reading: Reading
    piece_bytes: int = _SOCKET_BUFFER_BYTES
    received: bytes = b""
    responses: list[Response] = field(default_factory=list)
    rest: bytes = b""
    sent: int = 0
    closed: bool = False
    reset: bool = False
    seconds: float = 0.0
    wrong: str = ""


class _Counter:
    """httptools' callbacks."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.open = False
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.open = True

    def on_headers_complete(self) -> None:
        self.reading.methods.append(self.parser.get_method().decode("latin-1"))

    def on_message_complete(self) -> None:
        self.open = False
        self.reading.complete += 1


def read_input(data: bytes) -> Reading:
    """Counts the requests in an input."""
    counter = _Counter()
    try:
        counter.parser.feed_data(_UPGRADE.sub(rb"\1X\2", data))
    except httptools.HttpParserUpgrade:
        counter.reading.state = "whole"
    except httptools.HttpParserError:
        counter.reading.state = "broken"
    else:
        if counter.reading.complete and not counter.open:
            counter.reading.state = "whole"
    return counter.reading


def exchange(
    address: tuple[str, int], data: bytes, patience_s: float = PATIENCE_S, piece_bytes: int = _SOCKET_BUFFER_BYTES
) -> Exchange:
    """Sends an input on a connection of its own and listens until all answers are there, or none is due.

    Args:
        address: of the server.
        data: the input.
        patience_s: silence for longer, where an answer is due, is a hang.
        piece_bytes: of the pieces that it is sent in.
    """
    found = Exchange(data, read_input(data), piece_bytes=piece_bytes)
    started = time.monotonic()
    with socket.create_connection(address, timeout=patience_s) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        try:
            _converse(connection, found, started + patience_s)
        except (ConnectionResetError, BrokenPipeError):
            found.closed = found.reset = True
        except Malformed as error:
            found.wrong = f"malformed response: {error}"
    found.seconds = time.monotonic() - started
    return found


def send_and_leave(address: tuple[str, int], data: bytes, patience_s: float = PATIENCE_S) -> Exchange:
    """Sends an input and resets the connection before any answer can have come: nothing is due then."""
    found = Exchange(data, Reading())
    with socket.create_connection(address, timeout=patience_s) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(data)
    return found


def _converse(connection: socket.socket, found: Exchange, deadline: float) -> None:
    while not _is_done(found):
        unsent = found.sent < len(found.data)
        waits = not unsent and found.reading.state == "partial" and not found.reading.complete and not found.responses
        limit_s = min(QUIET_S, deadline - time.monotonic()) if waits else deadline - time.monotonic()
        readable, writable, _ = select.select([connection], [connection] if unsent else [], [], max(0.0, limit_s))
        if readable:
            _receive(connection, found)
        elif writable:
            try:
                found.sent += connection.send(found.data[found.sent : found.sent + found.piece_bytes])
            except (ConnectionResetError, BrokenPipeError):
                found.sent = len(found.data)  # refused; the reason may still be there to read
        elif waits:
            return
        else:
            found.wrong = f"hang: no answer in {PATIENCE_S:g} s"
            return


def _receive(connection: socket.socket, found: Exchange) -> None:
    chunk = connection.recv(1 << 18)
    found.received += chunk
    found.closed = not chunk
    found.responses, found.rest = parse_responses(found.received, found.reading.methods, found.closed)


def _is_done(found: Exchange) -> bool:
    if found.closed:
        return True
    if found.sent < len(found.data) or found.reading.state == "broken":
        return False
    return len(found.responses) >= max(1, found.reading.complete)


def parse_responses(received: bytes, methods: list[str], closed: bool) -> tuple[list[Response], bytes]:
    """Takes apart what a server sent, strictly.

    Args:
        received: all of it.
        methods: of the requests, in order: an answer to HEAD has no body.
        closed: whether the connection has ended.

    Returns:
        The final responses, and what is left over.

    Raises:
        Malformed: a status line, header or length that RFC 9112 does not allow, or a body that ends early.
    """
    responses: list[Response] = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, headers = _parse_head(head)
        if status < 200:
            received = rest
            if status != 100:
                raise Malformed(f"interim status {status}")
            continue
        method = methods[len(responses)] if len(responses) < len(methods) else "GET"
        body = _take_body(status, headers, rest, method, closed)
        if body is None:
            break
        content, received = body
        responses.append(Response(status, headers, content))
    if closed and received:
        raise Malformed(f"the connection ended within a response: {received[:200]!r}")
    return responses, received


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise Malformed(f"status line {first[:200]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        parts = _FIELD.fullmatch(line)
        if not parts:
            raise Malformed(f"header line {line[:200]!r}")
        name = parts[1].decode().lower()
        if name in headers and name in ("content-length", "content-type", "transfer-encoding", "x-request-id"):
            raise Malformed(f"header {name} twice")
        headers[name] = parts[2].decode().strip()
    return int(status[1]), headers


def _take_body(
    status: int, headers: dict[str, str], rest: bytes, method: str, closed: bool
) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None where it is not all there yet."""
    # what is no HTTP may follow a HEAD, and its refusal is the only answer then
    is_refusal = status in (400, 431, 501, 505) and rest and not rest.startswith(b"HTTP/")
    if status in (204, 304) or (method == "HEAD" and not is_refusal):
        return b"", rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _take_chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    return (rest, b"") if closed else None


def _take_chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            raise Malformed(f"chunk size {size[:40]!r}")
        length = int(size, 16)
        if len(rest) < length + 2:
            return None
        if rest[length : length + 2] != b"\r\n":
            raise Malformed("chunk without its end")
        body, rest = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return body, rest
    return None


def wrongs(found: Exchange) -> list[str]:
    """What the contract does not allow in an exchange; empty where all is well."""
    if found.wrong:
        return [found.wrong]
    due = found.reading.complete or found.reading.state == "broken"
    if due and not found.responses and not (found.reset and len(found.data) > _SOCKET_BUFFER_BYTES):
        return [f"no answer to {'a whole request' if found.reading.complete else 'what is no HTTP'}, but a closed door"]
    extra = [f"left over: {found.rest[:100]!r}"] if found.rest else []
    return extra + [text for response in found.responses for text in wrongs_of(response)]


def wrongs_of(response: Response) -> list[str]:
    """What the contract does not allow in one response."""
    found = [] if _REQUEST_ID.fullmatch(response.headers.get("x-request-id", "")) else ["no X-Request-Id"]
    if response.status >= 400:
        return found + _wrongs_of_problem(response)
    if response.status != 200:
        return [*found, f"status {response.status}"]
    return found + _wrongs_of_success(response)


def _wrongs_of_problem(response: Response) -> list[str]:
    kind = response.headers.get("content-type")
    if kind != "application/problem+json":
        return [f"{response.status} as {kind}"]
    if not response.body:  # to HEAD
        return [] if response.status in STATUS_OF_CODE.values() else [f"status {response.status}"]
    try:
        document = response.json()
    except ValueError as error:
        return [f"{response.status} whose body is not JSON: {error}"]
    if not isinstance(document, dict) or not {"type", "title", "status", "code", "detail"} <= set(document):
        return [f"{response.status} whose body is no problem: {document!r:.200}"]
    if document["status"] != response.status or STATUS_OF_CODE.get(document["code"]) != response.status:
        return [f"{response.status} with code {document['code']!r} and status {document['status']}"]
    return ["429 without Retry-After"] if response.status == 429 and "retry-after" not in response.headers else []


def _wrongs_of_success(response: Response) -> list[str]:
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind == "application/octet-stream" and "x-tandem-shape" in response.headers:
        rows, width = map(int, response.headers["x-tandem-shape"].split(","))
        return [] if len(response.body) in (0, 4 * rows * width) else ["raw embeddings of another size"]
    if kind != "application/json" or not response.body:
        return [] if kind else ["success without a content type"]
    with contextlib.suppress(ValueError):
        return [] if isinstance(response.json(), dict | list) else ["JSON of another kind"]
    return ["success whose JSON cannot be read"]
