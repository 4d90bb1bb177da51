"""Command ──▶ a server that is ready on a loopback port, and is stopped in any case."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.load.processes import POLL_S, stop_group

REPOSITORY = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
STOP_GRACE_S = 20.0

Command = Callable[[int], list[str]]
IsReady = Callable[[int], bool]


class ServerError(Exception):
    """The server did not become ready."""


@dataclass(frozen=True)
class Server:
    """A server that is ready.

    Attributes:
        url: Its base URL.
        pid: Id of the process at the root of its tree.
        start_s: Seconds from its start until it was ready.
    """

    url: str
    pid: int
    start_s: float


def readyz_answers(port: int) -> bool:
    """Whether ``GET /readyz`` answers 200."""
    # http.client ignores proxies that the environment sets; urllib would send loopback requests to them.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bentoml_command(port: int) -> list[str]:
    """Return the command that serves the service on a loopback port."""
    module = [sys.executable, "-m", "bentoml", "serve", "service:HybridService"]
    return [*module, "--host", LOOPBACK, "--port", str(port)]


@contextlib.contextmanager
def running(
    command: Command,
    *,
    log: Path,
    ready_timeout_s: float = 60.0,
    environ: Callable[[int], Mapping[str, str]] = lambda _: {},
    is_ready: IsReady = readyz_answers,
    checkout: Path = REPOSITORY,
) -> Iterator[Server]:
    """Start a server in a process group of its own, and stop it at the end.

    Args:
        command: Port → the command line that serves there.
        log: File that takes the server's output.
        ready_timeout_s: Seconds.
        environ: Port → variables that are added to those of this process.
        is_ready: Port → whether it serves there.
        checkout: Repository whose code the server runs; its working directory.

    Raises:
        ServerError: The process ended, or was not ready in time; with the last lines of the log.
    """
    port = free_port()
    variables = {**os.environ, "PYTHONPATH": _path(checkout), "BENTOML_DO_NOT_TRACK": "true", **environ(port)}
    started_s = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command(port),
            cwd=checkout,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, lambda: is_ready(port), log, ready_timeout_s)
        yield Server(f"http://{LOOPBACK}:{port}", process.pid, time.monotonic() - started_s)
    finally:
        stop_group(process, grace_s=STOP_GRACE_S)


def _path(checkout: Path) -> str:
    """Put a checkout first, so that no installed package of the same name is imported in its place."""
    return os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")]))


def free_port() -> int:
    """Return a port that was free on the loopback address a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def last_lines(log: Path, count: int = 15) -> str:
    """Return the last lines of a log, for the text of an error."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if process.poll() is not None:
            problem = f"ended with status {process.returncode} before it was ready"
        elif time.monotonic() >= deadline:
            problem = f"was not ready after {timeout_s:g} s"
        else:
            time.sleep(POLL_S)
            continue
        raise ServerError(f"the server {problem}; {log} ends with:\n{last_lines(log)}")
