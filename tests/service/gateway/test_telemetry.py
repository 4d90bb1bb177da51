"""What a finished request leaves in metrics and log, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.runtime.engine_types import HeadOutput, Result
from service.gateway.telemetry import Telemetry
from service.messages import Request, Response
from service.observability.json_log import AccessLog, LineWriter
from tests.cpu_cost import relative_cost
from tests.service.serving import METRICS

REQUESTS = 5000
HEAD_OUTPUT = HeadOutput(np.zeros(10, np.float32), {})
RESULT = Result(np.zeros(64, np.float32), {"category": HEAD_OUTPUT}, 0.0001, 0.0002, 0.0003, 0.0001)
HEADERS = {b"host": b"127.0.0.1:3000", b"content-type": b"image/png", b"content-length": b"387"}


@pytest.mark.alone
@pytest.mark.no_cover  # which costs more than it
def test_metrics_and_log_together_cost_a_request_less_than_five_small_json(shared: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    cost = relative_cost(lambda: record_all(log), REQUESTS)
    print(f"metrics and log of a request: {cost:.1f} small JSON")
    assert cost < 5
    lines = log.read_text().splitlines()
    assert len(lines) == REQUESTS
    last = json.loads(lines[-1])
    assert (last["route"], last["images"], last["received_bytes"], last["sent_bytes"]) == ("/v1/predict", 1, 387, 320)


def record_all(log: Path) -> None:
    """Requests of one image, until the lines of all are written."""
    request = Request("POST", "/v1/predict", b"", HEADERS, client="127.0.0.1", received_bytes=387, route="/v1/predict")
    response = Response(200, b"x" * 320, model="tiny@1", results=[RESULT])
    with log.open("wb") as sink:
        writer = LineWriter(sink.fileno(), buffer_bytes=64 * 1024 * 1024)
        telemetry = Telemetry(METRICS, access_log=AccessLog(writer))
        for _ in range(REQUESTS):
            METRICS.observe_batch(1, "idle", 0.0003, 0.0001)
            telemetry.record(request, response, 320)
        writer.close()
