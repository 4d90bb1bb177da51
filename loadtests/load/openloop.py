"""Rate → latency: requests sent when they are due, whether or not earlier ones were answered.

A closed loop waits for the server before it sends again, so it never sees how long a caller waits who comes while the
server is busy (coordinated omission). Here latency counts from the moment a request was due.

``python -m loadtests.load.openloop`` is a process of its own, so that no other work of the load test delays it.
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
from loadtests.load.connection_pool import Callers
from loadtests.load.response_parser import AnswerError, request_bytes
from loadtests.load.server_process import REPOSITORY

PATIENCE_S = 10.0  # after the last request
_FINISH_WITHIN_S = 60.0


class OpenLoopError(Exception):
    """The generator broke down, or not every request was answered well."""


@dataclass(frozen=True)
class Plan:
    """What to send, and when.

    Attributes:
        rate_per_s: Requests due in a second.
        seconds: Length of the measurement.
        warm_up_s: Seconds of the same load before it.
        connections: At most so many, all opened before.
        spacing: A name in ``arrivals.SPACINGS``.
        seed: Of the moments.
    """

    rate_per_s: float
    seconds: float
    warm_up_s: float = 1.0
    connections: int = 64
    spacing: str = "poisson"
    seed: int = 1

    def dues_ns(self, seconds: float, seed: int) -> list[int]:
        """Return the moments of a part of the plan, nanoseconds, ascending; at least one."""
        return SPACINGS[self.spacing](self.rate_per_s, seconds, seed) or [0]


@dataclass(frozen=True)
class Latency:
    """What an open loop saw.

    Attributes:
        rate_per_s: Requests that were due in a second.
        requests: Good answers.
        failures: Requests without one.
        p50_ms: Median time from the moment a request was due to the end of its answer.
        p99_ms: 99th percentile of the same.
        late_p99_ms: 99th percentile of the time by which the generator itself was late; part of the latency.
        cpu_us: The generator's own CPU time a request.
        opened: Connections that the server's closing of idle ones made necessary.
    """

    rate_per_s: float
    requests: int
    failures: int
    p50_ms: float
    p99_ms: float
    late_p99_ms: float
    cpu_us: float
    opened: int


def measure(callers: Callers, dues_ns: Sequence[int], rate_per_s: float) -> Latency:
    """Send at moments counted from now, ascending."""
    callers.forget()
    started_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    callers.run([started_ns + due_ns for due_ns in dues_ns], patience_ns=round(PATIENCE_S * NS_PER_S))
    spent_ns = time.process_time_ns() - cpu_ns
    return Latency(
        rate_per_s=rate_per_s,
        requests=len(callers.latencies_ns),
        failures=callers.failures,
        p50_ms=quantile_ms(callers.latencies_ns, 0.50),
        p99_ms=quantile_ms(callers.latencies_ns, 0.99),
        late_p99_ms=quantile_ms(callers.late_ns, 0.99),
        cpu_us=spent_ns / len(dues_ns) / 1000,
        opened=callers.opened,
    )


def quantile_ms(times_ns: Collection[int], share: float) -> float:
    """Return the nearest-rank quantile, milliseconds.

    Raises:
        OpenLoopError: There are no times.
    """
    if not times_ns:
        raise OpenLoopError("not one request was answered well")
    return sorted(times_ns)[min(len(times_ns) - 1, int(share * len(times_ns)))] / 1e6


def send(url: str, path: str, body: Body, plan: Plan) -> Latency:
    """Carry a plan out in this process.

    Raises:
        OpenLoopError: Not one request was answered well.
        OSError: The server cannot be reached.
        AnswerError: An answer's end cannot be told.
    """
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    callers = Callers(
        (host, port), request_bytes(address.netloc, path, body.content, body.content_type), plan.connections
    )
    gc.disable()
    try:
        callers.open_all()
        measure(callers, plan.dues_ns(plan.warm_up_s, plan.seed + 1), plan.rate_per_s)
        return measure(callers, plan.dues_ns(plan.seconds, plan.seed), plan.rate_per_s)
    finally:
        gc.enable()
        callers.close()


def carry_out(url: str, path: str, body: Body, plan: Plan, out: Path) -> Latency:
    """Carry a plan out in a process of its own; ``out`` takes the body.

    Raises:
        OpenLoopError: It broke down, or some requests were not answered well.
    """
    file = out / "open-loop.body"
    file.write_bytes(body.content)
    command = [sys.executable, "-m", "loadtests.load.openloop", url, path, str(file), body.content_type]
    outcome = subprocess.run(
        [*command, json.dumps(asdict(plan))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=plan.seconds + plan.warm_up_s + 2 * PATIENCE_S + _FINISH_WITHIN_S,
    )
    if outcome.returncode != 0:
        raise OpenLoopError(f"the open loop ended with status {outcome.returncode}: {outcome.stderr.strip()[-500:]}")
    latency = Latency(**json.loads(outcome.stdout))
    if latency.failures:
        raise OpenLoopError(
            f"{latency.failures} of {latency.failures + latency.requests} requests were not answered well"
        )
    return latency


def main(arguments: Sequence[str]) -> None:
    """Carry a plan out and print what it saw, JSON."""
    program = argparse.ArgumentParser(prog="python -m loadtests.load.openloop", description=__doc__)
    program.add_argument("url")
    program.add_argument("path")
    program.add_argument("body", type=Path, help="file that is sent")
    program.add_argument("content_type")
    program.add_argument("plan", type=json.loads, help="JSON: the attributes of `Plan`")
    options = program.parse_args(arguments)
    body = Body(options.body.read_bytes(), options.content_type)
    try:
        latency = send(options.url, options.path, body, Plan(**options.plan))
    except (OpenLoopError, AnswerError, OSError) as error:
        sys.exit(str(error))
    print(json.dumps(asdict(latency)))


if __name__ == "__main__":
    main(sys.argv[1:])
