"""timings of a request ──▶ OpenTelemetry spans, where an exporter is configured by OpenTelemetry's own variables.

A span is made after the request, from its timings: the request path measures anyway. Without an exporter nothing
of OpenTelemetry's SDK is imported here, and `Tracing.from_environment` is None.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from models.errors import TandemError
from service.messages import Headers

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

SERVICE_NAME = "tandem"
PROTOCOL = "http/protobuf"
CLOSE_TIMEOUT_S = 5.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_USER_AGENT_CHARACTERS = 200
# The methods that HTTP's semantic conventions know; others are `_OTHER`, so that callers cannot multiply names.
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})


class TracingError(TandemError):
    """Tracing is configured and cannot be done as configured."""


Stage = tuple[str, int, int]
"""A stage's name, begin and end, nanoseconds of `time.perf_counter_ns()`."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What a span tells of a request and its response."""

    method: str
    route: str
    """The template; `other` where there is none."""
    path: str
    status: int
    """0 where the client went away before an answer."""
    scheme: str = "http"
    code: str | None = None
    """Of the problem document, if it was one."""
    client: str | None = None
    request_id: str | None = None
    images: int = 0
    model: str | None = None


class Tracing:
    """Records spans and has them exported from a thread."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace  # noqa: PLC0415 (only where spans are recorded)
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._trace = trace
        self._no_parent = Context()
        self._propagator = TraceContextTextMapPropagator()
        self._provider = provider
        self._tracer = provider.get_tracer("tandem")

    @classmethod
    def from_environment(cls) -> Tracing | None:
        """What the variables `OTEL_*` ask for; None where they name no exporter.

        Raises:
            TracingError: an exporter that no installed package has.
        """
        exporters = _exporters()
        if not exporters:
            return None
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 (only where spans are recorded)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": SERVICE_NAME})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter()))
        return cls(provider)

    @staticmethod
    def check_environment() -> None:
        """Stops a server, before its workers start, that could not trace as it is asked to; starts nothing.

        Raises:
            TracingError: as `from_environment` would.
        """
        _exporters()

    def record(
        self,
        headers: Headers,
        traced: Traced,
        *,
        started_ns: int,
        ended_ns: int,
        stages: Sequence[Stage] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Records a request: one server span, and a child for each stage.

        Args:
            headers: the request's; `traceparent` and `tracestate` are honoured, the sampling flag included.
            traced: what was asked and answered.
            started_ns: as all times a `time.perf_counter_ns()`.
            ended_ns: when the response was sent.
            stages: in any order.
            attributes: more, by OpenTelemetry's names.
        """
        trace = self._trace
        to_wall = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(
            f"{_method(traced.method)} {traced.route}",
            context=self._parent(headers),
            kind=trace.SpanKind.SERVER,
            start_time=started_ns + to_wall,
        )
        if span.is_recording():
            span.set_attributes({**_attributes(traced, headers), **(attributes or {})})
            if traced.status >= 500:
                span.set_status(trace.StatusCode.ERROR)
            inside = trace.set_span_in_context(span)
            for name, begin, end in stages:
                child = self._tracer.start_span(name, context=inside, start_time=begin + to_wall)
                child.end(end_time=max(begin, end) + to_wall)
        span.end(end_time=ended_ns + to_wall)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Exports what is left; gives up on a collector that does not answer."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(timeout_s)

    def _parent(self, headers: Headers) -> Context:
        names = (b"traceparent", b"tracestate")
        carrier = {name.decode(): headers[name].decode("latin-1") for name in names if name in headers}
        return self._propagator.extract(carrier, context=self._no_parent)


def consecutive(ended_ns: int, seconds: Sequence[tuple[str, float]]) -> list[Stage]:
    """Stages that followed one another and ended at `ended_ns`, from how long each took, in seconds."""
    begin = ended_ns - round(sum(took for _, took in seconds) * 1e9)
    stages = []
    for name, took in seconds:
        end = begin + round(took * 1e9)
        stages.append((name, begin, end))
        begin = end
    return stages


def _exporters() -> list[type[SpanExporter]]:
    """The exporters that the environment asks for, each once."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    default = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    names = [name.strip().lower() for name in (os.environ.get("OTEL_TRACES_EXPORTER") or default).split(",")]
    return [_load(name) for name in dict.fromkeys(names) if name != "none"]


def _load(name: str) -> type[SpanExporter]:
    """An exporter of an installed package, by the names that OpenTelemetry's packages register."""
    protocol = next((os.environ[each].strip() for each in _PROTOCOLS if os.environ.get(each, "").strip()), PROTOCOL)
    registered = f"otlp_proto_{protocol.removesuffix('/protobuf')}" if name == "otlp" else name
    try:
        (found,) = entry_points(group="opentelemetry_traces_exporter", name=registered)
        exporter: type[SpanExporter] = found.load()
    except (ValueError, ImportError) as error:
        raise TracingError(
            f"traces are to be exported by {registered!r}, and no installed package has this exporter; install "
            "tandem[otel] for OTLP over http/protobuf, or set OTEL_TRACES_EXPORTER=none"
        ) from error
    return exporter


def _method(method: str) -> str:
    return method if method in _METHODS else "_OTHER"


def _attributes(traced: Traced, headers: Headers) -> dict[str, Any]:
    """Attributes by the semantic conventions of HTTP; ours begin with `tandem.`. Never the query."""
    attributes: dict[str, Any] = {
        "http.request.method": _method(traced.method),
        "http.route": traced.route,
        "url.path": traced.path[:200],
        "url.scheme": traced.scheme,
    }
    optional = {
        "http.response.status_code": traced.status,
        "client.address": traced.client,
        "tandem.request_id": traced.request_id,
        "tandem.images": traced.images,
        "tandem.model": traced.model,
        "tandem.problem": traced.code,
        "error.type": (traced.code or str(traced.status)) if traced.status >= 500 else None,
        "user_agent.original": _user_agent(headers),
    }
    attributes.update({name: value for name, value in optional.items() if value})
    if attributes["http.request.method"] == "_OTHER":
        attributes["http.request.method_original"] = traced.method[:20]
    return attributes


def _user_agent(headers: Headers) -> str | None:
    agent = headers.get(b"user-agent")
    return None if agent is None else agent[:_USER_AGENT_CHARACTERS].decode("latin-1")
