"""``POST /v1/predict`` ──Ray Serve──▶ prediction: a proxy receives requests, replicas gather and compute batches."""

import os
import secrets
import signal
import sys
import tempfile
from typing import Any

import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from loadtests.peers.peer_inference import Settings, Work

ADDRESS = "127.0.0.1"
BATCH_WAIT_S = 0.0  # a CPU gains nothing by waiting for a fuller batch


def application(settings: Settings) -> Any:
    """Return the deployment; its class is defined here because its decorators need the settings."""

    class Classifier:
        """Decodes, embeds and decides a batch."""

        def __init__(self) -> None:
            self._work = Work.open(settings.bundle)

        @serve.batch(max_batch_size=settings.max_batch, batch_wait_timeout_s=BATCH_WAIT_S)
        async def predict(self, bodies: list[bytes]) -> list[dict[str, Any]]:
            return self._work.predict(bodies)

        async def __call__(self, request: Request) -> Response:
            prediction = await self.predict(await request.body())
            return Response(orjson.dumps(prediction), media_type="application/json")

    # More than the connections of any load, so that none waits in the proxy.
    deployed = serve.deployment(num_replicas=settings.workers, max_ongoing_requests=128)(Classifier)
    return deployed.bind()


def main() -> None:
    """Serve on the loopback address until SIGTERM."""
    settings = Settings.from_environment()
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # else Ray keeps one in the home folder
    ray.init(include_dashboard=False, log_to_driver=False, _node_ip_address=ADDRESS, _temp_dir=tempfile.gettempdir())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # after Ray sets its own
    try:
        serve.start(http_options={"host": ADDRESS, "port": settings.port})
        serve.run(application(settings), route_prefix="/v1/predict", blocking=True)
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
