"""A server and a body → the figures of one round: a closed loop at its peak, an open loop at a share of it.

Every measurement starts the server anew, alone on the machine, and ends it, so that no other one's idle work counts.
"""

import contextlib
import http.client
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.bench.systems import Contestant
from loadtests.inputs.request_bodies import Body
from loadtests.load import openloop, request_cost
from loadtests.load.background_load import Bystanders
from loadtests.load.processes import pss_bytes
from loadtests.load.server_process import LOOPBACK, Server, ServerError, running
from loadtests.scenarios.reference_answers import PREDICT, TIMEOUT_S

READY_WITHIN_S = 90.0
IDLE_RATE_PER_S = 20.0
SHARES = (0.5, 0.8)
PROBABILITY_TOLERANCE = 1e-3  # int8 kernels differ by so much between batch sizes

REQUESTS_PER_S = "requests/s"
CPU_US = "CPU us/request"
CLOSED_P50_MS, CLOSED_P99_MS = "p50 ms", "p99 ms"
MEMORY_MIB = "memory MiB"
START_S = "start s"
IDLE_MS = "idle p50 ms"
OTHERS, OPEN_OTHERS = "other cores", "other cores in the open loop"


class MatchError(Exception):
    """A server cannot be measured: it does not start, fails requests, or gives other answers than the service."""


@dataclass(frozen=True)
class Load:
    """What is sent to every server.

    Attributes:
        body: One request's.
        connections: Of the closed loop.
        seconds: Length of each measurement.
    """

    body: Body
    connections: int
    seconds: int


def open_p50(share: float) -> str:
    """Name the median latency at a share of the peak."""
    return f"p50 ms at {share:.0%} of peak"


def open_p99(share: float) -> str:
    """Name the 99th percentile of latency at a share of the peak."""
    return f"p99 ms at {share:.0%} of peak"


def late_p99(share: float) -> str:
    """Name the 99th percentile of the generator's own delay at a share of the peak."""
    return f"late p99 ms at {share:.0%}"


@contextlib.contextmanager
def serving(contestant: Contestant, body: Body, out: Path) -> Iterator[Server]:
    """Start a server and wait until it answers the body well; its log is in ``out``.

    Raises:
        MatchError: It does not become ready, or what is done with it fails.
    """
    log = out / f"{contestant.name.replace(',', '').replace(' ', '-').lower()}.log"

    def is_ready(port: int) -> bool:
        try:
            return bool(ask(f"http://{LOOPBACK}:{port}", body))
        except (OSError, http.client.HTTPException, ValueError):
            return False

    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as scratch,
            running(  # what it leaves there is removed
                contestant.command,
                log=log,
                ready_timeout_s=READY_WITHIN_S,
                environ=lambda port: {**contestant.environ(port), "TMPDIR": scratch},
                is_ready=is_ready,
            ) as server,
        ):
            yield server
    except (ServerError, request_cost.CostError, openloop.OpenLoopError) as error:
        raise MatchError(f"{contestant.name}: {error}") from error


def ask(url: str, body: Body) -> list[dict[str, Any]]:
    """Send one request and read its predictions.

    Raises:
        OSError: No connection.
        http.client.HTTPException: No HTTP.
        ValueError: Another status than 200, or no prediction.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("POST", PREDICT, body=body.content, headers={"Content-Type": body.content_type})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"status {answer.status}: {content[:200]!r}")
    return _predictions(json.loads(content))


def _predictions(answer: Any) -> list[dict[str, Any]]:
    """One prediction, a list of them, or ``{"predictions": [...]}``."""
    several = answer.get("predictions", [answer]) if isinstance(answer, dict) else answer
    if not several or not all("label" in each and "probabilities" in each for each in several):
        raise ValueError(f"no prediction: {str(answer)[:200]}")
    return list(several)


def check_agreement(name: str, found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Refuse a server whose predictions are not the service's: it would have done other work.

    Raises:
        MatchError: Another label, or a probability that differs by more than rounding explains.
    """
    for one, other in zip(found, wanted, strict=True):
        shares = other["probabilities"]
        worst = max(abs(one["probabilities"].get(label, 0.0) - share) for label, share in shares.items())
        if one["label"] != other["label"] or worst > PROBABILITY_TOLERANCE:
            raise MatchError(f"{name} answers {one['label']!r}, the service {other['label']!r}, {worst:.4f} apart")


def closed_loop(contestant: Contestant, load: Load, out: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Measure the peak: its figures, and the server's answer to the body.

    Raises:
        MatchError: It does not become ready, or not every request was answered well.
    """
    body = contestant.body(load.body)
    with serving(contestant, body, out) as server:
        answer = ask(server.url, body)
        seen = request_cost.measure(
            server.url, server.pid, body, out, connections=load.connections, seconds=load.seconds
        )
        memory_mib = pss_bytes(server.pid) / 2**20
    figures = {
        REQUESTS_PER_S: seen.requests_per_s,
        CPU_US: seen.cpu_ms_per_request * 1000,
        CLOSED_P50_MS: seen.p50_ms,
        CLOSED_P99_MS: seen.p99_ms,
        MEMORY_MIB: memory_mib,
        START_S: server.start_s,
        OTHERS: seen.other_cores,
    }
    return figures, answer


def open_loop(contestant: Contestant, load: Load, peak_per_s: float, out: Path) -> dict[str, float]:
    """Measure latency when idle and at shares of the peak, after a closed loop as a warm-up.

    Raises:
        MatchError: It does not become ready, or not every request was answered well.
    """
    figures = {}
    body = contestant.body(load.body)
    with serving(contestant, body, out) as server:
        request_cost.warm_up(server.url, body, out, connections=load.connections)
        idle = openloop.Plan(IDLE_RATE_PER_S, load.seconds, connections=1, spacing="even")
        figures[IDLE_MS] = openloop.carry_out(server.url, PREDICT, body, idle, out).p50_ms
        bystanders = Bystanders.now(server.pid)
        for share in SHARES:
            plan = openloop.Plan(share * peak_per_s, load.seconds)
            latency = openloop.carry_out(server.url, PREDICT, body, plan, out)
            figures |= {open_p50(share): latency.p50_ms, open_p99(share): latency.p99_ms}
            figures |= {late_p99(share): latency.late_p99_ms}
            figures |= {f"generator CPU us/request at {share:.0%}": latency.cpu_us}
        figures[OPEN_OTHERS] = bystanders.cores()
    return figures
