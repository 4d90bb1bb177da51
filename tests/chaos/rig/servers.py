"""settings ──▶ a real `bentoml serve` with them on a loopback port, which is stopped in any case."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0
POLL_S = 0.02
SLACK = 6 if "PYTEST_XDIST_WORKER" in os.environ else 1
"""Times are promised of a machine that does nothing else; beside other tests things may take so many times as long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a problem; empty for anything else."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return str(self.document["code"]) if is_problem else ""


@dataclass(frozen=True)
class Server:
    """A server process, its port and the file that takes what it prints."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def request(
        self,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        method: str | None = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """One request on a connection of its own; POST where there is a body."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def predict(self, image: bytes, headers: dict[str, str] | None = None, timeout_s: float = 30.0) -> Answer:
        return self.request(
            "/v1/predict", image, {"Content-Type": "application/octet-stream", **(headers or {})}, timeout_s=timeout_s
        )

    def is_ready(self) -> bool:
        try:
            return self.request("/readyz", timeout_s=1.0).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def connect(self, timeout_s: float = 30.0) -> socket.socket:
        """A connection without a client's manners."""
        return socket.create_connection((HOST, self.port), timeout=timeout_s)

    def metrics(self) -> dict[str, float]:
        """The samples of one scrape by `name{label="value",...}`, labels in the order of the text."""
        return samples(self.request("/metrics").body.decode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 where there are none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.partition("{")[0] == name and all(label in sample for label in wanted)
        )

    def workers(self) -> set[int]:
        """Process ids of the workers that run now."""
        found = set()
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE and "--worker-id" in process.cmdline():
                    found.add(process.pid)
        return found

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


def samples(text: str) -> dict[str, float]:
    """The samples of a scrape, parsed as Prometheus parses it."""
    return {
        sample.name + "{" + ",".join(f'{name}="{value}"' for name, value in sample.labels.items()) + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@contextlib.contextmanager
def serving(
    folder: Path,
    bundle: Path | str | None = None,
    *,
    port: int | None = None,
    grace_s: int = 30,
    host: str | None = HOST,
    **settings: object,
) -> Iterator[Server]:
    """A server that is ready; `settings` are those of the README in lower case and without their prefix.

    Raises:
        AssertionError: it ended, or was not ready in time.
    """
    with starting(folder, bundle, port=port, grace_s=grace_s, host=host, **settings) as server:
        until(lambda: server.process.poll() is not None or server.is_ready(), READY_WITHIN_S, "the server is ready")
        assert server.process.poll() is None, f"the server ended:\n{server.log_text()}"
        yield server


@contextlib.contextmanager
def starting(
    folder: Path,
    bundle: Path | str | None = None,
    *,
    port: int | None = None,
    grace_s: int = 30,
    host: str | None = HOST,
    **settings: object,
) -> Iterator[Server]:
    """A server that was just started. What goes wrong while it runs is shown with the end of its log."""
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("TANDEM_")}
    environment |= {"BENTOML_DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1", "TANDEM_DEVICE": "cpu"}
    environment["TANDEM_DRAIN_S"] = "0"  # no load balancer has to notice that the server ends
    environment["BENTOML_HOME"] = str(folder / "bentoml")  # where servers of one home share, and wipe, their metrics
    environment |= {f"TANDEM_{name.upper()}": str(value) for name, value in settings.items()}
    if bundle is not None:
        environment["TANDEM_BUNDLE"] = str(bundle)
    serve = [sys.executable, "-m", "bentoml", "serve", "service:HybridService", "--port", str(port)]
    if host is not None:
        serve += ["--host", host]
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*serve, "--timeout-graceful-shutdown", str(grace_s)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(port, process, log)
    try:
        yield server
    except BaseException as error:
        error.add_note("the server's log ends with:\n" + "\n".join(server.log_text().splitlines()[-20:]))
        raise
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server's process group: SIGTERM to its leader, patience, then SIGKILL to what is left."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPPED_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], bool], within_s: float, what: str, poll_s: float = POLL_S) -> float:
    """Polls until the condition holds and returns the seconds that took.

    Args:
        condition: is asked again and again.
        within_s: how long it may take, times `SLACK`.
        what: is waited for, in the message.
        poll_s: between two questions.

    Raises:
        AssertionError: it did not.
    """
    began, within_s = time.monotonic(), SLACK * within_s
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(poll_s)
    return time.monotonic() - began
