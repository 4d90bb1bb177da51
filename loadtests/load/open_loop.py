"""Rate ──▶ latency: requests are sent when they are due, whether or not earlier ones were answered.

A closed loop waits for the server before it sends again, so it never sees how long a request waits that arrives while
the server is busy (coordinated omission). Here latency counts from the time at which a request was due.

``python -m loadtests.load.open_loop`` is a process of its own, so that nothing else of the load test delays it.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from loadtests.inputs.request_bodies import Body
from loadtests.load.arrivals import NS_PER_S, SPACINGS
from loadtests.load.connection_pool import ConnectionPool
from loadtests.load.response_parser import ResponseError, request_bytes
from loadtests.load.server_process import REPOSITORY

RESPONSE_TIMEOUT_S = 10.0  # after the last request was due
_FINISH_WITHIN_S = 60.0


class OpenLoopError(Exception):
    """The load generator failed, or some requests did."""


@dataclass(frozen=True)
class Plan:
    """What to send, and when.

    Attributes:
        rate_per_s: Requests due in a second.
        seconds: Length of the measurement.
        warm_up_s: Seconds of the same load before it.
        connections: Most connections; all are opened before the warm-up.
        spacing: A name in ``arrivals.SPACINGS``.
        seed: Seed of the random times.
    """

    rate_per_s: float
    seconds: float
    warm_up_s: float = 1.0
    connections: int = 64
    spacing: str = "poisson"
    seed: int = 1

    def due_ns(self, seconds: float, seed: int) -> list[int]:
        """Return the times at which requests are due, nanoseconds from the start, ascending; at least one."""
        return SPACINGS[self.spacing](self.rate_per_s, seconds, seed) or [0]


@dataclass(frozen=True)
class Latency:
    """Figures of one open loop.

    Attributes:
        requests: Number of responses with status 200.
        failures: Number of requests without one.
        p50_ms: Median time from the due time of a request to the end of its response.
        p99_ms: 99th percentile of the same.
        late_p99_ms: 99th percentile of the time by which the generator itself was late; part of the latency.
    """

    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    late_p99_ms: float


def measure(pool: ConnectionPool, due_ns: Sequence[int]) -> Latency:
    """Send requests at times that count from now, ascending, nanoseconds.

    Raises:
        OpenLoopError: No request was answered with status 200.
        ResponseError: The end of a response cannot be found.
    """
    pool.reset()
    start_ns = time.monotonic_ns()
    pool.run([start_ns + each for each in due_ns], timeout_ns=round(RESPONSE_TIMEOUT_S * NS_PER_S))
    return Latency(
        requests=len(pool.latencies_ns),
        failures=pool.failures,
        p50_ms=quantile_ms(pool.latencies_ns, 0.50),
        p99_ms=quantile_ms(pool.latencies_ns, 0.99),
        late_p99_ms=quantile_ms(pool.late_ns, 0.99),
    )


def quantile_ms(times_ns: Collection[int], share: float) -> float:
    """Return the nearest-rank quantile, milliseconds.

    Raises:
        OpenLoopError: There are no times.
    """
    if not times_ns:
        raise OpenLoopError("no request was answered with status 200")
    return sorted(times_ns)[min(len(times_ns) - 1, int(share * len(times_ns)))] / 1e6


def run_plan(url: str, path: str, body: Body, plan: Plan, out: Path) -> Latency:
    """Run a plan in a process of its own; ``out`` takes the body.

    Raises:
        OpenLoopError: The process failed, or some requests did.
    """
    file = out / "open-loop.body"
    file.write_bytes(body.content)
    command = [sys.executable, "-m", "loadtests.load.open_loop", url, path, str(file.resolve()), body.content_type]
    ended = subprocess.run(
        [*command, json.dumps(asdict(plan))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=plan.seconds + plan.warm_up_s + 2 * RESPONSE_TIMEOUT_S + _FINISH_WITHIN_S,
    )
    if ended.returncode != 0:
        raise OpenLoopError(f"the open loop ended with status {ended.returncode}: {ended.stderr.strip()[-500:]}")
    latency = Latency(**json.loads(ended.stdout))
    if latency.failures:
        sent = latency.failures + latency.requests
        raise OpenLoopError(f"{latency.failures} of {sent} requests failed, at {plan.rate_per_s:.0f} requests/s")
    return latency


def main(arguments: Sequence[str]) -> None:
    """Run a plan in this process and print its figures as JSON."""
    program = argparse.ArgumentParser(prog="python -m loadtests.load.open_loop", description=__doc__)
    program.add_argument("url")
    program.add_argument("path")
    program.add_argument("body", type=Path, help="file to send")
    program.add_argument("content_type")
    program.add_argument("plan", type=json.loads, help="JSON: the attributes of `Plan`")
    options = program.parse_args(arguments)
    plan, address = Plan(**options.plan), urlsplit(options.url)
    request = request_bytes(address.netloc, options.path, options.body.read_bytes(), options.content_type)
    pool = ConnectionPool((address.hostname or "", address.port or 80), request, plan.connections)
    gc.disable()
    try:
        pool.open_all()
        measure(pool, plan.due_ns(plan.warm_up_s, plan.seed + 1))
        latency = measure(pool, plan.due_ns(plan.seconds, plan.seed))
    except (OpenLoopError, ResponseError, OSError) as error:
        sys.exit(str(error))
    finally:
        pool.close()
    print(json.dumps(asdict(latency)))


if __name__ == "__main__":
    main(sys.argv[1:])
