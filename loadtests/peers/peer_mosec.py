"""``POST /v1/predict`` ──MOSEC──▶ prediction: Rust receives requests and gathers batches, Python processes compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from mosec import Server, Worker

from loadtests.peers.peer_inference import Settings, Work

MAX_WAIT_MS = 1  # its least; on a CPU, a longer wait for a fuller batch gains nothing


class Classifier(Worker):
    """Decodes, embeds and decides a batch."""

    def __init__(self) -> None:
        """Open the bundle."""
        super().__init__()
        self._work = Work.open(Settings.from_environment().bundle)

    def deserialize(self, data: bytes) -> bytes:
        """Return the body as it is."""
        return data

    def forward(self, data: Sequence[bytes]) -> list[dict[str, Any]]:
        """Predict a batch of encoded images."""
        return self._work.predict(data)

    def serialize(self, data: dict[str, Any]) -> bytes:
        """Write one prediction as JSON."""
        return orjson.dumps(data)


def main() -> None:
    """Serve; address and log level come from ``MOSEC_ADDRESS``, ``MOSEC_PORT`` and ``MOSEC_LOG_LEVEL``."""
    settings = Settings.from_environment()
    server = Server()
    server.append_worker(
        Classifier,
        num=settings.workers,
        max_batch_size=settings.max_batch,
        max_wait_time=MAX_WAIT_MS,
        route="/v1/predict",
    )
    server.run()


if __name__ == "__main__":
    main()
