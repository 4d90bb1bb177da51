"""`/v2/…`: the Open Inference Protocol over HTTP."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pydantic_core

from models import __version__
from models.errors import BadRequest
from service.api.body.content_encoding import decoded_body
from service.api.open_inference import documents
from service.api.open_inference.inference import Inference, check_model
from service.api.open_inference.rest_body import read_request, write_response
from service.api.open_inference.statistics import model_statistics
from service.api.readiness import check_ready
from service.gateway.router import Routes
from service.gateway.transaction import Answer, Handler, Transaction
from service.inference.loaded_model import LoadedModel
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.settings import Settings

MODEL = "/v2/models/{model}"
_VERSIONS = ("", "/versions/{version}")


class OpenInference:
    """The routes of the protocol.

    Args:
        pipeline: answers requests.
        settings: limits of a request.
        is_draining: whether the end of the server has begun.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, is_draining: Callable[[], bool]) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._inference = Inference(pipeline, settings.max_images)
        self._is_draining = is_draining

    def routes(self) -> Routes:
        """By path and method."""
        of_model: dict[str, Mapping[str, Handler]] = {
            "": {"GET": self._told(lambda model: documents.model_metadata(model.engine.manifest))},
            "/ready": {"GET": self._told(lambda model: {"name": model.engine.manifest.name, "ready": True})},
            "/config": {"GET": self._told(lambda model: documents.model_config(model.engine.manifest))},
            "/stats": {"GET": self._told(lambda model: model_statistics(model.engine.manifest))},
            "/infer": {"POST": self._infer},
        }
        return {
            "/v2": {"GET": lambda _: _json(documents.server_metadata(__version__))},
            "/v2/health/live": {"GET": lambda _: _json({"live": True})},
            "/v2/health/ready": {"GET": self._ready},
            "/v2/models/stats": {"GET": self._told(lambda model: model_statistics(model.engine.manifest))},
            "/v2/repository/index": {
                "POST": self._told(lambda model: documents.repository_index(model.engine.manifest))
            },
            "/v2/repository/models/{model}/load": {"POST": _refuse_change},
            "/v2/repository/models/{model}/unload": {"POST": _refuse_change},
            **{f"{MODEL}{at}{path}": methods for at in _VERSIONS for path, methods in of_model.items()},
        }

    def _ready(self, _: Transaction) -> Response:
        check_ready(self._pipeline, is_draining=self._is_draining())
        return _json({"ready": True})

    def _told(self, tell: Callable[[LoadedModel], Any]) -> Handler:
        """A handler that tells something of the model that the path names, or of the one that serves."""

        def handler(transaction: Transaction) -> Response:
            return _json(tell(self._model(transaction.request)))

        return handler

    def _model(self, request: Request) -> LoadedModel:
        model = self._pipeline.model
        if "model" in request.parameters:
            check_model(model, request.parameters["model"], request.parameters.get("version", ""))
        return model

    def _infer(self, transaction: Transaction) -> Answer:
        request = transaction.request
        return self._answer(request, self._model(request))

    async def _answer(self, request: Request, model: LoadedModel) -> Response:
        settings, manifest = self._settings, model.engine.manifest
        body = await decoded_body(request, settings.max_body_bytes)
        asked = read_request(request.headers, body, settings.max_images)
        write = functools.partial(write_response, asked=asked, model=manifest.name, version=str(manifest.version))
        return await self._inference.answer(request, model, asked.infer, write)


def _refuse_change(transaction: Transaction) -> Response:
    raise BadRequest(documents.NO_CHANGE.format(transaction.request.parameters["model"][:80]))


def _json(document: Any) -> Response:
    return Response(200, pydantic_core.to_json(document))
