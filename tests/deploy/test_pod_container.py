"""The container of deploy/kubernetes.yaml runs with its command, variables, rights, volumes and probes, to its end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.manifests import committed, container, pod, variables
from tests.test_container import OF_ENGINE, SNEAKER, Container, engine, image, run, until

__all__ = ["engine", "image"]  # fixtures

pytestmark = pytest.mark.slow

POD = pod(committed())
CONTAINER = container(committed())
# not of the manifest: limits and a network that can be had anywhere
HERE = ["--detach", "--pull=never", "--network=host", "--no-healthcheck"]
HERE += ["--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]
UNITS = {"Mi": "m", "Gi": "g"}
POLL_S = 0.05


def options() -> list[str]:
    """What a container engine is told for what the manifest says of rights and volumes."""
    user, context = POD["securityContext"], CONTAINER["securityContext"]
    volumes = {volume["name"]: volume["emptyDir"] for volume in POD["volumes"]}
    found = [
        f"--user={user['runAsUser']}:{user['runAsGroup']}",
        *(f"--cap-drop={cap}" for cap in context["capabilities"]["drop"]),
    ]
    found += ["--read-only"] if context["readOnlyRootFilesystem"] else []
    found += [] if context["allowPrivilegeEscalation"] else ["--security-opt=no-new-privileges"]
    for mount in CONTAINER["volumeMounts"]:
        limit = volumes[mount["name"]]["sizeLimit"]
        found.append(f"--tmpfs={mount['mountPath']}:rw,size={limit[:-2]}{UNITS[limit[-2:]]}")
    return found + [f"--env={name}={value}" for name, value in variables(CONTAINER).items()]


def command(port: int) -> list[str]:
    """The command, on a port of the host, whose network some machines that run tests need."""
    declared = str(CONTAINER["ports"][0]["containerPort"])
    assert declared in CONTAINER["command"]
    return [str(port) if word == declared else word for word in CONTAINER["command"]]


def passes(running: Container, probe: dict[str, Any]) -> bool:
    """One look of a probe, as a kubelet takes it."""
    status, _ = running.ask("GET", probe["httpGet"]["path"])
    return 200 <= status < 400


@pytest.fixture(scope="module")
def running(engine: str, image: str) -> Iterator[Container]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    words = [
        "--detach",
        "--pull=never",
        "--network=host",
        "--no-healthcheck",
        "--ulimit=nofile=1024:4096",
        "--ulimit=nproc=4096:4096",
    ]
    started = run(engine, "run", *words, *OF_ENGINE[engine], *options(), image, *command(port))
    found = Container(engine, started.stdout.strip(), port)
    try:
        probe = CONTAINER["startupProbe"]
        until(
            lambda: passes(found, probe), probe["periodSeconds"] * probe["failureThreshold"], "the startup probe passes"
        )
        yield found
    except BaseException:
        logs = run(engine, "logs", found.id, check=False)
        print(logs.stdout, logs.stderr)
        raise
    finally:
        run(engine, "rm", "--force", found.id)


def test_it_runs_as_the_manifest_says(running: Container) -> None:
    status = "print(__import__('json').dumps(open('/proc/1/status').read()))"
    lines = dict(line.split(":", 1) for line in running.python(status).splitlines())
    user = POD["securityContext"]
    assert (lines["Uid"].split()[0], lines["Gid"].split()[0]) == (str(user["runAsUser"]), str(user["runAsGroup"]))
    assert (int(lines["CapEff"], 16), lines["NoNewPrivs"].strip()) == (0, "1")
    assert running.execute("touch", "/app/written", check=False).returncode != 0


def test_all_its_probes_pass_and_it_predicts(running: Container) -> None:
    assert all(passes(running, CONTAINER[name]) for name in ("startupProbe", "readinessProbe", "livenessProbe"))
    status, body = running.ask("POST", "/v1/predict", SNEAKER.read_bytes())
    assert (status, json.loads(body)["label"]) == (200, "Sneaker")
    until(lambda: running.ready_workers() == int(variables(CONTAINER)["TANDEM_WORKERS"]), 30, "all workers are ready")


def test_it_ends_as_a_pod_ends(running: Container) -> None:
    begun = time.monotonic()
    running.execute(*CONTAINER["lifecycle"]["preStop"]["exec"]["command"])
    assert passes(running, CONTAINER["readinessProbe"])
    run(running.engine, "kill", "--signal", "TERM", running.id)
    until(lambda: running.ask("GET", "/readyz")[0] == 503, 1.0, "the readiness probe fails")
    signalled = time.monotonic()
    answered = 0
    while (status := running.ask("POST", "/v1/predict", SNEAKER.read_bytes())[0]) == 200:
        answered += 1
        time.sleep(POLL_S)
    drained_s = time.monotonic() - signalled
    assert status == 0, "a request was answered, and not as always"
    assert answered > 0
    assert drained_s >= float(variables(CONTAINER)["TANDEM_DRAIN_S"]) - 0.5
    left_s = POD["terminationGracePeriodSeconds"] - (time.monotonic() - begun)
    assert run(running.engine, "wait", running.id, timeout_s=left_s).stdout.strip() == "0"
