"""One request and its response, as the gate sees them.

Counts the bytes coming in and stops at the limit, holds back a framework's plain errors and sends problem documents
in their stead, and puts on every response what each must carry.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from models.errors import BadRequest, TandemError, TooLarge
from service.gateway.problems import CODES, MEDIA_TYPE, code_of, framework_problem, problem_of
from service.process.worker import Worker

if TYPE_CHECKING:
    from models.runtime.engine_types import Result

WHOLE = "tandem.response"
"""An ASGI message that is a whole response: `status`, `headers` with the body's length, `body`. A server that takes it
names it among the scope's extensions; ours does."""

REQUEST_ID = b"x-request-id"
TIMEOUT = b"x-request-timeout-ms"
MODEL = b"x-tandem-model"

_ids = random.Random()  # noqa: S311 (an id is no secret; seeded by the kernel, but asking it each time takes 3 µs)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")
_TIMEOUT_MS = range(1, 600_001)

# A body that is refused unread is read all the same where it is so small that it has most likely arrived already;
# hanging up instead would cost both sides a connection.
_DISCARDED_BYTES = 64 * 1024


class Exchange:
    """One request and its response.

    Args:
        scope, receive, send: of ASGI.
        worker: what the process has once: limits, and where the bytes of the body are held.
    """

    __slots__ = (
        "_admission",
        "_body",
        "_body_complete",
        "_lifecycle",
        "_limit_bytes",
        "_receive",
        "_replaced",
        "_send",
        "_too_large",
        "answers",
        "closing",
        "code",
        "deadline",
        "headers",
        "key",
        "model",
        "received_bytes",
        "request_id",
        "scope",
        "sent_bytes",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, worker: Worker) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = self._read_request_id()
        self.started = time.monotonic()
        self.deadline = self.started + worker.settings.deadline_ms / 1000
        """A time of `time.monotonic()`; the request's own header may have shortened it."""
        self.status = 0
        self.code = ""
        """Of the problem that was sent; empty where the request was answered."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.closing = False
        """Whether the connection ends with the response, though the server does not drain."""
        self.key: str | None = None
        """Name of the API key that was shown."""
        self.model: str | None = None
        """The model that answered, `name@version`."""
        self.answers: Sequence[Result | TandemError] = ()
        """What was found for each image."""
        self._receive = receive
        self._send = send
        self._limit_bytes = worker.settings.max_body_bytes
        self._admission = worker.admission
        self._lifecycle = worker.lifecycle
        self._body_complete = False
        self._too_large: TooLarge | None = None
        self._replaced: Message | None = None
        self._body = b""

    # ---------------------------------------------------------------- coming in

    def read_deadline(self) -> bool:
        """Takes the caller's deadline over where it is the shorter one; whether the request names one.

        Raises:
            BadRequest: not a whole number of milliseconds from 1 to 600,000.
        """
        text = self.headers.get(TIMEOUT)
        if text is None:
            return False
        if not text.isdigit() or len(text) > 6 or int(text) not in _TIMEOUT_MS:
            shown = text[:40].decode("latin-1")
            raise BadRequest(
                f"X-Request-Timeout-Ms must be a whole number of milliseconds from {_TIMEOUT_MS[0]} to "
                f"{_TIMEOUT_MS[-1]}; got {shown!r}"
            )
        self.deadline = min(self.deadline, self.started + int(text) / 1000)
        return True

    def check_content_length(self) -> None:
        """Refuses by the announced length, before a byte of the body is read."""
        value = self.headers.get(b"content-length", b"")
        if value.isdigit() and int(value) > self._limit_bytes:
            raise TooLarge(f"the body has {int(value)} bytes; the limit is {self._limit_bytes}")

    async def receive(self) -> Message:
        """Passes the body on, up to the limit."""
        message = await self._receive()
        if message["type"] == "http.request":
            count = len(message.get("body", b""))
            self._body_complete = not message.get("more_body", False)
            if self.received_bytes + count > self._limit_bytes:
                self.closing = True  # the rest is not read
                self._too_large = TooLarge(
                    f"the body has more than {self._limit_bytes} bytes; the limit is {self._limit_bytes}"
                )
                raise self._too_large
            self._admission.hold(count)
            self.received_bytes += count
        return message

    async def read_body(self) -> bytes:
        """Reads the whole body.

        Raises:
            TooLarge, Overloaded: over the limit, or no room for it.
            ClientDisconnect: the caller went away.
        """
        chunks = []
        while not self._body_complete:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def take_body(self, body: bytes) -> None:
        """Counts a body that is there as a whole.

        Raises:
            TooLarge, Overloaded: over the limit, or no room for it.
        """
        self._body_complete = True
        if len(body) > self._limit_bytes:
            raise TooLarge(f"the body has {len(body)} bytes; the limit is {self._limit_bytes}")
        self._admission.hold(len(body))
        self.received_bytes = len(body)

    def replayed(self, body: bytes) -> Receive:
        """A `receive` that gives a body again that was read already."""
        rest = [body]

        async def receive() -> Message:
            if rest:
                return {"type": "http.request", "body": rest.pop(), "more_body": False}
            return await self._receive()

        return receive

    async def discard_body(self) -> None:
        """Reads what is left of a small body, so that the connection can be kept though the request is refused."""
        length = self.headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > min(_DISCARDED_BYTES, self._limit_bytes):
            return
        while not self._body_complete and (await self.receive())["type"] == "http.request":
            pass

    def close(self) -> None:
        """Gives back what was held, and lets go of errors, whose tracebacks lead here; call once, at the end."""
        self._admission.release(self.received_bytes)
        self.answers = ()
        self._too_large = None

    def _read_request_id(self) -> bytes:
        given = self.headers.get(REQUEST_ID)
        return given if given is not None and _REQUEST_ID.fullmatch(given) else b"%032x" % _ids.getrandbits(128)

    # ---------------------------------------------------------------- going out

    async def send(self, message: Message) -> None:
        """Passes a response on; one that is to be a problem and is not yet is held back and rewritten.

        Raises:
            ClientDisconnect: the caller went away.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            is_problem = self.status < 300 or _header(message, b"content-type") == MEDIA_TYPE.encode()
            if self._too_large is not None or not is_problem:
                self._replaced = message
                return
            if self.status >= 400 and not self.code:  # a problem that BentoML's route passed on
                self.code = CODES.get(self.status, "internal")
            self._add_headers(message)
        elif self._replaced is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self.respond(self._rewritten(self._replaced))
            return
        else:
            self.sent_bytes += len(message.get("body", b""))
        await self._deliver(message)

    async def _deliver(self, message: Message) -> None:
        try:
            await self._send(message)
        except RuntimeError as error:  # uvloop's word for a connection that is gone
            if "closed" not in str(error):
                raise
            raise ClientDisconnect from error

    async def respond(self, response: Response) -> None:
        """Sends a response of our own, unless one is under way already."""
        if self.status and self._replaced is None:
            return
        self._replaced = None
        if WHOLE not in self.scope.get("extensions", ()):
            await response(self.scope, self._receive, self.send)
            return
        await self._deliver(self.whole(response))

    def whole(self, response: Response) -> Message:
        """The message `WHOLE` of a response of our own, with what each response must carry."""
        body = bytes(response.body)
        message = {"type": WHOLE, "status": response.status_code, "headers": response.raw_headers, "body": body}
        self.status = response.status_code
        self.sent_bytes += len(body)
        self._add_headers(message)
        return message

    async def fail(self, error: TandemError) -> None:
        """Answers with a problem, unless a response is under way already."""
        error = self._too_large or error
        self._too_large = None
        if self.status == 0 or self._replaced is not None:
            self.code = code_of(error)
        await self.respond(problem_of(error.as_value()))

    def _add_headers(self, start: Message) -> None:
        headers = [*start.get("headers", ()), (REQUEST_ID, self.request_id)]
        if self.model is not None:
            headers.append((MODEL, self.model.encode("latin-1", "replace")))
        if self.closing or self._lifecycle.draining or (not self._body_complete and self._has_body):
            headers.append((b"connection", b"close"))  # what is left of the body would be taken for a request
        start["headers"] = headers

    @property
    def _has_body(self) -> bool:
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    def _rewritten(self, start: Message) -> Response:
        if self._too_large is not None:
            error, self._too_large = self._too_large, None
            self.code = error.code
            return problem_of(error)
        self.code, response = framework_problem(start["status"], self._body, self.scope, _header(start, b"allow"))
        return response


CURRENT: ContextVar[Exchange] = ContextVar("exchange")
"""The exchange that the running task belongs to."""


def _header(start: Message, name: bytes) -> bytes:
    return next((value for key, value in start.get("headers", ()) if key.lower() == name), b"")
