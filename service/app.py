"""`HybridService`: where BentoML's service and our worker are put together."""

from __future__ import annotations

import os
from typing import Any

import bentoml

from models.errors import TandemError
from service import coordination
from service.api.image_route import NATIVE
from service.api.schemas import Instance
from service.http.asgi import AsgiAdapter
from service.process.bundle_follower import BundleFollower
from service.process.hooks import serve_with, supervise
from service.process.preflight import check_before_start
from service.process.worker import Worker
from service.settings import Settings


def build_service() -> Any:
    """The service as the environment has it.

    Raises:
        SystemExit: a setting or a file of keys is wrong; the reason is its message.
    """
    try:
        settings = Settings.from_environment()
        worker = Worker.of(settings)
    except TandemError as error:
        raise SystemExit(f"tandem cannot start: {error}") from error
    if coordination.in_worker():
        serve_with(worker)
    service = _service(settings, worker)
    service.add_asgi_middleware(AsgiAdapter, gateway=lambda: worker.gateway, mount=worker.mount)
    return service


def _service(settings: Settings, worker: Worker) -> Any:
    """BentoML's service of a worker."""
    # Without keys only this machine may ask, unless `--host` or BENTOML_HOST says otherwise; BentoML's containers have
    # a network of their own.
    is_open = settings.api_keys_file is not None or "BENTOML_CONTAINERIZED" in os.environ
    decorate = bentoml.service(
        name="hybrid_service",
        workers=settings.workers,
        http={"host": "0.0.0.0" if is_open else "127.0.0.1"},  # noqa: S104 (only with keys)
        metrics={"enabled": False},  # labels by raw path; /metrics is ours
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
    )
    return decorate(_class_of(worker))


def _class_of(worker: Worker) -> type:
    """What BentoML makes a service of."""

    class HybridService:
        """Images in, decisions out: a deep network perceives, classical models decide."""

        def __init__(self) -> None:
            worker.load()

        @bentoml.on_deployment
        @staticmethod
        def check() -> None:
            """Stops a server that cannot serve, before its workers start."""
            check_before_start()
            coordination.prepare()
            supervise()
            if isinstance(worker.settings.bundle, str):
                BundleFollower.start(worker.settings.bundle)

        @bentoml.on_startup
        async def start(self) -> None:
            """Begins to answer."""
            await worker.start()

        @bentoml.on_shutdown
        async def stop(self) -> None:
            """Finishes what is queued."""
            await worker.stop()

        @bentoml.api(route=NATIVE)
        async def predict(self, instances: list[Instance]) -> dict[str, Any]:
            """Decides on each image; one that cannot be read is an error in its place.

            This declares to BentoML's clients and page what the route takes. Our gateway stands before BentoML's routes
            and answers it, over either transport.
            """
            raise AssertionError(f"the gateway answers before BentoML does; got {len(instances)} instances")

    return HybridService
