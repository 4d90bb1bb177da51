"""wrk with one body → what a request costs the server: CPU time, requests a second, latency.

A closed loop: each connection sends its next request when it has the answer. wrk (Debian's package) costs so
little itself that the server is what is measured, which locust on the same cores does not allow.
"""

import re
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.inputs.request_bodies import Body
from loadtests.load.background_load import Bystanders
from loadtests.load.processes import cpu_seconds
from loadtests.scenarios.reference_answers import PREDICT

CONNECTIONS = 16  # by default
WARM_UP_S = 2
SETTLE_S = 0.5  # in which a server finishes what the warm-up began and sees that nobody waits for it
_TIMEOUT_S = 10  # of one request
_FINISH_WITHIN_S = 30

_SCRIPT = """local file = assert(io.open("{body}", "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "{content_type}"
file:close()
"""


class CostError(Exception):
    """wrk is missing, or what it measured is not a cost: some requests failed."""


@dataclass(frozen=True)
class Cost:
    """What wrk and the process table saw.

    Attributes:
        requests: Answered with status 200.
        requests_per_s: Over the run.
        cpu_ms_per_request: CPU time of the server's whole process tree, milliseconds.
        p50_ms: Median latency.
        p99_ms: 99th percentile of latency.
        other_cores: How many cores were busy with other work meanwhile.
    """

    requests: int
    requests_per_s: float
    cpu_ms_per_request: float
    p50_ms: float
    p99_ms: float
    other_cores: float = 0.0

    def describe(self) -> str:
        """One line for a person."""
        return (
            f"{self.requests_per_s:.0f} requests/s, {self.cpu_ms_per_request:.3f} ms of server CPU a request, "
            f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, {self.requests} requests"
        )


def measure(
    url: str, server_pid: int, body: Body, out: Path, *, connections: int, seconds: int, query: str = ""
) -> Cost:
    """Send one body over and over, after a warm-up; ``query`` goes behind the path.

    Raises:
        CostError: wrk is not installed or failed, or an answer was not 200.
    """
    script = _script(body, out)
    target = url + PREDICT + (f"?{query}" if query else "")
    _run_wrk(target, script, connections, WARM_UP_S)
    time.sleep(SETTLE_S)
    bystanders, before = Bystanders.now(server_pid), cpu_seconds(server_pid)
    report = _run_wrk(target, script, connections, seconds)
    cpu_s, other_cores = cpu_seconds(server_pid) - before, bystanders.cores()
    return replace(read_report(report, cpu_s), other_cores=other_cores)


def warm_up(url: str, body: Body, out: Path, *, connections: int) -> None:
    """Send one body over and over for ``WARM_UP_S``; raises as ``measure``, but not for what was answered."""
    _run_wrk(url + PREDICT, _script(body, out), connections, WARM_UP_S)


def read_report(report: str, cpu_s: float) -> Cost:
    """Take the figures out of wrk's text.

    Raises:
        CostError: Some answers were not 200, or sockets failed.
    """
    if failures := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .+", report):
        raise CostError(f"not every request was answered well: {failures[0]}")
    requests = int(_found(r"(\d+) requests in", report))
    return Cost(
        requests=requests,
        requests_per_s=float(_found(r"Requests/sec:\s+([\d.]+)", report)),
        cpu_ms_per_request=cpu_s / requests * 1000,
        p50_ms=_milliseconds(_found(r"^ +50% +(\S+)", report)),
        p99_ms=_milliseconds(_found(r"^ +99% +(\S+)", report)),
    )


def _script(body: Body, out: Path) -> Path:
    content, script = out / "cost.body", out / "cost.lua"
    content.write_bytes(body.content)
    script.write_text(_SCRIPT.format(body=content.resolve(), content_type=body.content_type))
    return script


def _run_wrk(target: str, script: Path, connections: int, seconds: int) -> str:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"--timeout={_TIMEOUT_S}s"]
    command += ["-s", str(script), target]
    if shutil.which("wrk") is None:
        raise CostError("wrk is not installed; Debian's package is called wrk")
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _FINISH_WITHIN_S)
    if outcome.returncode != 0:
        raise CostError(f"wrk ended with status {outcome.returncode}: {outcome.stderr.strip()}")
    return outcome.stdout


def _found(pattern: str, report: str) -> str:
    match = re.search(pattern, report, re.MULTILINE)
    if match is None:
        raise CostError(f"wrk's report has nothing like {pattern!r}: {report[:200]!r}")
    return match[1]


def _milliseconds(text: str) -> float:
    """Read a time as wrk writes it: 730.00us, 5.10ms or 1.20s."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]
