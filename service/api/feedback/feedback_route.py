"""`/v1/feedback`: what a person, or a system that knows it by now, says of a decision ──▶ the database."""

from __future__ import annotations

import pydantic_core
from pydantic import ValidationError

from feedback.reviews.answer import Answer, record_answer, undo_answer
from models.errors import BadRequest, NotFound, UnsupportedType
from service.api.body.content_encoding import decoded_body
from service.api.feedback.database_calls import DatabaseCalls
from service.api.feedback.feedback_schemas import FeedbackBody
from service.gateway.transaction import Transaction
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.settings import Settings


class FeedbackRoute:
    """Takes answers, and takes them back.

    Args:
        pipeline: whose model says which classes a head has.
        settings: limits of a body.
        calls: to the database with the decisions.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, calls: DatabaseCalls) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._calls = calls

    async def post(self, transaction: Transaction) -> Response:
        """201 with the answer's id."""
        request = transaction.request
        manifest = self._pipeline.model.engine.manifest
        heads = {head.name: head.classes for head in manifest.heads}
        answer = _answer_of(_read(await self._body(request)), request.key)
        answer_id = await self._calls.run(record_answer, self._calls.database, answer, heads, manifest.name)
        return Response(201, pydantic_core.to_json({"id": answer_id}))

    async def delete(self, transaction: Transaction) -> Response:
        """204 once the answer is taken back."""
        given = transaction.request.parameters["id"]
        if not given.isascii() or not given.isdecimal() or len(given) > 18:
            raise NotFound(f"there is no answer {given[:40]!r}")
        await self._calls.run(undo_answer, self._calls.database, int(given), self._pipeline.model.engine.manifest.name)
        return Response(204)

    async def _body(self, request: Request) -> bytes:
        kind = request.content_type.partition(";")[0].strip().lower()
        if kind != "application/json":
            raise UnsupportedType(f"content type {kind[:100]!r} is not accepted here; send application/json")
        return await decoded_body(request, self._settings.max_body_bytes)


def _read(body: bytes) -> FeedbackBody:
    try:
        return FeedbackBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise BadRequest(f"{place}: {first['msg']}; got {str(first['input'])[:100]!r}") from error


def _answer_of(body: FeedbackBody, key: str | None) -> Answer:
    given = body.model_dump()
    return Answer(**{**given, "by": key if key is not None else body.by})
