"""request ──▶ `Pipeline` ──▶ response: the routes under `/v1`, the metrics and the API description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic_core
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.bundle.head_spec import HeadSpec
from models.errors import NotReady, TandemError
from models.runtime.engine_types import Result
from service.api.bodies import Submission, read_submission
from service.api.predictions import to_answer
from service.api.query import Options, read_options
from service.gateway.problems import code_of, item_error
from service.http.exchange import CURRENT
from service.inference.loaded_model import Served
from service.inference.pipeline import Pipeline
from service.observability import service_metrics

FLOAT32 = "application/octet-stream"
JSON = "application/json"


def build_routes() -> Starlette:
    """The application that is mounted in the BentoML service; `state.pipeline` is set when the service starts."""
    return Starlette(
        routes=[
            Route("/v1/predict", predict, methods=["POST"]),
            Route("/v1/embed", embed, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/metrics", prometheus, methods=["GET"]),
            Route("/docs.json", openapi, methods=["GET"]),
        ]
    )


async def predict(request: Request) -> Response:
    """`POST /v1/predict`: decisions on one or several images."""
    pipeline = pipeline_of(request)
    served = pipeline.served
    options = read_options(request.scope["query_string"], served)
    submission = await _read_body(pipeline)
    return await decide(pipeline, served, submission, options)


async def decide(pipeline: Pipeline, served: Served, submission: Submission, options: Options) -> Response:
    """The JSON answer to a submission: bare for a bare image, else a list with errors in their places."""
    answers = await _run(pipeline, served, submission, options.heads, explain=options.explain)
    shown = [
        item_error(answer) if isinstance(answer, TandemError) else to_answer(answer, options, served.name)
        for answer in answers
    ]
    return json_response(shown[0] if submission.single else {"predictions": shown})


async def embed(request: Request) -> Response:
    """`POST /v1/embed`: embeddings as JSON, or as raw float32 where the caller accepts that."""
    pipeline = pipeline_of(request)
    served = pipeline.served
    read_options(request.scope["query_string"], served, ())
    submission = await _read_body(pipeline)
    answers = await _run(pipeline, served, submission, ())
    if FLOAT32 in request.headers.get("accept", ""):
        return _raw(answers, served.engine.manifest.embedding_width)
    shown = [item_error(a) if isinstance(a, TandemError) else a.embedding.tolist() for a in answers]
    return json_response({"embedding": shown[0]} if submission.single else {"embeddings": shown})


async def models(request: Request) -> Response:
    """`GET /v1/models`: the loaded bundle's manifest, less its file list."""
    return Response(pipeline_of(request).served.manifest, media_type=JSON)


async def prometheus(_: Request) -> Response:
    """`GET /metrics`."""
    return Response(service_metrics.exposition(), media_type=service_metrics.CONTENT_TYPE)


async def openapi(request: Request) -> Response:
    """`GET /docs.json`: the OpenAPI description that BentoML's page shows."""
    return Response(pipeline_of(request).served.description, media_type=JSON)


def pipeline_of(request: Request) -> Pipeline:
    """The pipeline that the service set when it started.

    Raises:
        NotReady: it has not yet.
    """
    pipeline: Pipeline | None = getattr(request.app.state, "pipeline", None)
    if pipeline is None:
        raise NotReady("the server is starting; try again")
    return pipeline


async def _read_body(pipeline: Pipeline) -> Submission:
    exchange = CURRENT.get()
    content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
    return read_submission(content_type, await exchange.read_body(), pipeline.settings.max_images)


async def _run(
    pipeline: Pipeline, served: Served, submission: Submission, heads: Sequence[HeadSpec], *, explain: bool = False
) -> list[Result | TandemError]:
    """The answers; in a request of one image, that image's error is the request's."""
    exchange = CURRENT.get()
    answers = await pipeline.run(served, submission.items, deadline=exchange.deadline, heads=heads, explain=explain)
    exchange.answers = answers
    if len(answers) == 1 and isinstance(answers[0], TandemError):
        raise answers[0]
    exchange.model = served.name
    return answers


def _raw(answers: list[Result | TandemError], width: int) -> Response:
    """Little-endian float32 `[N, D]`; the row of an image that failed is NaN and named in a header."""
    rows = np.full((len(answers), width), np.nan, dtype="<f4")
    errors = []
    for index, answer in enumerate(answers):
        if isinstance(answer, TandemError):
            errors.append(f"{index}={code_of(answer)}")
        else:
            rows[index] = answer.embedding
    headers = {"X-Tandem-Shape": f"{len(answers)},{width}"}
    if errors:
        headers["X-Tandem-Errors"] = ",".join(errors)
    return Response(rows.tobytes(), headers=headers, media_type=FLOAT32)


def json_response(document: Any) -> Response:
    """A response of status 200."""
    return Response(pydantic_core.to_json(document), media_type=JSON)
