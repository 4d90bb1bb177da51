"""wrk with one body ──▶ the cost of a request: CPU time of the server, requests/s, latency.

In a closed loop each connection sends its next request when it has the response. wrk (Debian's package) uses so little
CPU itself that the server is what is measured; locust on the same cores would not allow that.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.inputs.request_bodies import Body
from loadtests.load.background_load import BackgroundLoad
from loadtests.load.processes import cpu_seconds
from loadtests.load.server_process import Server

CONNECTIONS = 16  # by default
WARM_UP_S = 2
SETTLE_S = 0.5  # the server finishes what the warm-up left and sees that its connections are closed
_TIMEOUT_S = 10  # of one request
_FINISH_WITHIN_S = 30

REQUESTS_PER_S, CPU_US = "requests/s", "CPU us/request"
P50_MS, P99_MS = "p50 ms", "p99 ms"
OTHER_CORES = "other cores"

_SCRIPT = """local file = assert(io.open({body}, "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
"""


class CostError(Exception):
    """wrk is missing, or some requests failed, so that the figures are not a cost."""


@dataclass(frozen=True)
class Cost:
    """Figures of one closed loop.

    Attributes:
        requests: Number of responses with status 200.
        requests_per_s: Their rate over the run.
        cpu_us: CPU time of the server's whole process tree for one request, microseconds.
        p50_ms: Median latency.
        p99_ms: 99th percentile of latency.
        other_cores: Cores that were busy with other work at the same time, on average.
    """

    requests: int
    requests_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    other_cores: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return the figures by their names in tables."""
        return {
            REQUESTS_PER_S: self.requests_per_s,
            CPU_US: self.cpu_us,
            P50_MS: self.p50_ms,
            P99_MS: self.p99_ms,
            OTHER_CORES: self.other_cores,
        }


def measure(
    server: Server,
    body: Body,
    out: Path,
    *,
    connections: int,
    seconds: int,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> Cost:
    """Send one body over and over, after a warm-up; ``query`` follows the path, ``headers`` go with every request.

    Raises:
        CostError: wrk is not installed or failed, or a response was not 200.
    """
    script = _script(body, out, headers or {})
    target = server.url + body.path + (f"?{query}" if query else "")
    _run_wrk(target, script, connections, WARM_UP_S)
    time.sleep(SETTLE_S)
    background, before_s = BackgroundLoad.now(server.pid), cpu_seconds(server.pid)
    report = _run_wrk(target, script, connections, seconds)
    cpu_s, other_cores = cpu_seconds(server.pid) - before_s, background.cores()
    return replace(read_report(report, cpu_s), other_cores=other_cores)


def warm_up(url: str, body: Body, out: Path, *, connections: int) -> None:
    """Send one body over and over for ``WARM_UP_S``, whatever the responses are.

    Raises:
        CostError: wrk is not installed or failed.
    """
    _run_wrk(url + body.path, _script(body, out, {}), connections, WARM_UP_S)


def read_report(report: str, cpu_s: float) -> Cost:
    """Read the figures from wrk's output.

    Raises:
        CostError: Some responses were not 200, sockets failed, or the text is not wrk's.
    """
    if failures := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .+", report):
        raise CostError(f"some requests failed: {failures[0]}")
    requests = int(_found(r"(\d+) requests in", report))
    return Cost(
        requests=requests,
        requests_per_s=float(_found(r"Requests/sec:\s+([\d.]+)", report)),
        cpu_us=cpu_s / requests * 1e6,
        p50_ms=_milliseconds(_found(r"^ +50% +(\S+)", report)),
        p99_ms=_milliseconds(_found(r"^ +99% +(\S+)", report)),
    )


def _script(body: Body, out: Path, headers: Mapping[str, str]) -> Path:
    content, script = out / "cost.body", out / "cost.lua"
    content.write_bytes(body.content)
    # A JSON string of ASCII characters is a Lua string too.
    sent = {"Content-Type": body.content_type, **body.headers, **headers}
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in sent.items()]
    script.write_text(_SCRIPT.format(body=json.dumps(str(content.resolve()), ensure_ascii=False)) + "".join(lines))
    return script


def _run_wrk(target: str, script: Path, connections: int, seconds: int) -> str:
    if shutil.which("wrk") is None:
        raise CostError("wrk is not installed; install Debian's package `wrk`")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"--timeout={_TIMEOUT_S}s"]
    command += ["-s", str(script), target]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _FINISH_WITHIN_S)
    if ended.returncode != 0:
        raise CostError(f"wrk ended with status {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout


def _found(pattern: str, report: str) -> str:
    match = re.search(pattern, report, re.MULTILINE)
    if match is None:
        raise CostError(f"wrk's report has nothing like {pattern!r}: {report[:200]!r}")
    return match[1]


def _milliseconds(text: str) -> float:
    """Read a time as wrk writes it: 730.00us, 5.10ms or 1.20s."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]
