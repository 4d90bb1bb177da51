"""What the routes that take images share: the limits of a request, its images, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic_core

from models.errors import TandemError
from models.runtime.engine_types import Result
from models.runtime.head_answers import Answered
from service.api.body.bodies import Submission, read_submission
from service.api.body.content_encoding import decoded_body
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.problems import problem_of
from service.settings import Settings

NATIVE = "/predict"
"""The route that BentoML's own clients call; it takes JSON alone."""


class ImageRoute:
    """A route that takes images.

    Args:
        pipeline: of the process.
        settings: limits of a request.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline = pipeline
        self._settings = settings

    async def _submission(self, request: Request) -> Submission:
        """The images and columns of a request.

        Raises:
            ClientError: the body is not what its content type and encoding say, or is over a limit.
        """
        kind = "application/json" if request.path == NATIVE else request.content_type
        body = await decoded_body(request, self._settings.max_body_bytes)
        return read_submission(kind, body, self._settings.max_images)


def json_response(
    document: Any, model: str, results: Sequence[Result | TandemError], decided: Sequence[Answered] = ()
) -> Response:
    """A response of status 200."""
    return Response(200, pydantic_core.to_json(document), model=model, results=results, decided=decided)


def failed(error: TandemError) -> Response:
    """The response to a request of one image that could not be answered."""
    response = problem_of(error.as_value())
    response.results = [error]
    return response
