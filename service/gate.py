"""The outermost of our layers, around mounted and native routes alike.

It bounds the body while it arrives, turns every error, ours or a framework's, into problem+json, and measures.
The mounted routes are called from here, past BentoML's router and middlewares, which do nothing for them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import TandemError, TooLarge, UnsupportedType
from service.metrics import Metrics
from service.problems import CODES, MEDIA_TYPE, problem, problem_of

logger = logging.getLogger(__name__)

ROUTES = frozenset({"/v1/predict", "/v1/embed", "/v1/models", "/predict"})
CLIENT_CLOSED_REQUEST = 499  # nginx's number for a caller that went away; only metrics see it
_JSON_ROUTES = frozenset({"/predict"})
_PROBES = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})


class Gate:
    """ASGI middleware.

    Args:
        app: what it surrounds.
        routes: the mounted application, whose routes are called directly.
        max_body_bytes: limit of a request's body.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, *, routes: Starlette, max_body_bytes: int, metrics: Metrics) -> None:
        self.app = app
        self.routes = routes
        self.direct = {route.path: route for route in routes.routes if isinstance(route, Route)}
        self.max_body_bytes = max_body_bytes
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = _Exchange(scope, receive, send, self.max_body_bytes)
        try:
            exchange.check_content_length()
            exchange.check_content_type()
            await self._call(scope, exchange)
        except TandemError as error:
            await exchange.fail(error)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED_REQUEST
        except Exception:  # whatever it is, the client gets a problem document and the log the traceback
            logger.exception("%s %r failed", scope["method"], scope["path"])
            await exchange.fail(TandemError("internal error; the server's log has the details"))
        if scope["path"] not in _PROBES:
            route = scope["path"] if scope["path"] in ROUTES else "other"
            self.metrics.observe_request(route, exchange.status, time.perf_counter() - started)

    async def _call(self, scope: Scope, exchange: _Exchange) -> None:
        route = self.direct.get(scope["path"])
        if route is None or scope["method"] not in (route.methods or ()):
            await self.app(scope, exchange.receive, exchange.send)
            return
        scope["app"] = self.routes
        await route.app(scope, exchange.receive, exchange.send)


class _Exchange:
    """One request and its response: counts the bytes coming in, replaces plain errors going out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit_bytes: int) -> None:
        self.scope = scope
        self.status = 0
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._too_large: TooLarge | None = None
        self._replaced: Message | None = None
        self._body = b""

    def check_content_length(self) -> None:
        """Refuses by the announced length, before a byte of the body is read."""
        for name, value in self.scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit_bytes:
                raise TooLarge(f"the body has {int(value)} bytes; the limit is {self._limit_bytes}")

    def check_content_type(self) -> None:
        """Keeps all but JSON from BentoML's native route, which takes forms, too, and answers bad ones with 500."""
        if self.scope["path"] not in _JSON_ROUTES:
            return
        kinds = [value for name, value in self.scope["headers"] if name == b"content-type"]
        if kinds and kinds[0].split(b";")[0].strip().lower() != b"application/json":
            shown = kinds[0].decode("latin-1")[:100]
            raise UnsupportedType(f"content type {shown!r} is not accepted here; send application/json")

    async def receive(self) -> Message:
        """Passes the body on, up to the limit."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes > self._limit_bytes:
                self._too_large = TooLarge(
                    f"the body has more than {self._received_bytes - 1} bytes; the limit is {self._limit_bytes}"
                )
                raise self._too_large
        return message

    async def send(self, message: Message) -> None:
        """Passes a response on; one that is to be a problem and is not yet is held back and rewritten."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            is_problem = self.status < 400 or _header(message, b"content-type") == MEDIA_TYPE.encode()
            if self._too_large is not None or not is_problem:
                self._replaced = message
                return
        elif self._replaced is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._respond(self._rewritten(self._replaced))
            return
        await self._send(message)

    async def fail(self, error: TandemError) -> None:
        """Answers with a problem, unless a response is under way already."""
        if self.status == 0 or self._replaced is not None:
            await self._respond(problem_of(self._too_large or error))

    async def _respond(self, response: Response) -> None:
        self.status = response.status_code
        self._replaced = None
        if self._too_large is not None:  # the rest of the body is not read, so the connection cannot be kept
            response.headers["connection"] = "close"
        await response(self.scope, self._receive, self._send)

    def _rewritten(self, start: Message) -> Response:
        if self._too_large is not None:
            return problem_of(self._too_large)
        status = start["status"]
        path = self.scope["path"][:200]
        known: dict[int, Callable[[], str]] = {
            404: lambda: f"no route {path!r}; see /docs.json",
            405: lambda: f"{self.scope['method'][:20]} is not allowed on {path!r}",
        }
        detail = known[status]() if status in known else _framework_detail(self._body)
        allow = _header(start, b"allow")
        headers = {"Allow": allow.decode("latin-1")} if allow else None
        code = CODES.get(status, "bad_request" if status < 500 else "internal")
        return problem(code, detail, headers, status=status)


def _header(start: Message, name: bytes) -> bytes:
    return next((value for key, value in start.get("headers", ()) if key.lower() == name), b"")


def _framework_detail(body: bytes) -> str:
    """The sentence in a framework's own error body: BentoML's JSON, or plain text."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:500] or "the request could not be answered"
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return str(document)[:500]
    details = document.get("detail")
    if isinstance(details, list) and details:
        where = ".".join(str(part) for part in details[0].get("loc", ()))
        message = details[0].get("msg", "")
        return f"{where}: {message}"[:500] if where else message[:500]
    return str(document.get("error", document))[:500]
