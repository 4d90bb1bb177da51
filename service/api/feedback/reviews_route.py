"""`/v1/reviews`: what waits for a person, with its picture and why the model answers as it does."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

import pydantic_core

from feedback.recording.image_store import ImageStore
from feedback.reviews.review_queue import Review, next_reviews, recorded_decision
from models.bundle.head_spec import HeadSpec
from models.columns import ColumnValue
from models.dates import days_text
from models.errors import BadRequest, NotFound, TandemError
from models.imaging.decode import read_header
from models.runtime.head_answers import answer_image
from service.api.feedback.database_calls import DatabaseCalls
from service.api.image_route import failed
from service.api.predictions import to_answer
from service.api.query import Options, read_number, read_query
from service.gateway.transaction import Transaction
from service.inference.items import Item
from service.inference.pipeline import Pipeline
from service.messages import Response
from service.settings import Settings

IMAGES = "/v1/reviews/images/"
_KNOWN = ("head", "lease", "limit", "reviewer")
_MOST = 100
"""Reviews in one answer."""
_MOST_LEASE_S = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVIEWER = re.compile(r"[A-Za-z0-9._-]{1,40}")
_SHOWN = (
    "id",
    "request_id",
    "index",
    "head",
    "time",
    "model",
    "label",
    "value",
    "confidence",
    "reasons",
    "image_sha256",
)


class ReviewsRoute:
    """Shows what waits for a person.

    Args:
        pipeline: explains decisions.
        settings: the usual length of a lease.
        images: where the images are kept; None if they are not.
        calls: to the database with the decisions, and to the images.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: Settings,
        images: ImageStore | None,
        calls: DatabaseCalls,
    ) -> None:
        self._pipeline = pipeline
        self._lease_s = settings.feedback_lease_s
        self._images = images
        self._calls = calls

    async def get(self, transaction: Transaction) -> Response:
        """The reviews to look at, best first."""
        request = transaction.request
        given = read_query(request.query, _KNOWN)
        head, lease = given.get("head"), given.get("lease")
        if head is not None:
            self._pipeline.model.engine.manifest.chosen_heads([head])
        reviews, progress = await self._calls.run(
            next_reviews,
            self._calls.database,
            bundle=self._pipeline.model.engine.manifest.name,
            head=head,
            limit=read_number("limit", given.get("limit", "10"), 1, _MOST),
            reviewer=_reviewer(given.get("reviewer", ""), request.key),
            lease_s=self._lease_s if lease is None else read_number("lease", lease, 0, _MOST_LEASE_S),
        )
        document = {
            "reviews": [self._document(review) for review in reviews],
            "waiting": progress.waiting,
            "answered": progress.answered,
        }
        return Response(200, pydantic_core.to_json(document))

    async def image(self, transaction: Transaction) -> Response:
        """One kept image, as it was sent."""
        data = await self._image(transaction.request.parameters["sha256"])
        headers = ((b"cache-control", b"private, max-age=3600"), (b"x-content-type-options", b"nosniff"))
        return Response(200, data, f"image/{read_header(data).type}".encode(), headers)

    async def explanation(self, transaction: Transaction) -> Response:
        """The answer of the model that serves now to a recorded image; nothing of it is recorded.

        It says why, if the bundle has examples of the head.
        """
        request, model = transaction.request, self._pipeline.model
        manifest = model.engine.manifest
        row = await self._calls.run(recorded_decision, self._calls.database, request.parameters["id"], manifest.name)
        heads = manifest.chosen_heads([row["head"]])
        options = Options(heads, explain=row["head"] in model.engine.explainers)
        image = await self._image(row["image_sha256"])
        item = Item(image, _as_sent(row["columns"], heads[0]))
        (result,) = await self._pipeline.run(
            model, [item], deadline=request.deadline, heads=heads, explain=options.explain
        )
        if isinstance(result, TandemError):
            return failed(result)
        return Response(
            200, pydantic_core.to_json(to_answer(answer_image(0, image, result, heads), options, model.name))
        )

    async def _image(self, sha256: str) -> bytes:
        if self._images is None:
            raise NotFound("images are not kept here; TANDEM_FEEDBACK_IMAGES says where to keep them")
        image = await self._calls.run(self._images.open, sha256) if _SHA256.fullmatch(sha256) else None
        if image is None:
            raise NotFound(f"no image of SHA-256 {sha256[:80]!r} is kept; it may be older than what is kept")
        return image

    def _heads(self) -> dict[str, HeadSpec]:
        return {head.name: head for head in self._pipeline.model.engine.manifest.heads}

    def _document(self, review: Review) -> dict[str, Any]:
        return {
            **{name: review.row[name] for name in _SHOWN},
            "columns": _as_sent(review.row["columns"], self._heads().get(review.row["head"])),
            "kind": review.kind,
            "image": None if self._images is None else IMAGES + review.row["image_sha256"],
            "leased_until": review.leased_until,
        }


def _reviewer(name: str, key: str | None) -> str:
    """Who asks: a name below the key's. Without either, two requests are of two reviewers."""
    if name and not _REVIEWER.fullmatch(name):
        raise BadRequest(f"reviewer must be 1 to 40 letters, digits, '.', '_' or '-'; got {name[:40]!r}")
    return f"{key or ''}/{name or (secrets.token_hex(8) if key is None else '')}"


def _as_sent(columns: Mapping[str, ColumnValue], head: HeadSpec | None) -> dict[str, ColumnValue]:
    """Columns as a request has them: a head was given a date as days."""
    dates = {column.name for column in head.columns if column.type == "date"} if head is not None else set()
    return {
        name: days_text(value) if name in dates and isinstance(value, float | int) else value
        for name, value in columns.items()
    }
