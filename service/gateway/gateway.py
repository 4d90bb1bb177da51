"""`Request` ──▶ limits ──▶ key ──▶ origin ──▶ admission ──▶ handler, under a deadline ──▶ `Response`, counted.

Every transport calls `open` when the headers of a request have come, `receive` for each piece of its body and `handle`
at its end. What is refused by its headers is refused before a byte of the body is read.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable

from models.errors import BadRequest, DeadlineExceeded, MethodNotAllowed, TandemError, TooLarge
from service.gateway.access import INFERENCE, OPEN, check_scope, is_public
from service.gateway.admission import Admission
from service.gateway.api_keys import ApiKeys
from service.gateway.lifecycle import Lifecycle
from service.gateway.origins import Origins
from service.gateway.router import Router, Routes
from service.gateway.telemetry import Telemetry
from service.gateway.transaction import Answer, Handler, Respond, Transaction
from service.messages import Request, Response
from service.settings import Settings

_TIMEOUT = b"x-request-timeout-ms"
_TIMEOUT_MS = range(1, 600_001)
_LATE_AT_ONCE = 4  # so many 504 take the event loop about 1 ms


class Gateway:
    """What surrounds the routes of one process.

    Args:
        settings: limits, deadline, allowed origins.
        admission: what the process may hold.
        lifecycle: where requests in flight are counted.
        telemetry: where they are recorded.
        keys: that callers must show one of; None where everybody is served.
        routes: handlers by path and method.
        fallback: answers what is on none of the routes.
    """

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        lifecycle: Lifecycle,
        telemetry: Telemetry,
        keys: ApiKeys | None,
        *,
        routes: Routes,
        fallback: Handler,
    ) -> None:
        self._limit_bytes = settings.max_body_bytes
        self._deadline_s = settings.deadline_ms / 1000
        self._origins = Origins(settings.allowed_origins)
        self._admission = admission
        self._lifecycle = lifecycle
        self._telemetry = telemetry
        self._keys = keys
        self._router = Router(routes)
        self._fallback = fallback
        self._late = asyncio.Semaphore(_LATE_AT_ONCE)

    def has_route(self, path: str) -> bool:
        """Whether a route without parameters has this path."""
        return self._router.has(path)

    def open(self, request: Request, respond: Respond) -> Transaction:
        """Begins a request by what its headers say; its `refusal` tells whether it will be refused."""
        if b"origin" in request.headers:
            respond = functools.partial(self._respond_to_page, request, respond)
        transaction = Transaction(request, respond, self._close)
        self._lifecycle.enter()
        request.deadline = request.started + self._deadline_s
        transaction.methods = self._router.find(request)
        try:
            self._check(request)
        except TandemError as error:
            transaction.refusal = error.as_value()
        return transaction

    def receive(self, request: Request, count: int) -> None:
        """Counts bytes of a body that have come.

        Raises:
            TooLarge, Overloaded: the body is over the limit, or there is no room for it.
        """
        if request.received_bytes + count > self._limit_bytes:
            raise TooLarge(f"the body has more than {self._limit_bytes} bytes; the limit is {self._limit_bytes}")
        self._admission.hold(count)
        request.received_bytes += count

    def handle(self, transaction: Transaction, body: bytes) -> None:
        """Has a request answered whose body is complete: now, or later by a task or by whoever was asked to respond."""
        transaction.request.body = body
        if transaction.refusal is not None:
            transaction.respond(transaction.problem(transaction.refusal))
            return
        answer = transaction.attempt(self._route, transaction)
        if isinstance(answer, Response):
            transaction.respond(answer)
        elif answer is not None:
            transaction.task = asyncio.get_running_loop().create_task(self._wait_for(transaction, answer))

    def _check(self, request: Request) -> None:
        """Refuses by what is known before the body is read.

        Raises:
            ClientError: of whatever kind.
        """
        headers = request.headers
        if _TIMEOUT in headers:
            request.deadline = min(request.deadline, request.started + _read_timeout(headers[_TIMEOUT]))
        if b"origin" in headers:
            self._origins.check(request)
        if self._keys is not None and not (is_public(request) or _is_preflight(request)):
            key = self._keys.check(headers.get(b"authorization"))
            request.key = key.name
            check_scope(request, key)
        length = request.content_length
        if length is not None and length > self._limit_bytes:
            raise TooLarge(f"the body has {length} bytes; the limit is {self._limit_bytes}")
        if request.route in INFERENCE and request.method == "POST":
            self._admission.check(request.deadline)

    def _route(self, transaction: Transaction) -> Answer:
        """Calls the handler of a request.

        Raises:
            MethodNotAllowed: the route takes other methods.
        """
        request = transaction.request
        methods = transaction.methods
        if methods is None:
            return self._fallback(transaction)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            if _is_preflight(request):
                return self._origins.preflight(request, methods)
            allow = ", ".join(methods) + (", HEAD" if "GET" in methods else "")
            raise MethodNotAllowed(f"{request.method[:20]} is not allowed on {request.path!r}", allow=allow)
        return handler(transaction)

    async def _wait_for(self, transaction: Transaction, answer: Awaitable[Response]) -> None:
        """Responds when the answer is there, or the deadline has passed."""
        request = transaction.request
        try:
            async with asyncio.timeout_at(request.deadline):
                response = await answer
        except TimeoutError:
            async with self._late:  # a few at a time: the deadlines of a crowd pass at once, and others go on
                await asyncio.sleep(0)
            waited_ms = (time.monotonic() - request.started) * 1000
            response = transaction.problem(DeadlineExceeded(f"no result within the deadline, after {waited_ms:.0f} ms"))
        except Exception as error:  # whatever it is, the caller gets a problem document and the log the traceback
            response = transaction.problem(error)
        transaction.respond(response)

    def _respond_to_page(self, request: Request, respond: Respond, response: Response) -> None:
        """Adds what a page of another origin needs to read the response."""
        response.headers = [*response.headers, *self._origins.headers(request)]
        respond(response)

    def _close(self, request: Request, response: Response, sent_bytes: int) -> None:
        """Gives back what a request held, and records it; of probes and scrapes only what went wrong."""
        self._lifecycle.leave()
        self._admission.release(request.received_bytes)
        if request.path not in OPEN or response.status >= 400:
            self._telemetry.record(request, response, sent_bytes)


def _read_timeout(text: bytes) -> float:
    """Seconds that a caller gives the request.

    Raises:
        BadRequest: not a whole number of milliseconds from 1 to 600,000.
    """
    if not text.isdigit() or len(text) > 6 or int(text) not in _TIMEOUT_MS:
        shown = text[:40].decode("latin-1")
        raise BadRequest(
            f"X-Request-Timeout-Ms must be a whole number of milliseconds from {_TIMEOUT_MS[0]} to "
            f"{_TIMEOUT_MS[-1]}; got {shown!r}"
        )
    return int(text) / 1000


def _is_preflight(request: Request) -> bool:
    """Whether a browser asks what a page of another origin may ask."""
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers
