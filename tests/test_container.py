"""The image of `make image`, built and run as a deployment should run it: no root, no capabilities, nothing writable.

Docker is used where its engine runs, else podman with buildah. `BUILD_FLAGS` in the environment reach the build.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IMAGE = "tandem:cpu"
SNEAKER = ROOT / "docs" / "examples" / "sneaker.png"
WORKERS = 2

BUILD_S, PULL_S, COMMAND_S = 900, 120, 60
READY_S = 60.0
BACK_S = 5.0  # after a worker was killed
GRACE_S = 40.0  # a little more than the image's --timeout-graceful-shutdown

# What a cautious deployment takes away. The limits on files and processes are low, so that they can be had anywhere;
# the host's network is used because some machines that run tests allow no other.
RUN = [
    "--detach",
    "--pull=never",
    "--network=host",
    "--no-healthcheck",
    "--read-only",
    "--tmpfs=/tmp:rw,noexec,nosuid,size=64m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--ulimit=nofile=1024:4096",
    "--ulimit=nproc=4096:4096",
]
OF_ENGINE = {"docker": [], "podman": ["--read-only-tmpfs=false"]}  # podman would make /run and /var/tmp writable

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Container:
    """A running one.

    Attributes:
        engine: `docker` or `podman`.
        id: of the container.
        port: on which it listens, on the host's network.
    """

    engine: str
    id: str
    port: int

    def execute(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, as the image's user."""
        return run(self.engine, "exec", self.id, *command, check=check)

    def python(self, program: str) -> Any:
        """What a program prints inside, as JSON; the image's environment runs it."""
        return json.loads(self.execute("python", "-c", program).stdout)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of one request; status 0 where nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "image/png"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def ready_workers(self) -> float:
        """How many say that they are ready."""
        match = re.search(rb"^tandem_ready (\S+)$", self.ask("GET", "/metrics")[1], re.MULTILINE)
        return float(match[1]) if match else 0.0

    def workers(self) -> set[int]:
        """Ids, inside, of the processes that process 1 started."""
        program = (
            "import json, pathlib\n"
            "stats = [path.read_text().rpartition(')')[2].split() + [path.parent.name]"
            " for path in pathlib.Path('/proc').glob('[0-9]*/stat')]\n"
            "print(json.dumps([int(stat[-1]) for stat in stats if stat[1] == '1' and stat[0] != 'Z']))"
        )
        return set(self.python(program))


def run(*command: str, check: bool = True, timeout_s: float = COMMAND_S) -> subprocess.CompletedProcess[str]:
    """One command of the host; the output of one that fails is shown."""
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert not check or outcome.returncode == 0, f"{' '.join(command)}\n{outcome.stdout}\n{outcome.stderr}"
    return outcome


def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Polls until the condition holds."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def engine() -> str:
    """The engine that `make image` builds with, or its companion."""
    if shutil.which("docker") and run("docker", "info", check=False).returncode == 0:
        return "docker"
    if not (shutil.which("podman") and shutil.which("buildah")):
        pytest.skip("no container engine: neither Docker's nor podman with buildah")
    return "podman"


@pytest.fixture(scope="module")
def image(engine: str) -> str:
    """`make image`, from a base image that is here or can be had."""
    base = re.search(r"^ARG PYTHON_IMAGE=(.+)$", DOCKERFILE, re.MULTILINE)
    assert base
    name = f"docker.io/library/{base[1]}"
    if run(engine, "image", "inspect", name, check=False).returncode != 0:
        try:
            run(engine, "pull", name, timeout_s=PULL_S)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"the base image {name} is not here and cannot be pulled: {str(error)[-200:]}")
    run("make", "image", timeout_s=BUILD_S)
    return IMAGE


