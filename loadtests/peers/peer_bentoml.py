"""``POST /v1/predict`` ──BentoML's batchable API──▶ prediction: each process gathers batches and computes them.

A batchable API takes a list and answers a list, here of one image and one prediction. ``Classifier`` is typed as
BentoML's manual has it, images being the files of a form; ``RawClassifier`` is what BentoML can do at best, by parts of
it that its manual does not speak of.
"""

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType
from starlette.requests import Request

from loadtests.peers.peer_inference import Settings, Work

settings = Settings.from_environment()  # BentoML's decorators want them when the class is defined
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
        """Answer a batch of encoded images, which BentoML has put into files."""
        return self._work.predict([image.read_bytes() for image in images])


class Bodies(bentoml.IODescriptor):
    """A request's body as it is; read as JSON, as a file or as an image it costs BentoML twice the CPU."""

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

    # The content type is named, as BentoML derives it from a JSON schema at each request otherwise.
    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=settings.max_batch, input_spec=Bodies)
    def predict(self, bodies: list[bytes]) -> Annotated[list[dict[str, Any]], ContentType("application/json")]:
        """Answer a batch of encoded images."""
        return self._work.predict(bodies)
