"""The shapes of feedback and reviews, as types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from models.policy import Reason

_NO_NUL = r"^[^\x00]*$"  # which PostgreSQL does not keep
_Name = Annotated[str, Field(min_length=1, max_length=128, pattern=_NO_NUL)]


class FeedbackBody(BaseModel):
    """An answer to one decision: a `label`, a `value`, or `cannot_tell`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: _Name = Field(description="`X-Request-Id` of the response with the decision")
    index: int = Field(default=0, ge=0, lt=65_536, description="of the image in the request")
    head: _Name | None = Field(default=None, description="whose decision; the default head's where it is left out")
    label: Annotated[str, Field(max_length=1000, pattern=_NO_NUL)] | None = Field(
        default=None, description="the right class"
    )
    value: float | None = Field(default=None, description="the right number")
    cannot_tell: bool = Field(default=False, description="the image does not show it")
    by: _Name | None = Field(default=None, description="who says so; the API key's name where keys are required")
    source: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = Field(default="api", description="where from")


class FeedbackAnswer(TypedDict):
    """What was written."""

    id: int


class ReviewItem(TypedDict):
    """One decision that waits for a person."""

    id: int
    request_id: str
    index: int
    head: str
    kind: Literal["audit", "review"]
    time: str
    model: str
    label: str | None
    value: float | None
    confidence: float | None
    reasons: list[Reason]
    columns: dict[str, Any]
    image: str | None
    image_sha256: str
    leased_until: str | None


class ReviewsAnswer(TypedDict):
    """What to look at first, and how much there is."""

    reviews: list[ReviewItem]
    waiting: int
    answered: int
