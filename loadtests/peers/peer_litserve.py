"""``POST /v1/predict`` ──LitServe──▶ prediction: uvicorn processes receive requests, others compute batches.

No ``from __future__ import annotations``: LitServe reads the annotations themselves.
"""

from typing import Annotated, Any

import litserve
import orjson
from fastapi import Body, Response

from loadtests.peers.peer_inference import Settings, Work
from models.imaging.types import Pixels

BATCH_TIMEOUT_S = 0.0  # a CPU gains nothing by waiting for a fuller batch


class Classifier(litserve.LitAPI):
    """Decodes, embeds and decides a batch."""

    def setup(self, device: str) -> None:  # noqa: ARG002  # LitServe's name
        """Open the bundle."""
        self._work = Work.open(Settings.from_environment().bundle)

    def decode_request(self, request: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Pixels:
        """Decode one body, an encoded image."""
        return self._work.decode(request)

    def batch(self, inputs: list[Pixels]) -> list[Pixels]:
        """Return the images as they are; ``Work`` stacks them."""
        return inputs

    def predict(self, x: list[Pixels]) -> list[dict[str, Any]]:
        """Predict a batch."""
        return self._work.infer(x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the predictions as they are."""
        return output

    def encode_response(self, output: dict[str, Any]) -> Response:
        """Write one prediction as JSON here, not in the HTTP process."""
        return Response(orjson.dumps(output), media_type="application/json")


def main() -> None:
    """Serve with the ZeroMQ queue, as LitServe advises above 100 requests a second."""
    settings = Settings.from_environment()
    api = Classifier(max_batch_size=settings.max_batch, batch_timeout=BATCH_TIMEOUT_S, api_path="/v1/predict")
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=settings.workers, fast_queue=True, timeout=False
    )
    server.run(
        host="127.0.0.1",
        port=settings.port,
        num_api_servers=settings.workers,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
