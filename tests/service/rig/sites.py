"""A site on 127.0.0.1: our connections in front of a gateway with fake handlers, or with a tiny bundle's engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

from models.errors import NotFound
from models.runtime.engine import Engine
from service.api.routes import build_routes
from service.gateway.admission import Admission
from service.gateway.gateway import Gateway
from service.gateway.lifecycle import Lifecycle
from service.gateway.router import Routes
from service.gateway.telemetry import Telemetry
from service.gateway.transaction import Handler, Transaction
from service.http.connections import Connections
from service.http.protocol import HttpProtocol
from service.inference.pipeline import Pipeline
from service.messages import TEXT, Request, Response
from service.observability.service_metrics import Metrics
from tests.service.rig.callers import HOST, Answer, Caller, run
from tests.service.serving import settings_of, until


class Records(Telemetry):
    """Keeps what the gateway records of each request."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.requests: list[tuple[Request, Response, int]] = []
        """Request, response and sent bytes."""

    def record(self, request: Request, response: Response, sent_bytes: int) -> None:
        self.requests.append((request, response, sent_bytes))

    @property
    def codes(self) -> list[str]:
        """Of the problems among the responses."""
        return [response.code for _, response, _ in self.requests if response.code]

    @property
    def statuses(self) -> list[int]:
        return [response.status for _, response, _ in self.requests]


class App:
    """A handler that answers any request with its path, once it is released."""

    def __init__(self) -> None:
        self.began: list[Request] = []
        self.left: list[str] = []
        """Paths whose callers went away while they waited for the answer."""
        self.release = asyncio.Event()
        self.release.set()

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.began]

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.began]

    def __call__(self, transaction: Transaction) -> Awaitable[Response]:
        self.began.append(transaction.request)
        return self._answer(transaction.request.path)

    async def _answer(self, path: str) -> Response:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.left.append(path)
            raise
        return Response(200, path.encode(), TEXT)


class Site:
    """The parts of one process' server, and the callers that tests connect to it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings_of(Path("unused"), **settings)
        self.admission = Admission(max_images=self.settings.max_queue, max_bytes=self.settings.max_buffered_bytes)
        self.lifecycle = Lifecycle()
        self.connections = Connections(self.settings)
        self.records = Records(Metrics())
        self.pipeline: Pipeline | None = None
        self.port = 0
        self.stack = contextlib.AsyncExitStack()

    def gateway(self, fallback: Handler, routes: Routes) -> Gateway:
        return Gateway(
            self.settings, self.admission, self.lifecycle, self.records, None, routes=routes, fallback=fallback
        )

    @property
    def protocols(self) -> list[HttpProtocol]:
        return cast("list[HttpProtocol]", list(self.connections))

    @property
    def protocol(self) -> HttpProtocol:
        (only,) = self.protocols
        return only

    async def caller(self, **options: Any) -> Caller:
        """A new connection, which the server has accepted."""
        before = len(self.connections)
        caller = await self.connect(**options)
        await until(lambda: len(self.connections) > before)
        return caller

    async def connect(self, **options: Any) -> Caller:
        """A new connection, which is closed with the site."""
        caller = await Caller.connect(self.port, **options)
        self.stack.push_async_callback(caller.leave)
        return caller

    async def ask(self, request: bytes) -> Answer:
        """One request on a connection of its own."""
        return await (await self.connect()).ask(request)

    def check(self, later_s: float) -> None:
        """Looks after the connections as if it were so much later."""
        for protocol in self.protocols:
            protocol.check(time.monotonic() + later_s)

    @contextlib.asynccontextmanager
    async def listen(self, gateway: Gateway, **options: Any) -> AsyncIterator[None]:
        """Serves the gateway on connections of ours; at the end nothing may be left under way or held."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: HttpProtocol(gateway, self.connections), HOST, 0, **options)
        self.port = server.sockets[0].getsockname()[1]
        try:
            async with self.stack:
                yield
        finally:
            server.close()
            for protocol in self.protocols:
                protocol.abort()
            await until(lambda: len(self.connections) == 0)
        await until(lambda: self.lifecycle.in_flight == 0)
        assert self.admission.bytes == self.admission.images == 0


@contextlib.asynccontextmanager
async def listening(
    app: Handler, options: Mapping[str, Any] | None = None, routes: Routes | None = None, **settings: Any
) -> AsyncIterator[Site]:
    """A site of a handler that answers what is on none of the routes; `options` are those of the listening socket."""
    site = Site(**settings)
    async with site.listen(site.gateway(app, routes or {}), **(options or {})):
        yield site


def serving_app(test: Callable[[App, Site], Awaitable[None]], **settings: Any) -> None:
    """Runs a test on a site of an `App`."""

    async def serve() -> None:
        app = App()
        async with listening(app, **settings) as site:
            await test(app, site)
            app.release.set()

    run(serve())


def unknown(transaction: Transaction) -> Response:
    """A handler of paths that are on no route."""
    raise NotFound(f"no route {transaction.request.path!r}")


def serving_engine(engine: Engine, test: Callable[[Site], Awaitable[None]], **settings: Any) -> None:
    """Runs a test on a site with all of our routes, on an engine."""

    async def serve() -> None:
        site = Site(**settings)
        metrics = Metrics()
        site.pipeline = Pipeline(engine, site.settings, metrics, site.admission)
        routes = build_routes(site.pipeline, site.settings, lambda: site.lifecycle.draining)
        site.pipeline.start()
        try:
            async with site.listen(site.gateway(unknown, routes)):
                await test(site)
        finally:
            site.pipeline.close()
            metrics.close()

    run(serve())
