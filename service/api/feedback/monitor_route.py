"""`/v1/monitor`: live precision, what waits, drift and the shadow, for the page `/monitor`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic_core

from feedback.measures.measurements import DRIFT, PRECISION, Measurement, measured_series
from feedback.measures.report_document import report_document, targets_of
from service.api.feedback.database_calls import DatabaseCalls
from service.api.feedback.reviews_route import IMAGES
from service.gateway.transaction import Transaction
from service.inference.pipeline import Pipeline
from service.messages import Response

_SHOWN = 200
"""Measurements in a curve."""
_WATCHED_WITHIN = timedelta(minutes=5)


class MonitorRoute:
    """Shows how good the answers are.

    Args:
        pipeline: whose model is watched.
        calls: to the database with the decisions.
        keeps_images: whether there are pictures to show.
    """

    def __init__(self, pipeline: Pipeline, calls: DatabaseCalls, *, keeps_images: bool) -> None:
        self._pipeline = pipeline
        self._calls = calls
        self._keeps_images = keeps_images

    async def get(self, _: Transaction) -> Response:
        """The figures of the model that serves."""
        manifest = self._pipeline.model.engine.manifest
        document = await self._calls.run(self._document, manifest.model, targets_of(manifest))
        return Response(200, pydantic_core.to_json(document))

    def _document(self, model: str, targets: dict[str, float]) -> dict[str, Any]:
        bundle = model.partition("@")[0]
        with self._calls.database.reading() as connection:
            document = report_document(connection, targets, model)
            precision = measured_series(connection, bundle, PRECISION, _SHOWN)
            drift = measured_series(connection, bundle, DRIFT, _SHOWN)
        if document["drift"] is not None:
            for new in document["drift"]["new"]:
                new["image"] = IMAGES + new["image_sha256"] if self._keeps_images else None
        return {
            **document,
            "history": {
                "precision": {
                    head: _points(precision, head) for head in sorted({str(found.head) for found in precision})
                },
                "drift": [_drift_point(found) for found in drift],
            },
            "watching": any(datetime.now(UTC) - found.time < _WATCHED_WITHIN for found in precision),
        }


def _points(found: list[Measurement], head: str) -> list[dict[str, Any]]:
    return [
        {"time": each.time, **{name: each.document["precision"][name] for name in ("estimate", "lower", "upper")}}
        for each in found
        if each.head == head
    ]


def _drift_point(found: Measurement) -> dict[str, Any]:
    return {"time": found.time, **{name: found.document[name] for name in ("statistic", "threshold", "alarm")}}
