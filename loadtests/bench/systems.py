"""Names ──▶ the systems under test: how each is started, and with which settings."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench.peer_environments import peer_python, versions
from loadtests.inputs.request_bodies import Body, form
from loadtests.load.server_process import REPOSITORY, Command, bentoml_command

TANDEM = "Tandem"
REFERENCE_PEER = "MOSEC"  # its peak sets the requests/s of the open loop
DEFAULT_BUNDLE = REPOSITORY / "models/store/fashion-mnist"
SERVICE_PYTHON = Path(sys.executable)
PEER_MAX_BATCH = 8  # half the default connections: with one batch of all of them, the other processes are idle
MAX_BATCH = 32  # the service's default, as is the next
DEFAULT_BODY_BYTES = 10 * 2**20


@dataclass(frozen=True)
class System:
    """A system under test, installed.

    Attributes:
        name: Name in tables and plots.
        settings: What it runs with, as text.
        versions: Package → version.
        command: Port → command line.
        environ: Port → variables.
        form_field: Field of a form that takes the image; None if the image is the body.
    """

    name: str
    settings: str
    versions: Mapping[str, str]
    command: Command
    environ: Callable[[int], Mapping[str, str]]
    form_field: str | None = None

    def body(self, image: Body) -> Body:
        """Put an image into the body that the system takes."""
        return image if self.form_field is None else form([image], self.form_field)


@dataclass(frozen=True)
class Peer:
    """Another server that Tandem is compared with: a program in ``loadtests/peers``.

    ``requirements`` names its environment. ``arguments`` of ``python -m`` may contain ``{port}``, ``settings`` may
    contain ``{workers}`` and ``{batch}``. The rest is as in ``System``.
    """

    name: str
    settings: str
    packages: tuple[str, ...]
    requirements: str
    arguments: str
    environ: Mapping[str, str] = field(default_factory=dict)
    form_field: str | None = None

    def install(self, bundle: Path, workers: int) -> System:
        """Install the peer if it is not, and configure it to serve a bundle.

        Raises:
            EnvironmentBuildError: It cannot be installed.
        """
        python = peer_python(self.requirements)
        numbers = {"PEER_WORKERS": str(workers), "PEER_MAX_BATCH": str(PEER_MAX_BATCH)}
        shared = {"PYTHONPATH": str(REPOSITORY), "PEER_BUNDLE": str(bundle), **numbers, **self.environ}
        return System(
            name=self.name,
            settings=self.settings.format(workers=workers, batch=PEER_MAX_BATCH),
            versions=versions(python, self.packages),
            command=lambda port: [str(python), "-m", *self.arguments.format(port=port).split()],
            environ=lambda port: {**shared, "PEER_PORT": str(port)},
            form_field=self.form_field,
        )


PEERS = {
    "mosec": Peer(
        REFERENCE_PEER,
        "{workers} workers of one stage, batches of {batch}, 1 ms wait (its least), orjson",
        ("mosec",),
        "mosec",
        "loadtests.peers.peer_mosec --address 127.0.0.1 --port {port} --timeout 30000 --log-level error",
    ),
    "litserve": Peer(
        "LitServe",
        "{workers} workers and API servers, ZeroMQ queue, batches of {batch}, no wait, orjson, no access log",
        ("litserve", "fastapi", "uvicorn"),
        "litserve",
        "loadtests.peers.peer_litserve",
    ),
    "fastapi": Peer(
        "FastAPI",
        "{workers} uvicorn workers, no batching, uvloop, httptools, orjson, no access log",
        ("fastapi", "uvicorn"),
        "fastapi",
        "loadtests.peers.peer_fastapi",
    ),
    "bentoml": Peer(
        "BentoML, batchable API",
        "{workers} workers, batches of {batch}, an image as a form's file, no metrics, tracing, access log",
        ("bentoml", "uvicorn"),
        "bentoml",
        "bentoml serve loadtests.peers.peer_bentoml:Classifier --host 127.0.0.1 --port {port}",
        form_field="images",
    ),
    "bentoml_raw": Peer(
        "BentoML, raw bodies",
        "{workers} workers, batches of {batch}, body read raw by our descriptor, no metrics, tracing, access log",
        ("bentoml", "uvicorn"),
        "bentoml",
        "bentoml serve loadtests.peers.peer_bentoml:RawClassifier --host 127.0.0.1 --port {port}",
    ),
    "rayserve": Peer(
        "Ray Serve",
        "{workers} replicas, `serve.batch` of {batch}, no wait, RAY_SERVE_THROUGHPUT_OPTIMIZED=1, orjson",
        ("ray", "uvicorn"),
        "rayserve",
        "loadtests.peers.peer_rayserve",
        {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"},
    ),
}


def tandem(bundle: Path, workers: int, *, body_bytes: int = 0, precision: str | None = None) -> System:
    """Configure the service of this repository to serve a bundle, as users start it.

    Args:
        bundle: What is served.
        workers: Processes.
        body_bytes: Size of the largest body.
        precision: Precision of the embedder; by default that of the environment.
    """
    variables = {"TANDEM_BUNDLE": str(bundle), "TANDEM_WORKERS": str(workers), "TANDEM_CACHE_MB": "0"}
    if precision is not None:
        variables["TANDEM_PRECISION"] = precision
    if body_bytes > DEFAULT_BODY_BYTES:
        variables["TANDEM_MAX_BODY_BYTES"] = str(body_bytes)
    return System(
        name=TANDEM,
        settings=f"{workers} workers, batches of at most {MAX_BATCH}, no cache; limits, metrics and access log on",
        versions=versions(SERVICE_PYTHON, ("bentoml", "uvicorn")),
        command=bentoml_command,
        environ=lambda _: variables,
    )


def cores() -> int:
    """Cores that this process may use; the default number of processes of every system."""
    return len(os.sched_getaffinity(0))
