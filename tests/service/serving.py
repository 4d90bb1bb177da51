"""A gateway and its routes behind both transports, without a server process: ASGI, and a socket on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from starlette.applications import Starlette

from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Result
from service.api.routes import build_routes
from service.gateway.admission import Admission
from service.gateway.api_keys import ApiKeys
from service.gateway.gateway import Gateway
from service.gateway.lifecycle import Lifecycle
from service.gateway.router import Routes
from service.gateway.telemetry import Telemetry
from service.gateway.transaction import Handler
from service.http.asgi import AsgiAdapter, mounted
from service.http.connections import Connections
from service.http.protocol import HttpProtocol
from service.inference.pipeline import Pipeline
from service.observability.service_metrics import Metrics
from service.settings import Settings
from tests.tiny_bundle import GREYS, solid_image

PATIENCE_S = 10.0
PNG = {"content-type": "image/png"}
JSON = {"content-type": "application/json"}
MID = solid_image(GREYS["mid"])
BRIGHT = solid_image(GREYS["bright"])
DARK = solid_image(GREYS["dark"])
TEXT = b"hello, this is no image"

HOST_NAME = "tandem"
"""By which callers name the server, whatever the transport."""
METRICS = Metrics()
"""Of the test process, as a worker has its own."""

Transport = Literal["ASGI", "a socket"]
TRANSPORTS: tuple[Transport, ...] = ("ASGI", "a socket")
over_each = pytest.mark.parametrize("over", TRANSPORTS)
_MAY_DIFFER = ("connection", "date")
_TIMING = re.compile(rb'"timing_ms":\{[^}]*\}')


def settings_of(path: Path, **changes: Any) -> Settings:
    """Settings for the bundle at `path`, on the CPU."""
    return Settings(bundle=path, **{"device": "cpu", "workers": 1, **changes})


class Site:
    """The parts of one process that a gateway needs."""

    def __init__(self, keys: ApiKeys | None = None, **settings: Any) -> None:
        self.settings = settings_of(Path("unused"), **settings)
        self.admission = Admission(max_images=self.settings.max_queue, max_bytes=self.settings.max_buffered_bytes)
        self.lifecycle = Lifecycle()
        self.telemetry = Telemetry(METRICS, self.settings.trusted_addresses)
        self.keys = keys

    def gateway(self, routes: Routes, fallback: Handler | None = None) -> Gateway:
        """A gateway of these routes; what is on none of them is 404 unless `fallback` answers it."""
        fallback = fallback or mounted(Starlette())
        parts = (self.settings, self.admission, self.lifecycle, self.telemetry, self.keys)
        return Gateway(*parts, routes=routes, fallback=fallback)

    @contextlib.asynccontextmanager
    async def client(self, gateway: Gateway, over: Transport) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the gateway; when it is gone, nothing is in flight and no more is held than before."""
        async with contextlib.AsyncExitStack() as stack:
            transport = httpx.ASGITransport(AsgiAdapter(Starlette(), gateway=lambda: gateway))
            options: dict[str, Any] = {"transport": transport, "base_url": f"http://{HOST_NAME}"}
            if over == "a socket":
                options = {"base_url": await stack.enter_async_context(self._listening(gateway))}
            client = httpx.AsyncClient(**options, headers={"host": HOST_NAME}, timeout=PATIENCE_S, trust_env=False)
            before = self.admission.images, self.admission.bytes
            yield await stack.enter_async_context(client)
        await until(lambda: self.lifecycle.in_flight == 0)
        assert (self.admission.images, self.admission.bytes) == before

    @contextlib.asynccontextmanager
    async def _listening(self, gateway: Gateway) -> AsyncIterator[str]:
        connections = Connections(self.settings)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: HttpProtocol(gateway, connections), "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in connections:
                connection.abort()
            await until(lambda: len(connections) == 0)

    async def ask(self, gateway: Gateway, method: str, url: str, **request: Any) -> httpx.Response:
        """The response to a request, which must be the same over both transports."""
        request["headers"] = httpx.Headers(request.get("headers"))
        request["headers"].setdefault("x-request-id", "same")
        found = []
        for over in TRANSPORTS:
            async with self.client(gateway, over) as client:
                found.append(await client.request(method, url, **request))
        assert _shown(found[0]) == _shown(found[1])
        return found[0]


