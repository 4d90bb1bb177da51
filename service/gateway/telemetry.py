"""a finished request ──▶ metrics, access log, trace."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import TandemError
from service.messages import Request, Response
from service.observability.json_log import Access, AccessLog
from service.observability.service_metrics import Metrics
from service.observability.tracing import Stage, Traced, Tracing, consecutive

_OK = 200

if TYPE_CHECKING:
    from feedback.recording.decision_recorder import Recorder


@dataclass
class Telemetry:
    """Where the requests of one process are recorded.

    Attributes:
        metrics: of the process.
        trusted_proxies: addresses whose `X-Forwarded-For` is believed; `*` stands for all.
        access_log: None where there is none, or not yet.
        tracing: None where no exporter is configured, or not yet.
        recorder: of decisions; None where they are not recorded.
    """

    metrics: Metrics
    trusted_proxies: Collection[str] = ()
    access_log: AccessLog | None = None
    tracing: Tracing | None = None
    recorder: Recorder | None = None

    def record(self, request: Request, response: Response, sent_bytes: int) -> None:
        """Counts, logs and traces one request.

        Args:
            request: whose response was written, or whose caller is gone.
            response: to it.
            sent_bytes: of the response's body.
        """
        seconds = time.monotonic() - request.started
        self.metrics.observe_request(request.route, response.status, seconds)
        if response.code:
            self.metrics.refused(response.code)
        if response.results:
            self.metrics.observe_images(response.results)
        if response.decided and response.status == _OK:
            self._decided(request, response)
        if self.access_log is not None:
            self.access_log.write(self._access(request, response, sent_bytes, seconds))
        if self.tracing is not None:
            self._trace(self.tracing, request, response, seconds)

    def _decided(self, request: Request, response: Response) -> None:
        """Counts the decisions that the caller has been told, and has them recorded."""
        self.metrics.observe_decisions(response.decided)
        if self.recorder is not None and response.model is not None:
            self.recorder.record(request.id, response.model, response.decided)

    def _access(self, request: Request, response: Response, sent_bytes: int, seconds: float) -> Access:
        return Access(
            request_id=request.id.decode("ascii"),
            method=request.method,
            route=request.route,
            path=request.path,
            status=response.status,
            ms=seconds * 1000,
            client=self._client(request),
            key=request.key,
            code=response.code or None,
            received_bytes=request.received_bytes,
            sent_bytes=sent_bytes,
            images=len(response.results),
            model=response.model,
        )

    def _trace(self, tracing: Tracing, request: Request, response: Response, seconds: float) -> None:
        ended_ns = time.perf_counter_ns()
        traced = Traced(
            method=request.method,
            route=request.route,
            path=request.path,
            status=response.status,
            scheme=request.scheme,
            code=response.code or None,
            client=self._client(request),
            request_id=request.id.decode("ascii"),
            images=len(response.results),
            model=response.model,
        )
        started_ns = ended_ns - int(seconds * 1e9)
        stages = _stages(response, ended_ns)
        tracing.record(request.headers, traced, started_ns=started_ns, ended_ns=ended_ns, stages=stages)

    def _client(self, request: Request) -> str | None:
        """Who asks: the peer, or whom a trusted proxy names last that is none itself."""
        trusted, client = self.trusted_proxies, request.client
        forwarded = request.headers.get(b"x-forwarded-for")
        if forwarded is None or not ("*" in trusted or client in trusted):
            return client
        hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",")]
        return next((hop for hop in reversed(hops) if hop not in trusted), hops[0])


def _stages(response: Response, ended_ns: int) -> list[Stage]:
    """The stages of the request's last answered image, one after the other up to the response."""
    answer = next((answer for answer in reversed(response.results) if not isinstance(answer, TandemError)), None)
    if answer is None:
        return []
    lasted = [
        ("decode", answer.decode_s),
        ("queue", answer.queue_s),
        ("embed", answer.embed_s),
        ("decide", answer.decide_s),
    ]
    return consecutive(ended_ns, lasted)
