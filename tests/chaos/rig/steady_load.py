"""plans ──▶ `tests/chaos/inputs/generator.py`, in a process of its own ──▶ samples.

An open loop sends each request when its time has come, whatever became of those before it, and measures from that
time: a server that stalls is charged with every request that waited for it (no coordinated omission). What the
generator itself is late by is in the samples, too: `sent - due`. A closed loop keeps a number of requests in flight.

Times are of `time.monotonic()`, which all processes of a Linux machine share.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

HOST = "127.0.0.1"
STARTED_WITHIN_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What one kind of client does.

    Args:
        port: where the server listens on the loopback address.
        bodies: files; request i sends the i-th, modulo their number.
        connections: requests in flight of a closed loop; the most connections of an open one.
        rate: requests a second of an open loop; None for a closed one.
        seconds: how long requests are sent; None until the load is stopped.
        delay_s: time before the first.
        pause_s: of a closed loop's client after each answer.
        keep_alive: whether a connection carries more than one request.
        timeout_ms: sent as `X-Request-Timeout-Ms`, where given.
        give_up_s: a request without an answer for so long has the outcome `timeout`.
        keep_answers: keep the bodies of good answers; those of others are kept in any case.
        content_type: of all bodies.
    """

    port: int
    bodies: tuple[str, ...]
    connections: int
    rate: float | None = None
    seconds: float | None = None
    delay_s: float = 0.0
    pause_s: float = 0.0
    keep_alive: bool = True
    timeout_ms: int | None = None
    give_up_s: float = 20.0
    keep_answers: bool = False
    path: str = "/v1/predict"
    content_type: str = "application/octet-stream"

    def requests(self) -> list[bytes]:
        """The requests as they go over the wire."""
        return [self._request(Path(body).read_bytes()) for body in self.bodies]

    def _request(self, body: bytes) -> bytes:
        head = [f"POST {self.path} HTTP/1.1", f"Host: {HOST}:{self.port}", f"Content-Type: {self.content_type}"]
        head.append(f"Content-Length: {len(body)}")
        if self.timeout_ms is not None:
            head.append(f"X-Request-Timeout-Ms: {self.timeout_ms}")
        if not self.keep_alive:
            head.append("Connection: close")
        return ("\r\n".join(head) + "\r\n\r\n").encode() + body


class Sample(NamedTuple):
    """What became of one request."""

    plan: int
    body: int
    due: float
    sent: float
    done: float
    outcome: str
    """The status; or `refused` (no connection), `reset` (an established connection ended before a byte of the
    answer), `reset-reused` (the same on a connection that had carried answers before), `truncated` (after a byte
    of it), `timeout`, `malformed`."""
    closes: bool
    """Whether the answer said `Connection: close`."""
    retry_after: str
    model: str
    """The header `X-Tandem-Model`."""
    answer: str

    @property
    def latency_s(self) -> float:
        """From the time when it was to be sent."""
        return self.done - self.due

    @property
    def lateness_s(self) -> float:
        """By how much the generator, or its lack of a free connection, sent it too late."""
        return self.sent - self.due


def outcomes(samples: Sequence[Sample]) -> dict[str, int]:
    """How often each outcome was seen."""
    return dict(sorted(Counter(sample.outcome for sample in samples).items()))


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """A percentile in milliseconds; NaN of nothing, which meets no limit."""
    return float(np.percentile(seconds, percent)) * 1000 if seconds else float("nan")


class Load:
    """A generator that runs; `stop` ends it and returns its samples, which `wait` does when its plans are done."""

    def __init__(self, process: subprocess.Popen[str], out: Path, patience_s: float) -> None:
        self._process = process
        self._out = out
        self._patience_s = patience_s

    def stop(self) -> list[Sample]:
        """Sends no more, waits for the answers under way."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self.wait()

    def wait(self) -> list[Sample]:
        """Waits for the plans' end."""
        assert self._process.wait(self._patience_s) == 0, "the load generator failed"
        return [Sample(*row) for row in json.loads(self._out.read_text())]


@contextlib.contextmanager
def load(folder: Path, *plans: Plan) -> Iterator[Load]:
    """Starts a generator that follows all plans at once, and ends it in any case."""
    stem = f"load-{time.monotonic_ns()}"
    written, out = folder / f"{stem}.plans.json", folder / f"{stem}.samples.json"
    written.write_text(json.dumps([asdict(plan) for plan in plans]))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.inputs.generator", str(written), str(out)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n", "the load generator did not start"
        yield Load(process, out, max(_longest_s(plan) for plan in plans) + STARTED_WITHIN_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _longest_s(plan: Plan) -> float:
    return plan.delay_s + (plan.seconds or 0.0) + plan.give_up_s


def run(folder: Path, *plans: Plan) -> list[Sample]:
    """The samples of plans that end by themselves."""
    with load(folder, *plans) as generator:
        return generator.wait()
