"""What a finished exchange leaves in metrics and log, and what that costs."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.types import Message

from models.runtime.engine_types import Result
from service.gateway.telemetry import record
from service.http.exchange import Exchange
from service.observability.json_log import AccessLog, LineWriter
from service.process.worker import Worker
from tests.service.serving import worker_of

REQUESTS = 5000
OUTCOME = Result(np.zeros(64, np.float32), {"category": np.zeros(10, np.float32)}, 0.0001, 0.0002, 0.0003, 0.0001)


async def nothing(_: Message) -> None:
    """Takes a message."""


async def no_message() -> Message:
    """Has none."""
    raise AssertionError


def finished(worker: Worker) -> Exchange:
    """A request of one image that was answered."""
    headers = [(b"host", b"127.0.0.1:3000"), (b"content-type", b"image/png"), (b"content-length", b"387")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict",
        "scheme": "http",
        "client": ("127.0.0.1", 40000),
        "headers": headers,
    }
    exchange = Exchange(scope, no_message, nothing, worker)
    exchange.answers = [OUTCOME]
    exchange.status, exchange.model = 200, "tiny@1"
    exchange.sent_bytes = 320
    return exchange


@pytest.mark.no_cover  # which costs more than it
def test_metrics_and_log_together_cost_a_request_less_than_40_microseconds(shared: Path, tmp_path: Path) -> None:
    took_us = [measured_us(tmp_path / f"log-{number}") for number in range(5)]
    print(f"metrics and log of a request: {min(took_us):.1f} us")
    assert min(took_us) < 40


def measured_us(log: Path) -> float:
    """Microseconds of CPU of a request, in all threads, until its line is written."""
    with log.open("wb") as sink:
        writer = LineWriter(sink.fileno(), buffer_bytes=64 * 1024 * 1024)
        worker = dataclasses.replace(worker_of(Path("unused")), access_log=AccessLog(writer))
        exchange = finished(worker)
        started = time.process_time()
        for _ in range(REQUESTS):
            worker.metrics.observe_batch(1, "idle", 0.0003, 0.0001)
            record(worker, exchange, "/v1/predict", 0.003)
        writer.close()
        took_s = time.process_time() - started
    lines = log.read_text().splitlines()
    assert len(lines) == REQUESTS
    assert json.loads(lines[-1])["route"] == "/v1/predict"
    return took_s / REQUESTS * 1e6
