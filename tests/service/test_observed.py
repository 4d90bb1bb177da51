"""What a real server tells of its requests, in its log and to a collector of traces."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.chaos.rig.servers import serving
from tests.service.observability.test_tracing import PARENT, TRACE, Collector, attributes, collecting
from tests.service.serving import MID, PNG, TEXT

PATIENCE_S = 20.0
SECRET = "hunter2-hunter2"


@dataclass(frozen=True)
class Observed:
    """A running server, its log and its collector."""

    client: httpx.Client
    log: Path
    collector: Collector

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """The access log's lines of a request."""
        found = [json.loads(line) for line in self.log.read_text().splitlines() if '"tandem.access"' in line]
        return [line for line in found if line["request_id"] == request_id]

    def line(self, request_id: str) -> dict[str, Any]:
        """The one line of a request, once it is there."""
        until(lambda: self.lines(request_id) != [], "the request is logged")
        (line,) = self.lines(request_id)
        return line


@pytest.fixture(scope="module")
def observed(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(collecting())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        server = stack.enter_context(serving(tmp_path_factory.mktemp("observed"), tiny_path, workers=1))
        client = stack.enter_context(httpx.Client(base_url=server.url, trust_env=False, timeout=PATIENCE_S))
        yield Observed(client, server.log, collector)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


def test_a_prediction_is_logged_with_what_it_took(observed: Observed) -> None:
    headers = {**PNG, "x-request-id": "good-1"}
    response = observed.client.post("/v1/predict?top_k=1", content=MID, headers=headers)
    line = observed.line("good-1")
    assert 0 < line.pop("ms") < PATIENCE_S * 1000
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "tandem.access",
        "request_id": "good-1",
        "client": "127.0.0.1",
        "key": None,
        "method": "POST",
        "route": "/v1/predict",
        "path": "/v1/predict",
        "status": 200,
        "code": None,
        "received_bytes": len(MID),
        "sent_bytes": len(response.content),
        "images": 1,
        "model": "tiny@1",
    }


def test_a_refusal_is_logged_with_its_code(observed: Observed) -> None:
    observed.client.post("/v1/predict", content=TEXT, headers={**PNG, "x-request-id": "bad-1"})
    line = observed.line("bad-1")
    assert (line["status"], line["code"], line["images"]) == (415, "unsupported_type", 1)


def test_no_path_writes_a_line_of_its_own(observed: Observed) -> None:
    path = "/%0a%7b%22logger%22:%22tandem.access%22,%22request_id%22:%22forged%22%7d%0d%0a%ff%c3%a9"
    assert observed.client.get(path, headers={"x-request-id": "forger-1"}).status_code == 404
    line = observed.line("forger-1")
    assert (line["route"], line["status"]) == ("other", 404)
    assert line["path"].startswith('/\n{"logger"')
    assert observed.lines("forged") == []
    assert observed.log.read_bytes().isascii()


def test_secrets_bodies_and_queries_are_not_logged(observed: Observed) -> None:
    headers = {"authorization": f"Bearer {SECRET}", "cookie": SECRET, "x-request-id": "secret-1"}
    observed.client.post(f"/v1/predict?key={SECRET}", json={"instances": [{"image": SECRET}]}, headers=headers)
    observed.client.post("/predict", content=SECRET, headers={**headers, "content-type": "application/json"})
    until(lambda: len(observed.lines("secret-1")) == 2, "both are logged")
    assert SECRET not in observed.log.read_text()


def test_a_callers_fault_leaves_no_traceback(observed: Observed) -> None:
    headers = {"content-type": "application/json", "x-request-id": "wrong-1"}
    assert observed.client.post("/predict", content='{"instances": [{"image": 1}]}', headers=headers).status_code == 400
    assert observed.line("wrong-1")["code"] == "bad_request"
    assert "Traceback" not in observed.log.read_text()


def test_a_prediction_is_traced_with_its_stages(observed: Observed) -> None:
    headers = {**PNG, "traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "traced-1"}
    observed.client.post(f"/v1/predict?timing=1&key={SECRET}", content=MID, headers=headers)
    observed.client.post("/v1/predict?timing=1", content=MID, headers=headers)

    def spans() -> list[Span]:
        return [span for span in observed.collector.spans if span.trace_id.hex() == TRACE]

    def servers() -> list[Span]:
        return [span for span in spans() if span.kind == Span.SPAN_KIND_SERVER]

    until(lambda: len(servers()) == 2, "both requests are exported")
    refused, server = sorted(servers(), key=lambda span: "tandem.images" in attributes(span))
    assert attributes(refused)["tandem.problem"] == "bad_request"
    stages = [span for span in spans() if span.parent_span_id == server.span_id]
    assert [span.name for span in stages] == ["decode", "queue", "embed", "decide"]
    assert server.parent_span_id.hex() == PARENT
    assert server.start_time_unix_nano <= stages[0].start_time_unix_nano
    assert stages[-1].end_time_unix_nano <= server.end_time_unix_nano
    found = attributes(server)
    assert (found["tandem.model"], found["tandem.request_id"]) == ("tiny@1", "traced-1")
    assert found["http.response.status_code"] == 200
    assert all(SECRET not in str(span) for span in spans())
