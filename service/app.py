"""`HybridService`: where settings, engine, pipeline, routes, gate and server are put together."""

from __future__ import annotations

import os
from typing import Any

import bentoml

from models.bundle.store import resolve
from models.errors import TandemError
from service.api.bodies import Submission, read_instances
from service.api.query import Options
from service.api.routes import build_routes, decide
from service.api.schemas import Instance
from service.gateway.gateway import Gate
from service.gateway.problems import problem_of
from service.http.shortcut import Shortcut
from service.inference.live_reload import Champion
from service.inference.open_engine import open_engine
from service.inference.pipeline import Pipeline
from service.observability.json_log import in_worker
from service.process import coordination
from service.process.memory import quieten_collector, return_large_blocks
from service.process.preflight import check_before_start
from service.process.server import serve_with
from service.process.supervisor import supervise
from service.process.worker import Worker
from service.settings import Settings

# BentoML's decorator wants the number of workers when the class is defined.
try:
    settings = Settings.from_environment()
    worker = Worker.of(settings)
except TandemError as error:
    raise SystemExit(f"tandem cannot start: {error}") from error
routes = build_routes()
if in_worker():
    return_large_blocks()
    serve_with(worker)

# Without keys only this machine may ask, unless `--host` or BENTOML_HOST says otherwise; BentoML's containers have a
# network of their own.
OPEN_TO_ALL = settings.api_keys_file is not None or "BENTOML_CONTAINERIZED" in os.environ


@bentoml.asgi_app(routes, path="/")
@bentoml.service(
    name="hybrid_service",
    workers=settings.workers,
    http={"host": "0.0.0.0" if OPEN_TO_ALL else "127.0.0.1"},  # noqa: S104 (only with keys)
    metrics={"enabled": False},  # labels by raw path; /metrics is ours
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class HybridService:
    """Images in, decisions out: a deep network perceives, classical models decide."""

    def __init__(self) -> None:
        try:
            path = resolve(settings.bundle)
            self.pipeline = Pipeline(open_engine(settings, path), worker)
        except TandemError as error:
            coordination.report_failure(str(error))
            raise
        self.champion = Champion(
            settings.bundle,
            path,
            load=lambda candidate: open_engine(settings, candidate),
            replace=self.pipeline.replace,
            observe=worker.metrics.model_changed,
        )
        routes.state.pipeline = self.pipeline

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Stops a server that cannot serve, before its workers start."""
        check_before_start()
        coordination.prepare()
        supervise()

    @bentoml.on_startup
    async def start(self) -> None:
        """Begins to answer, once the golden check has passed in this process."""
        quieten_collector()
        worker.start()
        self.pipeline.start()
        worker.shortcut = Shortcut(worker, self.pipeline)
        cache = self.pipeline.cache
        worker.metrics.sample(
            {
                "tandem_cache_bytes": lambda: cache.bytes if cache is not None else 0,
                "tandem_cache_images": lambda: len(cache) if cache is not None else 0,
            }
        )
        worker.metrics.sample({"tandem_ready": lambda: self.pipeline.ready and not worker.lifecycle.draining})
        self.champion.start()
        worker.share.open()
        await coordination.mark_ready()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Finishes what is queued."""
        await self.champion.stop()
        self.pipeline.close()
        worker.close()

    @bentoml.api(route="/predict")
    async def predict(self, instances: list[Instance]) -> dict[str, Any]:
        """Decides on each image; one that cannot be read is an error in its place.

        The answer is of the type `Predictions`; BentoML's client would drop the errors if it were told so, as of
        a union it knows the first type alone.
        """
        try:
            served = self.pipeline.served
            items = read_instances([instance.model_dump() for instance in instances], settings.max_images)
            response = await decide(self.pipeline, served, Submission(items), Options(served.engine.default))
        except TandemError as error:  # BentoML would make a 500 of it
            response = problem_of(error.as_value())
        return response  # type: ignore[return-value]  # BentoML passes a ready response on


HybridService.add_asgi_middleware(  # type: ignore[attr-defined]  # the decorator made a bentoml.Service of the class
    Gate, routes=routes, worker=worker
)
