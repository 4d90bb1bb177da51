"""The shapes of requests and answers, as types; `service/api/openapi.py` and BentoML's page show them."""

from __future__ import annotations

from typing import Any, Required

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict

from models.policy import Decision, Reason
from models.runtime.explanation import Explanation
from service.problems import ItemError


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Instance(BaseModel):
    """One thing to decide on in a JSON request: its image, or its images where the bundle pools several."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"oneOf": [{"required": ["image"]}, {"required": ["images"]}]}
    )

    image: str | SkipJsonSchema[None] = Field(
        default=None,
        description="JPEG, PNG or WebP, base64-encoded; a data URI will do",
        json_schema_extra=_without_default,
    )
    images: list[str] | SkipJsonSchema[None] = Field(
        default=None,
        min_length=1,
        description="several of them, of one thing, in their order; only for a bundle whose manifest has a `pooling`",
        json_schema_extra=_without_default,
    )
    columns: dict[str, Any] | None = Field(default=None, description="structured facts beside the image")


class Timing(TypedDict):
    """Milliseconds that one image, or the images of one instance, spent in each stage."""

    decode: float
    queue: float
    embed: float
    decide: float


class Prediction(TypedDict, total=False):
    """One image's answer: label, confidence, what to do with it, and every class by falling probability."""

    label: Required[str]
    confidence: Required[float]
    decision: Required[Decision]
    reasons: Required[list[Reason]]
    probabilities: Required[dict[str, float]]
    model: Required[str]
    head: Required[str]
    explanation: Explanation
    timing_ms: Timing


class Estimate(TypedDict, total=False):
    """One image's answer where the head names a number.

    Nine of ten numbers lie in their interval, which is the wider, the less the image and columns tell.
    """

    value: Required[float]
    interval: list[float]
    decision: Required[Decision]
    reasons: Required[list[Reason]]
    model: Required[str]
    head: Required[str]
    explanation: Explanation
    timing_ms: Timing


class _Decisions(TypedDict):
    decisions: dict[str, Prediction | Estimate]
    model: str


class Decisions(_Decisions, total=False):
    """One image's answer where several heads were asked: a prediction by the name of each."""

    timing_ms: Timing


class Predictions(TypedDict):
    """The answers of a request of several images, in order."""

    predictions: list[Prediction | Estimate | Decisions | ItemError]


class EmbeddingAnswer(TypedDict):
    """One image's embedding."""

    embedding: list[float]


class EmbeddingsAnswer(TypedDict):
    """The embeddings of a request of several images, in order."""

    embeddings: list[list[float] | ItemError]
