"""gRPC's connections ──▶ `Request` ──▶ gateway ──▶ `Response` ──▶ a message, or a status: the third transport.

A call is opened when its metadata have come, before its message: it may be refused by them, and its deadline ends it
whether or not a message comes. gRPC keeps what has come of a message, so only so many are read at once as may be held.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
import pydantic_core

from models.errors import BadRequest, DeadlineExceeded, TandemError
from service.gateway.gateway import Gateway
from service.gateway.transaction import Transaction
from service.messages import Request, Response
from service.settings import Settings

_STATUS = {
    "unauthorized": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "overloaded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "not_ready": grpc.StatusCode.UNAVAILABLE,
    "deadline_exceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "internal": grpc.StatusCode.INTERNAL,
}
"""By the code of a problem; every other one is the caller's fault: INVALID_ARGUMENT."""

_LONGEST_TIMEOUT_S = 600
_CALLS_OF_A_CONNECTION = 1024
"""At once; a client keeps those beyond until there is room."""
_PENDING_CALLS = 100_000
"""That wait to be opened; beyond that gRPC cancels calls without a reason, where admission would tell one."""


class GrpcError(TandemError):
    """The port cannot be had."""


class GrpcServer:
    """One worker's gRPC server; the workers of a machine share the port.

    Args:
        gateway: gives the gateway of gRPC's routes, once the application has started.
        settings: limits of a request, and the port.
        host: address to listen on.
        credentials: of the server, if it speaks TLS.
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        settings: Settings,
        host: str,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._address = f"[{host}]:{settings.grpc_port}" if ":" in host else f"{host}:{settings.grpc_port}"
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listens.

        Raises:
            GrpcError: on a port that another program has.
        """
        settings = self._settings
        server = grpc.aio.server(
            handlers=(_Methods(self._gateway(), settings.max_buffered_bytes // settings.max_body_bytes),),
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", settings.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 32 * 1024),
                ("grpc.max_concurrent_streams", _CALLS_OF_A_CONNECTION),
                ("grpc.server.max_pending_requests", _PENDING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", _PENDING_CALLS),
            ),
        )
        try:
            if self._credentials is None:
                server.add_insecure_port(self._address)
            else:
                server.add_secure_port(self._address, self._credentials)
        except RuntimeError as error:
            raise GrpcError(f"TANDEM_GRPC_PORT={settings.grpc_port}: {self._address} cannot be listened on") from error
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Takes no new calls, and waits for those under way, at most for so many seconds."""
        if self._server is not None:
            await self._server.stop(max(grace_s, 0.0))


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Every method of the service; messages stay bytes until a route reads them.

    Args:
        gateway: answers requests.
        messages: that may be read at once.
    """

    def __init__(self, gateway: Gateway, messages: int) -> None:
        self._gateway = gateway
        self._reading = asyncio.Semaphore(messages)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """The handler of a method; None, so UNIMPLEMENTED, where the gateway has no such route.

        A handler of a stream of messages is called before the first one has come; callers see no difference.
        """
        path = handler_call_details.method
        if not self._gateway.has_route(path):
            return None
        return grpc.stream_unary_rpc_method_handler(functools.partial(self._answer, path))

    async def _answer(self, path: str, messages: AsyncIterator[bytes], context: Any) -> bytes:
        gateway = self._gateway
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request = Request("POST", path, b"", _headers(context), client=_client(context.peer()))
        transaction = gateway.open(request, answered.set_result)
        if (left_s := context.time_remaining()) is not None and left_s < _LONGEST_TIMEOUT_S:
            request.deadline = min(request.deadline, time.monotonic() + left_s)
        try:
            gateway.handle(transaction, await self._read(transaction, messages))
            response = await answered
        finally:
            transaction.abandon()
        context.set_trailing_metadata((("x-request-id", request.id.decode("ascii")), *_trailing(response)))
        if response.status != 200:
            detail = pydantic_core.from_json(response.body)["error"]
            await context.abort(_STATUS.get(response.code, grpc.StatusCode.INVALID_ARGUMENT), detail)
        return response.body

    async def _read(self, transaction: Transaction, messages: AsyncIterator[bytes]) -> bytes:
        """The message of a call; empty if the call is refused by then."""
        request = transaction.request
        if transaction.refusal is not None:
            return b""
        try:
            async with asyncio.timeout_at(request.deadline), self._reading:
                body = await anext(messages)
            self._gateway.receive(request, len(body))
        except TimeoutError:
            transaction.refusal = DeadlineExceeded("no whole message of the call came by its deadline")
        except StopAsyncIteration:
            transaction.refusal = BadRequest("the call has no message")
        except TandemError as error:
            transaction.refusal = error.as_value()
        else:
            return body
        return b""


def _headers(context: Any) -> dict[bytes, bytes]:
    """A call's metadata as headers; those of one name are joined by commas."""
    headers: dict[bytes, bytes] = {}
    for name, value in context.invocation_metadata() or ():
        key, data = name.lower().encode(), value if isinstance(value, bytes) else value.encode()
        headers[key] = b"%b,%b" % (headers[key], data) if key in headers else data
    return headers


def _trailing(response: Response) -> list[tuple[str, str]]:
    """What else a caller is told: the model that answered, the code of a problem, when to try again."""
    found = [(name.decode(), value.decode()) for name, value in response.headers]
    if response.model is not None:
        found.append(("x-tandem-model", response.model))
    return [*found, ("x-tandem-code", response.code)] if response.code else found


def _client(peer: str) -> str | None:
    """The address in gRPC's `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    kind, _, address = peer.partition(":")
    return unquote(address).rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else None
