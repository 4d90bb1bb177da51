"""The shapes of requests and answers, as types; `service/openapi.py` and BentoML's page show them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from models.policy import Decision, Reason


class Instance(BaseModel):
    """One image of a JSON request."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="JPEG, PNG or WebP, base64-encoded")
    columns: dict[str, Any] | None = Field(
        default=None, description="structured facts, as the head's schema names them"
    )


class Timing(TypedDict):
    """Milliseconds that one image spent in each stage."""

    decode: float
    queue: float
    embed: float
    decide: float


class _Prediction(TypedDict):
    label: str
    confidence: float
    decision: Decision
    reasons: list[Reason]
    probabilities: dict[str, float]
    model: str
    head: str


class Prediction(_Prediction, total=False):
    """One image's answer: label, confidence, what to do with it, and every class by falling probability."""

    timing_ms: Timing


class ErrorBody(TypedDict):
    """What was wrong with one image."""

    code: str
    detail: str


class ItemError(TypedDict):
    """Stands in the place of an image that could not be answered, among others that could."""

    error: ErrorBody


class Predictions(TypedDict):
    """The answers of a request of several images, in order."""

    predictions: list[Prediction | ItemError]


class EmbeddingAnswer(TypedDict):
    """One image's embedding."""

    embedding: list[float]


class EmbeddingsAnswer(TypedDict):
    """The embeddings of a request of several images, in order."""

    embeddings: list[list[float] | ItemError]


class Problem(TypedDict):
    """RFC 9457 problem details."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str