@contextmanager
def started(engine: str, image: str) -> Iterator[Container]:
    """A container that is ready; it is removed in the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    variables = ["--env", f"PORT={port}", "--env", f"TANDEM_WORKERS={WORKERS}"]
    container = Container(engine, run(engine, "run", *RUN, *OF_ENGINE[engine], *variables, image).stdout.strip(), port)
    try:
        until(lambda: container.ask("GET", "/readyz")[0] == 200, READY_S, "ready")
        until(lambda: len(container.workers()) == WORKERS, READY_S, "all workers")
        yield container
    except BaseException:
        logs = run(engine, "logs", container.id, check=False)
        print(logs.stdout, logs.stderr)
        raise
    finally:
        run(engine, "rm", "--force", container.id)


@pytest.fixture(scope="module")
def container(engine: str, image: str) -> Iterator[Container]:
    with started(engine, image) as running:
        yield running


def test_every_process_is_without_root_and_capabilities(container: Container) -> None:
    program = (
        "import json, pathlib\n"
        "print(json.dumps([dict(line.split(':', 1) for line in path.read_text().splitlines())"
        " for path in pathlib.Path('/proc').glob('[0-9]*/status')]))"
    )
    processes = container.python(program)
    assert len(processes) > WORKERS
    for process in processes:
        assert process["Uid"].split() == ["10001"] * 4
        assert process["Gid"].split() == ["10001"] * 4
        assert all(int(process[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
        assert process["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("path", ["/", "/app", "/app/models/store/fashion-mnist", "/opt/tandem", "/etc", "/var/tmp"])
def test_nothing_but_tmp_can_be_written(container: Container, path: str) -> None:
    assert container.execute("touch", f"{path}/written", check=False).returncode != 0
    container.execute("touch", "/tmp/written")


def test_what_is_written_to_tmp_cannot_be_run(container: Container) -> None:
    container.execute("cp", "/bin/true", "/tmp/program")
    assert container.execute("/tmp/program", check=False).returncode != 0


def test_it_is_ready_and_predicts(container: Container) -> None:
    assert container.ask("GET", "/readyz")[0] == 200
    status, body = container.ask("POST", "/v1/predict", SNEAKER.read_bytes())
    assert (status, json.loads(body)["label"]) == (200, "Sneaker")


def test_it_listens_on_every_address(container: Container) -> None:
    program = "import json, pathlib; print(json.dumps(pathlib.Path('/proc/net/tcp').read_text()))"
    assert f"00000000:{container.port:04X} 00000000:0000 0A" in container.python(program)


def test_the_health_check_of_the_image_passes(container: Container) -> None:
    (config,) = json.loads(run(container.engine, "image", "inspect", IMAGE).stdout)
    check = (config["Healthcheck"] if container.engine == "podman" else config["Config"]["Healthcheck"])["Test"]
    assert check[0] == "CMD"
    container.execute(*check[1:])


def test_the_bill_of_materials_lists_just_what_is_installed(container: Container) -> None:
    program = (
        "import importlib.metadata, json, re\n"
        "print(json.dumps([[re.sub('[-_.]+', '-', found.name).lower(), found.version]"
        " for found in importlib.metadata.distributions()]))"
    )
    installed = {f"pkg:pypi/{name}@{version}" for name, version in container.python(program)}
    components = json.loads(container.execute("cat", "/app/sbom.json").stdout)["components"]
    assert {component["purl"] for component in components} == installed


def test_nothing_of_training_is_inside(container: Container) -> None:
    program = (
        "import importlib.util, json\n"
        "names = ('training', 'loadtests', 'torch', 'sklearn', 'skl2onnx', 'onnx', 'pip', 'pytest')\n"
        "print(json.dumps([name for name in names if importlib.util.find_spec(name)]))"
    )
    assert container.python(program) == []


def test_a_killed_worker_is_back_within_seconds(engine: str, image: str) -> None:
    with started(engine, image) as container:
        victim = min(container.workers())
        container.execute("sh", "-c", f"kill -9 {victim}")
        until(lambda: victim not in container.workers(), BACK_S, "the worker is dead")
        until(lambda: container.ready_workers() == WORKERS, BACK_S, "full strength")
        assert container.ask("POST", "/v1/predict", SNEAKER.read_bytes())[0] == 200


def test_a_terminated_container_ends_with_status_0(engine: str, image: str) -> None:
    with started(engine, image) as container:
        begun = time.monotonic()
        run(engine, "kill", "--signal", "TERM", container.id)
        status = run(engine, "wait", container.id, timeout_s=GRACE_S).stdout.strip()
        assert (status, time.monotonic() - begun < GRACE_S) == ("0", True)
