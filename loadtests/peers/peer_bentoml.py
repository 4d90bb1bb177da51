"""``POST /v1/predict`` ──BentoML's batchable API──▶ prediction: each process gathers batches and computes them.

A batchable API takes a list and returns a list, here of one image and one prediction. ``Classifier`` follows BentoML's
manual: images are the files of a form. ``RawClassifier`` is the fastest that BentoML can do, with features that its
manual does not mention.
"""

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType
from starlette.requests import Request

from loadtests.peers.peer_inference import Settings, Work

settings = Settings.from_environment()  # BentoML's decorators need them when the class is defined
service = bentoml.service(
    workers=settings.workers,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)


@service
class Classifier:
    """Decodes, embeds and decides a batch."""

    def __init__(self) -> None:
        """Open the bundle."""
        self._work = Work.open(settings.bundle)

    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=settings.max_batch)
    def predict(self, images: list[Path]) -> list[dict[str, Any]]:
        """Predict a batch of encoded images, which BentoML has written to files."""
        return self._work.predict([image.read_bytes() for image in images])


class Bodies(bentoml.IODescriptor):
    """The body of a request as it is; as JSON, a file or an image it costs BentoML twice the CPU."""

    bodies: list[bytes]

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> "Bodies":  # noqa: ARG003  # BentoML's own name
        """Read the body."""
        return cls.model_construct(bodies=[await request.body()])


@service
class RawClassifier:
    """The same, without BentoML's types."""

    def __init__(self) -> None:
        """Open the bundle."""
        self._work = Work.open(settings.bundle)

    # Without the content type, BentoML derives it from a JSON schema for each request.
    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=settings.max_batch, input_spec=Bodies)
    def predict(self, bodies: list[bytes]) -> Annotated[list[dict[str, Any]], ContentType("application/json")]:
        """Predict a batch of encoded images."""
        return self._work.predict(bodies)
