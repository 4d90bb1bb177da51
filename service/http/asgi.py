"""The same application under any ASGI server, and any ASGI application as a handler.

`AsgiAdapter` serves where our own connection cannot take the place of another server's: slower, with the same answers.
`mounted` serves BentoML's own pages, by its application, for paths that none of our routes has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import ClientError, DeadlineExceeded, MethodNotAllowed, NotFound, TandemError
from service.gateway.gateway import Gateway
from service.gateway.transaction import Handler, Transaction
from service.http.header_block import join_headers
from service.messages import Request, Response
from service.problems import INTERNAL

_MOUNTED = "tandem.mounted"


class AsgiAdapter:
    """ASGI middleware that answers every HTTP request by a gateway.

    Args:
        app: which has the lifespan, and what was mounted by `mounted`.
        gateway: gives the gateway, once the application has started.
        mount: is told the application, when the server puts its layers together.
    """

    def __init__(
        self, app: ASGIApp, *, gateway: Callable[[], Gateway], mount: Callable[[ASGIApp], None] = lambda _: None
    ) -> None:
        self.app = app
        self._gateway = gateway
        mount(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request; the lifespan's messages pass through."""
        if scope["type"] != "http" or _MOUNTED in scope:
            await self.app(scope, receive, send)
            return
        gateway = self._gateway()
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request, fault = _request_of(scope)
        transaction = gateway.open(request, answered.set_result)
        transaction.refusal = fault or transaction.refusal
        try:
            body = await _read(gateway, transaction, receive)
            if transaction.is_open:
                gateway.handle(transaction, body)
                await _send(await answered, request, send)
        finally:
            transaction.abandon()


def mounted(app: ASGIApp) -> Handler:
    """A handler that has an application answer, with problem documents in the place of its errors."""

    async def answer(request: Request) -> Response:
        response = await _run(app, request)
        if response.status < 400:
            return response
        if response.status == 405:
            allow = dict(response.headers).get(b"allow", b"").decode("latin-1")
            raise MethodNotAllowed(f"{request.method[:20]} is not allowed on {request.path[:200]!r}", allow=allow)
        raise NotFound(f"no route {request.path[:200]!r}; see /docs.json") if response.status < 500 else INTERNAL

    return lambda transaction: answer(transaction.request)


def _request_of(scope: Scope) -> tuple[Request, ClientError | None]:
    """The request, and what is wrong with its headers."""
    pairs = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
    fault = None
    try:
        headers = join_headers(pairs, target_bytes=len(scope["path"]) + len(scope["query_string"]))
    except ClientError as error:
        headers, fault = dict(pairs), error.as_value()
    client = scope.get("client")
    request = Request(
        scope["method"],
        scope["path"],
        scope["query_string"],
        headers,
        client=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
    )
    return request, fault


async def _read(gateway: Gateway, transaction: Transaction, receive: Receive) -> bytes:
    """The body, or what came of it until the request was refused or its deadline passed."""
    chunks = []
    while transaction.refusal is None:
        try:
            async with asyncio.timeout_at(transaction.request.deadline):
                message = await receive()
        except TimeoutError:
            transaction.refusal = DeadlineExceeded("no whole body of the request came by its deadline")
            break
        if message["type"] != "http.request":
            transaction.abandon()
            break
        chunk = message.get("body", b"")
        try:
            gateway.receive(transaction.request, len(chunk))
        except TandemError as error:
            transaction.refusal = error.as_value()
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _send(response: Response, request: Request, send: Send) -> None:
    headers = response.header_lines(request.id)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})


async def _run(app: ASGIApp, request: Request) -> Response:
    """One request through an application."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET" if request.method == "HEAD" else request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.path.encode("utf-8", "surrogateescape"),
        "query_string": request.query,
        "root_path": "",
        "headers": list(request.headers.items()),
        "client": (request.client, 0) if request.client else None,
        "server": None,
        _MOUNTED: True,
    }
    rest = [request.body]
    response = Response(500, content_type=b"")
    body: list[bytes] = []

    async def receive() -> Message:
        if rest:
            return {"type": "http.request", "body": rest.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            headers = [(name.lower(), value) for name, value in message["headers"]]
            response.content_type = dict(headers).get(b"content-type", b"application/octet-stream")
            response.headers = [
                each for each in headers if each[0] not in (b"content-type", b"content-length", b"x-request-id")
            ]
        else:
            body.append(message.get("body", b""))

    await app(scope, receive, send)
    response.body = b"".join(body)
    return response
