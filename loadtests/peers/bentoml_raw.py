"""``POST /v1/predict`` ──BentoML's batchable API──▶ prediction, with a descriptor that leaves a body as it is.

It is what BentoML can do at best, by parts of it that its manual does not speak of; `loadtests.peers.bentoml` is what
the manual advises.
"""

from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType
from starlette.requests import Request

from loadtests.peers.work import Settings, Work

settings = Settings.from_environment()  # BentoML's decorators want them when the class is defined


class Bodies(bentoml.IODescriptor):
    """A request's body as it is; read as JSON, as a file or as an image it costs BentoML twice the CPU."""

    bodies: list[bytes]

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> "Bodies":  # noqa: ARG003  # BentoML's own name
        """Read the body."""
        return cls.model_construct(bodies=[await request.body()])


@bentoml.service(
    workers=settings.workers,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class Classifier:
    """Decodes, embeds and decides a batch."""

    def __init__(self) -> None:
        """Open the bundle."""
        self._work = Work.open(settings.bundle)

    # The content type is named, as BentoML derives it from a JSON schema at each request otherwise.
    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=settings.max_batch, input_spec=Bodies)
    def predict(self, bodies: list[bytes]) -> Annotated[list[dict[str, Any]], ContentType("application/json")]:
        """Answer a batch of encoded images."""
        return self._work.predict(bodies)
