"""The routes of the service, by path and method."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pydantic_core

from service.api.embed import Embed
from service.api.feedback.not_recorded import routes_without_record
from service.api.image_route import NATIVE
from service.api.open_inference.rest import OpenInference
from service.api.openapi import describe
from service.api.pages.static_files import page_routes
from service.api.predict import Predict
from service.api.readiness import check_ready
from service.gateway.router import Routes
from service.gateway.transaction import Transaction
from service.inference.loaded_model import LoadedModel
from service.inference.pipeline import Pipeline
from service.messages import TEXT, Response
from service.observability import service_metrics
from service.settings import Settings


def build_routes(pipeline: Pipeline, settings: Settings, is_draining: Callable[[], bool]) -> Routes:
    """All routes; BentoML's own files, such as those of Swagger UI, are the fallback's.

    Where decisions are recorded, `service.process.recording.feedback_loop` has the routes of their record instead.

    Args:
        pipeline: answers requests.
        settings: limits of a request.
        is_draining: whether the end of the server has begun.
    """

    def models(_: Transaction) -> Response:
        """The loaded bundle's manifest, less its file list."""
        return Response(200, pipeline.model.manifest)

    @functools.lru_cache(maxsize=1)  # it takes 9 ms
    def described(model: LoadedModel) -> bytes:
        return pydantic_core.to_json(describe(model.engine.manifest))

    def description(_: Transaction) -> Response:
        """The OpenAPI description that BentoML's page shows."""
        return Response(200, described(pipeline.model))

    predict = Predict(pipeline, settings)
    return {
        "/v1/predict": {"POST": predict},
        "/v1/embed": {"POST": Embed(pipeline, settings)},
        "/v1/models": {"GET": models},
        NATIVE: {"POST": predict},
        "/docs.json": {"GET": description},
        **_probes(pipeline, is_draining),
        **OpenInference(pipeline, settings, is_draining).routes(),
        **routes_without_record(),
        **page_routes(),
    }


def _probes(pipeline: Pipeline, is_draining: Callable[[], bool]) -> Routes:
    def ready(_: Transaction) -> Response:
        """Whether this process takes work."""
        check_ready(pipeline, is_draining=is_draining())
        return _alive(_)

    return {
        "/livez": {"GET": _alive},
        "/healthz": {"GET": _alive},
        "/readyz": {"GET": ready},
        "/metrics": {"GET": _metrics},
    }


def _alive(_: Transaction) -> Response:
    return Response(200, b"\n", TEXT)


def _metrics(_: Transaction) -> Response:
    return Response(200, service_metrics.exposition(), service_metrics.CONTENT_TYPE.encode())
