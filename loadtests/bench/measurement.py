"""A system and a request body ──▶ the figures of one round, in a closed loop or an open loop.

Every measurement starts the system anew and stops it at the end, so that it is alone on the machine.
"""

import contextlib
import http.client
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.bench.bench_settings import Settings
from loadtests.bench.systems import System
from loadtests.inputs.request_bodies import Body
from loadtests.load import closed_loop, open_loop
from loadtests.load.background_load import BackgroundLoad
from loadtests.load.processes import pss_bytes
from loadtests.load.server_process import LOOPBACK, Server, ServerError, running
from loadtests.scenarios.reference_answers import TIMEOUT_S

READY_WITHIN_S = 90.0
IDLE_RATE_PER_S = 20.0
PROBABILITY_TOLERANCE = 1e-3  # int8 kernels differ by so much between batch sizes
MEMORY_MIB = "memory MiB"
START_S = "start s"
IDLE_MS = "idle p50 ms"
OPEN_LOOP_OTHER_CORES = "other cores in the open loop"


class MeasurementError(Exception):
    """A system cannot be measured: it does not start, fails requests, or predicts something else than the service."""


@contextlib.contextmanager
def serving(system: System, body: Body, out: Path) -> Iterator[Server]:
    """Start a system and wait until it answers the body with a prediction; its log is in ``out``.

    Raises:
        MeasurementError: It does not become ready, or a measurement inside the block fails.
    """

    def is_ready(port: int) -> bool:
        try:
            return bool(ask(f"http://{LOOPBACK}:{port}", body))
        except (OSError, http.client.HTTPException, ValueError):
            return False

    log = out / f"{system.name.replace(',', '').replace(' ', '-').lower()}.log"
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as scratch,  # some systems leave files there
            running(
                system.command,
                log=log,
                ready_timeout_s=READY_WITHIN_S,
                environ=lambda port: {**system.environ(port), "TMPDIR": scratch},
                is_ready=is_ready,
            ) as server,
        ):
            yield server
    except (ServerError, closed_loop.CostError, open_loop.OpenLoopError) as error:
        raise MeasurementError(f"{system.name}: {error}") from error


def ask(url: str, body: Body) -> list[dict[str, Any]]:
    """Send one request and return its predictions.

    Raises:
        OSError: No connection.
        http.client.HTTPException: The response is not HTTP.
        ValueError: The status is not 200, or there is no prediction.
    """
    answer = json.loads(post(url, body))  # a prediction, a list of them, or {"predictions": [...]}
    predictions = answer.get("predictions", [answer]) if isinstance(answer, dict) else answer
    if not predictions or not all("label" in each and "probabilities" in each for each in predictions):
        raise ValueError(f"no prediction: {str(answer)[:200]}")
    return list(predictions)


def post(url: str, body: Body) -> bytes:
    """Send one request and return the body of its response.

    Raises:
        OSError: No connection.
        http.client.HTTPException: The response is not HTTP.
        ValueError: The status is not 200.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request(
            "POST", body.path, body=body.content, headers={"Content-Type": body.content_type, **body.headers}
        )
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ValueError(f"status {response.status}: {content[:200]!r}")
    return content


def check_agreement(name: str, found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Refuse a system whose predictions differ from the service's: it does other work.

    Raises:
        MeasurementError: Another label, or a probability that differs by more than ``PROBABILITY_TOLERANCE``.
    """
    for one, other in zip(found, expected, strict=True):
        probabilities = other["probabilities"].items()
        worst = max(abs(one["probabilities"].get(label, 0.0) - value) for label, value in probabilities)
        if one["label"] != other["label"] or worst > PROBABILITY_TOLERANCE:
            raise MeasurementError(
                f"{name} answers {one['label']!r}, the service {other['label']!r}; probabilities differ by {worst:.4f},"
                f" the limit is {PROBABILITY_TOLERANCE:g}"
            )


def measure_peak(system: System, settings: Settings) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Measure a system in the closed loop.

    Returns:
        Its figures, and its predictions for the body.

    Raises:
        MeasurementError: It does not become ready, or some requests failed.
    """
    body = system.body(settings.body)
    with serving(system, body, settings.out) as server:
        predictions = ask(server.url, body)
        cost = closed_loop.measure(
            server, body, settings.out, connections=settings.connections, seconds=settings.seconds
        )
        memory_mib = pss_bytes(server.pid) / 2**20
    return {**cost.figures(), MEMORY_MIB: memory_mib, START_S: server.start_s}, predictions


def measure_latency(system: System, settings: Settings, rates: Mapping[str, float]) -> dict[str, float]:
    """Measure a system in the open loop, after a closed loop as a warm-up.

    Args:
        system: What is measured.
        settings: Of the run.
        rates: Name of a rate → requests/s; 20 requests/s on one connection (``IDLE_MS``) are always measured.

    Raises:
        MeasurementError: It does not become ready, or some requests failed.
    """
    body, out = system.body(settings.body), settings.out
    with serving(system, body, out) as server:
        closed_loop.warm_up(server.url, body, out, connections=settings.connections)
        idle = open_loop.Plan(IDLE_RATE_PER_S, settings.seconds, connections=1, spacing="even")
        figures = {IDLE_MS: open_loop.run_plan(server.url, body.path, body, idle, out).p50_ms}
        background = BackgroundLoad.now(server.pid)
        for name, rate_per_s in rates.items():
            latency = open_loop.run_plan(server.url, body.path, body, open_loop.Plan(rate_per_s, settings.seconds), out)
            figures |= {
                f"p50 ms at {name}": latency.p50_ms,
                f"p99 ms at {name}": latency.p99_ms,
                f"late p99 ms at {name}": latency.late_p99_ms,
            }
        figures[OPEN_LOOP_OTHER_CORES] = background.cores()
    return figures
