"""Names → the servers that are compared: how each is started, and with which settings."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench.peer_environments import peer_python, versions
from loadtests.inputs.request_bodies import Body, form
from loadtests.load.server_process import LOOPBACK, REPOSITORY, Command, bentoml_command

TANDEM = "Tandem"
SERVICE_PYTHON = Path(sys.executable)
MAX_BATCH = 32  # the service's default, as is the next
DEFAULT_BODY_BYTES = 10 * 2**20


@dataclass(frozen=True)
class Contestant:
    """A server that takes part.

    Attributes:
        name: As tables and plots show it.
        settings: What it runs with, for a person.
        versions: Packages that make it what it is.
        command: Port → command line.
        environ: Port → variables.
        form_field: Field of a form by which it takes an image; bare, as the body, where there is none.
    """

    name: str
    settings: str
    versions: Mapping[str, str]
    command: Command
    environ: Callable[[int], Mapping[str, str]]
    form_field: str | None = None

    def body(self, image: Body) -> Body:
        """Put an image into the body that the server takes."""
        return image if self.form_field is None else form([image], self.form_field)


@dataclass(frozen=True)
class Peer:
    """A server that Tandem is compared with: a program in ``loadtests/peers``.

    Attributes:
        key: What `--peers` calls it.
        name: As tables and plots show it.
        settings: What it runs with, for a person; ``{workers}`` and ``{batch}`` are filled in.
        packages: Whose versions are told.
        command: Port → arguments of its Python.
        max_batch: Images in one run of the embedder. With as many connections as a closed loop has, a batch of all of
            them leaves the other processes idle, so half of them was faster where it makes a difference.
        environ: Variables beside those that every peer gets.
        form_field: Field of a form by which it takes an image; bare, as the body, where there is none.
        requirements: Name of the environment it runs in; by default the key.
    """

    key: str
    name: str
    settings: str
    packages: tuple[str, ...]
    command: Callable[[int], list[str]]
    max_batch: int = 8
    environ: Mapping[str, str] | None = None
    form_field: str | None = None
    requirements: str = ""

    def contestant(self, bundle: Path, workers: int) -> Contestant:
        """Install the peer where it is not, and have it serve a bundle.

        Raises:
            EnvironmentBuildError: It cannot be installed.
        """
        python = peer_python(self.requirements or self.key)
        numbers = {"PEER_WORKERS": str(workers), "PEER_MAX_BATCH": str(self.max_batch)}
        shared = {"PYTHONPATH": str(REPOSITORY), "PEER_BUNDLE": str(bundle), **numbers, **(self.environ or {})}
        return Contestant(
            name=self.name,
            settings=self.settings.format(workers=workers, batch=self.max_batch),
            versions=versions(python, self.packages),
            command=lambda port: [str(python), *self.command(port)],
            environ=lambda port: {**shared, "PEER_PORT": str(port)},
            form_field=self.form_field,
        )


def _bentoml_arguments(class_: str, port: int) -> list[str]:
    return ["-m", "bentoml", "serve", f"loadtests.peers.peer_bentoml:{class_}", "--host", LOOPBACK, "--port", str(port)]


PEERS = {
    peer.key: peer
    for peer in (
        Peer(
            "mosec",
            "MOSEC",
            "{workers} workers of one stage, batches of {batch}, 1 ms wait (its least), orjson",
            ("mosec",),
            lambda port: [
                *("-m", "loadtests.peers.peer_mosec", "--address", LOOPBACK, "--port", str(port)),
                *("--timeout", "30000", "--log-level", "error"),
            ],
        ),
        Peer(
            "litserve",
            "LitServe",
            "{workers} workers and API servers, ZeroMQ queue, batches of {batch}, no wait, orjson, no access log",
            ("litserve", "fastapi", "uvicorn"),
            lambda _: ["-m", "loadtests.peers.peer_litserve"],
        ),
        Peer(
            "fastapi",
            "FastAPI",
            "{workers} uvicorn workers, no batching, uvloop, httptools, orjson, no access log",
            ("fastapi", "uvicorn"),
            lambda _: ["-m", "loadtests.peers.peer_fastapi"],
        ),
        Peer(
            "bentoml",
            "BentoML, batchable API",
            "{workers} workers, batches of {batch}, an image as a form's file, no metrics, tracing, access log",
            ("bentoml", "uvicorn"),
            lambda port: _bentoml_arguments("Classifier", port),
            form_field="images",
        ),
        Peer(
            "bentoml_raw",
            "BentoML, raw bodies",
            "{workers} workers, batches of {batch}, body read raw by our descriptor, no metrics, tracing, access log",
            ("bentoml", "uvicorn"),
            lambda port: _bentoml_arguments("RawClassifier", port),
            requirements="bentoml",
        ),
        Peer(
            "rayserve",
            "Ray Serve",
            "{workers} replicas, `serve.batch` of {batch}, no wait, RAY_SERVE_THROUGHPUT_OPTIMIZED=1, orjson",
            ("ray", "uvicorn"),
            lambda _: ["-m", "loadtests.peers.peer_rayserve"],
            environ={
                "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
                "RAY_USAGE_STATS_ENABLED": "0",
            },
        ),
    )
}


def tandem(bundle: Path, workers: int, *, body_bytes: int = 0, precision: str | None = None) -> Contestant:
    """Have the service of this repository serve a bundle, as users start it.

    Args:
        bundle: What is served.
        workers: Processes.
        body_bytes: Of the largest body, for which there must be room.
        precision: Of the embedder; by default that of the environment.
    """
    variables = {"TANDEM_BUNDLE": str(bundle), "TANDEM_WORKERS": str(workers), "TANDEM_CACHE_MB": "0"}
    if precision is not None:
        variables["TANDEM_PRECISION"] = precision
    if body_bytes > DEFAULT_BODY_BYTES:
        variables["TANDEM_MAX_BODY_BYTES"] = str(body_bytes)
    return Contestant(
        name=TANDEM,
        settings=f"{workers} workers, batches of at most {MAX_BATCH}, no cache; limits, metrics and access log on",
        versions=versions(SERVICE_PYTHON, ("bentoml", "uvicorn")),
        command=bentoml_command,
        environ=lambda _: variables,
    )


def cores() -> int:
    """Cores that this process may use, which is how many processes every server gets."""
    return len(os.sched_getaffinity(0))
