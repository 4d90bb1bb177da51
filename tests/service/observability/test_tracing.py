"""Traces: what a collector gets, by OpenTelemetry's own exporter, and that nothing is done where none is configured."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from service.observability.tracing import Traced, Tracing, TracingError, consecutive

ROOT = Path(__file__).parents[3]
PATIENCE_S = 20.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
REQUEST = Traced("POST", "/v1/predict", "/v1/predict", 200, client="10.0.0.7", images=1, model="tiny@1")


@pytest.fixture(autouse=True)
def _no_exporter_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@dataclass
class Collector:
    """A collector on a loopback port, and what it was sent."""

    status: int = 200
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    url: str = ""

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextlib.contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    collector = Collector(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def exporting(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[tuple[Tracing, Collector]]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = Tracing.from_environment()
        assert found is not None
        yield found, collector
        found.close()


def joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """As a request has them: one value a name."""
    return {name: b", ".join(value for other, value in headers if other == name) for name, _ in headers}


def record(to: Tracing, traced: Traced = REQUEST, *headers: tuple[bytes, bytes], **more: Any) -> None:
    now = time.perf_counter_ns()
    stages = consecutive(now, [("decode", 0.001), ("queue", 0.002), ("embed", 0.003), ("decide", 0.004)])
    to.record(joined(headers), traced, started_ns=now - 20_000_000, ended_ns=now, stages=stages, **more)


def attributes(span: Span) -> dict[str, object]:
    return {
        item.key: item.value.string_value if item.value.HasField("string_value") else item.value.int_value
        for item in span.attributes
    }


def traceparent(flags: str) -> tuple[bytes, bytes]:
    return b"traceparent", f"00-{TRACE}-{PARENT}-{flags}".encode()


def test_a_request_is_a_server_span_with_a_child_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.time_ns()
    with exporting(monkeypatch) as (found, collector):
        record(found, REQUEST, (b"user-agent", b"curl/8"), attributes={"tandem.extra": "x"})
        found.close()
        after = time.time_ns()
        spans = {span.name: span for span in collector.spans}
        assert len(collector.spans) == 5
        server = spans.pop("POST /v1/predict")
        assert (server.kind, server.parent_span_id, server.status.code) == (
            Span.SPAN_KIND_SERVER,
            b"",
            Status.STATUS_CODE_UNSET,
        )
        assert server.end_time_unix_nano - server.start_time_unix_nano == 20_000_000
        assert before - 20_000_000 <= server.start_time_unix_nano <= server.end_time_unix_nano <= after
        assert attributes(server) == {
            "http.request.method": "POST",
            "http.route": "/v1/predict",
            "url.path": "/v1/predict",
            "url.scheme": "http",
            "http.response.status_code": 200,
            "client.address": "10.0.0.7",
            "user_agent.original": "curl/8",
            "tandem.images": 1,
            "tandem.model": "tiny@1",
            "tandem.extra": "x",
        }
        assert [span.parent_span_id for span in spans.values()] == [server.span_id] * 4
        assert {span.trace_id for span in spans.values()} == {server.trace_id}
        took = {name: span.end_time_unix_nano - span.start_time_unix_nano for name, span in spans.items()}
        assert took == {"decode": 1_000_000, "queue": 2_000_000, "embed": 3_000_000, "decide": 4_000_000}
        assert spans["decode"].end_time_unix_nano == spans["queue"].start_time_unix_nano
        assert spans["decide"].end_time_unix_nano == server.end_time_unix_nano
        resource = collector.requests[0].resource_spans[0].resource
        assert {item.key: item.value.string_value for item in resource.attributes}["service.name"] == "tandem"


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SERVICE_NAME": "mine"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,team=a"}],
    ids=["its own variable", "the resource's attributes"],
)
def test_the_services_name_is_the_operators(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    with exporting(monkeypatch, **variables) as (found, collector):
        record(found)
        found.close()
        resource = collector.requests[0].resource_spans[0].resource
        assert {item.key: item.value.string_value for item in resource.attributes}["service.name"] == "mine"


def test_the_callers_trace_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting(monkeypatch) as (found, collector):
        record(found, REQUEST, traceparent("01"), (b"tracestate", b"a=1"), (b"tracestate", b"b=2"))
        found.close()
        server = next(span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER)
        assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, PARENT)
        assert server.trace_state == "a=1,b=2"
        assert {span.trace_id.hex() for span in collector.spans} == {TRACE}


def test_what_the_caller_does_not_sample_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting(monkeypatch) as (found, collector):
        record(found, REQUEST, traceparent("00"))
        found.close()
        assert collector.requests == []


def test_the_operators_sampler_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting(monkeypatch, OTEL_TRACES_SAMPLER="parentbased_always_off") as (found, collector):
        record(found)
        record(found, REQUEST, traceparent("01"))
        found.close()
        assert {span.trace_id.hex() for span in collector.spans} == {TRACE}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"traceparent", b"nonsense")], id="nonsense"),
        pytest.param([(b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01")], id="zeros"),
        pytest.param([(b"traceparent", b"\xff\x00\n")], id="bytes that are no text"),
        pytest.param([traceparent("01"), (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")], id="two"),
        pytest.param([(b"traceparent", b"0" * 30_000), (b"tracestate", b"=" * 30_000)], id="too much"),
    ],
)
def test_a_wrong_traceparent_begins_a_new_trace(
    monkeypatch: pytest.MonkeyPatch, headers: list[tuple[bytes, bytes]]
) -> None:
    with exporting(monkeypatch) as (found, collector):
        record(found, REQUEST, *headers)
        found.close()
        server = next(span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER)
        assert server.parent_span_id == b""
        assert server.trace_id.hex() not in (TRACE, "a" * 32, "0" * 32)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        pytest.param(503, "not_ready", "not_ready", id="a servers problem"),
        pytest.param(500, None, "500", id="a status alone"),
        pytest.param(429, "overloaded", None, id="a refusal is the callers"),
        pytest.param(0, None, None, id="nobody waited for the answer"),
    ],
)
def test_errors_are_the_servers(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str | None, error: str | None
) -> None:
    with exporting(monkeypatch) as (found, collector):
        record(found, Traced("BREW", "other", "/pot", status, code=code))
        found.close()
        server = next(span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER)
        assert server.name == "_OTHER other"
        assert (server.status.code == Status.STATUS_CODE_ERROR) is (error is not None)
        assert attributes(server).get("error.type") == error
        assert attributes(server)["http.request.method_original"] == "BREW"


def test_a_collector_that_fails_costs_no_request_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
        found = Tracing.from_environment()
        assert found is not None
        started = time.thread_time()
        for _ in range(100):
            record(found)
        assert time.thread_time() - started < 1.0
        started = time.monotonic()
        found.close(0.2)
        assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, id="none"),
        pytest.param({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, id="disabled"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, id="an empty endpoint"),
    ],
)
def test_without_an_exporter_nothing_of_the_sdk_is_imported(variables: dict[str, str]) -> None:
    code = (
        "import sys; from service.observability.tracing import Tracing\n"
        "assert Tracing.from_environment() is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, **variables})


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        pytest.param({"OTEL_TRACES_EXPORTER": "nowhere"}, "nowhere", id="an unknown exporter"),
        pytest.param({"OTEL_TRACES_EXPORTER": "otlp,nowhere"}, "nowhere", id="one that is known, and an unknown one"),
        pytest.param(
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "otlp_proto_grpc",
            id="a protocol whose package is not installed",
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "otlp_proto_http/json",
            id="a protocol that no package has",
        ),
    ],
)
def test_what_cannot_be_done_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for ask in (Tracing.from_environment, Tracing.check_environment):
        with pytest.raises(TracingError, match=f"exported by '{named}', and no installed package has this exporter"):
            ask()


def test_checking_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    Tracing.check_environment()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,console")
    Tracing.check_environment()
    assert set(threading.enumerate()) == before


def test_an_exporter_that_is_not_installed_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    # what an import of a missing package finds
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracingError, match=r"install tandem\[otel\] .*, or set OTEL_TRACES_EXPORTER=none"):
        Tracing.from_environment()


def test_on_the_console_spans_are_json() -> None:
    code = (
        "import time; from service.observability.tracing import *\n"
        "tracing = Tracing.from_environment()\n"
        "now = time.perf_counter_ns()\n"
        "tracing.record({}, Traced('GET', '/v1/models', '/v1/models', 200), started_ns=now - 1000, ended_ns=now,\n"
        "               stages=[('decode', now - 900, now - 800)])\n"
        "tracing.close()"
    )
    environ = {**os.environ, "OTEL_TRACES_EXPORTER": "console"}
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environ, capture_output=True)
    child, server = json.loads("[" + done.stdout.decode().replace("}\n{", "},{") + "]")
    assert (child["name"], server["name"]) == ("decode", "GET /v1/models")
    assert child["parent_id"] == server["context"]["span_id"]
