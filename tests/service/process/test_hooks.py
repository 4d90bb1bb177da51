"""What hangs on BentoML and uvicorn as they are installed, and what remains where they no longer have it."""

from __future__ import annotations

import importlib
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.process import hooks
from tests.chaos.rig.servers import HOST, ROOT, STOPPED_WITHIN_S, Server, serving, until
from tests.service.serving import BRIGHT

WITHIN_S = 120.0
GONE = "is not there: the server goes on without"


@pytest.fixture(scope="module")
def server(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two workers with all hooks."""
    with serving(tmp_path_factory.mktemp("server"), tiny_path, workers=2, drain_s=0.5) as started:
        yield started


def is_ours(server: Server) -> bool:
    """Whether our own server answers; uvicorn says of what is no request that it is none, but not as a problem."""
    with server.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        return b"application/problem+json" in connection.recv(65536)


def predicts(server: Server) -> bool:
    answer = server.predict(BRIGHT)
    return answer.status == 200 and answer.document["label"] == "bright"


def is_supervised(server: Server) -> bool:
    """Whether the supervisor is ours, which is controlled by a socket in a directory of its own and not by a port."""
    sockets = psutil.Process(server.process.pid).net_connections("all")
    ports = {each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN}
    return ports == {server.port} and any(str(each.laddr).endswith("/control") for each in sockets)


# ---------------------------------------------------------------- what is there


@pytest.mark.parametrize(("module", "name"), [hooks.SERVER, hooks.ARBITER], ids=" ".join)
def test_what_the_hooks_replace_is_there(module: str, name: str) -> None:
    assert isinstance(getattr(importlib.import_module(module), name), type)


def test_a_name_that_is_gone_is_said_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    hooks._replace("uvicorn", "Gone", object)
    hooks._replace("uvicorn.gone", "Server", object)
    assert [message.split()[0] for message in caplog.messages] == ["uvicorn.Gone", "uvicorn.gone.Server"]
    assert not hasattr(importlib.import_module("uvicorn"), "Gone")


def test_a_served_process_runs_our_server_and_our_supervisor(server: Server) -> None:
    assert is_ours(server)
    assert is_supervised(server)
    assert GONE not in server.log_text()
    assert predicts(server)


def test_workers_that_have_no_descriptor_left_go_on_when_they_have_some(server: Server) -> None:
    workers = server.workers()
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in workers}
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, before[pid][1]))
    crowd = [server.connect() for _ in range(300)]
    try:
        until(lambda: "no connection can be taken" in server.log_text(), WITHIN_S, "the descriptors are used up")
    finally:
        for connection in crowd:
            connection.close()
    until(server.is_ready, WITHIN_S, "the server answers again")
    assert predicts(server)
    for pid, limits in before.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert server.workers() == workers


def ask_until(server: Server, stop: threading.Event, statuses: list[int], faults: list[str]) -> None:
    """Predicts again and again on one connection, and on a new one where it was told that the old one ends."""
    connection = HTTPConnection(HOST, server.port, timeout=30)
    is_fresh = True
    while not stop.is_set():
        try:
            connection.request("POST", "/v1/predict", BRIGHT, {"Content-Type": "image/png"})
            response = connection.getresponse()
            statuses.append(response.status)
            response.read()
            is_fresh = response.will_close
        except (OSError, RemoteDisconnected) as error:
            faults.append(f"{type(error).__name__} on a {'new' if is_fresh else 'kept'} connection: {error}")
            connection.close()
            is_fresh = True
    connection.close()


def test_a_hangup_replaces_the_workers_and_no_request_is_lost(server: Server) -> None:
    before, statuses, faults, stop = server.workers(), [], [], threading.Event()  # type: ignore[var-annotated]
    callers = [threading.Thread(target=ask_until, args=(server, stop, statuses, faults)) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        server.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(server.workers() - before) == 2 and not server.workers() & before, WITHIN_S, "two new workers"
        )
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert (faults, set(statuses)) == ([], {200})
    assert predicts(server)


def test_the_end_is_told_to_probes_while_all_else_is_answered(tiny_path: Path, tmp_path: Path) -> None:
    with serving(tmp_path, tiny_path, workers=2, drain_s=2) as server:
        server.process.terminate()
        until(lambda: server.request("/readyz").status == 503, 2.0, "the probe is told")
        assert all(predicts(server) for _ in range(20))
        assert server.process.wait(STOPPED_WITHIN_S) == 0


def test_a_port_in_use_ends_the_start_with_a_sentence(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", str(tiny_path))
    monkeypatch.setenv("TANDEM_DEVICE", "cpu")
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "bentoml", "serve", "service:HybridService", "--host", HOST, "--port", port]
        outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    said = outcome.stdout + outcome.stderr
    assert outcome.returncode == 1
    assert f"tandem cannot start: {HOST}:{port}: Address already in use" in said
    assert "Traceback" not in said


# ---------------------------------------------------------------- what remains


@pytest.fixture(params=["SERVER", "ARBITER"])
def without(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Has processes find one of the names gone."""
    code = f"""
import logging, sys
sys.path.insert(0, {str(ROOT)!r})
from service.process import hooks
hooks.{request.param} = hooks.{request.param}[0], "Gone"
logging.root.manager.loggerDict.pop(hooks.logger.name)  # BentoML silences loggers that are older than its own
"""
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return str(request.param)


def test_where_a_name_is_gone_the_server_says_so_and_answers_without_it(
    without: str, tiny_path: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, tiny_path, workers=2, drain_s=1) as server:
        assert f".Gone {GONE}" in server.log_text()
        assert (is_ours(server), is_supervised(server)) == (without != "SERVER", without != "ARBITER")
        assert predicts(server)
        instances = json.dumps({"instances": []}).encode()
        refused = server.request("/predict", instances, {"Content-Type": "application/json"})
        assert (refused.status, refused.code) == (400, "bad_request")
        assert server.request("/nope").code == "not_found"
        assert server.request("/static_content/swagger-ui.css").status == 200  # BentoML's
        server.process.terminate()
        assert server.process.wait(STOPPED_WITHIN_S) == 0


def test_bentomls_worker_makes_a_server_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn  # noqa: PLC0415 (the name that is replaced)

    monkeypatch.setattr(uvicorn, "Server", uvicorn.Server)
    worker: Any = object()
    hooks.serve_with(worker)
    config = uvicorn.Config("unused:app")
    assert isinstance(uvicorn.Server(config), hooks.BentoServer)
