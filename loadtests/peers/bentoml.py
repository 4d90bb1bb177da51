"""``POST /v1/predict`` ──BentoML's batchable API──▶ prediction: each process gathers batches and computes them.

Typed as BentoML's manual has it: a batchable API takes a list and answers a list, here of one image and one
prediction; images come as the parts of a form.
"""

from pathlib import Path
from typing import Any

import bentoml

from loadtests.peers.work import Settings, Work

settings = Settings.from_environment()  # BentoML's decorators want them when the class is defined


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

    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=settings.max_batch)
    def predict(self, images: list[Path]) -> list[dict[str, Any]]:
        """Answer a batch of encoded images, which BentoML has put into files."""
        return self._work.predict([image.read_bytes() for image in images])
