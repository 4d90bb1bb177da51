"""Command → a service that is ready on a loopback port, and is stopped in any case."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtests.processes import POLL_S, stop_group

REPOSITORY = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
STOP_GRACE_S = 20.0

Command = Callable[[int], list[str]]


class ServerError(Exception):
    """The service did not become ready."""


@dataclass(frozen=True)
class Server:
    """A service that is ready.

    Attributes:
        url: Its base URL.
        pid: Id of the process at the root of its tree.
    """

    url: str
    pid: int


def bentoml_command(port: int) -> list[str]:
    """Return the command that serves the hybrid service on a loopback port."""
    module = [sys.executable, "-m", "bentoml", "serve", "service:HybridService"]
    return [*module, "--host", LOOPBACK, "--port", str(port)]


@contextlib.contextmanager
def running(command: Command, *, log: Path, ready_timeout_s: float = 60.0) -> Iterator[Server]:
    """Start a service in the repository's root and in a process group of its own; stop it at the end.

    Args:
        command: Port → the command line that serves there.
        log: File that takes what the service prints.
        ready_timeout_s: How long it may take until ``GET /readyz`` answers 200, seconds.

    Raises:
        ServerError: The process ended, or was not ready in time; with the last lines of the log.
    """
    port = free_port()
    environ = {**os.environ, "BENTOML_DO_NOT_TRACK": "true"}
    with log.open("w") as output:
        process = subprocess.Popen(
            command(port),
            cwd=REPOSITORY,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, port, log, ready_timeout_s)
        yield Server(f"http://{LOOPBACK}:{port}", process.pid)
    finally:
        stop_group(process, grace_s=STOP_GRACE_S)


def free_port() -> int:
    """Return a port that was free on the loopback address a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def last_lines(log: Path, count: int = 15) -> str:
    """Return the last lines of a log, for the text of an error."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _is_ready(port):
        if process.poll() is not None:
            raise ServerError(
                f"the service ended with status {process.returncode} before it was ready; "
                f"{log} ends with:\n{last_lines(log)}"
            )
        if time.monotonic() >= deadline:
            raise ServerError(f"the service was not ready after {timeout_s:g} s; {log} ends with:\n{last_lines(log)}")
        time.sleep(POLL_S)


def _is_ready(port: int) -> bool:
    # http.client, because a proxy set in the environment must not see requests to the loopback address.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
