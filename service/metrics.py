"""what happens ──▶ Prometheus: counters and histograms with bounded labels, over all worker processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from models.errors import TandemError
from service.engine import Outcome
from service.problems import code_of

if TYPE_CHECKING:
    from service.pipeline import Answer

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one process; one instance, since names are registered once a process."""

    def __init__(self) -> None:
        self._requests = Counter("tandem_requests", "Requests by route and status.", ["route", "status"])
        self._latency = Histogram("tandem_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS)
        self._images = Counter("tandem_images", "Images by result: ok or an error code.", ["result"])
        self._batch = Histogram("tandem_batch_images", "Images in one run of the embedder.", buckets=_IMAGES)
        stage = Histogram("tandem_stage_seconds", "Time of a request in each stage.", ["stage"], buckets=_SECONDS)
        self._decode, self._queue = stage.labels("decode"), stage.labels("queue")
        self._embed, self._decide = stage.labels("embed"), stage.labels("decide")
        self._ok = self._images.labels("ok")

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Counts a request; `route` must come from a fixed set."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def observe_images(self, answers: Sequence[Answer | TandemError]) -> None:
        """Counts the images of one request, and the time of its last answered one before the embedder."""
        last = None
        answered = 0
        for answer in answers:
            if isinstance(answer, TandemError):
                self._images.labels(code_of(answer)).inc()
            else:
                last = answer
                answered += 1
        if last is not None:
            self._ok.inc(answered)
            self._decode.observe(last.decode_s)
            self._queue.observe(last.outcome.queue_s)

    def model_changed(self, result: str) -> None:
        """P."""

    def observe_batch(self, outcomes: Sequence[Outcome], reason: str = "") -> None:
        """Measures one run of the engine."""
        self._batch.observe(len(outcomes))
        self._embed.observe(outcomes[0].embed_s)
        self._decide.observe(outcomes[0].decide_s)


def exposition() -> bytes:
    """The metrics of every worker, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