def _shown(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body, but for what differs between two requests, or rightly between transports."""
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _MAY_DIFFER]
    if b'"timing_ms"' in response.content:
        headers = [(name, value) for name, value in headers if name != "content-length"]
    return response.status_code, headers, _TIMING.sub(b"", response.content)


def ask_gateway(
    handler: Handler, method: str, url: str, *, site: Site | None = None, methods: str = "POST", **request: Any
) -> httpx.Response:
    """The response of a gateway whose handler answers each request to `/v1/predict`, and what is on no route."""
    site = site or Site()
    gateway = site.gateway({"/v1/predict": {methods: handler}}, handler)
    return asyncio.run(site.ask(gateway, method, url, **request))


@contextlib.asynccontextmanager
async def engine_site(
    engine: Engine, *, started: bool = True, **settings: Any
) -> AsyncIterator[tuple[Site, Gateway, Pipeline]]:
    """All of our routes, on a pipeline."""
    site = Site(**settings)
    pipeline = Pipeline(engine, site.settings, METRICS, site.admission)
    gateway = site.gateway(build_routes(pipeline, site.settings, lambda: site.lifecycle.draining))
    if started:
        pipeline.start()
    try:
        yield site, gateway, pipeline
    finally:
        pipeline.close()


@contextlib.asynccontextmanager
async def serving(
    engine: Engine, over: Transport = "ASGI", **settings: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Pipeline]]:
    """A client of all of our routes over one transport."""
    async with engine_site(engine, **settings) as (site, gateway, pipeline), site.client(gateway, over) as client:
        yield client, pipeline


def ask(engine: Engine, method: str, url: str, settings: Mapping[str, Any] | None = None, **request: Any) -> Any:
    """One request's response, the same over both transports."""

    async def one() -> httpx.Response:
        async with engine_site(engine, **(settings or {})) as (site, gateway, _):
            return await site.ask(gateway, method, url, **request)

    return asyncio.run(one())


def post_image(engine: Engine, image: bytes, url: str = "/v1/predict", **settings: Any) -> httpx.Response:
    """Sends one image as the body."""
    return ask(engine, "POST", url, settings, content=image, headers=PNG)


def post_parts(
    engine: Engine, images: Sequence[bytes], columns: str | None = None, url: str = "/v1/predict", **settings: Any
) -> httpx.Response:
    """Sends images, and perhaps the part `columns`, as a form."""
    return ask(engine, "POST", url, settings, **form(images, columns))


def post_instances(
    engine: Engine, instances: Sequence[Mapping[str, Any]], url: str = "/v1/predict", **settings: Any
) -> httpx.Response:
    """Sends instances as JSON; NaN and infinity are written as JavaScript does."""
    return ask(engine, "POST", url, settings, content=json.dumps({"instances": instances}), headers=JSON)


def form(images: Sequence[bytes], columns: str | None = None) -> dict[str, Any]:
    """Arguments of httpx for a multipart request."""
    parts: list[tuple[str, tuple[str | None, bytes, str]]] = [
        ("image", ("a.png", data, "image/png")) for data in images
    ]
    if columns is not None:
        parts.append(("columns", (None, columns.encode(), "application/json")))
    return {"files": parts}


def instance(image: bytes, columns: object = None) -> dict[str, object]:
    """One instance of a JSON request."""
    encoded: dict[str, object] = {"image": base64.b64encode(image).decode()}
    return encoded if columns is None else {**encoded, "columns": columns}


def problem(response: httpx.Response, status: int, code: str) -> str:
    """Checks that the response is that problem, whole and well formed; returns its detail."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert (response.status_code, document["status"], document["code"]) == (status, status, code), document
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    assert set(document) == {"type", "title", "status", "code", "detail"}
    return str(document["detail"])


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop run until the condition holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0)


class HeldEngine(Engine):
    """An engine that waits, within a batch, until `release` is set; slow enough to be given a thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.batches: list[int] = []
        self.release.set()
        super().__init__(*args, **kwargs)
        self.image_s = 0.03
        self.max_batch = kwargs["max_batch"]
        self.hold()

    def hold(self) -> None:
        """Forgets what was and waits from now on."""
        self.entered.clear()
        self.release.clear()
        self.batches.clear()

    def run(self, works: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        """Says that a batch was taken, waits, computes."""
        self.batches.append(len(works))
        self.entered.set()
        assert self.release.wait(PATIENCE_S)
        return super().run(works, waited_s)

    async def wait_until_entered(self) -> None:
        """Returns once a batch is running."""
        assert await asyncio.to_thread(self.entered.wait, PATIENCE_S)
