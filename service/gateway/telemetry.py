"""a finished exchange ──▶ metrics, access log, trace."""

from __future__ import annotations

import time

from starlette.types import Scope

from models.errors import ClientError, TandemError
from service.gateway.problems import STATUS
from service.http.exchange import Exchange
from service.observability.json_log import Access
from service.observability.metric_families import OTHER
from service.observability.tracing import Exchange as Traced
from service.observability.tracing import Stage, Tracing, consecutive
from service.process.worker import Worker


def record(worker: Worker, exchange: Exchange, route: str, seconds: float) -> None:
    """Counts, logs and traces one request.

    Args:
        worker: where to.
        exchange: after the response.
        route: the request's template, or `other`; one of a fixed set.
        seconds: from the request's headers to the response's end.
    """
    worker.metrics.observe_request(route, exchange.status, seconds)
    if exchange.code:
        worker.metrics.refused(exchange.code)
    if exchange.answers:
        worker.metrics.observe_images(exchange.answers)
    if worker.access_log is not None:
        worker.access_log.write(_access(exchange, route, seconds))
    if worker.tracing is not None:
        _trace(worker.tracing, exchange, route, seconds)


def record_refusal(worker: Worker, error: ClientError, request_id: str, client: tuple[str, int] | None) -> None:
    """Counts and logs what was refused before it was a request: no HTTP, or a head too large or too slow."""
    status = STATUS[error.code]
    worker.metrics.observe_request(OTHER, status, 0.0)
    worker.metrics.refused(error.code)
    if worker.access_log is not None:
        address = client[0] if client else None
        worker.access_log.write(Access(request_id, "", OTHER, "", status, 0.0, client=address, code=error.code))


def _access(exchange: Exchange, route: str, seconds: float) -> Access:
    scope = exchange.scope
    return Access(
        request_id=exchange.request_id.decode("ascii"),
        method=scope["method"],
        route=route,
        path=scope["path"],
        status=exchange.status,
        ms=seconds * 1000,
        client=_client(scope),
        key=exchange.key,
        code=exchange.code or None,
        received_bytes=exchange.received_bytes,
        sent_bytes=exchange.sent_bytes,
        images=len(exchange.answers),
        model=exchange.model,
    )


def _trace(tracing: Tracing, exchange: Exchange, route: str, seconds: float) -> None:
    scope = exchange.scope
    ended_ns = time.perf_counter_ns()
    traced = Traced(
        method=scope["method"],
        route=route,
        path=scope["path"],
        status=exchange.status,
        scheme=scope.get("scheme", "http"),
        code=exchange.code or None,
        client=_client(scope),
        request_id=exchange.request_id.decode("ascii"),
        images=len(exchange.answers),
        model=exchange.model,
    )
    started_ns = ended_ns - int(seconds * 1e9)
    stages = _stages(exchange, ended_ns)
    tracing.record(scope["headers"], traced, started_ns=started_ns, ended_ns=ended_ns, stages=stages)


def _stages(exchange: Exchange, ended_ns: int) -> list[Stage]:
    """The stages of the request's last answered image, one after the other up to the response."""
    answer = next((answer for answer in reversed(exchange.answers) if not isinstance(answer, TandemError)), None)
    if answer is None:
        return []
    lasted = [
        ("decode", answer.decode_s),
        ("queue", answer.queue_s),
        ("embed", answer.embed_s),
        ("decide", answer.decide_s),
    ]
    return consecutive(ended_ns, lasted)


def _client(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
