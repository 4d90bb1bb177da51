"""The outermost of our layers, around mounted and native routes alike.

request ──▶ id ──▶ probe? ──▶ draining? ──▶ key ──▶ limits ──▶ admission ──▶ route, under a deadline ──▶ response,
counted, logged, traced. Every error, ours or a framework's, leaves as problem+json.

The mounted routes are called from here, past BentoML's router and middlewares, which do nothing for them.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import DeadlineExceeded, NotReady, TandemError, UnsupportedType
from service.api.bodies import check_native_body
from service.gateway.problems import problem
from service.gateway.telemetry import record
from service.http.exchange import CURRENT, Exchange
from service.inference.pipeline import Pipeline
from service.process.worker import Worker

logger = logging.getLogger(__name__)

INFERENCE = frozenset({"/v1/predict", "/v1/embed", "/predict"})
ROUTES = INFERENCE | {"/v1/models", "/docs.json"}
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
OPEN = PROBES | {"/metrics"}
"""Routes that need no API key, as they tell nothing of what is sent or answered, and are recorded when they fail."""
CLIENT_CLOSED_REQUEST = 499  # nginx's number for a caller that went away; only metrics and logs see it
LATE_AT_ONCE = 4  # so many 504 take the event loop about 1 ms
_NATIVE = "/predict"


class Gate:
    """ASGI middleware.

    Args:
        app: what it surrounds.
        routes: the mounted application, whose routes are called directly.
        worker: what the process has once.
    """

    def __init__(self, app: ASGIApp, *, routes: Starlette, worker: Worker) -> None:
        self.app = app
        self.routes = routes
        self.direct = {route.path: route for route in routes.routes if isinstance(route, Route)}
        self.worker = worker
        self._late = asyncio.Semaphore(LATE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request; the lifespan's messages pass through."""
        if scope["type"] != "http":
            self._take_the_front(scope)
            await self.app(scope, receive, send)
            return
        lifecycle = self.worker.lifecycle
        exchange = Exchange(scope, receive, send, self.worker)
        CURRENT.set(exchange)
        lifecycle.enter()
        try:
            await self._answer(scope, exchange)
            self._record(scope, exchange)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED_REQUEST
            self._record(scope, exchange)
        finally:
            lifecycle.leave()
            exchange.close()

    def _take_the_front(self, scope: Scope) -> None:
        """Has requests come here straight, when the application starts.

        BentoML puts three layers before ours: OpenTelemetry's, which is told to do nothing, its errors', which ours
        makes problems of, and a timeout, which holds 700 bytes for each request until its time is over, and so grew by
        15 MiB in 50,000 requests of a minute.
        """
        if scope["type"] == "lifespan" and isinstance(scope.get("app"), Starlette):
            scope["app"].middleware_stack = self

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        """Everything between request and response; no error but a lost connection leaves it."""
        path = scope["path"]
        try:
            if path in PROBES:
                await exchange.respond(self._probe(scope))
                return
            async with asyncio.timeout_at(exchange.deadline) as timeout:
                try:
                    if exchange.read_deadline():
                        timeout.reschedule(exchange.deadline)
                    admit(self.worker, scope["path"], exchange)
                except TandemError as error:
                    await self._refuse(exchange, error)
                else:
                    await self._call(scope, exchange)
        except TimeoutError:
            await self._answer_late(exchange)
        except TandemError as error:
            await exchange.fail(error)
        except ClientDisconnect:
            raise
        except Exception:  # whatever it is, the client gets a problem document and the log the traceback
            logger.exception("%s %r failed, request %s", scope["method"], path[:200], exchange.request_id.decode())
            await exchange.fail(TandemError("internal error; the server's log has the details"))

    async def _answer_late(self, exchange: Exchange) -> None:
        """Says that the deadline has passed, to a few at a time: those of a crowd pass at once, and others go on."""
        async with self._late:
            await asyncio.sleep(0)
        # outside, since a caller who does not read may make this wait
        waited_ms = (time.monotonic() - exchange.started) * 1000
        await exchange.fail(DeadlineExceeded(f"no result within the deadline, after {waited_ms:.0f} ms"))

    @property
    def ready(self) -> bool:
        """Whether a model has passed its golden check in this process."""
        pipeline: Pipeline | None = getattr(self.routes.state, "pipeline", None)
        return pipeline is not None and pipeline.ready

    def _probe(self, scope: Scope) -> Response:
        """`/livez`, `/healthz`: the process answers. `/readyz`: it takes work."""
        if scope["method"] not in ("GET", "HEAD"):
            detail = f"{scope['method'][:20]} is not allowed on {scope['path']!r}"
            return problem("method_not_allowed", detail, {"Allow": "GET, HEAD"})
        if scope["path"] == "/readyz":
            if self.worker.lifecycle.draining:
                return problem("not_ready", "the server is draining")
            if not self.ready:
                return problem("not_ready", "the server is starting")
        return PlainTextResponse("\n")

    async def _refuse(self, exchange: Exchange, error: TandemError) -> None:
        """Refuses before the body was read."""
        await exchange.discard_body()
        await exchange.fail(error)

    async def _call(self, scope: Scope, exchange: Exchange) -> None:
        path = scope["path"]
        receive: Receive = exchange.receive
        if path == _NATIVE and scope["method"] == "POST":
            receive = await self._checked_native(exchange)
        route = self.direct.get(path)
        if route is None or scope["method"] not in (route.methods or ()):
            await self.app(scope, receive, exchange.send)
            return
        scope["app"] = self.routes
        await exchange.respond(await route.endpoint(Request(scope, receive)))

    async def _checked_native(self, exchange: Exchange) -> Receive:
        """Reads the body of BentoML's own route and checks its shape, which BentoML would log a traceback for."""
        given = exchange.headers.get(b"content-type", b"application/json")
        if given.split(b";")[0].strip().lower() != b"application/json":
            shown = given.decode("latin-1")[:100]
            raise UnsupportedType(f"content type {shown!r} is not accepted here; send application/json")
        body = await exchange.read_body()
        check_native_body(body, self.worker.settings.max_images)
        return exchange.replayed(body)

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        """Counts, logs and traces what was answered; of probes and scrapes only what went wrong."""
        path = scope["path"]
        if path in OPEN and exchange.status < 400:
            return
        seconds = time.monotonic() - exchange.started
        route = path if path in ROUTES or path in OPEN else "other"
        record(self.worker, exchange, route, seconds)


def admit(worker: Worker, path: str, exchange: Exchange) -> None:
    """Refuses by what is known before the body is read.

    Raises:
        ClientError: of whatever kind.
    """
    if worker.lifecycle.draining:
        raise NotReady("the server is draining; send the request to another one")
    if worker.keys is not None and path not in OPEN:
        exchange.key = worker.keys.check(exchange.headers.get(b"authorization"))
    exchange.check_content_length()
    if path in INFERENCE and exchange.scope["method"] == "POST":
        worker.admission.check(exchange.deadline)
