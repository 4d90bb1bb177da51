"""The ASGI stack without a server process: gate, routes and a pipeline on a real engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

import service.app
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Result
from service.api.routes import build_routes
from service.gateway.admission import Admission
from service.gateway.gateway import Gate
from service.inference.pipeline import Pipeline
from service.process.lifecycle import Lifecycle
from service.process.worker import Worker
from service.settings import Settings
from tests.tiny_bundle import GREYS, solid_image

PATIENCE_S = 10.0
PNG = {"content-type": "image/png"}
JSON = {"content-type": "application/json"}
MID = solid_image(GREYS["mid"])
BRIGHT = solid_image(GREYS["bright"])
DARK = solid_image(GREYS["dark"])
TEXT = b"hello, this is no image"


def settings_of(path: Path, **changes: Any) -> Settings:
    """Settings for the bundle at `path`, on the CPU."""
    return Settings(bundle=path, **{"device": "cpu", "workers": 1, **changes})


def worker_of(path: Path, **changes: Any) -> Worker:
    """A worker's parts; the metrics are the process' own, since names are registered once."""
    settings = settings_of(path, **changes)
    return dataclasses.replace(
        service.app.worker,
        settings=settings,
        admission=Admission(max_images=settings.max_queue, max_bytes=settings.max_buffered_bytes),
        lifecycle=Lifecycle(),
        access_log=None,
    )


@contextlib.asynccontextmanager
async def serving(engine: Engine, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Pipeline]]:
    """A client of gate, routes and a started pipeline."""
    worker = worker_of(Path("unused"), **settings)
    pipeline = Pipeline(engine, worker)
    routes = build_routes()
    routes.state.pipeline = pipeline
    pipeline.start()
    try:
        async with client_of(routes, worker) as client:
            yield client, pipeline
    finally:
        pipeline.close()


def client_of(routes: Starlette, worker: Worker) -> httpx.AsyncClient:
    """A client of routes behind the gate."""
    gate = Gate(routes, routes=routes, worker=worker)
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://tandem", timeout=PATIENCE_S)


def ask(engine: Engine, method: str, url: str, settings: Mapping[str, Any] | None = None, **request: Any) -> Any:
    """One request's response."""

    async def one() -> httpx.Response:
        async with serving(engine, **(settings or {})) as (client, _):
            return await client.request(method, url, **request)

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
