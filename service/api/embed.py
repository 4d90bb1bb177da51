"""`POST /v1/embed`: encoded images ──▶ embeddings, as JSON or as raw float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.errors import BadRequest, TandemError
from models.runtime.engine_types import Result
from service.api.accept import prefers
from service.api.image_route import ImageRoute, failed, json_response
from service.api.query import read_options
from service.gateway.transaction import Answer, Transaction
from service.inference.loaded_model import LoadedModel
from service.messages import Request, Response
from service.problems import code_of, item_error

FLOAT32 = "application/octet-stream"


class Embed(ImageRoute):
    """Embeds the images of a request; see `ImageRoute` for its arguments."""

    def __call__(self, transaction: Transaction) -> Answer:
        """Answers later."""
        request, model = transaction.request, self._pipeline.model
        read_options(request.query, model, ())
        return self._embed(request, model)

    async def _embed(self, request: Request, model: LoadedModel) -> Response:
        submission = await self._submission(request)
        if submission.grouped:
            raise BadRequest(
                "/v1/embed gives each image an embedding of its own; send images one by one, not as photos of instances"
            )
        results = await self._pipeline.run(model, submission.items, deadline=request.deadline, heads=())
        if len(results) == 1 and isinstance(results[0], TandemError):
            return failed(results[0])
        if prefers(request.headers.get(b"accept", b"").decode("latin-1"), FLOAT32, "application/json"):
            return _raw(results, model)
        shown = [item_error(each) if isinstance(each, TandemError) else each.embedding.tolist() for each in results]
        return json_response(
            {"embedding": shown[0]} if submission.single else {"embeddings": shown}, model.name, results
        )


def _raw(results: Sequence[Result | TandemError], model: LoadedModel) -> Response:
    """Little-endian float32 `[N, D]`; the row of an image that failed is NaN and named in a header."""
    width = model.engine.manifest.embedding_width
    rows = np.full((len(results), width), np.nan, dtype="<f4")
    errors = []
    for index, result in enumerate(results):
        if isinstance(result, TandemError):
            errors.append(f"{index}={code_of(result)}")
        else:
            rows[index] = result.embedding
    headers = [(b"x-tandem-shape", f"{len(results)},{width}".encode())]
    if errors:
        headers.append((b"x-tandem-errors", ",".join(errors).encode()))
    return Response(200, rows.tobytes(), FLOAT32.encode(), headers, model=model.name, results=results)
