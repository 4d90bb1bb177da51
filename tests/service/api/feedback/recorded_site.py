"""A site whose decisions are recorded in a database of its own, and reviewed over its routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from feedback.database.database import Database
from feedback.database.tables import decision
from models.runtime.engine import Engine
from service.api.routes import build_routes
from service.gateway.api_keys import ApiKeys
from service.inference.pipeline import Pipeline
from service.process.recording.feedback_loop import FeedbackLoop
from service.process.recording.recorder_opening import open_recorder
from tests.service.serving import METRICS, Site, until


class RecordedSite:
    """One process whose decisions are recorded, and a client of it.

    Attributes:
        client: of all routes.
        database: with the decisions.
        pipeline: that decides.
    """

    def __init__(self, client: httpx.AsyncClient, database: Database, pipeline: Pipeline) -> None:
        self.client = client
        self.database = database
        self.pipeline = pipeline

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, engine: Engine, folder: Path, keys: ApiKeys | None = None, **settings: Any
    ) -> AsyncIterator[RecordedSite]:
        """Starts a site whose database and images are in `folder`."""
        url = f"sqlite:///{folder / 'feedback.db'}"
        images = {"feedback_images": str(folder / "images")} | settings
        site = Site(keys, feedback_url=url, **images)
        recorder = open_recorder(site.settings)
        assert recorder is not None
        pipeline = Pipeline(engine, site.settings, METRICS, site.admission)
        loop = FeedbackLoop(site.settings, pipeline, METRICS, recorder)
        site.telemetry.recorder = recorder
        routes = build_routes(pipeline, site.settings, lambda: site.lifecycle.draining)
        gateway = site.gateway({**routes, **loop.routes})
        pipeline.start()
        recorder.start()
        loop.start()
        database = Database(url)
        try:
            async with site.client(gateway, "a socket") as client:
                yield cls(client, database, pipeline)
        finally:
            pipeline.close()
            await asyncio.to_thread(recorder.close)
            await loop.stop()
            database.close()

    async def decide(self, image: bytes, **query: Any) -> str:
        """Sends an image, waits until the decision on it is recorded, and returns the request's id."""
        response = await self.client.post(
            "/v1/predict", content=image, params=query, headers={"content-type": "image/png"}
        )
        assert response.status_code == 200, response.text
        request_id = response.headers["x-request-id"]
        await until(lambda: self.recorded(request_id) > 0)
        return str(request_id)

    def recorded(self, request_id: str) -> int:
        """Decisions of a request that are in the database."""
        self.database.migrate()
        query = select(func.count()).select_from(decision).where(decision.c.request_id == request_id)
        with self.database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    async def say(self, request_id: str, **answer: Any) -> httpx.Response:
        """Answers a decision."""
        return await self.client.post("/v1/feedback", json={"request_id": request_id, **answer})

    async def reviews(self, **query: Any) -> list[dict[str, Any]]:
        """What there is to look at."""
        response = await self.client.get("/v1/reviews", params=query)
        assert response.status_code == 200, response.text
        return list(response.json()["reviews"])


def recorded(
    engine: Engine, folder: Path, test: Callable[[RecordedSite], Coroutine[Any, Any, None]], **settings: Any
) -> None:
    """Runs a test against a site."""

    async def run() -> None:
        async with RecordedSite.open(engine, folder, **settings) as site:
            await test(site)

    asyncio.run(run())
